"""Flux's job ids. One id is written in many ways (RFC 19); Argosy's native ids are the decimal numbers."""

from __future__ import annotations

import re

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_F58 = re.compile(rf"[\u0192f]([{_ALPHABET}]{{1,12}})\Z")
_DECIMAL = re.compile(r"\d{1,20}\Z", re.ASCII)
_HEX = re.compile(r"0x[0-9a-fA-F]{1,16}\Z", re.ASCII)
_MOST = 2**64

# The same for bash: `argosy_flux_id F58`.
TO_DECIMAL = f"""\
argosy_flux_id() {{
    local argosy_digits={_ALPHABET} argosy_rest=${{1#\u0192}} argosy_before argosy_number=0
    [[ $argosy_rest != "$1" ]] || argosy_rest=${{1#f}}
    while [[ -n $argosy_rest ]]; do
        argosy_before=${{argosy_digits%%"${{argosy_rest:0:1}}"*}}
        argosy_number=$((argosy_number * 58 + ${{#argosy_before}}))
        argosy_rest=${{argosy_rest:1}}
    done
    builtin echo "$argosy_number"
}}
"""


def number(written: str) -> int | None:
    """The number of an id in F58 (``ƒ5TRXp5D``, ``f5TRXp5D``), decimal or hexadecimal form; None where it is none."""
    value: int | None = None
    if match := _F58.match(written):
        value = 0
        for digit in match[1]:
            value = value * 58 + _ALPHABET.index(digit)
    elif _DECIMAL.match(written):
        value = int(written)
    elif _HEX.match(written):
        value = int(written, 16)
    return value if value is not None and value < _MOST else None
