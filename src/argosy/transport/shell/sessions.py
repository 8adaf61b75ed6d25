"""What is at work on one channel: a shell that runs script after script, or one script that has no end."""

from __future__ import annotations

import asyncio
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: The most that one script may print, in bytes: a queue of 100,000 jobs is some 30 MB.
MOST_OUTPUT = 256 * 1024 * 1024
#: A shell that has answered so short a time ago is taken to be there still, in seconds.
_FRESH = 1.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a script ended: its exit status (128 and the signal's number for a signal), and what it printed."""

    status: int
    out: bytes
    err: bytes


class Channel(ABC):
    """The way to a process on the other host: its streams."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send to its standard input. Where the channel is closed nothing happens."""

    @abstractmethod
    def abort(self) -> None:
        """Close the channel; what runs on the other side sees the end of its input."""


class Session:
    """A process on the other host. `closed` is done when it has ended, with its exit status where that was told."""

    def __init__(self) -> None:
        self.channel: Channel | None = None
        self.closed: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def began(self, channel: Channel) -> None:
        """The channel is there. Told by it, as is what follows."""
        self.channel = channel

    def received(self, data: bytes, *, error: bool) -> None:
        """The process has printed something, on standard error where `error`."""

    def ended(self, status: int | None) -> None:
        """The channel has closed."""
        if not self.closed.done():
            self.closed.set_result(status)

    def send(self, data: bytes) -> None:
        """Send to its standard input. Where the channel is closed nothing happens: `closed` tells that."""
        assert self.channel is not None
        self.channel.write(data)

    def abort(self) -> None:
        """Close the channel; what runs on the other side sees the end of its input."""
        if self.channel is not None:
            self.channel.abort()


class Stream(Session):
    """A script whose output is of use as it comes."""

    def __init__(self, printed: Callable[[bytes], None]) -> None:
        super().__init__()
        self._printed = printed

    def received(self, data: bytes, *, error: bool) -> None:
        if not error:
            self._printed(data)


class Shell(Session):
    """A shell that runs `remote.SHELL`: one script at a time, each in a process of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._streams = (bytearray(), bytearray())
        self._end = b""
        self._answer: asyncio.Future[Ended] | None = None
        #: Whether it can be given another script: not while one is at work, or has left input unread.
        self.usable = True
        self.too_much = False
        self._since = time.monotonic()

    async def run(self, script: bytes, data: bytes) -> Ended | None:
        """Run a script with `data` on its standard input; None where the channel closed before its end was told."""
        self.usable = False
        self._end = secrets.token_hex(16).encode()
        for stream in self._streams:
            stream.clear()
        answer: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self.send(b"%d %d %s\n" % (len(script), len(data), self._end) + script + data)
        either: list[asyncio.Future[Any]] = [answer, self.closed]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            return None
        ended = answer.result()
        self.usable = not self.closed.done() and (ended.status == 0 or not data)
        self._since = time.monotonic()
        return ended

    async def answers(self) -> bool:
        """Whether it is still there. One that has just answered is not asked again."""
        if time.monotonic() - self._since < _FRESH:
            return not self.closed.done()
        return await self.run(b"", b"") is not None

    def last_words(self) -> bytes:
        """What was printed on standard error before the channel closed."""
        return bytes(self._streams[1])

    def received(self, data: bytes, *, error: bool) -> None:
        stream = self._streams[1 if error else 0]
        stream += data
        if sum(map(len, self._streams)) > MOST_OUTPUT:
            self.too_much = True
            self.abort()
        if self._answer is None or self._answer.done():
            return
        # Each stream ends with a line that begins with the mark; on standard output the exit status follows it.
        tails = [stream[-(len(self._end) + 8) :].partition(self._end) for stream in self._streams]
        if all(mark and rest.endswith(b"\n") for _, mark, rest in tails):
            out, err = (bytes(stream[: stream.rindex(self._end)]) for stream in self._streams)
            self._answer.set_result(Ended(int(tails[0][2]), out, err))
