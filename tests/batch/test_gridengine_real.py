"""Grid Engine's commands and scripts against a real Grid Engine."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from argosy.batch import Control, Group, Submission
from argosy.batch.gridengine import GridEngine
from argosy.batch.records import NOT_RUN, Record
from argosy.model import (
    Command,
    Completed,
    InvalidJobException,
    JobAttributes,
    JobSpec,
    Observation,
    Outcome,
    Phase,
    ResourceSpecV1,
    SubmitException,
    Unavailable,
)
from tests.waiting import until

from .scripts import Spool, seen, submission, write_show

pytestmark = [pytest.mark.gridengine, pytest.mark.usefixtures("gridengine")]

SYSTEM = GridEngine()


def run(command: Command) -> Completed:
    environ = {**os.environ, **{name: value for name, value in command.environment.items() if value is not None}}
    for name, value in command.environment.items():
        if value is None:
            environ.pop(name, None)
    stdin = command.stdin.encode("utf-8", "surrogateescape")
    done = subprocess.run(command.argv, input=stdin, capture_output=True, env=environ, timeout=60, check=False)
    stdout, stderr = (data.decode("utf-8", "surrogateescape") for data in (done.stdout, done.stderr))
    return Completed(command.argv, done.returncode, stdout, stderr)


class Cell:
    """Submits from one spool, and remembers what to cancel."""

    def __init__(self, path: Path) -> None:
        self.spool = Spool(path / "spo ol $JOB_ID,'x\":#y\n#$ -h")
        self.home = path
        self.ids: list[str] = []
        self._count = 0

    def tag(self) -> str:
        self._count += 1
        return f"{self.home.name}.{self._count}"

    def job(self, spec: JobSpec, directory: str | None = "", *, rerunnable: bool = False) -> Submission:
        where = str(self.home) if directory == "" else directory
        return submission(spec, where, self.tag(), rerunnable=rerunnable)

    def group(self, *members: Submission) -> Group:
        return Group(members[0].tag if len(members) == 1 else self.tag(), members)

    def submit(self, *members: Submission) -> list[str]:
        return self.submit_group(self.group(*members))

    def submit_group(self, group: Group) -> list[str]:
        done = run(SYSTEM.submit(SYSTEM.script(group, str(self.spool.path))))
        ids = SYSTEM.parse_submit(done, group)
        self.ids += ids
        return ids

    def one(self, spec: JobSpec, **kwargs) -> str:
        (native_id,) = self.submit(self.job(spec, **kwargs))
        return native_id

    def look(self, *ids: str) -> dict[str, Observation]:
        snapshot = SYSTEM.parse_status(run(SYSTEM.status(ids)), ids)
        assert snapshot.unreadable == ()
        return snapshot.jobs

    def until(self, native_id: str, *phases: Phase) -> Observation:
        last: list[Observation] = []

        def reached() -> bool:
            last[:] = self.look(native_id).values()
            return bool(last) and last[0].phase in phases

        until(reached)
        return last[0]

    def ended(self, *ids: str, seconds: float = 90.0) -> list[Observation]:
        """What accounting says, once all have left the queue and it knows of them."""
        jobs: dict[str, Observation] = {}

        def known() -> bool:
            if self.look(*ids):
                return False
            command = SYSTEM.accounting(ids)
            assert command is not None
            snapshot = SYSTEM.parse_accounting(run(command), ids)
            assert snapshot.unreadable == ()
            jobs.update(snapshot.jobs)
            return jobs.keys() == set(ids)

        until(known, seconds)
        return [jobs[native_id] for native_id in ids]

    def record(self, native_id: str, number: int = 0, kind: str = "exit") -> Record:
        name = f"{native_id}.{number}.{kind}"
        until(lambda: name in self.spool.records())
        return self.spool.records()[name]

    def control(self, verb: Control, *ids: str) -> dict[str, str]:
        return SYSTEM.parse_control(verb, run(SYSTEM.control(verb, ids)), ids)


@pytest.fixture
def cell() -> Iterator[Cell]:
    with tempfile.TemporaryDirectory(prefix="argosy-") as directory:
        here = Cell(Path(directory))
        try:
            yield here
        finally:
            left = run(SYSTEM.list_jobs())
            mine = [native_id for native_id in SYSTEM.parse_list(left) if native_id in here.ids]
            if mine:
                here.control(Control.CANCEL, *mine)
                until(lambda: not here.look(*mine))


def sh(text: str, **kwargs) -> JobSpec:
    return JobSpec("/bin/sh", ["-c", text], **kwargs)


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
)
def test_exit_codes(cell: Cell, script: str, code: int) -> None:
    native_id = cell.one(sh(script))
    (job,) = cell.ended(native_id)
    assert (job.phase, job.outcome, job.exit_code) == (Phase.ENDED, Outcome.EXITED, code)
    assert job.usage is not None
    assert (job.hosts, job.queue) == (("localhost",), "all.q")
    assert cell.record(native_id).exit_code == code
    assert abs((job.ended or 0) - cell.record(native_id).time) < 5


@pytest.mark.parametrize("code", [99, 100])
def test_codes_that_mean_something_to_grid_engine_are_the_applications_own(cell: Cell, code: int) -> None:
    native_id = cell.one(sh(f"echo x >> ran; exit {code}"), rerunnable=True)
    (job,) = cell.ended(native_id)
    assert (job.outcome, job.exit_code) == (Outcome.EXITED, None)
    assert cell.record(native_id).exit_code == code
    assert (cell.home / "ran").read_text() == "x\n"


def test_cancelling_what_runs_and_what_waits(cell: Cell) -> None:
    running = cell.one(JobSpec("/bin/sleep", ["300"]))
    held = cell.one(JobSpec("/bin/true", attributes=JobAttributes(custom_attributes={"gridengine.h": True})))
    seen = cell.until(running, Phase.RUNNING)
    assert seen.started is not None
    assert seen.hosts == ("localhost",)
    waiting = cell.until(held, Phase.HELD)
    assert waiting.submitted is not None
    assert cell.control(Control.CANCEL, running, held, "999999999") == {}
    until(lambda: not cell.look(running, held))
    (job,) = cell.ended(running)
    assert (job.outcome, job.signal, job.exit_code) == (Outcome.CANCELLED, 9, None)
    assert cell.control(Control.CANCEL, running, held) == {}


def test_hold_release_suspend_resume(cell: Cell) -> None:
    spec = sh("sleep 30")
    spec.attributes.set_custom_attribute("gridengine.h", True)
    native_id = cell.one(spec)
    assert cell.until(native_id, Phase.HELD).word == "hqw"
    assert cell.control(Control.RELEASE, native_id) == {}
    cell.until(native_id, Phase.RUNNING)
    assert cell.control(Control.SUSPEND, native_id) == {}
    cell.until(native_id, Phase.SUSPENDED)
    assert cell.control(Control.RESUME, native_id) == {}
    cell.until(native_id, Phase.RUNNING)
    assert set(cell.control(Control.HOLD, native_id, "999999999")) == {"999999999"}
    assert cell.look(native_id)[native_id].phase is Phase.RUNNING


def test_wall_time(cell: Cell) -> None:
    native_id = cell.one(JobSpec("/bin/sleep", ["300"], attributes=JobAttributes(duration=timedelta(seconds=2))))
    (job,) = cell.ended(native_id)
    assert job.outcome is Outcome.TIMEOUT
    assert "37" in job.word or "100" in job.word


def test_an_array(cell: Cell) -> None:
    members = [cell.job(sh(f"echo {number} > out.{number}; exit {number}")) for number in range(5)]
    ids = cell.submit(*members)
    jobs = cell.ended(*ids)
    assert [job.exit_code for job in jobs] == list(range(5))
    assert [(cell.home / f"out.{number}").read_text() for number in range(5)] == [f"{number}\n" for number in range(5)]
    assert [cell.record(native_id).tag for native_id in ids] == [member.tag for member in members]


def test_an_array_that_waits_is_seen_task_by_task_and_cancelled_so(cell: Cell) -> None:
    attributes = JobAttributes(custom_attributes={"gridengine.h": True})
    ids = cell.submit(*(cell.job(JobSpec("/bin/sleep", ["300"], attributes=attributes)) for _ in range(4)))
    until(lambda: {job.phase for job in cell.look(*ids).values()} == {Phase.HELD})
    assert cell.look(*ids).keys() == set(ids)
    assert set(ids) <= set(SYSTEM.parse_list(run(SYSTEM.list_jobs())))
    assert cell.control(Control.RELEASE, ids[0]) == {}
    cell.until(ids[0], Phase.RUNNING)
    assert cell.look(*ids)[ids[1]].phase is Phase.HELD
    assert cell.control(Control.CANCEL, ids[0], ids[2]) == {}
    until(lambda: cell.look(*ids).keys() == {ids[1], ids[3]})


def test_many_are_accounted_for_in_one_go(cell: Cell) -> None:
    ids = cell.submit(*(cell.job(sh(f"exit {number}")) for number in range(3)))
    ids += [cell.one(sh(f"exit {number}")) for number in range(9)]
    assert [job.exit_code for job in cell.ended(*ids)] == [*range(3), *range(9)]


def test_where_the_script_cannot_do_its_part(cell: Cell) -> None:
    missing = cell.one(JobSpec("/bin/touch", ["ran"]), directory=str(cell.home / "nosuch"))
    closed = cell.one(JobSpec("/bin/touch", ["ran"], stdout_path=Path("/nosuch/out")))
    jobs = cell.ended(missing, closed)
    assert [job.exit_code for job in jobs] == [NOT_RUN, NOT_RUN]
    for native_id, word in ((missing, "nosuch"), (closed, "/nosuch/out")):
        record = cell.record(native_id)
        assert not record.ran
        assert word in (record.note or "")
        assert word in (cell.spool.path / "out" / f"{native_id}.out").read_text()
    assert not (cell.home / "ran").exists()


def test_the_start_directory_is_that_of_submission(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cell.home)
    (native_id,) = cell.submit(cell.job(sh("pwd", stdout_path=cell.home / "out"), None))
    assert cell.record(native_id).exit_code == 0
    assert (cell.home / "out").read_text() == f"{cell.home}\n"


def test_found_by_tag_while_it_is_there_and_after(cell: Cell) -> None:
    attributes = JobAttributes(custom_attributes={"gridengine.h": True})
    waiting = cell.job(JobSpec("/bin/true", attributes=attributes))
    array = cell.group(*(cell.job(JobSpec("/bin/true", attributes=attributes)) for _ in range(2)))
    done = cell.job(JobSpec("/bin/true"))
    (waits,) = cell.submit(waiting)
    first, _ = cell.submit_group(array)
    (ended,) = cell.submit(done)
    cell.ended(ended)
    in_queue, in_accounting = SYSTEM.find([])
    tags = [waiting.tag, array.tag, done.tag, "nosuch"]
    here = SYSTEM.parse_find(run(in_queue), tags)
    assert here == {waiting.tag: waits, array.tag: first.partition(".")[0]}
    assert SYSTEM.parse_find(run(in_accounting), tags) == {done.tag: ended}


def requeue(cell: Cell, native_id: str) -> None:
    subprocess.run(["qmod", "-rj", native_id], check=False, capture_output=True, timeout=30)


def test_a_requeue_runs_a_job_again_that_may_run_again(cell: Cell) -> None:
    native_id = cell.one(sh("echo x >> ran; test -e enough || exec sleep 300"), rerunnable=True)
    # Grid Engine waits with the next run until the host has cleared up after the one before.
    for runs in ("x\n", "x\nx\n"):
        until(lambda runs=runs: (cell.home / "ran").exists() and (cell.home / "ran").read_text() == runs, 90)
        cell.until(native_id, Phase.RUNNING)
        if runs != "x\n":
            (cell.home / "enough").touch()
        requeue(cell, native_id)
    (job,) = cell.ended(native_id, seconds=90)
    assert (job.outcome, job.exit_code) == (Outcome.EXITED, 0)
    assert (cell.home / "ran").read_text() == "x\nx\nx\n"
    assert cell.record(native_id, 2).exit_code == 0


def test_a_job_that_may_not_run_again_is_not_put_back(cell: Cell) -> None:
    native_id = cell.one(sh("echo x >> ran; until [ -e enough ]; do sleep 0.1; done"))
    cell.until(native_id, Phase.RUNNING)
    requeue(cell, native_id)
    (cell.home / "enough").touch()
    (job,) = cell.ended(native_id)
    assert job.exit_code == 0
    assert (cell.home / "ran").read_text() == "x\n"


def test_what_a_user_says_arrives_byte_for_byte(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_OUTSIDE", "a b,c='d'\"e\\é")
    show = write_show(cell.home)
    arguments = ["a\n#$ -h\n#$ -t 1-9\n", "$(id) `id` 'x'", "é\r\n\u2028", "x" * 100_000]
    spec = JobSpec(str(show), arguments, environment={"NEW": "\n#$ -h"}, name="a=b,c;d|e&f(g)<h>`!%^~[]{}+$HOME")
    native_id = cell.one(spec)
    (job,) = cell.ended(native_id)
    assert job.exit_code == 0
    given, environ = seen(show)
    assert given == [argument.encode() for argument in arguments]
    assert environ[b"NEW"] == b"\n#$ -h"
    assert environ[b"FROM_OUTSIDE"] == "a b,c='d'\"e\\é".encode()


def test_a_hostile_environment_does_not_keep_a_job_from_running(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD", "one\ntwo\n#$ -h")
    monkeypatch.setenv("BASH_FUNC_ls%%", "() {  echo not ls\n}")
    monkeypatch.setenv("PE_HOSTFILE", "/nosuch")
    native_id = cell.one(sh("exit 3"))
    (job,) = cell.ended(native_id)
    assert job.exit_code == 3
    assert cell.record(native_id).hosts == ("localhost",)


def test_slots_are_those_of_a_parallel_environment(cell: Cell) -> None:
    resources = ResourceSpecV1(process_count=2, cpu_cores_per_process=3)
    spec = sh('echo $PE $NSLOTS; cat "$PSIJ_NODEFILE"', resources=resources, stdout_path=Path("out"))
    other = sh("echo $PE $NSLOTS", resources=ResourceSpecV1(node_count=2), stdout_path=Path("other"))
    other.attributes.set_custom_attribute("gridengine.pe", "mpi")
    ids = [cell.one(spec), cell.one(other)]
    assert [job.exit_code for job in cell.ended(*ids)] == [0, 0]
    assert (cell.home / "out").read_text() == "smp 6\nlocalhost\nlocalhost\n"
    assert (cell.home / "other").read_text() == "mpi 2\n"


def test_refusals_are_told_in_grid_engines_words(cell: Cell) -> None:
    spec = JobSpec("/bin/true", attributes=JobAttributes(queue_name="nosuch.q"))
    with pytest.raises(SubmitException, match=r'unknown queue "nosuch\.q"') as caught:
        cell.submit(cell.job(spec))
    assert not caught.value.transient
    spec = JobSpec("/bin/true", attributes=JobAttributes(custom_attributes={"gridengine.pe": "nosuch"}))
    with pytest.raises(SubmitException, match="parallel environment"):
        cell.submit(cell.job(spec))
    with pytest.raises(InvalidJobException) as invalid:
        cell.submit(cell.job(JobSpec("/bin/true", resources=ResourceSpecV1(node_count=2))))
    assert invalid.value.element == "resources.node_count"


def test_why_a_job_waits(cell: Cell) -> None:
    spec = JobSpec("/bin/true", attributes=JobAttributes(custom_attributes={"gridengine.pe": "smp"}))
    spec.resources = ResourceSpecV1(process_count=5000)
    native_id = cell.one(spec)
    until(lambda: "smp" in (cell.look(native_id)[native_id].reason or ""))


def test_a_job_in_error_waits_with_the_words_of_its_error(cell: Cell) -> None:
    spec = JobSpec("/bin/true")
    group = cell.group(cell.job(spec))
    script = SYSTEM.script(group, str(cell.spool.path)).replace("#$ -o /dev/null", "#$ -o /nosuch/dir/out")
    (native_id,) = SYSTEM.parse_submit(run(SYSTEM.submit(script)), group)
    cell.ids.append(native_id)
    until(lambda: "E" in cell.look(native_id)[native_id].word)
    job = cell.look(native_id)[native_id]
    assert job.phase is Phase.HELD
    assert "can't open output file" in (job.reason or "")
    assert not cell.spool.records()
    assert cell.control(Control.CANCEL, native_id) == {}
    until(lambda: not cell.look(native_id))


def test_with_the_master_away_nothing_is_known(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("SGE_QMASTER_PORT", "1")
        with pytest.raises(Unavailable):
            cell.look("1")
        with pytest.raises(Unavailable):
            SYSTEM.parse_list(run(SYSTEM.list_jobs()))
        with pytest.raises(Unavailable):
            SYSTEM.parse_find(run(SYSTEM.find([])[0]), ["t"])
        with pytest.raises(Unavailable):
            SYSTEM.parse_shares([run(command) for command in SYSTEM.shares()])
        for verb in Control:
            with pytest.raises(Unavailable):
                cell.control(verb, "1")
        with pytest.raises(SubmitException) as caught:
            cell.submit(cell.job(JobSpec("/bin/true")))
        assert caught.value.transient


def test_without_the_cell_nothing_is_known(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    command = SYSTEM.accounting(["1"])
    assert command is not None
    with monkeypatch.context() as patch:
        patch.setenv("SGE_CELL", "nosuch")
        with pytest.raises(Unavailable):
            cell.look("1")
        with pytest.raises(Unavailable):
            SYSTEM.parse_accounting(run(command), ["1"])


def test_what_nobody_knows_is_absent(cell: Cell) -> None:
    assert cell.look("999999999", "999999999.1") == {}
    for ids in (["999999999"], [str(number) for number in range(999999900, 999999999)]):
        command = SYSTEM.accounting(ids)
        assert command is not None
        assert SYSTEM.parse_accounting(run(command), ids).jobs == {}


def test_shares(cell: Cell) -> None:
    shares = {share.name: share for share in SYSTEM.parse_shares([run(command) for command in SYSTEM.shares()])}
    assert {"all.q", "short.q"} <= shares.keys()
    assert shares["short.q"].max_wall == 3600
    assert shares["all.q"].max_wall is None
    assert (shares["all.q"].available, shares["all.q"].cores, shares["all.q"].cores_per_node) == (True, 512, 512)
