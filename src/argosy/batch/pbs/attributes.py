"""Text of ``qstat -f`` and ``pbsnodes -a``: records of attributes.

A record begins with a heading at the beginning of a line; each attribute is ``name = value``, indented. A long value
goes on after a newline and a tab, the break being anywhere in it. A value that has a newline itself goes on at the
beginning of the next line; OpenPBS writes those as ``\\n`` where it is asked for unwrapped lines (``-w``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_ATTRIBUTE = re.compile(r" {4,5}([A-Za-z][\w.-]*) =(?: (.*))?\Z", re.DOTALL)


@dataclass(slots=True)
class Described:
    """One job, queue, node or server: its name and attributes, and the text that it was read from."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        """An attribute, None where it is not there or empty."""
        return self.attributes.get(name) or None

    def whole(self, name: str) -> int | None:
        """An attribute that is a whole number. Raises ValueError where it is something else."""
        value = self.get(name)
        return None if value is None else int(value)

    @property
    def text(self) -> str:
        """What was read."""
        return "\n".join(self.lines)


def read(text: str, heading: str) -> tuple[list[Described], list[str]]:
    """The records whose headings begin with `heading` (``Job Id: ``, or nothing), and lines that belong to none.

    Of an attribute that is there twice the first counts: only a value can bring a second one about.
    """
    found: list[Described] = []
    stray: list[str] = []
    last: str | None = None
    for line in text.split("\n"):
        match = _ATTRIBUTE.match(line)
        if match is None and line.startswith(heading) and line[:1] not in ("", " ", "\t"):
            found.append(Described(line[len(heading) :].strip(), lines=[line]))
            last = None
        elif not found:
            if line.strip():
                stray.append(line)
        elif match is not None:
            found[-1].lines.append(line)
            last = match[1] if match[1] not in found[-1].attributes else None
            found[-1].attributes.setdefault(match[1], match[2] or "")
        elif line.strip():
            found[-1].lines.append(line)
            if last is not None:
                found[-1].attributes[last] += line[1:] if line.startswith("\t") else "\n" + line
    return found, stray
