"""The driver for processes of this machine. Jobs are started by the reaper, and go on without this process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import platform
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from argosy.batch.contract import Control
from argosy.executors.contract import Driver, Handle, JobRequest, OnReports, Report
from argosy.executors.tasks import Tasks, over_and_over
from argosy.model import (
    ArgosyError,
    Command,
    Completed,
    InvalidJobException,
    InvalidStateException,
    JobSpec,
    NotFound,
    Outcome,
    Phase,
    Share,
    Unavailable,
    Usage,
)
from argosy.transport.local import LocalTransport

from . import daemon
from .connection import Connection
from .machine import this_machine
from .notes import Notes
from .spawn import is_plain, prepare

logger = logging.getLogger(__name__)

#: How many jobs one request to the reaper is about.
_MANY = 1000
#: How much of jobs one submit request carries, in bytes.
_MUCH = 8 * 2**20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0
_GONE = "the reaper has no record of this job: it was forgotten, or the reaper's directory was removed"


class LocalDriver(Driver):
    """Jobs as processes of this machine, `slots` CPU cores at a time, first come first served.

    `directory` belongs to one reaper: all drivers of that directory share its queue and slots; it is made where it
    does not exist. `slots` None takes what the reaper has, or this process's CPUs for a new one. `environ` is what
    jobs inherit (where None, this process's environment). `grace` is what a cancelled job has between SIGTERM
    and SIGKILL, in seconds. The reaper ends by itself when all its jobs were forgotten and nobody has been connected to
    it for `idle` seconds; a supervisor that ends all processes of the service ends the reaper too. Memory is not
    tracked, and `duration` is not enforced. A job's native id is its tag.
    """

    name = "local"
    controls = frozenset(Control)

    def __init__(
        self,
        directory: str,
        *,
        slots: int | None = None,
        environ: Mapping[str, str] | None = None,
        grace: float = 10.0,
        idle: float = daemon.IDLE,
    ) -> None:
        self._directory = os.path.abspath(directory)
        self._notes = Notes(self._directory)
        self._slots = slots
        self._environ = dict(os.environ if environ is None else environ)
        self._commands: LocalTransport | None = None
        self._environ_json = json.dumps(self._environ)
        self._grace = grace
        self._idle = idle
        self._host = (socket.gethostname(),)
        self._watched: set[str] = set()
        self._phases: dict[str, Phase] = {}
        self._reports: list[Report] = []
        self._wake = asyncio.Event()
        self._connected = asyncio.Event()
        self._connection: Connection | None = None
        self._tasks = Tasks(f"talking to the reaper in {self._directory}")
        self._on_reports: OnReports | None = None

    async def open(self, on_reports: OnReports) -> None:
        """Connect to the reaper, starting it where none runs. Raises Unavailable where that cannot be done."""
        self._on_reports = on_reports
        await self._connect()
        what = f"connecting again to the reaper in {self._directory}"
        self._tasks.start(over_and_over(self._keep_connected, what))
        self._tasks.start(self._deliver())

    async def close(self) -> None:
        """Stop watching. Jobs go on, and the reaper with them."""
        await self._tasks.stop()
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
        self._connected.clear()
        if self._commands is not None:
            await self._commands.close()
            self._commands = None

    # -- jobs -------------------------------------------------------------------------------------

    def check(self, request: JobRequest) -> None:
        self._check_here(request.spec)
        if not is_plain(request.spec, request.preparation):
            self._parts(request)  # a launcher may refuse what it is to launch

    async def submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
        answers: list[str | ArgosyError] = [request.tag for request in requests]
        batch: list[int] = []
        wires: list[str] = []
        size = 0
        for index, request in enumerate(requests):
            try:
                wire = self._wire(request)
            except InvalidJobException as error:
                answers[index] = error
                continue
            batch.append(index)
            wires.append(wire)
            size += len(wire)
            if size > _MUCH:
                await self._submit(requests, batch, wires, answers)
                batch, wires, size = [], [], 0
        if batch:
            await self._submit(requests, batch, wires, answers)
        return answers

    async def _submit(
        self,
        requests: Sequence[JobRequest],
        batch: list[int],
        wires: list[str],
        answers: list[str | ArgosyError],
    ) -> None:
        new: set[str] = set()
        try:
            connection = await self._ready()
            # Not before: a new connection begins with asking how all watched jobs are, and these are not there yet.
            new = {requests[index].tag for index in batch} - self._watched
            self._watched |= new
            fields = f'"environ":{self._environ_json},"jobs":[{",".join(wires)}]'
            refusals = await connection.send("submit", fields)
        except Unavailable as error:
            self._watched -= new
            for index in batch:
                answers[index] = error
            return
        for index, refusal in zip(batch, refusals, strict=True):
            if refusal is not None:
                self._watched.discard(requests[index].tag)
                answers[index] = InvalidJobException(refusal, element="resources")

    def _wire(self, request: JobRequest) -> str:
        request.spec.check()
        self._check_here(request.spec)
        return json.dumps(self._parts(request), separators=(",", ":"))

    @staticmethod
    def _check_here(spec: JobSpec) -> None:
        if spec.stages:
            raise InvalidJobException(
                "jobs that are handed to the reaper stage nothing themselves: the service does that for its activities",
                element="stage_in" if spec.stage_in else "stage_out" if spec.stage_out else "cleanup",
            )
        resources = spec.effective_resources
        if resources.computed_node_count > 1:
            raise InvalidJobException(
                f"the job asks for {resources.computed_node_count} nodes, but this is one machine",
                element="resources.node_count",
            )

    def _parts(self, request: JobRequest) -> list[Any]:
        spec = request.spec
        note = self._notes.path(request.tag)
        prepared = prepare(spec, request.directory, self._environ, request.tag, note, request.preparation)
        inherits = prepared.base is not None
        directory = os.getcwd() if prepared.directory is None else prepared.directory
        cores = spec.effective_resources.computed_core_count
        return [request.tag, cores, None, inherits, prepared.argv, directory, *prepared[3:]]

    async def find(self, tags: Sequence[str], accounts: Mapping[str, str] | None = None) -> dict[str, str]:
        return {tag: tag for tag in await self._vector("find", tags)}

    def watch(self, handles: Iterable[Handle]) -> None:
        tags = [handle.tag for handle in handles]
        self._watched.update(tags)
        for tag in tags:
            self._phases.pop(tag, None)
        if self._connection is not None and tags:
            # Where that does not work, they are asked for again when the connection is back.
            self._tasks.start(self._ask(self._connection, tags))

    async def control(self, verb: Control, handles: Sequence[Handle]) -> list[ArgosyError | None]:
        tags = [handle.tag for handle in handles]
        refusals = await self._vector("control", tags, verb=str(verb), grace=self._grace)
        answers: list[ArgosyError | None] = []
        for tag, refusal in zip(tags, refusals, strict=True):
            if refusal is None:
                answers.append(None)
            elif refusal == "not-found":
                answers.append(NotFound(f"there is no job {tag} here"))
            else:
                answers.append(InvalidStateException(f"cannot {verb} {tag}: {refusal}"))
        return answers

    async def forget(self, handles: Sequence[Handle]) -> None:
        tags = [handle.tag for handle in handles]
        for tag in tags:
            self._watched.discard(tag)
            self._phases.pop(tag, None)
            self._notes.forget(tag)
        refusals = await self._vector("forget", tags)
        for tag, refusal in zip(tags, refusals, strict=True):
            if refusal is not None:
                raise InvalidStateException(f"cannot forget {tag}: {refusal}")

    async def settled(self, handles: Sequence[Handle]) -> None:
        # There is no second copy of a local job anywhere that could still begin.
        await self.forget(handles)

    async def list_jobs(self) -> list[str]:
        answer: list[str] = await (await self._ready()).request("list")
        return answer

    async def run(self, command: Command, *, timeout: float, account: str | None = None) -> Completed:
        if self._commands is None:
            self._commands = LocalTransport(self._environ)
        return await self._commands.run(command, timeout=timeout)

    async def shares(self) -> list[Share]:
        status = await (await self._ready()).request("status")
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return [
            Share(
                name="",
                available=True,
                default=True,
                nodes=1,
                cores=status["slots"],
                cores_per_node=status["slots"],
                free_cores=status["free"],
                memory_per_node=memory,
                max_nodes=1,
                nodes_up=1,
                jobs_running=status["running"],
                jobs_waiting=status["queued"],
                architectures=(platform.machine().lower(),),
                operating_systems=(platform.system().lower(),),
                kinds=(this_machine(status["slots"], memory),),
            )
        ]

    async def status(self) -> dict[str, Any]:
        """The reaper's ``pid``, ``slots`` and ``free`` slots, and how many are ``queued``, ``running`` and ``jobs``."""
        answer: dict[str, Any] = await (await self._ready()).request("status")
        return answer

    async def stop_reaper(self) -> None:
        """Tell the reaper to start no more jobs, and to end when none runs."""
        await (await self._ready()).request("stop")

    async def _vector(self, do: str, tags: Sequence[str], **fields: Any) -> list[Any]:
        connection = await self._ready()
        answers: list[Any] = []
        for begin in range(0, len(tags), _MANY):
            answers += await connection.request(do, tags=list(tags[begin : begin + _MANY]), **fields)
        return answers

    # -- the connection ---------------------------------------------------------------------------

    async def _ready(self) -> Connection:
        """The connection; one that broke is given time to come back."""
        try:
            async with asyncio.timeout(10.0):
                await self._connected.wait()
        except TimeoutError:
            raise Unavailable(f"the reaper in {self._directory} does not answer") from None
        assert self._connection is not None
        return self._connection

    async def _connect(self) -> None:
        cpus = len(os.sched_getaffinity(0))
        ensuring = asyncio.create_task(
            asyncio.to_thread(daemon.ensure, self._directory, self._slots or cpus, idle=self._idle)
        )
        try:
            connected = await asyncio.shield(ensuring)
        except asyncio.CancelledError:
            ensuring.add_done_callback(_hang_up)
            raise
        except (daemon.DaemonError, OSError) as error:
            raise Unavailable(f"cannot reach the reaper in {self._directory}: {error}") from error
        connection = Connection(self._take)
        await connection.open(connected)
        try:
            if self._slots is not None:
                await connection.request("slots", slots=self._slots)
            await self._ask(connection, list(self._watched))
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        self._connected.set()

    async def _keep_connected(self) -> None:
        """Once the connection has broken, connect again."""
        assert self._connection is not None
        await self._connection.broken()
        self._connected.clear()
        logger.warning("the connection to the reaper in %s broke", self._directory)
        pause = _FIRST_PAUSE
        while not self._connected.is_set():
            try:
                await self._connect()
            except Unavailable as error:
                logger.warning("%s; trying again in %g s", error.message, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _ask(self, connection: Connection, tags: list[str]) -> None:
        """Ask how these jobs are, and report it."""
        for begin in range(0, len(tags), _MANY):
            some = tags[begin : begin + _MANY]
            known = await connection.request("tell", tags=some)
            for tag in set(some).difference(known):
                # It was in the reaper's hands, and is not any more: that says nothing about whether it ran.
                lost = {"tag": tag, "phase": "ended", "outcome": "lost", "message": _GONE}
                self._take([lost | {"time": time.time()}])

    # -- reports ----------------------------------------------------------------------------------

    def _take(self, states: list[dict[str, Any]]) -> None:
        for state in states:
            tag = state["tag"]
            phase = Phase(state["phase"])
            before = self._phases.get(tag)
            if tag in self._watched and before not in (phase, Phase.ENDED):
                self._phases[tag] = phase
                if phase is Phase.ENDED and "started" in state and before not in (Phase.RUNNING, Phase.SUSPENDED):
                    self._reports.append(Report(tag, tag, Phase.RUNNING, state["started"], hosts=self._host))
                self._reports.append(self._report(tag, phase, state))
        if self._reports:
            self._wake.set()

    def _report(self, tag: str, phase: Phase, state: dict[str, Any]) -> Report:
        ended = phase is Phase.ENDED
        outcome, exit_code = (Outcome(state["outcome"]) if ended else None), state.get("exit_code")
        message = state.get("message")
        if outcome is Outcome.EXITED and (note := self._notes.read(tag)) is not None:
            # What prepares the job, or its scripts: it did not come to the application, or to a good end.
            message = note.words
            if not note.ran:
                outcome, exit_code = Outcome.NOT_STARTED, None
        used = Usage(state.get("cpu"), state.get("wall"), state.get("rss")) if "cpu" in state else None
        return Report(
            tag=tag,
            native_id=tag,
            phase=phase,
            time=state["time"],
            outcome=outcome,
            exit_code=exit_code,
            signal=state.get("signal"),
            message=message,
            hosts=self._host if "started" in state else (),
            usage=used,
        )

    async def _deliver(self) -> None:
        pause = _FIRST_PAUSE
        assert self._on_reports is not None
        while True:
            await self._wake.wait()
            self._wake.clear()
            reports, self._reports = self._reports, []
            while reports:
                try:
                    await self._on_reports(reports)
                except Exception:
                    logger.exception("reports could not be delivered; trying again in %g s", pause)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                else:
                    reports, pause = [], _FIRST_PAUSE


def _hang_up(ensuring: asyncio.Task[socket.socket]) -> None:
    """Close a connection that came too late."""
    if not ensuring.cancelled() and ensuring.exception() is None:
        ensuring.result().close()
