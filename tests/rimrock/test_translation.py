"""Rimrock's jobs as activities and back, without a service."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from argosy.endpoints.contract import Surroundings
from argosy.endpoints.limiting import Callers
from argosy.endpoints.rimrock import Rimrock, jobs
from argosy.endpoints.rimrock.documents import Submission
from argosy.identity import Caller
from argosy.model import ActivityState, InvalidInput
from argosy.model.projections import RIMROCK, rimrock
from argosy.service.administration.limits import Limits
from argosy.store import Activity

S = ActivityState
HOSTS = {"zeus.example.org": "zeus", "old.example.org": "pbs"}


def asked(script: str = "#!/bin/sh\n", **more: object) -> Submission:
    return Submission(host="zeus.example.org", script=script, **more)


def test_every_state_has_a_word() -> None:
    assert set(RIMROCK) == set(S)
    assert {rimrock(state, 0) for state in S} == {"QUEUED", "RUNNING", "FINISHED", "ABORTED", "ERROR"}
    assert rimrock(S.FINISHED, 0) == "FINISHED"
    assert rimrock(S.FINISHED, 1) == rimrock(S.FAILED) == "ERROR"
    assert rimrock(S.TERMINATED, 1) == "ABORTED"


@pytest.mark.parametrize(
    ("directory", "expected"),
    [(None, "~"), ("", "~"), ("/people/x", "/people/x"), ("~/x", "~/x"), ("jobs/x", "~/jobs/x"), ("~", "~")],
)
def test_the_working_directory(directory: str | None, expected: str) -> None:
    assert jobs.described(asked(working_directory=directory), HOSTS).directory == expected


def test_a_description() -> None:
    made = jobs.described(asked("#!/bin/bash\n#SBATCH -p long\n#SBATCH -o /abs/out\n#SBATCH -e err\n", tag="t"), HOSTS)
    assert made.share == "zeus/long"
    # What is outside the session directory could not be downloaded from there.
    assert (made.stdout, made.stderr) == ("stdout", "err")
    assert made.tags == {"rimrock.host": "zeus.example.org", "rimrock.tag": "t", "rimrock.stderr": "err"}


def test_only_hosts_of_the_list_are_reached() -> None:
    with pytest.raises(InvalidInput) as caught:
        jobs.described(Submission(host="evil.example.org -oProxyCommand=x", script="#!/bin/sh\n"), HOSTS)
    assert caught.value.element == "host"
    assert "zeus.example.org" in caught.value.message


@pytest.mark.parametrize(
    ("native_id", "expected"),
    [
        ("123", "123.zeus.example.org"),
        ("50463091.batch.grid.example", "50463091.batch.grid.example"),
        (None, "the-id.zeus.example.org"),
    ],
)
def test_job_ids(native_id: str | None, expected: str) -> None:
    activity = Activity("the-id", "alice", S.QUEUED, 1, 0.0, 0.0, native_id=native_id)
    assert jobs.job_id(activity, "zeus.example.org") == expected


def test_times_are_told_once_they_are_known() -> None:
    waiting = Activity("x", "alice", S.QUEUED, 1, 0.0, 0.0, native_id="7", submitted=100.0)
    tags = {"rimrock.host": "zeus.example.org", "rimrock.stderr": "err"}
    document = jobs.job(waiting.but(tags=tags), "https://here")
    assert document.stdout_path == "https://here/v1/activities/x/files/stdout"
    ended = waiting.but(
        tags=tags, state=S.FINISHED, exit_code=0, started=3700.0, ended=3761.4, hosts=("a", "b"), cores=24
    )
    told = jobs.job(ended, "https://here")
    assert (told.cores, told.stderr_path) == ("24", "https://here/v1/activities/x/files/err")
    assert (told.nodes, told.queue_time, told.wall_time) == ("2", "01:00:00", "00:01:01")
    assert (told.start_time, told.end_time) == ("1970-01-01 01:01:40", "1970-01-01 01:02:41")


@pytest.mark.anyio
async def test_a_caller_s_limits_hold_here_too() -> None:
    """They are counted together with those of the native interface, and told in the same headers."""
    callers = Callers(Limits(rate=0.5, burst=2), clock=lambda: 100.0)

    async def identify(scope: Any) -> Caller:
        return Caller("alice")

    operations: Any = None  # nothing is asked of it
    surroundings = Surroundings(operations, identify, ("zeus",), callers)
    app: Any = Rimrock.from_config({"hosts": {"zeus.example.org": "zeus"}}, surroundings)
    callers.enter("alice", stream=False)  # a request to another endpoint
    callers.leave("alice", stream=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here") as client:
        first = await client.get("/api/nothing")
        assert (first.status_code, first.headers["ratelimit"]) == (404, '"requests";r=0;t=4')
        second = await client.get("/api/nothing")
    assert (second.status_code, second.headers["retry-after"]) == (429, "2")
    assert "ask again in 2 s" in second.json()["error_message"]
