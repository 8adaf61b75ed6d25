"""What performs the lifecycle's instructions. Each may be performed again after a crash at any instant."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from argosy.batch import Control
from argosy.delegation.keeper import Expired
from argosy.executors.contract import Handle, JobRequest, Report
from argosy.executors.tasks import tell
from argosy.languages import native
from argosy.model import ActivityDescription, ActivityState, ArgosyError, SubmitException, Unavailable
from argosy.service.credentials.offering import Offering
from argosy.service.files.sessions import Sessions
from argosy.service.files.transfers import Transfers
from argosy.service.lifecycle import Accepted, Away, Instruction, Never, Refused, Reported, TooLate
from argosy.service.lifecycle.staging_events import CredentialWanted
from argosy.service.lifecycle.wishes import held_here
from argosy.service.matching.resources import Resource
from argosy.service.matching.routing import Router
from argosy.service.policy import ServicePolicy
from argosy.store import Activity, Store, activity_of

from .controls import Controls
from .engine import Engine, Live
from .requests import account_of, handle_of, job_request
from .stages import Stages, staging
from .waiting import WaitingRoom

log = logging.getLogger(__name__)

#: A cancel that went through is looked at again after so many seconds, in case nothing came of it.
CANCEL_AGAIN = 60.0


class Performer:
    """Performs instructions of all activities of one worker, many at a time where the batch system takes many."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        resources: dict[str, Resource],
        policy: ServicePolicy,
        transfers: Transfers,
        fault: Callable[[str], None],
        router: Router,
    ) -> None:
        self._router = router
        self._store = store
        self._policy = policy
        self._sessions = sessions
        self._resources = resources
        self._fault = fault
        self.waiting: WaitingRoom
        self.offering: Offering
        self._engine: Engine | None = None
        self.stages = Stages(sessions, transfers, policy, self.description, fault)
        self._staging = staging(self.stages)
        self._gathered: dict[tuple[Instruction, str, str | None], list[Live]] = {}
        self._tasks: dict[asyncio.Task[None], tuple[Instruction, int]] = {}
        self._submitting: set[str] = set()
        self._controls = Controls(resources, policy, fault)

    @property
    def engine(self) -> Engine:
        """What is told of what came of instructions."""
        assert self._engine is not None, "it is given one before anything is performed"
        return self._engine

    @engine.setter
    def engine(self, engine: Engine) -> None:
        self._engine = self.stages.engine = engine

    def perform(self, instruction: Instruction, live: Live) -> None:
        """Begin to perform an instruction. Those for one resource that come together are performed together; each local
        account's by themselves, for whoever has one can keep its agent from answering."""
        name = live.record.resource or ""
        key = (instruction, name, account_of(live.record, self._resources.get(name)))
        if key not in self._gathered:
            self._gathered[key] = []
            asyncio.get_running_loop().call_soon(self._flush, key)
        self._gathered[key].append(live)

    def _flush(self, key: tuple[Instruction, str, str | None]) -> None:
        instruction, name, account = key
        lives = [live for live in self._gathered.pop(key) if not live.record.state.final]
        if not lives:
            return
        if instruction in self._staging:
            self._start(self._one_by_one(instruction, lives, self._staging[instruction]), instruction, len(lives))
            return
        if instruction is Instruction.MATCH:
            self._start(self._one_by_one(instruction, lives, self.waiting.match), instruction, len(lives))
            return
        if instruction is Instruction.CONTROL:
            self._start(self._controls.work(self.engine, name, account, lives), instruction, len(lives))
            return
        resource = self._resources.get(name)
        if resource is None or not resource.opened:
            why = "is not configured any more" if resource is None else "cannot be used yet"
            for live in lives:
                self._away(live, instruction, f"the resource {name!r} {why}")
            return
        work: dict[Instruction, Callable[[Resource, list[Live]], Coroutine[Any, Any, None]]] = {
            Instruction.SUBMIT: self._submit,
            Instruction.RECOVER: self._recover,
            Instruction.WATCH: self._watch,
            Instruction.CANCEL: self._cancel,
        }
        if instruction is Instruction.SUBMIT:
            # Before anything else can run: a cancel that comes from now on waits for the answer.
            self._submitting.update(live.record.id for live in lives)
        self._start(self._guarded(instruction, lives, work[instruction](resource, lives)), instruction, len(lives))

    def _start(self, work: Coroutine[Any, Any, None], instruction: Instruction, count: int) -> None:
        task = asyncio.create_task(work)
        self._tasks[task] = (instruction, count)
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    def under_way(self) -> dict[str, int]:
        """How many activities something is being done for, by what it is."""
        counts: Counter[str] = Counter()
        for instruction, count in self._tasks.values():
            counts[instruction.value] += count
        return dict(counts)

    async def _guarded(self, instruction: Instruction, lives: list[Live], work: Coroutine[Any, Any, None]) -> None:
        renewals = self._renewals(lives)
        try:
            await work
        except Expired as error:
            for live in lives:
                self._wanted(live, instruction, error, renewals)
        except ArgosyError as error:
            for live in lives:
                self._away(live, instruction, error.message)
        except OSError as error:
            for live in lives:
                self._away(live, instruction, f"{error.filename or 'a file'}: {error.strerror or error}")
        except Exception as error:
            # A defect must not leave activities lying: it is told, and tried again until it is too late.
            log.exception("%s failed for %d activities", instruction, len(lives))
            for live in lives:
                self._away(live, instruction, f"internal error while doing {instruction}: {error!r}")

    async def stop(self) -> None:
        """Stop what is under way. It will be done again by the next worker."""
        self._controls.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.stages.stop()

    def _away(self, live: Live, instruction: Instruction, words: str) -> None:
        """An outside fault: say so in the activity's history, and try again later."""
        id = live.record.id
        if (resource := self._resources.get(live.record.resource or "")) is not None:
            resource.failed(str(instruction), words)
        if instruction is Instruction.SUBMIT:
            instruction = Instruction.RECOVER  # it may have been accepted: ask first
        if self.engine.again(live, instruction):
            self.engine.post(id, Away(words, str(instruction)))
        elif live.record.state is ActivityState.STAGED_IN and resource is not None and resource.opened:
            self._start(self._give_up(resource, live, words), instruction, 1)
        else:
            self.engine.post(id, TooLate(words))

    async def _give_up(self, resource: Resource, live: Live, words: str) -> None:
        """Its submission failed for too long. It may have been accepted all the same, and is not to begin any more."""
        tag, account = live.record.tag, resource.whose(live.record)
        try:
            begun = await resource.driver.withdraw([tag], None if account is None else {tag: account})
        except Exception as error:
            tell(f"withdrawing activity {live.record.id}, which is given up, failed", error)
            self.engine.post(live.record.id, TooLate(words))
            return
        if tag in begun:
            self._has(resource, live, begun[tag])
        else:
            self.engine.post(live.record.id, TooLate(words, withdrawn=True))

    def _renewals(self, lives: Sequence[Live]) -> dict[str, int]:
        """How often each owner's credentials have been renewed."""
        return {live.record.owner: self.offering.renewals(live.record.owner) for live in lives}

    def _wanted(self, live: Live, instruction: Instruction, error: Expired, renewals: dict[str, int]) -> None:
        """Another credential is needed. Before it is handed over an activity waits for it, without trying again."""
        owner = live.record.owner
        renewed = self.offering.renewals(owner) != renewals[owner]  # meanwhile: nobody will say again that it was
        if live.record.state is ActivityState.STAGED_IN and not renewed:
            self.engine.went_well(live)
            self.engine.post(live.record.id, CredentialWanted(error.message))
        else:
            self._away(live, instruction, error.message)

    # -- each for itself: matching, and stage-in and stage-out, which are in `stages` -----------------------

    async def _one_by_one(
        self, instruction: Instruction, lives: list[Live], work: Callable[[Live], Coroutine[Any, Any, None]]
    ) -> None:
        """What is wrong with one activity, its directory say, must not keep the others."""
        if instruction is Instruction.CHECK_OUTPUT:
            self._fault("stage-out")
        for live in lives:
            await self._guarded(instruction, [live], work(live))

    async def description(self, live: Live) -> ActivityDescription:
        """What was asked for, in the model's terms."""
        if live.description is None:
            data = await self._store.description(live.record.id)
            if data is None:
                raise Unavailable(f"the description of {live.record.id} is not in the store")
            try:
                live.description = native.to_model(msgspec.json.decode(data, type=native.Description))
            except (msgspec.DecodeError, ArgosyError) as error:
                raise Unavailable(f"the description of {live.record.id} cannot be read: {error}") from error
        return live.description

    # -- the batch system -------------------------------------------------------------------------

    async def _submit(self, resource: Resource, lives: list[Live]) -> None:
        renewals = self._renewals(lives)
        requests: dict[str, JobRequest] = {}
        own = {live.record.id for live in lives}
        try:
            made = await self._made([live.record.session for live in lives])
            for live in lives:
                # Each for itself: what is wrong with one must not keep the others.
                await self._guarded(Instruction.SUBMIT, [live], self._prepare(live, made, requests))
                if live.record.id not in requests:
                    # A cancel need not wait for it. From now on it may be under way in another submission.
                    own.discard(live.record.id)
                    self._submitting.discard(live.record.id)
            ready = [live for live in lives if live.record.id in requests]
            # Those that were terminated or held meanwhile are not handed over any more.
            wanted = [
                live for live in ready if live.record.state is ActivityState.STAGED_IN and not held_here(live.record)
            ]
            self._fault("submit-before")
            answers = await resource.driver.submit([requests[live.record.id] for live in wanted]) if wanted else []
        finally:
            self._submitting -= own
        self._fault("submit-after")
        handed_over = {live.record.id for live in wanted}
        for live in ready:
            if live.record.id not in handed_over:
                self.engine.post(live.record.id, Never())
        for live, answer in zip(wanted, answers, strict=True):
            id = live.record.id
            if isinstance(answer, str):
                self.engine.went_well(live)
                live.description = None
                self.engine.post(id, Accepted(answer))
            elif isinstance(answer, Expired):
                self._wanted(live, Instruction.SUBMIT, answer, renewals)
            elif isinstance(answer, Unavailable) or (isinstance(answer, SubmitException) and answer.transient):
                self._away(live, Instruction.SUBMIT, answer.message)
            else:
                self.engine.post(id, Refused(answer.message))

    async def _made(self, sessions: Sequence[str]) -> bool:
        """Make session directories in one go; False where one of them cannot be made, and each is to be tried alone."""
        try:
            await asyncio.to_thread(self._sessions.make, sessions)
        except OSError:
            return False
        return True

    async def _prepare(self, live: Live, made: bool, requests: dict[str, JobRequest]) -> None:
        """Get one activity ready to be handed over, and say into `requests` what is asked for it."""
        description = await self.description(live)
        if not made:
            await asyncio.to_thread(self._sessions.make, [live.record.session])
        told = await self.offering.prepare(live.record, description)
        requests[live.record.id] = self._request(live.record, description, told)

    def _request(self, record: Activity, description: ActivityDescription, told: dict[str, str]) -> JobRequest:
        """What is asked of a driver; `told`: the variables that tell the job of its credentials."""
        environments = self._router.named(record.environments)
        request = job_request(record.tag, description, record.session, record.queue, environments)
        if told:
            request.spec.environment = (request.spec.environment or {}) | told
        account = account_of(record, self._resources.get(record.resource or ""))
        return request if account is None else replace(request, account=account)

    async def _recover(self, resource: Resource, lives: list[Live]) -> None:
        accounts = {live.record.tag: account for live in lives if (account := resource.whose(live.record)) is not None}
        found = await resource.driver.find([live.record.tag for live in lives], accounts)
        # Of those that are being ended the batch system may yet take a copy that was on its way to it.
        ending = [live.record.tag for live in lives if live.record.state is ActivityState.TERMINATING]
        withdrawn = set(ending) - found.keys()
        if withdrawn:
            found |= await resource.driver.withdraw(sorted(withdrawn), accounts)
        for live in lives:
            native_id = found.get(live.record.tag)
            if native_id is None:
                self.engine.post(live.record.id, Never(live.record.tag in withdrawn))
            else:
                self._has(resource, live, native_id)

    def _has(self, resource: Resource, live: Live, native_id: str) -> None:
        """The batch system has its job."""
        self.engine.went_well(live)
        self.engine.post(live.record.id, Accepted(native_id))
        resource.driver.watch([_watched(live, resource, native_id)])

    async def _watch(self, resource: Resource, lives: list[Live]) -> None:
        resource.driver.watch([_watched(live, resource) for live in lives])
        self.offering.attend([live.record for live in lives])
        for live in lives:
            if live.record.state.in_lrms:  # one that is being terminated has its own timer
                self.engine.went_well(live)

    async def _cancel(self, resource: Resource, lives: list[Live]) -> None:
        unknown = [live for live in lives if live.record.native_id is None and live.record.id not in self._submitting]
        if unknown:
            await self._recover(resource, unknown)
        known = [live for live in lives if live.record.native_id is not None]
        handles = [_watched(live, resource) for live in known]
        resource.driver.watch(handles)
        self._fault("cancel-before")
        answers = await resource.driver.control(Control.CANCEL, handles)
        self._fault("cancel-after")
        for live, error in zip(known, answers, strict=True):
            if error is None:
                if not self.engine.again(live, Instruction.CANCEL, delay=CANCEL_AGAIN):
                    self._unheard(resource, live)
            else:
                self._away(live, Instruction.CANCEL, error.message)

    def _unheard(self, resource: Resource, live: Live) -> None:
        """Cancelling it has had no effect for so long that it is not tried any more, until it is asked for again."""
        limit = f"{self._policy.give_up_after:g} s"
        words = f"the batch system has accepted its cancellation for {limit}, and it has not ended; terminate it again"
        resource.failed(str(Instruction.CANCEL), words)
        self.engine.went_well(live)  # whoever asks again has it tried as long again
        self.engine.post(live.record.id, Away(words, str(Instruction.CANCEL)))

    async def on_reports(self, reports: Sequence[Report]) -> None:
        """What a driver saw. Returns when what follows has been recorded."""
        self._fault("reported")
        waiting = [
            future
            for report in reports
            if (future := self.engine.posted(activity_of(report.tag), Reported(report))) is not None
        ]
        if waiting:
            await asyncio.wait(waiting)
            for future in waiting:
                with contextlib.suppress(ArgosyError):  # in another worker's hands: that one will be told
                    future.result()

    async def settled(self, activities: Sequence[Activity]) -> None:
        """Final states have been recorded."""
        await self.offering.withdraw([activity.id for activity in activities])
        await self.waiting.ended()
        by_resource: dict[str, list[Handle]] = {}
        for activity in activities:
            if activity.native_id is not None and activity.resource in self._resources:
                resource = self._resources[activity.resource]
                by_resource.setdefault(activity.resource, []).append(handle_of(activity, resource))
        for name, handles in by_resource.items():
            try:
                await self._resources[name].driver.settled(handles)
            except ArgosyError as error:
                log.warning("%s keeps records of %d ended jobs for now: %s", name, len(handles), error)


def _watched(live: Live, resource: Resource, native_id: str | None = None) -> Handle:
    return handle_of(live.record, resource, native_id=native_id, rerunnable=live.needs.rerunnable)
