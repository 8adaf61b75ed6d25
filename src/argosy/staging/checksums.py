"""Checksums: computing them, and reading what servers say of theirs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Iterable, Mapping

from argosy.model import InvalidInput

#: Hexadecimal digits of each algorithm that is computed and compared, the strongest first.
ALGORITHMS = {"sha512": 128, "sha256": 64, "sha1": 40, "md5": 32, "crc32": 8, "adler32": 8}

# RFC 3230 with RFC 5843, and RFC 9530: how the headers call them.
_HEADER_NAMES = {
    "sha-512": "sha512",
    "sha-256": "sha256",
    "sha": "sha1",
    "md5": "md5",
    "adler32": "adler32",
    "adler": "adler32",
}
_HEX = re.compile(r"[0-9a-f]+\Z")


class Checksums:
    """Several checksums over the same bytes."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._digests = {}
        self._sums: dict[str, int] = {}
        for name in algorithms:
            if name == "adler32":
                self._sums[name] = 1
            elif name == "crc32":
                self._sums[name] = 0
            else:
                self._digests[name] = hashlib.new(name, usedforsecurity=False)

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Add the next bytes."""
        for digest in self._digests.values():
            digest.update(data)
        for name, value in self._sums.items():
            self._sums[name] = (zlib.adler32 if name == "adler32" else zlib.crc32)(data, value)

    def hexadecimal(self) -> dict[str, str]:
        """All of them."""
        return {name: digest.hexdigest() for name, digest in self._digests.items()} | {
            name: f"{value:08x}" for name, value in self._sums.items()
        }


def check_declared(checksums: Mapping[str, str], element: str = "checksums") -> dict[str, str]:
    """Declared checksums in their normal form. Raises InvalidInput for what is none."""
    normal = {}
    for name, value in checksums.items():
        digits = ALGORITHMS.get(name)
        if digits is None:
            raise InvalidInput(
                f"there is no checksum {name!r} here; there are {', '.join(ALGORITHMS)}", element=element
            )
        lower = value.lower()
        if name in ("adler32", "crc32"):
            lower = lower.rjust(digits, "0")
        if len(lower) != digits or not _HEX.match(lower):
            raise InvalidInput(f"a {name} has {digits} hexadecimal digits; {value!r} is none", element=element)
        normal[name] = lower
    return normal


def stated(headers: Mapping[str, str], *, whole: bool) -> dict[str, str]:
    """What an HTTP answer says of the checksums of a file: Repr-Digest (RFC 9530), Digest (RFC 3230), Content-MD5.

    Not `whole`: it is an answer with a part of the file, whose Content-MD5 is that of the part. What cannot be read is
    passed over: it is nothing that was promised.
    """
    found: dict[str, str] = {}
    for item in headers.get("Digest", "").split(","):
        name, _, value = item.strip().partition("=")
        _add(found, name, value)
    for item in headers.get("Repr-Digest", "").split(","):
        name, _, value = item.strip().partition("=")
        if len(value) > 1 and value[0] == value[-1] == ":":
            _add(found, name, value[1:-1])
    if whole and "Content-MD5" in headers:
        _add(found, "md5", headers["Content-MD5"].strip())
    return found


def _add(found: dict[str, str], name: str, value: str) -> None:
    algorithm = _HEADER_NAMES.get(name.lower())
    if algorithm is None:
        return
    digits = ALGORITHMS[algorithm]
    if algorithm == "adler32" or (len(value) == digits and _HEX.match(value.lower())):
        # RFC 3230 writes the ADLER32 in hexadecimal; some servers the others too.
        text = value.lower().rjust(digits, "0")
    else:
        try:
            text = base64.b64decode(value, validate=True).hex()
        except (binascii.Error, ValueError):
            return
    if len(text) == digits and _HEX.match(text):
        found[algorithm] = text
