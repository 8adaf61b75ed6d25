"""Signing policies: which names a CA may give (the EACL files beside each CA in an IGTF-style directory)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from argosy.identity.patterns import matches

from .names import canonical

_TOKEN = re.compile(r"""\s*(?:'([^']*)'|"([^"]*)"|([^\s'"#]+)|(\#.*))""")
MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class SigningPolicy:
    """What one CA may sign: patterns of subjects, in which ``*`` is any text and ``?`` any character."""

    ca: str
    patterns: tuple[str, ...]

    def allows(self, subject: str) -> bool:
        """Whether it may give this name."""
        return any(matches(pattern, subject) for pattern in self.patterns)


def parse(text: str) -> list[SigningPolicy]:
    """The entries of a file. Raises ValueError, with the line, for what is none."""
    if len(text) > MAX_BYTES:
        raise ValueError("it is too large")
    found: list[SigningPolicy] = []
    ca: str | None = None
    may_sign = False
    patterns: list[str] = []

    def finish() -> None:
        if ca is not None:
            found.append(SigningPolicy(ca, tuple(patterns) if may_sign else ()))

    for number, line in enumerate(text.splitlines(), 1):
        words = _words(line, number)
        if not words:
            continue
        if len(words) != 3:
            raise ValueError(f"line {number} has not three parts")
        keyword, authority, value = words
        if keyword == "access_id_CA":
            if authority.upper() != "X509":
                raise ValueError(f"line {number}: {authority!r} is not X509")
            finish()
            ca, may_sign, patterns = canonical(value), False, []
        elif ca is None:
            raise ValueError(f"line {number}: access_id_CA must come first")
        elif keyword == "pos_rights":
            may_sign = may_sign or value == "CA:sign"
        elif keyword == "cond_subjects":
            patterns += [canonical(one) for one in _patterns(value)]
        elif keyword == "neg_rights":
            raise ValueError(f"line {number}: neg_rights is not supported")
        else:
            raise ValueError(f"line {number}: {keyword!r} is not known")
    finish()
    return found


def _words(line: str, number: int) -> list[str]:
    words: list[str] = []
    at = 0
    line = line.rstrip()
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None:
            raise ValueError(f"line {number} cannot be read")
        if match[4] is None:
            words.append(next(group for group in match.groups()[:3] if group is not None))
        at = match.end()
    return words


def _patterns(value: str) -> list[str]:
    """Quoted patterns side by side; one without quotes stands alone."""
    quoted = re.findall(r'"([^"]*)"', value)
    return quoted if quoted or '"' in value else [value]
