"""Slurm through a real slurmrestd."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.batch import Control, Group
from argosy.batch.slurmrestd import Slurmrestd
from argosy.model import InvalidJobException, JobAttributes, JobSpec, Outcome, Phase, ResourceSpecV1, SubmitException
from argosy.model import Unavailable as NotThere
from tests.servers import slurmrestd as slurmrestds
from tests.waiting import until

from .scripts import seen, write_show
from .test_slurm_real import Cluster, run, sh

pytestmark = [pytest.mark.slurm, pytest.mark.slurmrestd]

LATER = JobAttributes(custom_attributes={"slurm.begin": "now+1hour"})


@pytest.fixture
def cluster(slurmrestd: slurmrestds.Slurmrestd) -> Iterator[Cluster]:
    path = Path(tempfile.mkdtemp(prefix="argosy."))
    made = Cluster(path, Slurmrestd(slurmrestd.options))
    try:
        yield made
    finally:
        if made.ids:
            run(made.system.control(Control.CANCEL, made.ids))
        shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize(("text", "code"), [("exit 0", 0), ("exit 7", 7), ("exit 137", 137)])
def test_exit_codes(cluster: Cluster, text: str, code: int) -> None:
    (native_id,) = cluster.submit(cluster.submission(sh(text)))
    (job,) = cluster.ended(native_id)
    assert (job.outcome, job.exit_code, job.signal) == (Outcome.EXITED, code, None)
    assert job.submitted is not None
    assert job.started is not None
    assert job.ended is not None
    assert job.submitted <= job.started <= job.ended
    assert cluster.record(native_id).exit_code == code
    assert cluster.record(native_id).hosts == job.hosts
    accounted = cluster.accounted(native_id)
    assert accounted.outcome is Outcome.EXITED
    assert accounted.exit_code == (0 if code == 0 else None)


def test_the_script_itself_killed(cluster: Cluster) -> None:
    (native_id,) = cluster.submit(cluster.submission(sh("kill -9 0")))
    (job,) = cluster.ended(native_id)
    assert (job.outcome, job.exit_code, job.signal) == (Outcome.EXITED, 137, 9)
    assert cluster.accounted(native_id).exit_code == 137


def test_cancel(cluster: Cluster) -> None:
    spec = sh("trap 'echo bye; exit 3' TERM; echo up >up; while :; do sleep 0.1; done", stdout_path="out")
    (native_id,) = cluster.submit(cluster.submission(spec))
    until((cluster.home / "up").exists)
    assert cluster.control(Control.CANCEL, [native_id, "99999999"]) == {}
    (job,) = cluster.ended(native_id)
    assert (job.phase, job.outcome, job.exit_code) == (Phase.ENDED, Outcome.CANCELLED, None)
    until(lambda: f"{native_id}.0.exit" in cluster.spool.records())
    assert (cluster.record(native_id).exit_code, cluster.record(native_id).terminated) == (3, True)
    assert (cluster.home / "out").read_text() == "bye\n"
    assert cluster.control(Control.CANCEL, [native_id]) == {}


def test_hold_and_release(cluster: Cluster) -> None:
    (native_id,) = cluster.submit(cluster.submission(sh("exit 0", attributes=LATER)))
    job = cluster.look(native_id)[native_id]
    assert job.phase is Phase.QUEUED
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


def test_a_job_submitted_as_held(cluster: Cluster) -> None:
    attributes = JobAttributes(custom_attributes={"slurm.hold": True})
    (native_id,) = cluster.submit(cluster.submission(sh("exit 0", attributes=attributes)))
    assert cluster.look(native_id)[native_id].phase is Phase.HELD
    assert cluster.control(Control.RELEASE, [native_id]) == {}
    assert cluster.ended(native_id)[0].exit_code == 0


def test_an_array(cluster: Cluster) -> None:
    members = [
        cluster.submission(JobSpec("/bin/sh", ["-c", f"exit {index}"], stdout_path=f"out {index}"))
        for index in range(5)
    ]
    ids = cluster.submit(*members)
    assert ids == [f"{ids[0].partition('_')[0]}_{index}" for index in range(5)]
    assert [job.exit_code for job in cluster.ended(*ids)] == [0, 1, 2, 3, 4]
    assert [cluster.record(native_id).tag for native_id in ids] == [member.tag for member in members]


def test_elements_of_a_waiting_array_are_seen_and_cancelled_one_by_one(cluster: Cluster) -> None:
    ids = cluster.submit(*(cluster.submission(sh("exit 0", attributes=LATER)) for _ in range(40)))
    assert {job.phase for job in cluster.look(*ids).values()} == {Phase.QUEUED}
    assert len(cluster.look(*ids)) == 40
    assert set(ids) <= set(cluster.system.parse_list(run(cluster.system.list_jobs())))
    assert cluster.control(Control.HOLD, [ids[0]]) == {}
    odd = ids[1::2]
    assert cluster.control(Control.CANCEL, odd) == {}
    # Slurm forgets an element that was cancelled before it started.
    until(lambda: not cluster.look(*ids).keys() & {*odd[:-1]})
    jobs = cluster.look(*ids)
    assert [jobs[native_id].phase for native_id in ids[::2]] == [Phase.HELD] + [Phase.QUEUED] * 19
    assert cluster.control(Control.CANCEL, ids) == {}
    assert cluster.accounted(ids[0]).outcome is Outcome.CANCELLED


def test_found_by_tag(cluster: Cluster) -> None:
    single = cluster.submission(sh("exit 0", attributes=LATER))
    (native_id,) = cluster.submit(single)
    done = run(cluster.system.find([single.tag, "nosuch"])[0])
    assert cluster.system.parse_find(done, [single.tag, "nosuch"]) == {single.tag: native_id}


def test_refused_in_slurms_words(cluster: Cluster) -> None:
    spec = JobSpec("/bin/true", attributes=JobAttributes(queue_name="nosuch"))
    with pytest.raises(SubmitException, match="Invalid partition name specified") as caught:
        cluster.submit(cluster.submission(spec))
    assert not caught.value.transient
    spec = JobSpec("/bin/true", attributes=JobAttributes(custom_attributes={"slurmrestd.nosuch": 1}))
    with pytest.raises(SubmitException, match='Unknown key "nosuch"'):
        cluster.submit(cluster.submission(spec))


def test_resources_arrive(cluster: Cluster) -> None:
    spec = sh(
        'echo "$SLURM_JOB_NUM_NODES $SLURM_NTASKS"; cat "$PSIJ_NODEFILE"',
        stdout_path="out",
        resources=ResourceSpecV1(node_count=2, processes_per_node=2, cpu_cores_per_process=2, exclusive_node_use=True),
        name='it\'s "x" é \udcff',
    )
    (native_id,) = cluster.submit(cluster.submission(spec))
    (job,) = cluster.ended(native_id)
    first, second = job.hosts
    assert (cluster.home / "out").read_text().split() == ["2", "4", first, first, second, second]


def test_hostile_arguments_and_the_submitters_environment(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    show = write_show(cluster.home)
    arguments = ["a\r\nb", "'; touch ran; '", "$(touch ran)", "", "\udcff\udcfe", "é \u2028 \x1e", "x" * 100_000]
    monkeypatch.setenv("FROM_OUTSIDE", 'a "b"\\\n\té\x01')
    monkeypatch.chdir(cluster.home)
    (native_id,) = cluster.submit(cluster.submission(JobSpec(str(show), arguments), None))
    (job,) = cluster.ended(native_id)
    assert job.exit_code == 0
    given, environ = seen(show)
    assert given == [argument.encode("utf-8", "surrogateescape") for argument in arguments]
    assert environ[b"FROM_OUTSIDE"] == os.environb[b"FROM_OUTSIDE"]
    assert environ[b"HOME"] == os.environb[b"HOME"]
    assert environ[b"PWD"] == os.fsencode(cluster.home)
    assert b"SLURM_JWT" not in environ


@pytest.mark.parametrize("version", ["v0.0.36", "v0.0.37"])
def test_the_older_versions(cluster: Cluster, slurmrestd: slurmrestds.Slurmrestd, version: str) -> None:
    older = Cluster(cluster.home / version, Slurmrestd({**slurmrestd.options, "version": version}))
    ids = older.submit(*(older.submission(sh("exit 7"), "/") for _ in range(2)))
    cluster.ids += ids
    assert [job.exit_code for job in older.ended(*ids)] == [7, 7]
    assert older.accounted(ids[0]).outcome is Outcome.EXITED
    assert {share.name for share in older.system.parse_shares([run(older.system.shares()[0])])} == {"debug", "long"}


def test_a_version_that_is_not_there(cluster: Cluster, slurmrestd: slurmrestds.Slurmrestd) -> None:
    newer = Slurmrestd({**slurmrestd.options, "version": "v0.0.99"})
    group = Group("t", (cluster.submission(JobSpec("x")),))
    with pytest.raises(SubmitException, match="does not have the version"):
        newer.parse_submit(run(newer.submit(newer.script(group, "/"))), group)
    with pytest.raises(NotThere):
        newer.parse_status(run(newer.status(["7"])), ["7"])


def test_shares(cluster: Cluster) -> None:
    debug, long = cluster.system.parse_shares([run(cluster.system.shares()[0])])
    assert (debug.name, debug.default, debug.nodes, debug.cores, debug.cores_per_node) == ("debug", True, 4, 256, 64)
    assert (debug.max_wall, debug.default_wall) == (None, 3600)
    assert (long.name, long.default, long.max_nodes, long.max_wall) == ("long", False, 1, 604_800)


def test_a_token_that_is_not_good(cluster: Cluster, slurmrestd: slurmrestds.Slurmrestd) -> None:
    token = cluster.home / "token"
    token.touch(0o600)
    for text in ("nonsense", slurmrestd.token_file.read_text().strip()[:-4] + "AAAA"):
        token.write_text(text)
        system = Slurmrestd({**slurmrestd.options, "token_file": str(token)})
        with pytest.raises(NotThere):
            system.parse_status(run(system.status(["7"])), ["7"])
        with pytest.raises(NotThere):
            system.parse_list(run(system.list_jobs()))
        group = Group("t", (cluster.submission(JobSpec("x")),))
        with pytest.raises((SubmitException, NotThere)) as caught:
            system.parse_submit(run(system.submit(system.script(group, "/"))), group)
        assert not isinstance(caught.value, InvalidJobException)


def test_the_server_away(cluster: Cluster, tmp_path: Path) -> None:
    with slurmrestds.running(tmp_path) as server:
        system = Slurmrestd(server.options)
        native_id = cluster.submit(cluster.submission(sh("exit 0", attributes=LATER)))
        assert system.parse_status(run(system.status(native_id)), native_id).jobs
    group = Group("t", (cluster.submission(JobSpec("x")),))
    with pytest.raises(SubmitException) as caught:
        system.parse_submit(run(system.submit(system.script(group, "/"))), group)
    assert caught.value.transient
    with pytest.raises(NotThere):
        system.parse_status(run(system.status(native_id)), native_id)
    with pytest.raises(NotThere):
        system.parse_find(run(system.find(["t"])[0]), ["t"])
    with pytest.raises(NotThere):
        system.parse_control(Control.CANCEL, run(system.control(Control.CANCEL, native_id)), native_id)
    with pytest.raises(NotThere):
        system.parse_shares([run(command) for command in system.shares()])
