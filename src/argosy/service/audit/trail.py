"""The file of the audit trail, and what is known of the request that a line belongs to."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from argosy.model.texts import readable

log = logging.getLogger(__name__)

#: How often it is looked whether somebody has moved the file away, in seconds.
_LOOK = 1.0
#: How often a file that cannot be written is told of, in seconds.
_TELL = 60.0
#: A request id that a client or a server before this one may choose.
_MAX_ID = 64


@dataclass(frozen=True, slots=True)
class RequestMark:
    """What is told of a request: an id, and where it came from."""

    id: str
    address: str | None


_current: ContextVar[RequestMark | None] = ContextVar("argosy_request", default=None)


def current() -> RequestMark | None:
    """The request that is being answered here, if any."""
    return _current.get()


@contextlib.contextmanager
def of_request(given: str | None, address: str | None) -> Iterator[RequestMark]:
    """What is done within belongs to one request. `given` is an id that it brought, used if it is a plain word."""
    good = given is not None and 0 < len(given) <= _MAX_ID and given.isascii() and given.replace("-", "a").isalnum()
    mark = RequestMark(given if good and given is not None else secrets.token_hex(8), address)
    token = _current.set(mark)
    try:
        yield mark
    finally:
        _current.reset(token)


class Trail:
    """Lines of JSON appended to a file of mode 0600, each in one write.

    A file that was moved away is followed by a new one, within a second and at `reopen`. What cannot be written is
    told in the log, and lets the service go on.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._fd: int | None = None
        self._looked = 0.0
        self._told: float | None = None
        self._encode = msgspec.json.Encoder().encode

    def write(self, what: Mapping[str, Any]) -> None:
        """Add a line: the time, the request, and this."""
        now = self._clock()
        line: dict[str, Any] = {"time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")}
        mark = _current.get()
        if mark is not None:
            line["request"] = mark.id
            line["address"] = mark.address
        line.update(what)
        try:
            encoded = self._encode(line)
        except UnicodeEncodeError:  # a file's name is bytes of any kind
            encoded = self._encode(readable(line))
        try:
            os.write(self._file(), encoded + b"\n")
        except OSError as error:
            if self._told is None or time.monotonic() - self._told > _TELL:
                self._told = time.monotonic()
                log.error("the audit trail %s cannot be written: %s", self._path, error.strerror)  # noqa: TRY400

    def _file(self) -> int:
        moment = time.monotonic()
        if self._fd is not None and moment - self._looked >= _LOOK:
            self._looked = moment
            try:
                there = os.stat(self._path)
            except FileNotFoundError:
                self.reopen()
            else:
                if not os.path.samestat(there, os.fstat(self._fd)):
                    self.reopen()
        if self._fd is None:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._looked = moment
        return self._fd

    def reopen(self) -> None:
        """Go on with the file that has the name now: after it was moved away."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    close = reopen
