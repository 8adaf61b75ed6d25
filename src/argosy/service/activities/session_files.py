"""What clients do with the files of a session directory, and when they may (GES 3.5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import ParamSpec, TypeVar

import msgspec

from argosy.languages import native
from argosy.languages.native import Description
from argosy.model import ActivityDescription, ActivityState, InvalidStateException, NotFound, Unavailable
from argosy.model.description import session_path
from argosy.service.contract import FileInfo, OpenFile
from argosy.service.engine.engine import Engine, Live
from argosy.service.files.conditions import Conditions
from argosy.service.files.quotas import Quotas
from argosy.service.files.sessions import Sessions
from argosy.service.lifecycle import Instruction
from argosy.store import Activity, Store

P = ParamSpec("P")
T = TypeVar("T")

#: States in which a client may change what is in the session directory: before the job, while the batch system holds
#: it, and where it has failed and may be restarted.
_WRITABLE = frozenset(
    {
        ActivityState.HELD,
        ActivityState.PENDING,
        ActivityState.STAGING_IN,
        ActivityState.LRMS_HOLD,
        ActivityState.FAILED,
    }
)


class SessionFiles:
    """Reads and writes session directories on behalf of clients.

    A directory is made when it is first needed, by a client or by a stage of the activity: making it costs more than
    all the rest of a creation.
    """

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        engine: Engine,
        quotas: Quotas,
        perform: Callable[[Instruction, Live], None],
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._engine = engine
        self._quotas = quotas
        self._perform = perform

    async def entries(
        self, activity: Activity, path: str, after: str | None, limit: int
    ) -> tuple[list[FileInfo], str | None]:
        """See `Sessions.entries`."""
        return await self._in(activity, self._sessions.entries, activity.session, path, after, limit)

    async def open(self, activity: Activity, path: str) -> FileInfo | OpenFile:
        """See `Sessions.open`."""
        return await self._in(activity, self._sessions.open, activity.session, path)

    async def put(
        self, activity: Activity, path: str, content: AsyncIterator[bytes], *, executable: bool, conditions: Conditions
    ) -> FileInfo:
        """Write a file whole or not at all. See `Operations.put_file`."""
        description = await self._description(activity.id)
        _check_writable(activity, description)
        named = session_path(path)
        declared = next((file for file in description.inputs if session_path(file.path) == named), None)
        size = None if declared is None else declared.size

        before = self._engine.get(activity.id)

        def still() -> None:
            # It may have moved on while the content came, or ended, or have been restarted.
            live = self._engine.get(activity.id) or before
            if live is not None:
                _check_writable(live.record, description)

        if activity.native_id is None:
            await self._make(activity)
        async with self._quotas.room(activity, size) as most:
            info = await self._sessions.put(
                activity.session,
                path,
                content,
                declared=declared,
                executable=executable,
                still=still,
                most=most,
                conditions=conditions,
            )
            self._quotas.came(activity, info.size)
        live = self._engine.get(activity.id)
        if live is not None and live.record.state is ActivityState.STAGING_IN:
            self._perform(Instruction.CHECK_INPUT, live)
        return info

    async def delete(self, activity: Activity, path: str, conditions: Conditions) -> None:
        """Remove a file, an empty directory or a link, when files can be put."""
        _check_writable(activity, await self._description(activity.id))
        await self._in(activity, self._sessions.delete, activity.session, path, conditions)
        self._quotas.changed(activity)

    async def _in(self, activity: Activity, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it in a thread, in the activity's directory."""
        try:
            return await asyncio.to_thread(work, *args, **kwargs)
        except NotFound:
            if activity.native_id is not None:
                raise
        # Its directory may not have been needed so far: whoever hands the job over makes it first.
        await self._make(activity)
        return await asyncio.to_thread(work, *args, **kwargs)

    async def _make(self, activity: Activity) -> None:
        """Make its directory where it is not there. Raises NotFound where the activity has been purged meanwhile."""
        try:
            await asyncio.to_thread(self._sessions.make, [activity.session])
        except OSError as error:
            raise Unavailable(f"the session directory cannot be made: {error.strerror or error}") from error
        if not await self._store.get([activity.id]):
            # Whoever removed its directory may have done so before it was made.
            await asyncio.to_thread(self._sessions.remove, activity.session)
            raise no_such(activity.id)

    async def _description(self, id: str) -> ActivityDescription:
        data = await self._store.description(id)
        if data is None:
            raise no_such(id)
        return native.to_model(msgspec.json.decode(data, type=Description))


def no_such(id: str) -> NotFound:
    """What is not there, and what is somebody else's, answer alike."""
    return NotFound(f"there is no activity {id!r}")


def _check_writable(activity: Activity, description: ActivityDescription) -> None:
    state = activity.state
    if state not in _WRITABLE and not (description.interactive and not state.final):
        raise InvalidStateException(
            f"it is {state}; files can be put into the session directory while the activity is held, waits for its "
            "input or has failed, and also while the job runs where it was described as interactive"
        )
