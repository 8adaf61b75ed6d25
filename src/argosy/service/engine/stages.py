"""Stage-in and stage-out: which files are there, which are moved, and what follows.

One task for each activity whose files are moved. It is stopped when its activity ends, is taken by another worker, or
is to be terminated; a stage that is begun again finds what was done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from argosy.model import ActivityDescription, ActivityState, ArgosyError
from argosy.service.files.progress import Moving, Transfer
from argosy.service.files.sessions import Sessions
from argosy.service.files.transfers import Failures, Transfers, words_of
from argosy.service.lifecycle import (
    Away,
    InputChecked,
    Instruction,
    Never,
    OutputChecked,
)
from argosy.service.lifecycle.staging_events import CredentialWanted, FileMoved, StagingFailed
from argosy.service.policy import ServicePolicy

from .engine import Engine, Live

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Stage:
    """The stage under way of one activity. `over`: all that was to be moved has been."""

    instruction: Instruction
    moving: Moving = field(default_factory=Moving)
    task: asyncio.Task[None] | None = None
    over: bool = False


class Stages:
    """The stages of all activities of one worker."""

    def __init__(
        self,
        sessions: Sessions,
        transfers: Transfers,
        policy: ServicePolicy,
        describe: Callable[[Live], Awaitable[ActivityDescription]],
        fault: Callable[[str], None],
    ) -> None:
        self._sessions = sessions
        self._transfers = transfers
        self._policy = policy
        self._describe = describe
        self._fault = fault
        self.engine: Engine
        self._stages: dict[str, _Stage] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    def transfers(self, id: str) -> list[Transfer]:
        """What is being moved for an activity, and has been in the stage under way."""
        stage = self._stages.get(id)
        return [] if stage is None else stage.moving.all()

    async def check_input(self, live: Live) -> None:
        """See what is there; fetch what has sources, once."""
        description = await self._describe(live)
        if live.record.state is not ActivityState.STAGING_IN:
            return
        await asyncio.to_thread(self._sessions.make, [live.record.session])
        for file in description.inputs:
            if file.content is not None:
                await asyncio.to_thread(
                    self._sessions.put_inline, live.record.session, file.path, file.content, executable=file.executable
                )
        if any(file.sources for file in description.inputs) and not self._moved(live, Instruction.CHECK_INPUT):
            return  # it is looked at again once they have arrived
        paths = [file.path for file in description.inputs]
        missing = await asyncio.to_thread(self._sessions.missing, live.record.session, paths, patterns=False)
        self.engine.went_well(live)
        self.engine.post(live.record.id, InputChecked(tuple(missing)))

    async def check_output(self, live: Live) -> None:
        """Deliver what has targets, once; see what is there."""
        description = await self._describe(live)
        if live.record.state is not ActivityState.STAGING_OUT:
            return
        if any(file.targets for file in description.outputs) and not self._moved(live, Instruction.CHECK_OUTPUT):
            return
        missing = await self._missing_output(live, description)
        if not missing:
            came = [file.path for file in description.inputs if file.delete_on_termination]
            left = [file.path for file in description.outputs if file.delete_on_termination]
            await asyncio.to_thread(self._sessions.clear, live.record.session, came, patterns=False)
            await asyncio.to_thread(self._sessions.clear, live.record.session, left, patterns=True)
        self.engine.went_well(live)
        self.engine.post(live.record.id, OutputChecked(missing))

    async def _missing_output(self, live: Live, description: ActivityDescription) -> tuple[str, ...]:
        paths = [file.path for file in description.outputs if not file.optional]
        return tuple(await asyncio.to_thread(self._sessions.missing, live.record.session, paths, patterns=True))

    def _moved(self, live: Live, instruction: Instruction) -> bool:
        """Whether everything has been moved; where not, it is being moved from now on."""
        stage = self._stages.get(live.record.id)
        if stage is None or stage.instruction is not instruction:
            self._cancel(live.record.id)
            stage = self._stages[live.record.id] = _Stage(instruction)
        if not stage.over and (stage.task is None or stage.task.done()):
            stage.task = asyncio.create_task(self._move(live, stage))
        return stage.over

    async def _move(self, live: Live, stage: _Stage) -> None:
        def tell(kind: str, message: str, detail: dict[str, Any]) -> None:
            self.engine.post(live.record.id, FileMoved(kind, message, detail))

        renewals = self._transfers.renewals(live.record.owner)
        try:
            description = await self._describe(live)
            if stage.instruction is Instruction.CHECK_INPUT:
                failures = await self._transfers.stage_in(live.record, description, stage.moving, tell)
            else:
                failures = await self._transfers.stage_out(live.record, description, stage.moving, tell)
                if failures.hard and (missing := await self._missing_output(live, description)):
                    failures.hard.append(f"the job has left no {', '.join(missing)}")
        except ArgosyError as error:
            failures = Failures(full=[error.message])  # the store, say: it is tried again
        except OSError as error:
            failures = Failures(full=[f"{error.filename or 'a file'}: {error.strerror or error}"])
        except Exception as error:
            log.exception("a defect: the files of %s are not moved", live.record.id)
            failures = Failures(full=[f"internal error while doing {stage.instruction}: {error!r}"])
        renewed = self._transfers.renewals(live.record.owner) != renewals
        if renewed and failures.credential and not (failures.hard or failures.full):
            # It was tried with the old one while the new one came: nobody will say again that there is one.
            asyncio.get_running_loop().call_soon(self.engine.perform, stage.instruction, live)
            return
        self._moved_or_not(live, stage, failures)

    def _moved_or_not(self, live: Live, stage: _Stage, failures: Failures) -> None:
        id = live.record.id
        if not failures:
            stage.over = True
            self.engine.perform(stage.instruction, live)
        elif failures.hard:
            self.engine.post(id, StagingFailed(words_of(failures.hard + failures.full + failures.credential)))
        elif failures.full:
            words = words_of(failures.full)
            if self.engine.again(live, stage.instruction, within=self._policy.space_wait):
                self.engine.post(id, Away(words, str(stage.instruction)))
            else:
                self.engine.post(id, StagingFailed(words))
        else:
            self.engine.post(id, CredentialWanted(words_of(failures.credential)))

    # -- stopping ---------------------------------------------------------------------------------

    async def stop_staging(self, live: Live) -> None:
        """Stop moving an activity's files, and tell when nothing is moved any more."""
        stage = self._stages.get(live.record.id)
        self._cancel(live.record.id)
        if stage is not None and stage.task is not None:
            await asyncio.wait([stage.task])
        self.engine.post(live.record.id, Never())

    def dropped(self, live: Live) -> None:
        """This worker has it in hand no more."""
        self._cancel(live.record.id)

    def _cancel(self, id: str) -> None:
        stage = self._stages.pop(id, None)
        if stage is not None and stage.task is not None and not stage.task.done():
            stage.task.cancel()
            # Kept until it has stopped: somebody must wait for it when the service stops.
            self._stopping.add(stage.task)
            stage.task.add_done_callback(self._stopping.discard)

    async def stop(self) -> None:
        """Stop everything. It will be begun again by the next worker."""
        running = [stage.task for stage in self._stages.values() if stage.task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, *self._stopping, return_exceptions=True)


def staging(stages: Stages) -> dict[Instruction, Callable[[Live], Coroutine[Any, Any, None]]]:
    """What performs the instructions about files, each for one activity."""
    return {
        Instruction.CHECK_INPUT: stages.check_input,
        Instruction.CHECK_OUTPUT: stages.check_output,
        Instruction.STOP_STAGING: stages.stop_staging,
    }
