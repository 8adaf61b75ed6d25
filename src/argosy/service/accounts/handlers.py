"""What an agent does with the session directories of its account: its side of `sessions`."""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import Any

import msgspec

from argosy.accounts.agent import Handler, Request
from argosy.model import InputFile, NotAllowed, NotFound
from argosy.service.contract import FileInfo, OpenFile
from argosy.service.files import copies
from argosy.service.files.conditions import Conditions
from argosy.service.files.sessions import Sessions
from argosy.service.files.weighing import weights_below

from .seats import account_of
from .wire import encoded, texts, told

#: The most files that are open in an agent at the same time.
_OPEN = 256


def session_handlers(account: str) -> dict[str, Handler]:
    """What an agent does with the session directories of its account, and with no others."""
    own = _Own(account)
    return {
        "session-make": own.make,
        "session-remove": own.remove,
        "session-weigh": own.weigh,
        "session-weights": own.weights,
        "session-offer": own.offer,
        "session-withdraw": own.withdraw,
        "session-offered": own.offered,
        "session-missing": own.missing,
        "session-size": own.size,
        "session-clear": own.clear,
        "session-entries": own.entries,
        "session-open": own.open_file,
        "session-read": own.read,
        "session-close": own.close,
        "session-put": own.put,
        "session-put-inline": own.put_inline,
        "session-delete": own.delete,
    }


class _Own:
    """The session directories of one account."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._sessions = Sessions("/", lambda point: None)
        self._opened: dict[int, OpenFile] = {}
        self._numbers = itertools.count(1)

    def _own(self, session: object) -> str:
        if not isinstance(session, str) or account_of(session) != self._account:
            raise NotAllowed(f"{session!r} is no session directory of {self._account}")
        return session

    async def make(self, request: Request) -> list[Any] | None:
        """None, or what the system says where one of them cannot be made: no word of an agent that is away."""
        sessions = [self._own(session) for session in request.args["sessions"]]
        try:
            await asyncio.to_thread(self._sessions.make, sessions)
        except OSError as error:
            return [error.errno, error.strerror, error.filename]
        return None

    async def remove(self, request: Request) -> None:
        await asyncio.to_thread(self._sessions.remove, self._own(request.args["session"]))

    async def weigh(self, request: Request) -> int:
        return await asyncio.to_thread(self._sessions.weigh, self._own(request.args["session"]))

    async def weights(self, request: Request) -> list[tuple[str, int]]:
        root = f"{request.args['base']}/@{self._account}"
        return await asyncio.to_thread(lambda: [(id, size) for id, size, _ in weights_below(root)])

    async def offer(self, request: Request) -> None:
        contents = msgspec.convert(request.args["contents"], dict[str, str])
        await asyncio.to_thread(copies.write, self._own(request.args["session"]), contents)

    async def withdraw(self, request: Request) -> None:
        await asyncio.to_thread(self._sessions.withdraw, [self._own(session) for session in request.args["sessions"]])

    async def offered(self, request: Request) -> list[str]:
        return await asyncio.to_thread(copies.kept_beside, self._own(request.args["session"]))

    async def missing(self, request: Request) -> list[bytes]:
        paths = texts(request.args["paths"])
        patterns = request.args["patterns"]
        return encoded(
            await asyncio.to_thread(
                self._sessions.missing, self._own(request.args["session"]), paths, patterns=patterns
            )
        )

    async def size(self, request: Request) -> int | None:
        return await asyncio.to_thread(self._sessions.size_of, self._own(request.args["session"]), _path(request))

    async def clear(self, request: Request) -> None:
        paths, patterns = texts(request.args["paths"]), request.args["patterns"]
        await asyncio.to_thread(self._sessions.clear, self._own(request.args["session"]), paths, patterns=patterns)

    async def entries(self, request: Request) -> list[Any]:
        after = request.args["after"]
        found, more = await asyncio.to_thread(
            self._sessions.entries,
            self._own(request.args["session"]),
            _path(request),
            None if after is None else os.fsdecode(after),
            request.args["limit"],
        )
        return [[told(one) for one in found], None if more is None else os.fsencode(more)]

    async def open_file(self, request: Request) -> list[Any]:
        if len(self._opened) >= _OPEN:
            raise NotFound(f"{_OPEN} files are being read already; close some")
        found = await asyncio.to_thread(self._sessions.open, self._own(request.args["session"]), _path(request))
        if isinstance(found, FileInfo):
            return [None, told(found)]
        number = next(self._numbers)
        self._opened[number] = found
        return [number, told(found.info)]

    async def read(self, request: Request) -> bytes:
        file = self._opened.get(request.args["number"])
        if file is None:
            raise NotFound("that file is not open any more")
        return await asyncio.to_thread(file.read, request.args["offset"], request.args["size"])

    async def close(self, request: Request) -> None:
        file = self._opened.pop(request.args["number"], None)
        if file is not None:
            file.close()

    async def put(self, request: Request) -> list[Any]:
        declared = request.args["declared"]
        info = await self._sessions.put(
            self._own(request.args["session"]),
            _path(request),
            request.content(),
            declared=None if declared is None else msgspec.convert(declared, InputFile),
            executable=request.args["executable"],
            most=request.args["most"],
            conditions=_conditions(request),
        )
        return told(info)

    async def put_inline(self, request: Request) -> None:
        def work() -> None:
            self._sessions.put_inline(
                self._own(request.args["session"]),
                _path(request),
                request.args["content"],
                executable=request.args["executable"],
            )

        await asyncio.to_thread(work)

    async def delete(self, request: Request) -> None:
        await asyncio.to_thread(
            self._sessions.delete, self._own(request.args["session"]), _path(request), _conditions(request)
        )


def _path(request: Request) -> str:
    return os.fsdecode(request.args["path"])


def _conditions(request: Request) -> Conditions:
    return msgspec.convert(request.args["conditions"], Conditions)
