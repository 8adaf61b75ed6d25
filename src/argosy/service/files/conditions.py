"""Under which conditions a file is to be changed: what must be there, or must not (RFC 9110, section 13.1).

Pure: whoever changes the file asks just before, so that nothing comes in between.
"""

from __future__ import annotations

from msgspec import Struct


class Conditions(Struct, frozen=True, omit_defaults=True):
    """All of those named must hold. Tags are written as in the headers: ``*``, or a list with quotes."""

    match: str | None = None
    """It is there, with one of these tags."""
    none_match: str | None = None
    """It is not there, or with none of these tags."""
    unmodified_since: float | None = None
    """It has not been changed since then; seconds since the epoch. Of no account beside `match`."""

    def hold(self, etag: str | None, modified: float) -> bool:
        """Whether they do: `etag` with its quotes is that of what is there, None where nothing is."""
        if self.match is not None:
            if not tagged(self.match, etag, weak=False):
                return False
        elif self.unmodified_since is not None and etag is not None and int(modified) > self.unmodified_since:
            return False
        return self.none_match is None or not tagged(self.none_match, etag, weak=True)


#: A change that is to be made whatever is there.
ALWAYS = Conditions()


def tagged(value: str, etag: str | None, *, weak: bool) -> bool:
    """Whether a header's value names this tag, or whatever is there (``*``); `weak`: also as a weak one."""
    if etag is None:
        return False
    if value.strip() == "*":
        return True
    tags = (tag.strip() for tag in value.split(","))
    return any((tag.removeprefix("W/") if weak else tag) == etag for tag in tags)
