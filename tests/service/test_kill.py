"""The service is killed at every named point; every activity ends as it should, and every job has run exactly once."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from argosy.client import Client, Description, Input, Output
from argosy.model import ArgosyError
from argosy.model.activity import ActivityState, may_follow
from argosy.service.faults import POINTS
from tests.service.running import RunningService, marked, until

pytestmark = [pytest.mark.kill, pytest.mark.timeout(180)]

_JOBS = 3
#: Appends one line in one write: two runs of the same job would leave two.
_COUNT = 'printf "%s\\n" "$ARGOSY_JOB_TAG" >> "$1"; cat in.txt > out.txt; exit 3'


def _describe(share: str, runs: Path) -> Description:
    return Description(
        executable="/bin/sh",
        arguments=["-c", _COUNT, "sh", str(runs)],
        share=share,
        inputs=[Input(path="in.txt", size=5, sha256=hashlib.sha256(b"input").hexdigest())],
        outputs=[Output(path="out.txt")],
    )


def _ask(client: Client, share: str, runs: Path, *, one_by_one: bool = False) -> list[str]:
    """What a client does that knows nothing of the service's deaths: everything again, with the same keys."""
    ids = []
    for number in range(_JOBS):
        activity = client.submit(_describe(share, runs), key=f"key-{number}")
        ids.append(activity.id)
        with contextlib.suppress(ArgosyError):  # it has its input and has moved on
            client.put_file(activity.id, "in.txt", b"input")
        if one_by_one:
            client.wait(activity.id, timeout=30)
    return ids


def check_history(client: Client, id: str) -> None:
    """States follow each other as the model allows, and times do not go back."""
    events = list(client.events(id))
    times = [event.time for event in events]
    assert times == sorted(times), events
    states = [ActivityState(event.state) for event in events]
    for old, new in pairwise(states):
        assert old is new or may_follow(old, new), events


def _killed(service: RunningService, share: str, runs: Path, *, one_by_one: bool = False) -> None:
    with contextlib.suppress(ArgosyError, OSError), service.client(retries=0) as client:
        for id in _ask(client, share, runs, one_by_one=one_by_one):
            client.wait(id, timeout=30)
    assert service.died(), service.log()


@pytest.mark.parametrize(
    "point",
    [
        point
        for point in POINTS
        if not point.startswith(("cancel", "command", "control", "fetch", "notify", "push", "sweep"))
    ],
)
@pytest.mark.parametrize("passed", [0, 1])
@pytest.mark.usefixtures("only_that_share")
def test_every_job_runs_once(service: RunningService, share: str, point: str, passed: int, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    service.start(fault=f"{point}:{passed}")
    # What happens to several jobs at once passes a point once; one after the other they pass it each.
    _killed(service, share, runs, one_by_one=passed > 0)
    service.start()
    with service.client() as client:
        ids = _ask(client, share, runs)
        for id in ids:
            done = client.wait(id, timeout=60)
            assert (done.state, done.exit_code) == ("finished", 3), list(client.events(id))
            assert client.read_file(id, "out.txt") == b"input"
            check_history(client, id)
        assert sorted(runs.read_text().split()) == sorted(ids)
        assert {activity.id for activity in client.list()} == set(ids)


def _waiting_or_running() -> str:
    """The comments, which have their tags, of the jobs that Slurm has begun or is to begin."""
    states = "PENDING,RUNNING,SUSPENDED"
    command = ["squeue", "--noheader", "--me", "--array", f"--states={states}", "--format=%i %k"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("point", ["create-after", "submit-before", "submit-after", "cancel-before", "cancel-after"])
@pytest.mark.usefixtures("only_that_share")
def test_a_termination_is_carried_out(service: RunningService, share: str, point: str, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    description = Description(
        executable="/bin/sh",
        arguments=["-c", f"echo x >> {runs}; exec sleep 600"],
        environment={"MARK": str(tmp_path)},
        share=share,
    )
    service.start(fault=point)
    with contextlib.suppress(ArgosyError, OSError), service.client(retries=0) as client:
        activity = client.submit(description, key="k")
        for status in client.stream([activity.id], after=0):
            if status.state == ActivityState.LRMS_RUNNING:
                break
        client.terminate(activity.id)
    assert service.died(), service.log()
    service.start()
    with service.client() as client:
        activity = client.submit(description, key="k")
        client.terminate(activity.id)
        done = client.wait(activity.id, timeout=60)
        assert done.state == "terminated", list(client.events(activity.id))
        check_history(client, activity.id)
    until(lambda: not marked(str(tmp_path)), 60)
    if share == "slurm":
        assert activity.id not in _waiting_or_running()
    assert not runs.exists() or len(runs.read_text().split()) == 1


@pytest.mark.slurm
@pytest.mark.parametrize("point", ["submit-before", "command-before", "command-after", "submit-after", "accepted"])
@pytest.mark.parametrize("count", [1, 8])
def test_a_command_is_given_once(slurm: None, service: RunningService, point: str, count: int, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    description = Description(
        executable="/bin/sh",
        arguments=["-c", 'printf "%s\\n" "$ARGOSY_NATIVE_ID" >> "$1"', "sh", str(runs)],
        share="slurm",
    )
    keys = [f"k{number}" for number in range(count)]
    service.start(fault=point)
    with contextlib.suppress(ArgosyError, OSError), service.client(retries=0) as client:
        for one in client.submit_many([description] * len(keys), keys=keys):
            client.wait(one.activity.id, timeout=30)
    assert service.died(), service.log()
    service.start()
    with service.client() as client:
        for one in client.submit_many([description] * len(keys), keys=keys):
            done = client.wait(one.activity.id, timeout=60)
            assert (done.state, done.exit_code) == ("finished", 0), list(client.events(done.id))
    ids = runs.read_text().split()
    assert len(ids) == len(set(ids)) == len(keys)
    assert len({native_id.partition("_")[0] for native_id in ids}) == 1, "they were not submitted as one"


def test_killed_again_and_again(service: RunningService, share: str, tmp_path: Path) -> None:
    """At whatever instant: killed many times while jobs flow, nothing is lost or doubled."""
    runs = tmp_path / "runs"
    description = Description(
        executable="/bin/sh", arguments=["-c", 'printf "%s\\n" "$ARGOSY_JOB_TAG" >> "$1"', "sh", str(runs)], share=share
    )
    keys = [f"k{number}" for number in range(60)]
    for round_ in range(6):
        service.start()
        with contextlib.suppress(ArgosyError, OSError), service.client(retries=0) as client:
            for key in keys[round_ * 10 : round_ * 10 + 10]:
                client.submit(description, key=key)
        service.kill()
    service.start()
    with service.client() as client:
        ids = [client.submit(description, key=key).id for key in keys]
        for id in ids:
            done = client.wait(id, timeout=90)
            assert (done.state, done.exit_code) == ("finished", 0), list(client.events(id))
            check_history(client, id)
        assert sorted(runs.read_text().split()) == sorted(ids)
