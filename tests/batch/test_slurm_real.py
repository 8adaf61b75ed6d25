"""Slurm's commands and scripts against a real Slurm."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from argosy.batch import Control, Group, Submission
from argosy.batch.records import NOT_RUN, Record
from argosy.batch.slurm import Slurm
from argosy.model import (
    Command,
    Completed,
    JobAttributes,
    JobSpec,
    Observation,
    Outcome,
    Phase,
    ResourceSpecV1,
    SubmitException,
)
from tests.waiting import until

from .scripts import Spool, seen, submission, write_show

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm")]

SLURM = Slurm()


def run(command: Command) -> Completed:
    environ = {**os.environ, **{name: value for name, value in command.environment.items() if value is not None}}
    for name, value in command.environment.items():
        if value is None:
            environ.pop(name, None)
    done = subprocess.run(
        command.argv,
        input=command.stdin.encode("utf-8", "surrogateescape"),
        capture_output=True,
        env=environ,
        timeout=60,
        check=False,
    )
    stdout, stderr = (data.decode("utf-8", "surrogateescape") for data in (done.stdout, done.stderr))
    return Completed(command.argv, done.returncode, stdout, stderr)


class Cluster:
    """Submits from one spool, and remembers what to cancel."""

    def __init__(self, path: Path, system: Slurm = SLURM) -> None:
        self.system = system
        self.spool = Spool(path / "spo ol %j'x")
        self.home = path
        self.ids: list[str] = []
        self._count = 0

    def tag(self) -> str:
        self._count += 1
        return f"{self.home.name}.{self._count}"

    def submission(self, spec: JobSpec, directory: str | None = "", *, rerunnable: bool = False) -> Submission:
        where = str(self.home) if directory == "" else directory
        return submission(spec, where, self.tag(), rerunnable=rerunnable)

    def submit(self, *members: Submission) -> list[str]:
        group = Group(members[0].tag if len(members) == 1 else self.tag(), members)
        done = run(self.system.submit(self.system.script(group, str(self.spool.path))))
        ids = self.system.parse_submit(done, group)
        self.ids += ids
        return ids

    def look(self, *ids: str) -> dict[str, Observation]:
        snapshot = self.system.parse_status(run(self.system.status(ids)), ids)
        assert snapshot.unreadable == ()
        return snapshot.jobs

    def until(self, native_id: str, *phases: Phase) -> Observation:
        until(lambda: self.look(native_id)[native_id].phase in phases)
        return self.look(native_id)[native_id]

    def ended(self, *ids: str) -> list[Observation]:
        until(lambda: all(job.phase is Phase.ENDED for job in self.look(*ids).values()))
        jobs = self.look(*ids)
        return [jobs[native_id] for native_id in ids]

    def accounted(self, native_id: str) -> Observation:
        """What the accounting says, once it knows of the end."""

        def ask() -> Observation | None:
            done = run(self.system.accounting([native_id]) or pytest.fail("no command"))
            snapshot = self.system.parse_accounting(done, [native_id])
            assert snapshot.unreadable == ()
            job = snapshot.jobs.get(native_id)
            return job if job is not None and job.phase is Phase.ENDED else None

        until(ask)
        job = ask()
        assert job is not None
        return job

    def record(self, native_id: str, kind: str = "exit", run: int = 0) -> Record:
        return self.spool.records()[f"{native_id}.{run}.{kind}"]

    def control(self, verb: Control, ids: Sequence[str]) -> dict[str, str]:
        return self.system.parse_control(verb, run(self.system.control(verb, ids)), ids)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    # Not pytest's tmp_path: jobs may belong to other users, who may not pass through its parents.
    path = Path(tempfile.mkdtemp(prefix="argosy."))
    cluster = Cluster(path)
    try:
        yield cluster
    finally:
        if cluster.ids:
            run(SLURM.control(Control.CANCEL, cluster.ids))
        shutil.rmtree(path, ignore_errors=True)


def sh(text: str, **more) -> JobSpec:
    return JobSpec("/bin/sh", ["-c", text], **more)


@pytest.mark.parametrize(("text", "code"), [("exit 0", 0), ("exit 7", 7), ("exit 137", 137), ("kill -9 $$", 137)])
def test_exit_codes(cluster: Cluster, text: str, code: int) -> None:
    (native_id,) = cluster.submit(cluster.submission(sh(text)))
    (job,) = cluster.ended(native_id)
    assert (job.outcome, job.exit_code, job.signal) == (Outcome.EXITED, code, None)
    assert job.hosts[0].startswith("n")
    assert job.submitted is not None
    assert job.started is not None
    assert job.ended is not None
    assert job.submitted <= job.started <= job.ended
    assert cluster.record(native_id).exit_code == code
    assert cluster.record(native_id).hosts == job.hosts
    accounted = cluster.accounted(native_id)
    assert accounted.outcome is Outcome.EXITED
    assert accounted.exit_code == (0 if code == 0 else None)
    assert accounted.usage is not None


def test_the_script_itself_killed(cluster: Cluster) -> None:
    (native_id,) = cluster.submit(cluster.submission(sh("kill -9 0")))  # the whole process group
    (job,) = cluster.ended(native_id)
    assert (job.outcome, job.exit_code, job.signal) == (Outcome.EXITED, 137, 9)
    assert f"{native_id}.0.exit" not in cluster.spool.records()
    assert cluster.accounted(native_id).exit_code == 137


def test_cancel(cluster: Cluster) -> None:
    spec = sh("trap 'echo bye; exit 3' TERM; echo up >up; while :; do sleep 0.1; done", stdout_path="out")
    (native_id,) = cluster.submit(cluster.submission(spec))
    until((cluster.home / "up").exists)
    assert cluster.control(Control.CANCEL, [native_id, "99999999"]) == {}
    (job,) = cluster.ended(native_id)
    assert (job.phase, job.outcome, job.exit_code) == (Phase.ENDED, Outcome.CANCELLED, None)
    until(lambda: f"{native_id}.0.exit" in cluster.spool.records())
    record = cluster.record(native_id)
    assert (record.exit_code, record.terminated) == (3, True)
    assert (cluster.home / "out").read_text() == "bye\n"
    assert cluster.control(Control.CANCEL, [native_id]) == {}
    assert cluster.accounted(native_id).word.startswith("CANCELLED")


def test_hold_and_release(cluster: Cluster) -> None:
    attributes = JobAttributes(custom_attributes={"slurm.begin": "now+1hour"})
    (native_id,) = cluster.submit(cluster.submission(sh("exit 0", attributes=attributes)))
    job = cluster.look(native_id)[native_id]
    assert (job.phase, job.reason) == (Phase.QUEUED, "BeginTime")
    assert job.start_estimate is not None
    assert cluster.control(Control.HOLD, [native_id]) == {}
    assert cluster.look(native_id)[native_id].phase is Phase.HELD
    assert cluster.control(Control.RELEASE, [native_id]) == {}
    assert cluster.look(native_id)[native_id].phase is Phase.QUEUED
    assert cluster.control(Control.CANCEL, [native_id]) == {}
    (job,) = cluster.ended(native_id)
    assert (job.outcome, job.started, job.hosts) == (Outcome.CANCELLED, None, ())
    refused = cluster.control(Control.HOLD, [native_id, "99999999"])
    assert refused.keys() == {native_id, "99999999"}
    assert "finished" in refused[native_id]


def test_suspend_and_resume(cluster: Cluster) -> None:
    (native_id,) = cluster.submit(cluster.submission(sh("sleep 60")))
    cluster.until(native_id, Phase.RUNNING)
    assert cluster.control(Control.SUSPEND, [native_id]) == {}
    assert cluster.until(native_id, Phase.SUSPENDED).word == "SUSPENDED"
    assert cluster.control(Control.RESUME, [native_id]) == {}
    assert cluster.until(native_id, Phase.RUNNING).word == "RUNNING"


def test_an_array(cluster: Cluster) -> None:
    members = [cluster.submission(sh('echo "$0 $ARGOSY_JOB_TAG"; exit "$1"', stdout_path=f"out {i}")) for i in range(5)]
    for i, member in enumerate(members):
        member.spec.arguments = [*(member.spec.arguments or []), f"it's {i}", str(i)]
    members = [submission(member.spec, member.directory, member.tag) for member in members]
    ids = cluster.submit(*members)
    assert ids == [f"{ids[0].partition('_')[0]}_{i}" for i in range(5)]
    jobs = cluster.ended(*ids)
    assert [job.exit_code for job in jobs] == [0, 1, 2, 3, 4]
    for i, member in enumerate(members):
        assert (cluster.home / f"out {i}").read_text() == f"it's {i} {member.tag}\n"
        assert cluster.record(ids[i]).tag == member.tag
    assert cluster.accounted(ids[3]).outcome is Outcome.EXITED


def test_elements_of_a_waiting_array_are_seen_and_cancelled_one_by_one(cluster: Cluster) -> None:
    attributes = JobAttributes(custom_attributes={"slurm.begin": "now+1hour"})
    ids = cluster.submit(*(cluster.submission(sh("exit 0", attributes=attributes)) for _ in range(3)))
    assert {job.phase for job in cluster.look(*ids).values()} == {Phase.QUEUED}
    assert set(ids) <= set(SLURM.parse_list(run(SLURM.list_jobs())))
    assert cluster.control(Control.HOLD, [ids[0]]) == {}
    assert cluster.control(Control.CANCEL, [ids[1]]) == {}
    # Slurm forgets an element that was cancelled before it started.
    until(lambda: ids[1] not in cluster.look(*ids))
    assert [cluster.look(*ids)[native_id].phase for native_id in (ids[0], ids[2])] == [Phase.HELD, Phase.QUEUED]
    assert ids[1] not in SLURM.parse_list(run(SLURM.list_jobs()))
    assert cluster.control(Control.CANCEL, ids) == {}
    assert [cluster.accounted(native_id).outcome for native_id in ids] == [Outcome.CANCELLED] * 3


def test_a_missing_directory_runs_nothing(cluster: Cluster) -> None:
    (native_id,) = cluster.submit(cluster.submission(JobSpec("touch", ["ran"]), f"{cluster.home}/no/such"))
    (job,) = cluster.ended(native_id)
    assert job.exit_code == NOT_RUN
    record = cluster.record(native_id)
    assert not record.ran
    assert "No such file" in (record.note or "")
    assert "could not be entered" in (cluster.spool.path / "out" / f"{native_id}.out").read_text()


def test_no_directory_means_that_of_the_submission(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cluster.home)
    (native_id,) = cluster.submit(cluster.submission(JobSpec("pwd", stdout_path="where"), None))
    cluster.ended(native_id)
    assert (cluster.home / "where").read_text() == f"{cluster.home}\n"


def test_a_spool_that_is_not_there(cluster: Cluster) -> None:
    member = cluster.submission(JobSpec("touch", ["ran"]))
    shutil.rmtree(cluster.spool.path)
    (native_id,) = cluster.submit(member)
    (job,) = cluster.ended(native_id)
    assert job.outcome is Outcome.NOT_STARTED
    assert not (cluster.home / "ran").exists()
    assert cluster.accounted(native_id).outcome is Outcome.NOT_STARTED


def test_hostile_name_and_arguments(cluster: Cluster) -> None:
    show = write_show(cluster.home)
    arguments = ["a\r\nb", "'; touch ran; '", "$(touch ran)", "#SBATCH --hold", "-x", "", "\udcff\udcfe", "é ${HOME}"]
    name = 'it\'s "x" \\ $(touch ran) `id` # | ; é %j \udcff'
    attributes = JobAttributes(custom_attributes={"slurm.mail-user": 'a "b" \\ #c'})
    spec = JobSpec(str(show), arguments, name=name, attributes=attributes, environment={"A": "1\n2", "UID": "x"})
    (native_id,) = cluster.submit(cluster.submission(spec))
    (job,) = cluster.ended(native_id)
    assert job.exit_code == 0
    got, environ = seen(show)
    arguments[-1] = "é " + os.environ.get("HOME", "")
    assert got == [argument.encode("utf-8", "surrogateescape") for argument in arguments]
    assert (environ[b"A"], environ[b"UID"]) == (b"1\n2", b"x")
    assert not [name for name in environ if name.startswith(b"argosy_")]
    assert list(cluster.home.rglob("ran")) == []
    shown = run(Command(("squeue", "-h", "-t", "all", "-j", f"{native_id},{native_id}", "-o", "%j")))
    assert shown.stdout == name + "\n"


def test_find_by_tag(cluster: Cluster) -> None:
    held = JobAttributes(custom_attributes={"slurm.hold": True})
    one = cluster.submission(sh("exit 0"))
    (native_id,) = cluster.submit(one)
    group = Group(cluster.tag(), tuple(cluster.submission(sh("exit 0", attributes=held)) for _ in range(2)))
    ids = SLURM.parse_submit(run(SLURM.submit(SLURM.script(group, str(cluster.spool.path)))), group)
    cluster.ids += ids
    tags = [one.tag, group.tag, "no.such"]
    in_queue, in_accounting = SLURM.find(tags)
    queue = SLURM.parse_find(run(in_queue), tags)
    until(lambda: one.tag in SLURM.parse_find(run(in_accounting), tags))
    accounting = SLURM.parse_find(run(in_accounting), tags)
    array_id = ids[0].partition("_")[0]
    assert queue == {one.tag: native_id, group.tag: array_id}
    assert accounting[one.tag] == native_id
    assert "no.such" not in accounting
    assert cluster.look(native_id)[native_id].tag == one.tag
    assert SLURM.element_id(array_id, 1) == ids[1]


def start_soon(native_id: str) -> None:
    """Shorten Slurm's wait of two minutes before a requeued job's next run.

    Not to nothing: a node refuses ("already killed, do not launch") what is started in the second of the requeueing.
    """
    subprocess.run(["scontrol", "update", f"JobId={native_id}", "StartTime=now+2"], check=True)


def has_run(cluster: Cluster) -> bool:
    """Whether its line is there: the file is before that."""
    runs = cluster.home / "runs"
    return runs.exists() and runs.read_text() == "\n"


def test_a_requeued_job_does_not_run_again(cluster: Cluster) -> None:
    spec = sh("if [ -s runs ]; then echo >>runs; else echo >>runs; sleep 60; fi")
    (native_id,) = cluster.submit(cluster.submission(spec))
    until(lambda: has_run(cluster))
    # The owner may not requeue it, an operator may.
    subprocess.run(["scontrol", "update", f"JobId={native_id}", "Requeue=1"], check=True)
    subprocess.run(["scontrol", "requeue", native_id], check=True)
    cluster.until(native_id, Phase.QUEUED)
    start_soon(native_id)
    (job,) = cluster.ended(native_id)
    assert (job.exit_code, job.run) == (0, 1)
    assert cluster.record(native_id, "duplicate", 1).repeated
    assert (cluster.home / "runs").read_text() == "\n"
    until(lambda: cluster.accounted(native_id).run == 1)


def test_a_rerunnable_job_runs_again(cluster: Cluster) -> None:
    spec = sh("if [ -s runs ]; then echo >>runs; else echo >>runs; sleep 60; fi")
    (native_id,) = cluster.submit(cluster.submission(spec, rerunnable=True))
    until(lambda: has_run(cluster))
    subprocess.run(["scontrol", "requeue", native_id], check=True)
    job = cluster.until(native_id, Phase.QUEUED)
    assert job.run == 1
    start_soon(native_id)
    (job,) = cluster.ended(native_id)
    assert (job.exit_code, job.run) == (0, 1)
    assert (cluster.record(native_id, "exit", 1).exit_code, cluster.record(native_id, "exit", 1).run) == (0, 1)
    assert (cluster.home / "runs").read_text() == "\n\n"


def test_refusals(cluster: Cluster) -> None:
    for attributes in (
        JobAttributes(queue_name="no such"),
        JobAttributes(custom_attributes={"slurm.no-such-option": "1"}),
        JobAttributes(custom_attributes={"slurm.mem": "9999999G"}),
    ):
        with pytest.raises(SubmitException) as caught:
            cluster.submit(cluster.submission(sh("exit 0", attributes=attributes)))
        assert not caught.value.transient


def test_a_refused_submission_is_not_found_by_its_tag(cluster: Cluster) -> None:
    refused = cluster.submission(sh("", attributes=JobAttributes(custom_attributes={"slurm.mem": "9999999G"})))
    with pytest.raises(SubmitException):
        cluster.submit(refused)
    accepted = cluster.submission(sh("exit 0"))
    (native_id,) = cluster.submit(accepted)
    tags = [refused.tag, accepted.tag]
    for command in SLURM.find(tags):
        until(lambda command=command: SLURM.parse_find(run(command), tags))
        assert SLURM.parse_find(run(command), tags) == {accepted.tag: native_id}


def test_resources_and_wall_time(cluster: Cluster) -> None:
    resources = ResourceSpecV1(node_count=2, processes_per_node=3, cpu_cores_per_process=2, memory=600 * 1024 * 1024)
    attributes = JobAttributes(duration=timedelta(seconds=90), queue_name="debug")
    spec = sh(
        "echo $SLURM_JOB_NUM_NODES $SLURM_NTASKS $SLURM_NTASKS_PER_NODE $SLURM_CPUS_PER_TASK $SLURM_MEM_PER_NODE",
        resources=resources,
        attributes=attributes,
        stdout_path="out",
    )
    (native_id,) = cluster.submit(cluster.submission(spec))
    (job,) = cluster.ended(native_id)
    assert (cluster.home / "out").read_text() == "2 6 3 2 300\n"
    assert len(job.hosts) == 2
    shown = run(Command(("squeue", "-h", "-t", "all", "-j", f"{native_id},{native_id}", "-o", "%l %P")))
    assert shown.stdout == "2:00 debug\n"


def test_shares() -> None:
    shares = {share.name: share for share in SLURM.parse_shares([run(command) for command in SLURM.shares()])}
    debug, long = shares["debug"], shares["long"]
    assert (debug.default, debug.nodes, debug.cores, debug.cores_per_node) == (True, 4, 256, 64)
    assert (debug.max_wall, debug.default_wall, debug.memory_per_node) == (None, 3600, 64 * 1024**3)
    assert (long.default, long.nodes, long.max_wall, long.max_nodes) == (False, 1, 7 * 86_400, 1)
    assert debug.features == ("test",)
    assert debug.available
    assert (debug.architectures, debug.operating_systems, debug.restricted) == (
        (platform.machine().lower(),),
        ("linux",),
        False,
    )
    assert (debug.nodes_up, long.nodes_up) == (4, 1)
    assert debug.jobs_waiting is not None
    assert debug.free_cores is not None
    assert 0 <= debug.free_cores <= 256


@pytest.mark.parametrize("inherit", [True, False])
@pytest.mark.parametrize("launcher", ["mpirun", "srun"])
def test_parallel_launchers(cluster: Cluster, launcher: str, inherit: bool) -> None:
    if shutil.which(launcher) is None:
        pytest.skip(f"there is no {launcher}")
    (cluster.home / "in").write_text("the input\n")
    text = (
        "read -r line; rank=${OMPI_COMM_WORLD_RANK-$SLURM_PROCID}"
        '; echo "$rank $0 $A$line" >"rank.$rank"; [ $rank = 0 ] || exit 0'
        "; until [ -e rank.1 -a -e rank.2 ]; do sleep 0.05; done"  # mpirun ends those that have not
        "; exit 4"
    )
    spec = JobSpec(
        "/bin/sh",
        ["-c", text, "it's", ":", "x"],
        launcher=launcher,
        inherit_environment=inherit,
        environment={"A": "b c ", "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"},
        resources=ResourceSpecV1(node_count=1, process_count=3),
        stdin_path="in",
        stdout_path="out",
        stderr_path="out",
    )
    (native_id,) = cluster.submit(cluster.submission(spec))
    (job,) = cluster.ended(native_id)
    said = (cluster.home / "out").read_text() + (cluster.spool.path / "out" / f"{native_id}.out").read_text()
    got = [path.read_text() for path in sorted(cluster.home.glob("rank.*"))]
    assert got == ["0 it's b c the input\n", "1 it's b c \n", "2 it's b c \n"], said
    assert job.exit_code == 4, said


def test_another_users_job_is_not_cancelled(cluster: Cluster) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    (native_id,) = cluster.submit(cluster.submission(sh("sleep 60")))
    done = subprocess.run(
        ["runuser", "-u", "nobody", "--", "scancel", native_id], capture_output=True, text=True, check=False
    )
    refused = SLURM.parse_control(
        Control.CANCEL, Completed(("scancel",), done.returncode, done.stdout, done.stderr), [native_id]
    )
    assert list(refused) == [native_id]
    assert "denied" in refused[native_id]
