"""The operations on activities, single and in vectors (GES 3.1, 3.2, 3.5)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import msgspec

from argosy.identity.policy import Operation, Reach
from argosy.languages.native import Description
from argosy.model import (
    ActivityState,
    ArgosyError,
    Conflict,
    InvalidInput,
    InvalidStateException,
    Unavailable,
)
from argosy.model.actions import Action
from argosy.service.administration.admission import Admission
from argosy.service.administration.limits import too_many
from argosy.service.caller import Caller
from argosy.service.contract import EVERYBODY, ChangeRequest, CreateRequest, FileInfo, OpenFile, Operations
from argosy.service.engine.engine import Engine
from argosy.service.engine.housekeeping import Housekeeping
from argosy.service.engine.performer import Performer
from argosy.service.files.conditions import ALWAYS, Conditions
from argosy.service.files.progress import Transfer
from argosy.service.ids import check_cursor
from argosy.service.lifecycle import Begun, TerminateAsked
from argosy.service.lifecycle.restart import RestartAsked, why_not
from argosy.service.lifecycle.wishes import Wished
from argosy.service.reaching import demand
from argosy.store import Activity, Created, Event, Query, Store

from .changing import Changes
from .creation import Creation
from .session_files import SessionFiles, no_such
from .streams import Streams

#: How long a purge that ends activities first waits for their ends, in seconds: less than clients wait for it.
ENDING = 240.0


class ActivityOperations(Operations):
    """The part of the service that is about activities: whoever may ask is let through to what does it."""

    _store: Store
    _engine: Engine
    _performer: Performer
    _housekeeping: Housekeeping
    _creation: Creation
    _changes: Changes
    _streams: Streams
    _files: SessionFiles
    _admission: Admission
    _worker: str

    async def create(
        self, caller: Caller, requests: Sequence[CreateRequest | InvalidInput]
    ) -> list[Created | ArgosyError]:
        demand(caller, Operation.CREATE)
        self._check_vector(requests)
        return await self._creation.create(caller, requests)

    async def start(self, caller: Caller, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        async def one(activity: Activity) -> Activity:
            if activity.state is not ActivityState.HELD:
                raise InvalidStateException(f"it is {activity.state}; only a held activity can be started")
            return await self._post(activity, Begun(caller.name))

        return await self._each(caller, Operation.START, ids, one)

    async def change(
        self, caller: Caller, requests: Sequence[ChangeRequest], *, wait: float = 10.0
    ) -> list[Activity | ArgosyError]:
        self._check_vector(requests)
        others = {Action.START: self.start, Action.TERMINATE: self.terminate, Action.RESTART: self.restart}
        return await self._changes.change(caller, requests, wait, others)

    async def terminate(self, caller: Caller, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        async def one(activity: Activity) -> Activity:
            if activity.state.final:
                return activity
            return await self._post(activity, TerminateAsked(caller.name))

        return await self._each(caller, Operation.TERMINATE, ids, one)

    async def restart(self, caller: Caller, ids: Sequence[str], *, over: bool = False) -> list[Activity | ArgosyError]:
        async def one(activity: Activity) -> Activity:
            if (words := why_not(activity, over=over)) is not None:
                raise InvalidStateException(words)
            needs = await self._housekeeping.needs(activity.id)
            return await self._engine.restarted(activity, needs, RestartAsked(caller.name, self._worker, over))

        return await self._each(caller, Operation.RESTART, ids, one)

    async def purge(self, caller: Caller, ids: Sequence[str], *, terminate: bool = False) -> list[ArgosyError | None]:
        if terminate:
            # Only what may be purged is ended: nobody's job ends for a purge that is refused.
            purgeable = [one.id for one in await self._find(caller, Operation.PURGE, ids) if isinstance(one, Activity)]
            asked = await self.terminate(caller, purgeable)
            # Not those that could not be asked: their end would be waited for in vain.
            ending: dict[str, list[str]] = {}
            for one in asked:
                if isinstance(one, Activity):
                    ending.setdefault(one.owner, []).append(one.id)
            # Those whose batch system does not answer, say, are told below that they have not ended.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ENDING):
                    for owner, theirs in ending.items():
                        await self._streams.until_final(owner, theirs)
        answers: list[ArgosyError | None] = []
        gone: list[Activity] = []
        for found in await self._find(caller, Operation.PURGE, ids):
            if isinstance(found, ArgosyError):
                answers.append(found)
            elif not found.state.final:
                words = "terminate it first, or ask for that with the purge"
                if terminate:
                    words = f"it has not ended within {ENDING:g} s, and is to be ended all the same; purge it later"
                answers.append(InvalidStateException(f"it is {found.state}; {words}"))
            else:
                answers.append(None)
                gone.append(found)
        try:
            await self._housekeeping.purge(gone)
        except Conflict:
            # One of them was restarted meanwhile: each for itself.
            refused = {one.id: error for one in gone if (error := await self._purge_one(one)) is not None}
            answers = [answer or refused.get(id) for id, answer in zip(ids, answers, strict=True)]
        return answers

    async def _purge_one(self, activity: Activity) -> Conflict | None:
        try:
            await self._housekeeping.purge([activity])
        except Conflict as error:
            return error
        return None

    async def _post(self, activity: Activity, happened: Begun | TerminateAsked | Wished) -> Activity:
        future = self._engine.posted(activity.id, happened)
        if future is not None:
            return await future
        now = (await self._store.get([activity.id])).get(activity.id)
        if now is None:
            raise no_such(activity.id)
        if now.state.final:
            return now
        raise Unavailable("another worker has this activity in hand; ask again in a moment")

    async def _each(
        self,
        caller: Caller,
        operation: Operation,
        ids: Sequence[str],
        one: Callable[[Activity], asyncio.Future[Activity] | object],
    ) -> list[Activity | ArgosyError]:
        async def answer(found: Activity | ArgosyError) -> Activity | ArgosyError:
            if isinstance(found, ArgosyError):
                return found
            try:
                return await one(found)  # type: ignore[misc,no-any-return]
            except ArgosyError as error:
                return error

        return list(await asyncio.gather(*(answer(found) for found in await self._find(caller, operation, ids))))

    async def status(self, caller: Caller, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        return await self._find(caller, Operation.STATUS, ids)

    async def _find(self, caller: Caller, operation: Operation, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        """What the operation may concern among these; the rest answers alike, be it somebody else's or nothing.

        Raises NotAllowed, before it looks for anything, where the caller may not do this at all.
        """
        all_of_them = demand(caller, operation) is Reach.ANY
        self._check_vector(ids)
        live = {id: record for id in ids if (record := self._engine.record(id)) is not None}
        stored = [id for id in ids if id not in live]
        known = {**live, **(await self._store.get(stored) if stored else {})}
        answers: list[Activity | ArgosyError] = []
        for id in ids:
            activity = known.get(id)
            theirs = activity is not None and (all_of_them or activity.owner == caller.name)
            answers.append(activity if activity is not None and theirs else no_such(id))
        return answers

    async def _one(self, caller: Caller, operation: Operation, id: str) -> Activity:
        (found,) = await self._find(caller, operation, [id])
        if isinstance(found, ArgosyError):
            raise found
        return found

    async def description(self, caller: Caller, id: str) -> Description:
        await self._one(caller, Operation.DESCRIPTION, id)
        data = await self._store.description(id)
        if data is None:
            raise no_such(id)
        return msgspec.json.decode(data, type=Description)

    async def page(self, caller: Caller, query: Query) -> tuple[list[Activity], str | None]:
        check_cursor(query.after)
        owner = query.owner or caller.name
        if demand(caller, Operation.PAGE) is Reach.ANY:
            return await self._store.page(replace(query, owner=None if owner == EVERYBODY else owner))
        if owner not in (caller.name, EVERYBODY):
            return [], None  # what is somebody else's is as if it were not there
        return await self._store.page(replace(query, owner=caller.name))

    async def events(self, caller: Caller, id: str, *, after: int = 0, limit: int = 1000) -> list[Event]:
        await self._one(caller, Operation.EVENTS, id)
        return await self._store.events(id, after=after, limit=limit)

    @property
    def newest(self) -> int:
        return self._streams.newest

    async def stream(
        self, caller: Caller, ids: Sequence[str] = (), *, after: int | None = None
    ) -> AsyncIterator[Sequence[Event]]:
        demand(caller, Operation.STREAM)
        for id in ids:
            await self._one(caller, Operation.STREAM, id)
        async for events in self._streams.follow(caller.name, ids, after):
            yield events

    async def transfers(self, caller: Caller, id: str) -> list[Transfer]:
        await self._one(caller, Operation.TRANSFERS, id)
        return self._performer.stages.transfers(id)

    # -- files -------------------------------------------------------------------------------------

    async def list_files(
        self, caller: Caller, id: str, path: str, *, after: str | None = None, limit: int = 1000
    ) -> tuple[list[FileInfo], str | None]:
        activity = await self._one(caller, Operation.LIST_FILES, id)
        return await self._files.entries(activity, path, after, limit)

    async def open_file(self, caller: Caller, id: str, path: str) -> FileInfo | OpenFile:
        activity = await self._one(caller, Operation.OPEN_FILE, id)
        return await self._files.open(activity, path)

    async def put_file(
        self,
        caller: Caller,
        id: str,
        path: str,
        content: AsyncIterator[bytes],
        *,
        executable: bool = False,
        conditions: Conditions = ALWAYS,
    ) -> FileInfo:
        activity = await self._one(caller, Operation.PUT_FILE, id)
        return await self._files.put(activity, path, content, executable=executable, conditions=conditions)

    async def delete_file(self, caller: Caller, id: str, path: str, *, conditions: Conditions = ALWAYS) -> None:
        await self._files.delete(await self._one(caller, Operation.DELETE_FILE, id), path, conditions)

    def _check_vector(self, items: Sequence[object]) -> None:
        if len(items) > self._admission.limits.vector:
            raise too_many(len(items), self._admission.limits.vector)
