"""Use case 3: an end-user ends a job before it has ended by itself."""

from __future__ import annotations

import concurrent.futures
import json
from pathlib import Path

import pytest

from argosy.client import Client, Description, Input, Output
from argosy.languages.documents import ActivityDocument
from argosy.model import NotFound
from tests.service.place import Place
from tests.service.running import marked, until
from tests.service.test_kill import check_history
from tests.usecases.conftest import curl

UNKNOWN = "019a0000000070008000000000000000"


def running(alice: Client, share: str, mark: str, target: str) -> str:
    """A job of alice's that runs, with children, and that would deliver a file in the end."""
    made = alice.submit(
        Description(
            executable="/bin/sh",
            arguments=["-c", "echo kept > out; sleep 3600 & sleep 3600; wait"],
            environment={"MARK": mark},
            share=share,
            outputs=[Output(path="out", targets=[target])],
        )
    )
    until(lambda: alice.status(made.id).state == "running:lrms:running", 60)
    until(lambda: len(marked(mark)) >= 3, 30)
    return made.id


def terminated(client: Client, id: str) -> ActivityDocument:
    done = client.wait(id, timeout=60)
    assert done.state == "terminated"
    check_history(client, id)
    return done


def test_steps_1_to_3(alice: Client, share: str, storage: Place, tmp_path: Path) -> None:
    """The answer comes at once; then the processes are gone, the stages that were left are passed over."""
    id = running(alice, share, tmp_path.name, storage.url + "/out")
    answered = alice.terminate(id)
    assert answered.state == "running:terminating"
    terminated(alice, id)
    until(lambda: not marked(tmp_path.name), 30)
    states = [event.state for event in alice.events(id)]
    assert not [state for state in states if state.startswith("running:stage-out")]
    assert storage.asked == []
    assert alice.read_file(id, "out") == b"kept\n", "what it left is there until it is purged"
    alice.purge(id)
    with pytest.raises(NotFound):
        alice.status(id)


def test_while_files_are_copied(alice: Client, storage: Place) -> None:
    """Copying stops, no half of a file stays, and the job is never launched."""
    storage.files["/slow"] = bytes(1_000_000)
    storage.slow.add("/slow")
    id = alice.submit(
        Description(executable="/bin/true", inputs=[Input(path="slow", sources=[storage.url + "/slow"])])
    ).id
    until(storage.begun.is_set, 30)
    alice.terminate(id)
    assert terminated(alice, id).native_id is None
    assert "slow" not in [entry.path for entry in alice.list_files(id)]


def test_several_are_purged_in_one_request(alice: Client, bob: Client, storage: Place, tmp_path: Path) -> None:
    """Each is answered in its place; those that run are ended first where that is asked for."""
    runs = running(alice, "local", tmp_path.name, storage.url + "/out")
    ended = alice.submit(Description(executable="/bin/true")).id
    alice.wait(ended, timeout=60)
    bobs = bob.submit(Description(executable="/bin/true", held=True)).id
    answers = alice.purge_many([runs, ended, bobs, UNKNOWN])
    assert [answer and answer.code for answer in answers] == ["invalid-state", None, "not-found", "not-found"]
    assert alice.purge_many([runs, runs], terminate=True) == [None, None]
    until(lambda: not marked(tmp_path.name), 30)
    with pytest.raises(NotFound):
        alice.status(runs)
    assert bob.status(bobs).state == "pending:held"


@pytest.mark.parametrize("id", ["nonsense", "x" * 300, "'; drop table activity; --"])
def test_extension_2a_an_invalid_id(alice: Client, id: str) -> None:
    with pytest.raises(NotFound):
        alice.terminate(id)


def test_extension_2b_an_unknown_id(alice: Client) -> None:
    with pytest.raises(NotFound) as caught:
        alice.terminate(UNKNOWN)
    assert UNKNOWN in caught.value.message


def test_extension_2c_somebody_elses_job(alice: Client, bob: Client, storage: Place, tmp_path: Path) -> None:
    """bob is told that there is none, and alice's goes on."""
    id = running(alice, "local", tmp_path.name, storage.url + "/out")
    before = alice.status(id)
    with pytest.raises(NotFound):
        bob.terminate(id)
    with pytest.raises(NotFound):
        bob.purge(id, terminate=True)
    assert alice.status(id) == before
    assert marked(tmp_path.name)
    alice.terminate(id)
    terminated(alice, id)


def test_extension_2d_a_job_that_has_completed(alice: Client, share: str) -> None:
    """The request is ignored: nothing of the job changes."""
    id = alice.submit(Description(executable="/bin/sh", arguments=["-c", "exit 3"], share=share)).id
    done = alice.wait(id, timeout=60)
    assert (done.state, done.exit_code) == ("finished", 3)
    events = [event for event in alice.events(id) if event.kind == "state"]
    answered = alice.terminate(id)
    assert (answered.state, answered.exit_code) == ("finished", 3)
    assert [event for event in alice.events(id) if event.kind == "state"] == events


def test_special_only_the_first_of_many_requests_is_processed(
    alice: Client, share: str, storage: Place, tmp_path: Path
) -> None:
    id = running(alice, share, tmp_path.name, storage.url + "/out")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: alice.terminate(id), range(24)))
    assert {one.state for one in answers} <= {"running:terminating", "terminated"}
    terminated(alice, id)
    events = list(alice.events(id))
    assert [event.state for event in events].count("running:terminating") == 1
    alice.terminate(id)
    assert len(list(alice.events(id))) == len(events)


def test_special_another_tool(alice: Client) -> None:
    id = alice.submit(Description(executable="/bin/true", held=True)).id
    status, _ = curl(alice, f"/v1/activities/{id}/terminate", "-X", "POST")
    assert status == 202
    assert json.loads(curl(alice, f"/v1/activities/{id}?wait=10")[1])["state"] == "terminated"
