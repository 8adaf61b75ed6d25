"""Use case 2: an end-user sees what becomes of a job."""

from __future__ import annotations

import concurrent.futures
import json

import pytest

from argosy.client import Client, Description
from argosy.languages.documents import ActivityDocument
from argosy.model import NotFound
from tests.service.running import until
from tests.service.test_kill import check_history
from tests.usecases.conftest import curl

UNKNOWN = "019a0000-0000-7000-8000-000000000000".replace("-", "")


@pytest.fixture
def job(alice: Client, share: str) -> ActivityDocument:
    """One of alice's that has ended."""
    burn = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo burnt; exit 7"
    id = alice.submit(Description(executable="/bin/sh", arguments=["-c", burn], share=share)).id
    return alice.wait(id, timeout=60)


@pytest.fixture(scope="module")
def held(alice: Client) -> str:
    """One of alice's that waits."""
    return alice.submit(Description(executable="/bin/true", held=True)).id


def test_steps_1_to_3(alice: Client, job: ActivityDocument) -> None:
    """By its id: the state now, what happened in the order of time, its exit code, and what it used."""
    seen = alice.status(job.id, verbosity="full")
    assert (seen.state, seen.final, seen.exit_code) == ("finished", True, 7)
    assert seen.history is not None
    times = [event.time for event in seen.history]
    assert times == sorted(times)
    assert seen.history[0].kind == "created"
    check_history(alice, job.id)
    assert seen.started is not None
    assert seen.ended is not None
    assert seen.created <= seen.started <= seen.ended
    assert seen.hosts
    until(lambda: alice.status(job.id).usage is not None, 30)
    usage = alice.status(job.id).usage
    assert usage is not None
    assert usage.wall_seconds is not None
    assert usage.wall_seconds >= 0


def test_a_running_job_is_seen_running(alice: Client, share: str) -> None:
    """Its state is that in the local scheduler, under the scheduler's own id of it."""
    id = alice.submit(Description(executable="/bin/sh", arguments=["-c", "sleep 300"], share=share)).id
    until(lambda: alice.status(id).state == "running:lrms:running", 60)
    seen = alice.status(id)
    assert seen.native_id
    assert not seen.final
    assert seen.exit_code is None
    alice.terminate(id)
    assert alice.wait(id, timeout=60).state == "terminated"


@pytest.mark.parametrize("id", ["nonsense", "42", "x" * 300, "ü", "'; drop table activity; --"])
def test_extension_2a_an_invalid_id(alice: Client, id: str) -> None:
    with pytest.raises(NotFound) as caught:
        alice.status(id)
    assert caught.value.message


def test_extension_2b_an_unknown_id(alice: Client) -> None:
    with pytest.raises(NotFound) as caught:
        alice.status(UNKNOWN)
    assert UNKNOWN in caught.value.message


def test_extension_2c_somebody_elses_job(alice: Client, bob: Client, held: str) -> None:
    """bob is told the same as of a job that is not there; alice sees hers."""
    with pytest.raises(NotFound) as of_alices:
        bob.status(held)
    with pytest.raises(NotFound) as of_none:
        bob.status(UNKNOWN)
    assert of_alices.value.message.replace(held, "ID") == of_none.value.message.replace(UNKNOWN, "ID")
    for look in (lambda: list(bob.events(held)), lambda: list(bob.list_files(held)), lambda: bob.description(held)):
        with pytest.raises(NotFound):
            look()
    assert held not in [one.id for one in bob.list()]
    assert alice.status(held).state == "pending:held"


def test_special_many_monitor_at_once(alice: Client, held: str) -> None:
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        seen = list(pool.map(lambda _: alice.status(held), range(100)))
    assert {(one.id, one.state) for one in seen} == {(held, "pending:held")}


def test_special_another_tool(alice: Client, bob: Client, held: str) -> None:
    status, body = curl(alice, f"/v1/activities/{held}")
    assert (status, json.loads(body)["state"]) == (200, "pending:held")
    assert curl(bob, f"/v1/activities/{held}")[0] == 404
