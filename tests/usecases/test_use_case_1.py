"""Use case 1: an end-user has a computation run, from its requirements to its output files.

The numbers in the names are those of the use case: its steps, its extensions, its special requirements.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import subprocess
from pathlib import Path

import pytest

from argosy.client import Client, Description, Endpoint, Input, Output
from argosy.client.errors import NotAuthenticated
from argosy.languages.documents import ActivityDocument
from argosy.model import ArgosyError, InvalidInput
from tests.service.place import Place
from tests.service.running import until
from tests.service.test_kill import check_history
from tests.usecases.conftest import System, curl

COUNT = Description(
    executable="/bin/sh", arguments=["-c", "wc -w < words.txt > count.txt; echo counted"], name="count words"
)


def describe(storage: Place, share: str | None) -> Description:
    """A computation that needs a file of the storage and leaves one there."""
    storage.files["/alice/words.txt"] = b"one two three\n"
    return Description(
        executable=COUNT.executable,
        arguments=COUNT.arguments,
        name=COUNT.name,
        share=share,
        inputs=[Input(path="words.txt", sources=[storage.url + "/alice/words.txt"])],
        outputs=[Output(path="count.txt", targets=[storage.url + "/alice/count.txt"])],
    )


def states(client: Client, id: str) -> list[str]:
    return [event.state for event in client.events(id) if event.kind in ("created", "state")]


def stages(client: Client, id: str) -> list[str]:
    """The stages that it went through, without the steps within them."""
    names = [":".join(state.split(":")[:2]) for state in states(client, id)]
    return [name for number, name in enumerate(names) if number == 0 or names[number - 1] != name]


def ended(client: Client, id: str, state: str) -> ActivityDocument:
    done = client.wait(id, timeout=60)
    assert done.state == state, (done, list(client.events(id)))
    check_history(client, id)
    return done


def test_steps_1_to_6(alice: Client, storage: Place, share: str) -> None:
    """It is recorded under an id of its own; files come, the job runs, files go, and each of these is a state."""
    made = alice.submit(describe(storage, share))
    assert made.id
    assert alice.status(made.id).owner == "alice"
    done = ended(alice, made.id, "finished")
    assert stages(alice, made.id) == ["pending", "running:stage-in", "running:lrms", "running:stage-out", "finished"]
    assert done.exit_code == 0
    assert storage.files["/alice/count.txt"].split() == [b"3"]
    assert alice.read_file(made.id, "stdout") == b"counted\n"


@pytest.mark.parametrize(
    ("wrong", "element"),
    [
        ({"executable": ""}, "executable"),
        ({"resources": {"nodes": 0}}, "resources.nodes"),
        ({"inputs": [{"path": "x", "sources": ["nosuch://storage/x"]}]}, "inputs[0].sources[0]"),
        ({"walltime": 60}, "walltime"),
    ],
)
def test_extension_3a_invalid_requirements(alice: Client, wrong: dict[str, object], element: str) -> None:
    """An error that names what is wrong, and nothing is recorded."""
    before = [one.id for one in alice.list()]
    with pytest.raises(InvalidInput) as caught:
        alice.submit({"executable": "/bin/true"} | wrong)
    assert caught.value.element == element
    assert caught.value.message
    assert [one.id for one in alice.list()] == before


@pytest.mark.kill
@pytest.mark.parametrize(
    ("step", "point", "again"),
    [
        (4, "fetch-arrived", {"/alice/words.txt": 2}),
        (5, "submit-after", {"/alice/words.txt": 1}),
        (6, "push-arrived", {"/alice/words.txt": 1, "/alice/count.txt": 2}),
    ],
)
def test_extension_4_to_6a_the_system_fails(
    own_system: System, storage: Place, tmp_path: Path, step: int, point: str, again: dict[str, int]
) -> None:
    """Its owner starts it again, and it goes on at the beginning of the stage that it failed in, and not before."""
    del step
    runs = tmp_path / "runs"
    job = describe(storage, None)
    job.arguments = ["-c", 'echo once >> "$1"; wc -w < words.txt > count.txt', "sh", str(runs)]
    own_system.start(fault=point)
    with contextlib.suppress(ArgosyError, OSError), own_system.client(retries=0) as client:
        client.wait(client.submit(job, key="mine").id, timeout=30)
    assert own_system.died(), own_system.log()
    own_system.start()
    with own_system.client() as client:
        id = client.submit(job, key="mine").id
        ended(client, id, "finished")
        assert stages(client, id) == ["pending", "running:stage-in", "running:lrms", "running:stage-out", "finished"]
    assert runs.read_text() == "once\n"
    assert storage.files["/alice/count.txt"].split() == [b"3"]
    moved = {path: storage.count("PUT" if "count" in path else "GET", path) for path in again}
    assert moved == again


def test_extension_4a_an_input_file_cannot_be_had(alice: Client, storage: Place, share: str) -> None:
    """The job has failed, says which file and why, and was neither launched nor were files sent."""
    job = describe(storage, share)
    storage.answers["/alice/words.txt"] = 404
    id = alice.submit(job).id
    done = ended(alice, id, "failed")
    assert "words.txt" in (done.reason or "")
    assert "404" in (done.reason or "")
    assert stages(alice, id) == ["pending", "running:stage-in", "failed"]
    assert done.native_id is None
    assert not [path for method, path in storage.asked if method == "PUT"]


@pytest.mark.slurm
def test_extension_5a_no_resource_matches(own_system: System, slurm: None) -> None:
    """The request stays, says what it waits for, and goes when there is a resource that matches."""
    blocked = own_system.directory / "blocked"
    blocked.write_text("no directory can be made here\n")
    with (own_system.directory / "argosy.toml").open("a") as config:
        config.write(f'\n[resources.big]\ntype = "slurm"\nlabels = ["big"]\npoll = 1\nspool = "{blocked}/spool"\n')
    own_system.start()
    with own_system.client() as client:
        made = client.submit({"executable": "/bin/true", "resources": {"labels": ["big"]}})
        assert made.state == "pending"
        assert "big" in (client.status(made.id).reason or "")
        assert client.status(made.id).waiting_since is not None
        other = client.submit({"executable": "/bin/true", "share": "local"})
        ended(client, other.id, "finished")
        assert client.status(made.id).state == "pending"
        blocked.unlink()
        assert ended(client, made.id, "finished").share == "big"


def test_extension_5b_the_computation_cannot_be_launched(alice: Client, storage: Place, share: str) -> None:
    """The job has failed, in the local scheduler's words, and no file is sent."""
    job = describe(storage, share)
    if share == "slurm":
        job.custom = {"slurm.mem": "9999999G"}
    else:
        job.executable = "/nosuch/program"
    id = alice.submit(job).id
    done = ended(alice, id, "failed")
    assert ("emory" if share == "slurm" else "/nosuch/program") in (done.reason or "")
    assert "running:stage-out" not in stages(alice, id)
    assert not [path for method, path in storage.asked if method == "PUT"]


def test_special_many_users_submit_at_once(system: System, alice: Client, bob: Client) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [
            (client, pool.submit(client.submit, {"executable": "/bin/true", "tags": {"at-once": str(number)}}))
            for number in range(20)
            for client in (alice, bob)
        ]
        made = [(client, one.result().id) for client, one in asked]
    assert len({id for _, id in made}) == 40
    for client, id in made:
        assert ended(client, id, "finished").exit_code == 0


POSIX = """
<posix:POSIXApplication xmlns:posix="http://schemas.ggf.org/jsdl/2005/11/jsdl-posix">
<posix:Executable>/bin/sh</posix:Executable><posix:Argument>-c</posix:Argument>
<posix:Argument>echo "$0 processes"</posix:Argument><posix:Argument>two</posix:Argument>
<posix:Output>said.txt</posix:Output></posix:POSIXApplication>
"""


def test_special_another_tool_and_a_standard_language(alice: Client, share: str, tmp_path: Path) -> None:
    """curl sends a JSDL document, which says nothing of the scheduler behind: the same one does for each."""
    document = tmp_path / "job.jsdl"
    host = f"<jsdl:Resources><jsdl:CandidateHosts><jsdl:HostName>{share}</jsdl:HostName></jsdl:CandidateHosts>"
    application = f"<jsdl:Application>{POSIX}</jsdl:Application>"
    document.write_text(_jsdl(application + host + "</jsdl:Resources>"))
    send = ["-H", "Content-Type: application/jsdl+xml", "--data-binary", f"@{document}"]
    status, body = curl(alice, "/v1/activities", *send)
    assert status == 201, body
    id = json.loads(body)["id"]
    until(lambda: json.loads(curl(alice, f"/v1/activities/{id}?wait=30")[1])["final"], 60)
    assert curl(alice, f"/v1/activities/{id}/files/said.txt") == (200, "two processes\n")


def _jsdl(content: str) -> str:
    return (
        '<jsdl:JobDefinition xmlns:jsdl="http://schemas.ggf.org/jsdl/2005/11/jsdl"><jsdl:JobDescription>'
        f"{content}</jsdl:JobDescription></jsdl:JobDefinition>"
    )


def test_only_authorised_users(system: System) -> None:
    """The resource's owner decides who may use it."""
    with system.client() as owner:
        endpoint = Endpoint(owner.endpoint.url, "argosy_000000000000_" + "x" * 43)
    with Client(endpoint) as stranger, pytest.raises(NotAuthenticated):
        stranger.submit({"executable": "/bin/true"})


@pytest.mark.slurm
def test_the_local_scheduler_stays_its_users_own(alice: Client, slurm: None, tmp_path: Path) -> None:
    """Jobs that are given to the batch system directly run beside, and are no activities of the system's."""
    direct = subprocess.run(
        ["sbatch", "--parsable", "--wait", "-o", str(tmp_path / "out"), "--wrap", "echo direct"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()
    assert (tmp_path / "out").read_text() == "direct\n"
    id = alice.submit({"executable": "/bin/true", "share": "slurm"}).id
    assert ended(alice, id, "finished").native_id != direct
    assert direct not in [one.native_id for one in alice.list()]
