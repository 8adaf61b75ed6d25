"""What clients do with the files of a session directory, and when they may (GES 3.5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from argosy.languages import native
from argosy.languages.native import Description
from argosy.model import ActivityDescription, ActivityState, InvalidStateException, NotFound
from argosy.service.contract import FileInfo
from argosy.service.engine.engine import Engine, Live
from argosy.service.files.quotas import Quotas
from argosy.service.files.sessions import Sessions
from argosy.service.lifecycle import Instruction
from argosy.store import Activity, Store

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
    """Writes to session directories on behalf of clients."""

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

    async def put(self, activity: Activity, path: str, content: AsyncIterator[bytes], *, executable: bool) -> FileInfo:
        """Write a file whole or not at all. See `Operations.put_file`."""
        description = await self._description(activity.id)
        _check_writable(activity, description)
        declared = next((file for file in description.inputs if file.path == path), None)
        live = self._engine.get(activity.id)

        def still() -> None:
            # It may have moved on while the content came.
            if live is not None:
                _check_writable(live.record, description)

        info = await self._sessions.put(
            activity.session,
            path,
            content,
            declared=declared,
            executable=executable,
            still=still,
            most=await self._quotas.room(activity),
        )
        self._quotas.came(activity, info.size)
        if live is not None and live.record.state is ActivityState.STAGING_IN:
            self._perform(Instruction.CHECK_INPUT, live)
        return info

    async def delete(self, activity: Activity, path: str) -> None:
        """Remove a file or an empty directory, under the same conditions."""
        _check_writable(activity, await self._description(activity.id))
        await asyncio.to_thread(self._sessions.delete, activity.session, path)
        self._quotas.changed(activity)

    async def _description(self, id: str) -> ActivityDescription:
        data = await self._store.description(id)
        if data is None:
            raise NotFound(f"there is no activity {id!r}")
        return native.to_model(msgspec.json.decode(data, type=Description))


def _check_writable(activity: Activity, description: ActivityDescription) -> None:
    state = activity.state
    if state not in _WRITABLE and not (description.interactive and not state.final):
        raise InvalidStateException(
            f"it is {state}; files can be put into the session directory while the activity is held, waits for its "
            "input or has failed, and also while the job runs where it was described as interactive"
        )
