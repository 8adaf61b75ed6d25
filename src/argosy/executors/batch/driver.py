"""The driver of a batch system through a transport."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from argosy.batch import BatchSystem, Control, Group, Submission
from argosy.batch.script import command_text
from argosy.executors.contract import Driver, Handle, JobRequest, OnReports
from argosy.executors.tasks import Tasks
from argosy.launchers.registry import get_launcher
from argosy.model import (
    ArgosyError,
    Command,
    Completed,
    InvalidJobException,
    InvalidStateException,
    Observation,
    Origin,
    Phase,
    Share,
    SubmitException,
    Unavailable,
)
from argosy.transport import Transport

from .gathering import GatheringConfig
from .reconcile import Policy
from .spool import Spool, decode_group, encode_group
from .watcher import Watcher
from .withdrawing import parse_withdraw, withdraw

log = logging.getLogger(__name__)

#: How long submit commands under way have for their answers when the driver is closed, in seconds.
_CLOSING = 5.0
#: The most jobs that one command names: scontrol takes them as one word, which has at most 128 KiB.
_NAMED = 2000
#: The longest script of an array: Slurm takes 4 MiB where nothing else is configured.
_LONGEST = 1024 * 1024
#: The most jobs of a refused array that are tried alone before the rest of it is.
_SAMPLE = 16


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """How a batch system is used. Times are seconds.

    `gather` is how long submissions wait for others to share a command with; `smallest_array` the fewest jobs
    that are worth an array; `poll` the time between bulk queries (the spool tells of starts and ends at once).
    `gathering` is about single submissions of PSI/J's executor that need not wait for the batch system, `keep` how long
    it keeps the claims of ended jobs.
    """

    gather: float = 0.01
    smallest_array: int = 4
    submits_at_once: int = 4
    poll: float = 10.0
    command_timeout: float = 60.0
    policy: Policy = field(default_factory=Policy)
    gathering: GatheringConfig = field(default_factory=GatheringConfig)
    keep: float = 3600.0


@dataclass(slots=True)
class _Waiting:
    """A submission that waits for company."""

    submission: Submission
    directives: tuple[str, ...]
    origin: Origin | None
    accepted: asyncio.Future[str]


class BatchDriver(Driver):
    """Any `BatchSystem` through any `Transport`, with a status spool at `spool` on the transport's host.

    `spool` is absolute, or begins with ``~/``.
    """

    def __init__(
        self,
        system: BatchSystem,
        transport: Transport,
        spool: str,
        config: BatchConfig | None = None,
        *,
        fault: Callable[[str], None] | None = None,
    ) -> None:
        self.name = system.name
        self.controls = system.controls
        self._system = system
        self._transport = transport
        self._spool = Spool(spool)
        self._config = config or BatchConfig()
        self._fault = fault or (lambda point: None)
        self._waiting: list[_Waiting] = []
        self._under_way: dict[str, asyncio.Future[str]] = {}
        self._tasks = Tasks(f"submitting to {system.name}")
        self._slots = asyncio.Semaphore(self._config.submits_at_once)
        self._opened = False
        self._watcher = Watcher(system, transport, self._spool, self._run, self._config.policy, self._config.poll)

    async def open(self, on_reports: OnReports) -> None:
        await self._prepare()
        await self._watcher.open(on_reports)

    async def _prepare(self) -> None:
        if not self._opened:
            if self._spool.root.startswith("~/"):
                self._spool.root = await self._transport.home() + self._spool.root[1:]
            await self._transport.make_directories(self._spool.directories())
            self._opened = True

    async def _run(self, command: Command) -> Completed:
        return await self._transport.run(command, timeout=self._config.command_timeout)

    # -- submitting -------------------------------------------------------------------------------

    def check(self, request: JobRequest) -> None:
        directives(self._system, request)

    async def submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
        answers: list[str | ArgosyError | asyncio.Future[str]] = []
        loop = asyncio.get_running_loop()
        for request in requests:
            if (known := self._watcher.native_id(request.tag)) is not None:
                answers.append(known)
                continue
            if (under_way := self._under_way.get(request.tag)) is not None:
                answers.append(under_way)
                continue
            try:
                submission = _submission(request)
                terms = self._system.directives(submission)
                waiting = _Waiting(submission, terms, request.origin, loop.create_future())
            except ArgosyError as error:
                answers.append(error)
                continue
            if not self._waiting:
                loop.call_later(self._config.gather, self._flush)
            self._waiting.append(waiting)
            self._under_way[request.tag] = waiting.accepted
            waiting.accepted.add_done_callback(partial(self._answered, request.tag))
            answers.append(waiting.accepted)
        pending = [answer for answer in answers if isinstance(answer, asyncio.Future)]
        if pending:
            await asyncio.wait(pending)
        return [_outcome(answer) if isinstance(answer, asyncio.Future) else answer for answer in answers]

    def _answered(self, tag: str, answer: asyncio.Future[str]) -> None:
        answer.exception()  # it has been seen, also where nobody waits any more
        self._under_way.pop(tag, None)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        alike: dict[tuple[tuple[str, ...], Origin | None], list[_Waiting]] = {}
        for item in waiting:
            alike.setdefault((item.directives, item.origin), []).append(item)
        size = self._system.max_array
        for items in alike.values():
            if size > 1 and len(items) >= self._config.smallest_array:
                for start in range(0, len(items), size):
                    self._tasks.start(self._submit_group(items[start : start + size]))
            else:
                for item in items:
                    self._tasks.start(self._submit_group([item]))

    async def _submit_group(self, items: list[_Waiting], *, divided: bool = False) -> None:
        """Submit jobs with one command, or with several where one is too much or is refused. Each gets an answer."""
        try:
            await self._submit_whole(items, divided=divided)
        except Exception as defect:
            words = f"the submission went wrong, and whether the job was accepted is not known: {_told(defect)}"
            _settle(items, Unavailable(words))
        except BaseException:
            _settle(items, Unavailable("the submission was interrupted; whether the job was accepted is not known"))
            raise

    async def _submit_whole(self, items: list[_Waiting], *, divided: bool) -> None:
        members = tuple(item.submission for item in items)
        group = Group(members[0].tag if len(members) == 1 else f"g-{uuid.uuid4().hex}", members)
        try:
            await self._prepare()
            script = self._script(group)
            if group.is_array and len(script) > _LONGEST:
                await self._submit_halves(items, divided=divided)
                return
            async with self._slots:
                ids = await self._submit_script(group, script, items[0].origin)
        except ArgosyError as error:
            if not group.is_array or not _is_refusal(error):
                _settle(items, error)
            elif divided:
                await self._submit_halves(items, divided=True)
            else:
                await self._submit_apart(items)
        else:
            self._watcher.watch(
                Handle(member.tag, native_id, member.rerunnable) for member, native_id in zip(members, ids, strict=True)
            )
            for item, native_id in zip(items, ids, strict=True):
                if not item.accepted.done():
                    item.accepted.set_result(native_id)

    async def _submit_apart(self, items: list[_Waiting]) -> None:
        """An array was refused: for itself, for some of its jobs, or for what all of them ask.

        A few jobs from all over it are tried alone. Where each of them is refused so are the others, with its words: a
        thousand jobs with a wrong account are not asked for one by one.
        """
        step = -(-len(items) // _SAMPLE)
        some = items[::step]
        await asyncio.gather(*(self._submit_group([item]) for item in some))
        rest = [item for number, item in enumerate(items) if number % step]
        answers = [_outcome(item.accepted) for item in some]
        refusals = [answer for answer in answers if isinstance(answer, ArgosyError) and _is_refusal(answer)]
        if rest and len(refusals) < len(some):
            await self._submit_group(rest, divided=True)
        elif rest:
            _settle(rest, refusals[0])

    async def _submit_halves(self, items: list[_Waiting], *, divided: bool) -> None:
        middle = len(items) // 2
        await asyncio.gather(*(self._submit_group(half, divided=divided) for half in (items[:middle], items[middle:])))

    def _script(self, group: Group) -> str:
        try:
            return self._system.script(group, self._spool.root)
        except ArgosyError:
            raise
        except Exception as defect:
            raise SubmitException(f"the job's script could not be made: {_told(defect)}") from None

    async def _submit_script(self, group: Group, script: str, origin: Origin | None) -> list[str]:
        if group.is_array:
            # Before the array exists, so that each of its members can be found again after a crash.
            await self._transport.write(
                self._spool.group(group.tag), encode_group([member.tag for member in group.members])
            )
        self._fault("command-before")
        done = await self._run(replace(self._system.submit(script), origin=origin))
        self._fault("command-after")
        return self._system.parse_submit(done, group)

    async def find(self, tags: Sequence[str], accounts: Mapping[str, str] | None = None) -> dict[str, str]:
        await self._prepare()
        found = {tag: known for tag in tags if (known := self._watcher.native_id(tag)) is not None}
        # A tag may have been in several arrays: one that was refused, say, and the one that was accepted after it.
        wanted = {tag: [(tag, -1)] for tag in tags if tag not in found}
        if not wanted:
            return found
        for name, data in await self._transport.collect(self._spool.groups, limit=1_000_000):
            try:
                members = decode_group(data)
            except ValueError as odd:
                log.error("the list of the array %s cannot be read: %s: %r", name, odd, data[:200])  # noqa: TRY400
                continue
            for index, member in enumerate(members):
                if member in wanted:
                    wanted[member].append((name, index))
        groups = sorted({group for places in wanted.values() for group, _ in places})
        known_ids = await self._find_groups(groups)
        for tag, group, index in ((tag, *place) for tag, places in wanted.items() for place in places):
            if (native_id := known_ids.get(group)) is not None:
                found[tag] = native_id if index < 0 else self._system.element_id(native_id, index)
        return found

    async def _find_groups(self, groups: Sequence[str]) -> dict[str, str]:
        """What the batch system knows of these groups; its queue must answer, its accounting may be away."""
        first, *others = self._system.find(groups)
        known = self._system.parse_find(await self._run(first), groups)
        for command in others:
            if len(known) == len(groups):
                break
            with contextlib.suppress(Unavailable):
                known = self._system.parse_find(await self._run(command), groups) | known
        return known

    async def withdraw(self, tags: Sequence[str], accounts: Mapping[str, str] | None = None) -> dict[str, str]:
        await self._prepare()
        begun: dict[str, str] = {}
        for begin in range(0, len(tags), _NAMED):
            some = tags[begin : begin + _NAMED]
            begun |= parse_withdraw(await self._run(withdraw(self._spool.root, some)), some)
            self._watcher.drop(set(some) - begun.keys())  # what a copy says is of no use
        return begun

    # -- watching and acting ----------------------------------------------------------------------

    def watch(self, handles: Iterable[Handle]) -> None:
        self._watcher.watch(handles)

    async def control(self, verb: Control, handles: Sequence[Handle]) -> list[ArgosyError | None]:
        if verb not in self._system.controls:
            error = InvalidStateException(f"{self.name} cannot {verb} jobs")
            return [error for _ in handles]
        if not handles:
            return []
        answers: list[ArgosyError | None] = []
        for begin in range(0, len(handles), _NAMED):
            answers += await self._control(verb, handles[begin : begin + _NAMED])
        return answers

    async def _control(self, verb: Control, handles: Sequence[Handle]) -> list[ArgosyError | None]:
        ids = [handle.native_id for handle in handles]
        refused: dict[str, str] = {}
        if verb is Control.CANCEL:
            # Before: a job's end may be seen while the command still goes on with others.
            self._watcher.cancelling(handle.tag for handle in handles)
        try:
            if verb is Control.HOLD:
                refused = await self._begun(ids)
            if left := [native_id for native_id in ids if native_id not in refused]:
                done = await self._run(self._system.control(verb, left))
                refused |= self._system.parse_control(verb, done, left)
        except ArgosyError as failed:
            return [failed for _ in handles]
        if verb is Control.CANCEL:
            self._watcher.cancelling((handle.tag for handle in handles if handle.native_id in refused), asked=False)
        self._watcher.look_soon()
        return [InvalidStateException(refused[native_id]) if native_id in refused else None for native_id in ids]

    async def _begun(self, ids: Sequence[str]) -> dict[str, str]:
        """Those of these jobs that run already, with words against holding them.

        Slurm takes such a request without a word and does nothing; LSF would stop the job, HTCondor kill it.
        """
        running = (Phase.RUNNING, Phase.SUSPENDED, Phase.ENDING)
        seen = await self.look(ids)
        return dict.fromkeys((id for id in seen if seen[id].phase in running), "it runs already, and cannot be held")

    async def forget(self, handles: Sequence[Handle]) -> None:
        tags = {handle.tag for handle in handles}
        self._watcher.drop(tags)
        await self._transport.remove([*(self._spool.claim(tag) for tag in tags), *self._outputs(handles)])
        for name, data in await self._transport.collect(self._spool.groups):
            with contextlib.suppress(ValueError):
                members = set(decode_group(data))
                if members & tags and not await self._is_needed(members - tags):
                    await self._transport.remove([self._spool.group(name)])

    async def forget_outputs(self, handles: Sequence[Handle]) -> None:
        """Remove what the scripts of these ended jobs printed, and their node files; their claims stay."""
        await self._transport.remove(self._outputs(handles))

    def _outputs(self, handles: Sequence[Handle]) -> list[str]:
        ids = [handle.native_id for handle in handles if handle.native_id]  # one that was withdrawn has none
        return [path for id in ids for path in (self._spool.output(id), self._spool.node_file(id))]

    async def _is_needed(self, members: set[str]) -> bool:
        """Whether an array's list has members that were not forgotten: those are watched, or have left a claim."""
        if any(self._watcher.native_id(tag) is not None for tag in members):
            return True
        for tag in members:
            if await self._has_claim(tag):
                return True
        return False

    async def _has_claim(self, tag: str) -> bool:
        return bool(await self._transport.collect(self._spool.claim(tag), limit=1))

    async def list_jobs(self) -> list[str]:
        return self._system.parse_list(await self._run(self._system.list_jobs()))

    async def look(self, native_ids: Sequence[str]) -> dict[str, Observation]:
        """What the batch system shows of these jobs now, and its accounting of those that have left the queue.

        Raises Unavailable where the batch system does not answer; an accounting that is away only leaves jobs out.
        """
        seen: dict[str, Observation] = {}
        for begin in range(0, len(native_ids), _NAMED):
            some = native_ids[begin : begin + _NAMED]
            seen |= self._system.parse_status(await self._run(self._system.status(some)), some).jobs
            unseen = [native_id for native_id in some if native_id not in seen]
            command = self._system.accounting(unseen) if unseen else None
            if command is not None:
                with contextlib.suppress(Unavailable):
                    seen |= self._system.parse_accounting(await self._run(command), unseen).jobs
        return seen

    async def run(self, command: Command, *, timeout: float, account: str | None = None) -> Completed:
        return await self._transport.run(command, timeout=timeout)

    async def shares(self) -> list[Share]:
        return self._system.parse_shares([await self._run(command) for command in self._system.shares()])

    async def close(self) -> None:
        if self._waiting:
            self._flush()
        await self._tasks.ended(_CLOSING)
        await self._tasks.stop()  # before their commands are ended: how those end then says nothing about the jobs
        await self._watcher.close()
        await self._transport.close()


def directives(system: BatchSystem, request: JobRequest) -> tuple[str, ...]:
    """What a batch system is asked for; jobs with equal ones may become one array. Raises InvalidJobException."""
    return system.directives(_submission(request))


def _submission(request: JobRequest) -> Submission:
    spec = request.spec
    spec.check()
    launcher = get_launcher(spec.launcher or "single")
    directory = request.directory
    if directory is None and spec.directory is not None:
        directory = str(spec.directory)
    return Submission(
        tag=request.tag,
        spec=spec,
        launch=launcher.render(command_text(spec), spec),
        directory=directory,
        rerunnable=request.rerunnable,
        before="" if request.preparation is None else request.preparation.before,
        after="" if request.preparation is None else request.preparation.after,
    )


def _settle(items: Sequence[_Waiting], error: ArgosyError) -> None:
    for item in items:
        if not item.accepted.done():
            item.accepted.set_exception(error)


def _is_refusal(error: ArgosyError) -> bool:
    """Whether the same would be refused again."""
    return isinstance(error, InvalidJobException) or (isinstance(error, SubmitException) and not error.transient)


def _told(defect: Exception) -> str:
    """What kind of defect it is; its place is logged. What it says may be a part of a script, and is not told."""
    place = "".join(traceback.format_tb(defect.__traceback__))
    log.error("a defect in submitting jobs (%s), at\n%s", type(defect).__name__, place)
    return type(defect).__name__


def _outcome(accepted: asyncio.Future[str]) -> str | ArgosyError:
    error = accepted.exception()
    if error is None:
        return accepted.result()
    if isinstance(error, ArgosyError):
        return error
    raise error
