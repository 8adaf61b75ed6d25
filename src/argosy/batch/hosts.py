"""Lists of hosts as batch systems abbreviate them: ``n[1-3,07],login`` is n1, n2, n3, n07, login."""

from __future__ import annotations

import re

#: The most hosts that one list is expanded to; what is longer stays as it was written.
MOST = 100_000

_RANGE = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?\Z", re.ASCII)


def expand_hosts(text: str) -> tuple[str, ...]:
    """The single hosts. A list that cannot be read is one host of that name: it is for people."""
    hosts: list[str] = []
    for part in _split(text):
        expanded = _expand(part, MOST - len(hosts))
        hosts.extend([part] if expanded is None else expanded)
    return tuple(hosts)


def _split(text: str) -> list[str]:
    """Split at the commas that are not within brackets."""
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        if char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return [part for part in parts if part]


def _expand(part: str, room: int) -> list[str] | None:
    """The hosts of one name, whose brackets stand for numbers; None where it is odd or too long."""
    opened = part.find("[")
    if opened < 0:
        return [part]
    closed = part.find("]", opened)
    if closed < 0:
        return None
    numbers: list[str] = []
    for item in part[opened + 1 : closed].split(","):
        match = _RANGE.match(item)
        if match is None:
            return None
        first, last = match[1], match[2] or match[1]
        if int(last) - int(first) >= room - len(numbers):
            return None
        numbers.extend(str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))
    tails = _expand(part[closed + 1 :], room) if closed + 1 < len(part) else [""]
    if tails is None or len(numbers) * len(tails) > room:
        return None
    return [part[:opened] + number + tail for number in numbers for tail in tails]
