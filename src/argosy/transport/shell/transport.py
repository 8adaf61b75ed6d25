"""Another host as a transport: commands and files through the login shells of one shared connection."""

from __future__ import annotations

import asyncio
import io
import secrets
import tarfile
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Hashable, Sequence
from typing import Any, TypeVar

from argosy.model import Command, Completed, Unavailable
from argosy.transport.contract import Transport

from . import remote
from .connection import Connection, release, share
from .sessions import Ended
from .watching import Watch

_T = TypeVar("_T")

#: How long reading and writing files may take, in seconds: file systems of clusters hang at times.
_FILES_TIMEOUT = 60.0
_KILLED = 128 + 9
#: How these say that there is no such file (strerror(3) in the C locale).
_NO_FILE = (b"No such file or directory", b"Not a directory")
#: How GNU tar speaks of files that were removed or replaced while it was at work, and of having spoken.
_HARMLESS = (_NO_FILE[0], b"file changed as we read it", b"previous errors")


class ShellTransport(Transport):
    """A host with sh. Transports whose `key` is equal share their connection; `program` is how people know it."""

    #: What gives a command its PATH there.
    program = "ssh"

    def __init__(self, where: str, key: Hashable) -> None:
        self.where = where
        self._key = key
        self._shared: Connection | None = None
        self._home: str | None = None
        self._work: set[asyncio.Task[Any]] = set()
        self._watches: set[Watch] = set()
        self._closed = False

    async def run(self, command: Command, *, timeout: float) -> Completed:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        name = command.argv[0]
        mark = secrets.token_hex(16)
        ended = await self._script(remote.run(command, mark, timeout), mark=mark, timeout=timeout, what=name)
        if ended.status == _KILLED and loop.time() - begun >= timeout:
            raise Unavailable(f"{name} gave no answer within {timeout:g} s on {self.where}")
        if ended.status == remote.ABSENT and ended.err.endswith(mark.encode()):
            raise Unavailable(
                f"{name} cannot be run on {self.where}: it is not on the PATH that ssh gives to a command there"
            )
        return Completed(command.argv, ended.status, _text(ended.out), _text(ended.err))

    async def home(self) -> str:
        if self._home is None:
            ended = await self._script('printf %s "$HOME"', what="the shell")
            home = ended.out.decode("utf-8", "surrogateescape")
            if not home.startswith("/"):
                raise Unavailable(f"{self.where} does not say where the home directory is")
            self._home = home
        return self._home

    async def make_directories(self, paths: Sequence[str]) -> None:
        if paths:
            ended = await self._script(remote.make_directories(paths), what="mkdir")
            self._check(ended, f"{' '.join(paths)} cannot be made")

    async def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        temporary = f"{path}.{secrets.token_hex(8)}.tmp"
        text = remote.write(path, temporary, len(data), mode)
        self._check(await self._script(text, data=data, what=f"writing {path}"), f"{path} cannot be written")

    async def read(self, path: str) -> bytes | None:
        ended = await self._script(remote.read(path), what=f"reading {path}")
        if ended.status != 0 and ended.err.rstrip().endswith(_NO_FILE):
            return None
        self._check(ended, f"{path} cannot be read")
        return ended.out

    async def collect(self, directory: str, *, limit: int = 10_000) -> list[tuple[str, bytes]]:
        ended = await self._script(remote.collect(directory, limit), what=f"reading {directory}")
        if ended.status == remote.NO_DIRECTORY and ended.err.rstrip().endswith(_NO_FILE[0]):
            return []
        odd = [line for line in ended.err.splitlines() if not line.endswith(_HARMLESS)]
        if ended.status != 0 and (odd or ended.status not in (1, 2)):
            self._check(ended, f"{directory} cannot be read")
        try:
            return _unpack(ended.out)
        except tarfile.TarError as error:
            raise Unavailable(f"{directory} cannot be read on {self.where}: {error}") from error

    async def remove(self, paths: Sequence[str]) -> None:
        if paths:
            self._check(await self._script(remote.remove(paths), what="rm"), "files cannot be removed")

    async def watch(self, directory: str, changed: Callable[[], None]) -> Callable[[], None] | None:
        watch = Watch(self._connection(), directory, changed)
        self._watches.add(watch)

        def stop() -> None:
            watch.stop()
            self._watches.discard(watch)

        if not await watch.begun():
            stop()
            return None
        return stop

    async def close(self) -> None:
        self._closed = True
        for watch in self._watches:
            watch.stop()
        self._watches.clear()
        for task in self._work:
            task.cancel()
        if self._shared is not None:
            shared, self._shared = self._shared, None
            await release(self._key, shared)

    # -- inside -----------------------------------------------------------------------------------

    @abstractmethod
    def _connect(self) -> Connection:
        """The connection, not made yet."""

    def _connection(self) -> Connection:
        if self._closed:
            raise Unavailable(f"the transport to {self.where} is closed")
        if self._shared is None:
            self._shared = share(self._key, self._connect)
        return self._shared

    async def _script(
        self, text: str, *, what: str, mark: str | None = None, data: bytes = b"", timeout: float = _FILES_TIMEOUT
    ) -> Ended:
        mark = mark or secrets.token_hex(16)
        work = self._connection().execute(remote.script(mark, text), data, timeout, what)
        ended = await self._until_closed(work)
        _, begun, out = ended.out.partition(mark.encode())
        before, _, err = ended.err.partition(mark.encode())
        if not begun:
            words = _text(before).strip() or f"it ended with {ended.status} and said nothing"
            raise Unavailable(f"the shell on {self.where} does not run what it is given: {words}")
        return Ended(ended.status, out, err)

    async def _until_closed(self, work: Coroutine[Any, Any, _T]) -> _T:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if self._closed and task.cancelled() and not (current is not None and current.cancelling()):
                raise Unavailable(f"the transport to {self.where} is closed") from None
            raise

    def _check(self, ended: Ended, what: str) -> None:
        if ended.status != 0:
            words = _text(ended.err).strip() or f"exit code {ended.status}"
            raise Unavailable(f"{what} on {self.where}: {words}")


def _unpack(archive: bytes) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    if not archive:
        return found
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:", encoding="utf-8", errors="surrogateescape") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            if file is not None:
                found.append((member.name.removeprefix("./"), file.read()))
    return found


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
