"""Session directories of accounts: the same operations as the service's own, done by an agent; and its side of them.

They are called in threads, as those are, and wait there for the agent.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec

from argosy.accounts.agent import Handler, Request
from argosy.model import ArgosyError, InputFile, NotAllowed, NotFound, Unavailable
from argosy.service.contract import FileInfo, OpenFile
from argosy.service.files import copies
from argosy.service.files.conditions import ALWAYS, Conditions
from argosy.service.files.sessions import Sessions
from argosy.service.files.weighing import weights_below

from .seats import Seats, account_of, session_path

log = logging.getLogger(__name__)
T = TypeVar("T")

#: How many threads wait for one account's agent, for how long one that is too much waits for its turn, and for what is
#: quick and what may take long, in seconds.
_THREADS = 4
_TURN = 5.0
_PATIENCE = 60.0
_SLOW = 600.0
_LONG = frozenset({"session-weights"})
#: The most files that are open in an agent at the same time.
_OPEN = 256
#: What is beside an account's session directories is beside that of any activity.
_ANY_ID = "0" * 26


class AccountSessions(Sessions):
    """As `Sessions`; those of an account are its own, mode 0700, and reached through its agent."""

    def __init__(self, root: str, fault: Callable[[str], None], seats: Seats) -> None:
        super().__init__(root, fault)
        self._seats = seats
        self._waiting: dict[str, threading.Semaphore] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        super().start()
        self._loop = asyncio.get_running_loop()

    def path(self, id: str, account: str | None = None) -> str:
        if account is None:
            return super().path(id)
        return session_path(self._seats.config.sessions(account), account, id)

    def make(self, sessions: Sequence[str]) -> None:
        for account, some in _by_account(sessions):
            if account is None:
                super().make(some)
            else:
                self._ask(account, "session-make", sessions=some)

    def weigh(self, session: str) -> int:
        account = account_of(session)
        if account is None:
            return super().weigh(session)
        return msgspec.convert(self._ask(account, "session-weigh", session=session), int)

    def weights(self) -> Iterator[tuple[str, int, str | None]]:
        yield from super().weights()
        for account in self._seats.accounts():
            try:
                base = self._seats.config.sessions(account)
                told = msgspec.convert(self._ask(account, "session-weights", base=base), list[tuple[str, int]])
            except (ArgosyError, msgspec.ValidationError) as error:
                log.warning("the session directories of %s cannot be weighed now: %s", account, error)
                continue
            yield from ((id, max(0, size), account) for id, size in told)

    def remove(self, session: str) -> None:
        account = account_of(session)
        if account is None:
            super().remove(session)
        else:
            self._ask(account, "session-remove", session=session)

    def account_of(self, session: str) -> str | None:
        return account_of(session)

    def offer(self, session: str, contents: Mapping[str, str]) -> None:
        account = account_of(session)
        if account is None:
            super().offer(session, contents)
        else:
            self._ask(account, "session-offer", session=session, contents=dict(contents))

    def withdraw(self, sessions: Sequence[str]) -> None:
        for account, some in _by_account(sessions):
            if account is None:
                super().withdraw(some)
            else:
                self._ask(account, "session-withdraw", sessions=some)

    def offered(self, account: str | None) -> list[str]:
        if account is None:
            return super().offered(None)
        found = self._ask(account, "session-offered", session=self.path(_ANY_ID, account))
        return msgspec.convert(found, list[str])

    def missing(self, session: str, paths: Sequence[str], *, patterns: bool) -> list[str]:
        account = account_of(session)
        if account is None:
            return super().missing(session, paths, patterns=patterns)
        asked = self._ask(account, "session-missing", session=session, paths=_bytes(paths), patterns=patterns)
        return _texts(asked)

    def size_of(self, session: str, path: str) -> int | None:
        account = account_of(session)
        if account is None:
            return super().size_of(session, path)
        size: int | None = self._ask(account, "session-size", session=session, path=os.fsencode(path))
        return size

    def clear(self, session: str, paths: Sequence[str], *, patterns: bool) -> None:
        account = account_of(session)
        if account is None:
            super().clear(session, paths, patterns=patterns)
        else:
            self._ask(account, "session-clear", session=session, paths=_bytes(paths), patterns=patterns)

    def entries(self, session: str, path: str, after: str | None, limit: int) -> tuple[list[FileInfo], str | None]:
        account = account_of(session)
        if account is None:
            return super().entries(session, path, after, limit)
        found, more = self._ask(
            account,
            "session-entries",
            session=session,
            path=os.fsencode(path),
            after=None if after is None else os.fsencode(after),
            limit=limit,
        )
        return [_file(one) for one in found], None if more is None else os.fsdecode(more)

    def open(self, session: str, path: str) -> FileInfo | OpenFile:
        account = account_of(session)
        if account is None:
            return super().open(session, path)
        number, told = self._ask(account, "session-open", session=session, path=os.fsencode(path))
        info = _file(told)
        if number is None:
            return info

        def read(offset: int, size: int) -> bytes:
            data: bytes = self._ask(account, "session-read", number=number, offset=offset, size=min(size, 1_048_576))
            return data

        def close() -> None:
            # Called in the event loop: the answer is not waited for.
            self._begin(account, "session-close", number=number)

        return OpenFile(info, read, close, far=True)

    async def put(
        self,
        session: str,
        path: str,
        content: AsyncIterator[bytes],
        *,
        declared: InputFile | None = None,
        executable: bool = False,
        still: Callable[[], None] = lambda: None,
        most: int | None = None,
        conditions: Conditions = ALWAYS,
    ) -> FileInfo:
        account = account_of(session)
        if account is None:
            return await super().put(
                session,
                path,
                content,
                declared=declared,
                executable=executable,
                still=still,
                most=most,
                conditions=conditions,
            )

        async def whole() -> AsyncIterator[bytes]:
            async for piece in content:
                if piece:  # an empty one is the end
                    yield piece
            still()
            self._fault("stage-in")

        told = await self._seats.agent(account).ask(
            "session-put",
            content=whole(),
            session=session,
            path=os.fsencode(path),
            declared=None if declared is None else msgspec.to_builtins(declared),
            executable=executable,
            most=most,
            conditions=msgspec.to_builtins(conditions),
        )
        return _file(told)

    def put_inline(self, session: str, path: str, content: str, *, executable: bool) -> None:
        account = account_of(session)
        if account is None:
            super().put_inline(session, path, content, executable=executable)
        else:
            self._fault("stage-in")
            self._ask(
                account,
                "session-put-inline",
                session=session,
                path=os.fsencode(path),
                content=content,
                executable=executable,
            )

    def delete(self, session: str, path: str, conditions: Conditions = ALWAYS) -> None:
        account = account_of(session)
        if account is None:
            super().delete(session, path, conditions)
        else:
            named = msgspec.to_builtins(conditions)
            self._ask(account, "session-delete", session=session, path=os.fsencode(path), conditions=named)

    def _ask(self, account: str, what: str, **args: object) -> Any:
        """Ask, in a thread of which there are not many: an account whose agent does not answer, which its user can
        bring about at any time, must not have them all. Raises Unavailable."""
        waiting = self._waiting.setdefault(account, threading.Semaphore(_THREADS))
        seconds = _SLOW if what in _LONG else _PATIENCE
        if not waiting.acquire(timeout=_TURN):
            raise Unavailable(f"the agent of {account} has {_THREADS} requests under way; ask again in a moment")
        try:
            future = self._begin(account, what, **args)
            try:
                return future.result(seconds)
            except TimeoutError:
                future.cancel()
                raise Unavailable(f"the agent of {account} gave no answer within {seconds:g} s") from None
        finally:
            waiting.release()

    def _begin(self, account: str, what: str, **args: object) -> Future[Any]:
        assert self._loop is not None, "start comes first"

        async def work() -> Any:
            return await self._seats.agent(account).ask(what, **args)  # type: ignore[arg-type]

        return asyncio.run_coroutine_threadsafe(work(), self._loop)


def _by_account(sessions: Sequence[str]) -> list[tuple[str | None, list[str]]]:
    return [
        (account, list(some))
        for account, some in itertools.groupby(sorted(sessions, key=lambda one: account_of(one) or ""), account_of)
    ]


def _bytes(paths: Sequence[str]) -> list[bytes]:
    return [os.fsencode(path) for path in paths]


def _texts(paths: Sequence[bytes]) -> list[str]:
    return [os.fsdecode(path) for path in paths]


def _told(info: FileInfo) -> list[Any]:
    return [os.fsencode(info.path), info.type, info.size, info.modified, info.executable, info.etag]


class _Told(msgspec.Struct, array_like=True):
    """A FileInfo as it comes from an agent: a user's own process may have made it up, but it has this form."""

    path: bytes
    type: str
    size: int
    modified: float
    executable: bool
    etag: str


def _file(told: Any) -> FileInfo:
    info = msgspec.convert(told, _Told)
    return FileInfo(os.fsdecode(info.path), info.type, info.size, info.modified, info.executable, info.etag)


# -- the agent's side ----------------------------------------------------------------------------------


def session_handlers(account: str) -> dict[str, Handler]:
    """What an agent does with the session directories of its account, and with no others."""
    sessions = Sessions("/", lambda point: None)
    opened: dict[int, OpenFile] = {}
    numbers = itertools.count(1)

    def own(session: object) -> str:
        if not isinstance(session, str) or account_of(session) != account:
            raise NotAllowed(f"{session!r} is no session directory of {account}")
        return session

    def path(request: Request, name: str = "path") -> str:
        return os.fsdecode(request.args[name])

    def conditions(request: Request) -> Conditions:
        return msgspec.convert(request.args["conditions"], Conditions)

    async def make(request: Request) -> None:
        await asyncio.to_thread(sessions.make, [own(session) for session in request.args["sessions"]])

    async def remove(request: Request) -> None:
        await asyncio.to_thread(sessions.remove, own(request.args["session"]))

    async def weigh(request: Request) -> int:
        return await asyncio.to_thread(sessions.weigh, own(request.args["session"]))

    async def weights(request: Request) -> list[tuple[str, int]]:
        root = f"{request.args['base']}/@{account}"
        return await asyncio.to_thread(lambda: [(id, size) for id, size, _ in weights_below(root)])

    async def offer(request: Request) -> None:
        contents = msgspec.convert(request.args["contents"], dict[str, str])
        await asyncio.to_thread(copies.write, own(request.args["session"]), contents)

    async def withdraw(request: Request) -> None:
        await asyncio.to_thread(sessions.withdraw, [own(session) for session in request.args["sessions"]])

    async def offered(request: Request) -> list[str]:
        return await asyncio.to_thread(copies.kept_beside, own(request.args["session"]))

    async def missing(request: Request) -> list[bytes]:
        paths = _texts(request.args["paths"])
        patterns = request.args["patterns"]
        return _bytes(await asyncio.to_thread(sessions.missing, own(request.args["session"]), paths, patterns=patterns))

    async def size(request: Request) -> int | None:
        return await asyncio.to_thread(sessions.size_of, own(request.args["session"]), path(request))

    async def clear(request: Request) -> None:
        paths, patterns = _texts(request.args["paths"]), request.args["patterns"]
        await asyncio.to_thread(sessions.clear, own(request.args["session"]), paths, patterns=patterns)

    async def entries(request: Request) -> list[Any]:
        after = request.args["after"]
        found, more = await asyncio.to_thread(
            sessions.entries,
            own(request.args["session"]),
            path(request),
            None if after is None else os.fsdecode(after),
            request.args["limit"],
        )
        return [[_told(one) for one in found], None if more is None else os.fsencode(more)]

    async def open_file(request: Request) -> list[Any]:
        if len(opened) >= _OPEN:
            raise NotFound(f"{_OPEN} files are being read already; close some")
        found = await asyncio.to_thread(sessions.open, own(request.args["session"]), path(request))
        if isinstance(found, FileInfo):
            return [None, _told(found)]
        number = next(numbers)
        opened[number] = found
        return [number, _told(found.info)]

    async def read(request: Request) -> bytes:
        file = opened.get(request.args["number"])
        if file is None:
            raise NotFound("that file is not open any more")
        return await asyncio.to_thread(file.read, request.args["offset"], request.args["size"])

    async def close(request: Request) -> None:
        file = opened.pop(request.args["number"], None)
        if file is not None:
            file.close()

    async def put(request: Request) -> list[Any]:
        declared = request.args["declared"]
        info = await sessions.put(
            own(request.args["session"]),
            path(request),
            request.content(),
            declared=None if declared is None else msgspec.convert(declared, InputFile),
            executable=request.args["executable"],
            most=request.args["most"],
            conditions=conditions(request),
        )
        return _told(info)

    async def put_inline(request: Request) -> None:
        def work() -> None:
            sessions.put_inline(
                own(request.args["session"]),
                path(request),
                request.args["content"],
                executable=request.args["executable"],
            )

        await asyncio.to_thread(work)

    async def delete(request: Request) -> None:
        await asyncio.to_thread(sessions.delete, own(request.args["session"]), path(request), conditions(request))

    handlers: dict[str, Callable[[Request], Coroutine[Any, Any, Any]]] = {
        "make": make,
        "remove": remove,
        "weigh": weigh,
        "weights": weights,
        "offer": offer,
        "withdraw": withdraw,
        "offered": offered,
        "missing": missing,
        "size": size,
        "clear": clear,
        "entries": entries,
        "open": open_file,
        "read": read,
        "close": close,
        "put": put,
        "put-inline": put_inline,
        "delete": delete,
    }
    return {f"session-{name}": handler for name, handler in handlers.items()}
