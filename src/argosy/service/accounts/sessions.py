"""Session directories of accounts: the same operations as the service's own, done by an agent (`handlers`).

They are called in threads, as those are, and wait there for the agent.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec

from argosy.model import ArgosyError, InputFile, Unavailable
from argosy.service.contract import FileInfo, OpenFile
from argosy.service.files.conditions import ALWAYS, Conditions
from argosy.service.files.sessions import Sessions

from .seats import Seats, account_of, session_path
from .wire import encoded, file_info, texts

log = logging.getLogger(__name__)
T = TypeVar("T")

#: How many threads wait for one account's agent, for how long one that is too much waits for its turn, and for what is
#: quick and what may take long, in seconds.
_THREADS = 4
_TURN = 5.0
_PATIENCE = 60.0
_SLOW = 600.0
_LONG = frozenset({"session-weights"})
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
                refused = self._ask(account, "session-make", sessions=some)
                if refused is not None:
                    raise OSError(*msgspec.convert(refused, tuple[int | None, str | None, str | None]))

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
        asked = self._ask(account, "session-missing", session=session, paths=encoded(paths), patterns=patterns)
        return texts(asked)

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
            self._ask(account, "session-clear", session=session, paths=encoded(paths), patterns=patterns)

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
        return [file_info(one) for one in found], None if more is None else os.fsdecode(more)

    def open(self, session: str, path: str) -> FileInfo | OpenFile:
        account = account_of(session)
        if account is None:
            return super().open(session, path)
        number, told = self._ask(account, "session-open", session=session, path=os.fsencode(path))
        info = file_info(told)
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
        return file_info(told)

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
