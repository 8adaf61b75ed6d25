"""The five ways in which files come to a job and go from it, each asked for in JSDL (GES 3.6)."""

from __future__ import annotations

from typing import Any

import pytest

from argosy.client import Client, Description
from argosy.languages.documents import ActivityDocument
from argosy.languages.native import Environment
from argosy.model import InvalidInput
from tests.service.place import Place
from tests.service.running import until

DATA = b"one two three\n" * 1000


def staged(name: str, *, source: str | None = None, target: str | None = None, creation: str = "overwrite") -> str:
    """A DataStaging element. An empty text is an element without a URI."""
    ends = ""
    for element, uri in (("Source", source), ("Target", target)):
        if uri is not None:
            ends += f"<{element}>{f'<URI>{uri}</URI>' if uri else ''}</{element}>"
    return f"<DataStaging><FileName>{name}</FileName><CreationFlag>{creation}</CreationFlag>{ends}</DataStaging>"


def document(script: str, share: str, *staging: str) -> str:
    return f"""<JobDefinition xmlns="http://schemas.ggf.org/jsdl/2005/11/jsdl"><JobDescription>
    <Application><POSIXApplication xmlns="http://schemas.ggf.org/jsdl/2005/11/jsdl-posix">
    <Executable>/bin/sh</Executable><Argument>-c</Argument><Argument>{script}</Argument>
    </POSIXApplication></Application>
    <Resources><CandidateHosts><HostName>{share}</HostName></CandidateHosts></Resources>
    {"".join(staging)}</JobDescription></JobDefinition>"""


def create(client: Client, text: str) -> dict[str, Any]:
    answer = client._http.post("/v1/activities", content=text, headers={"Content-Type": "application/jsdl+xml"})
    assert answer.status_code == 201, answer.text
    return answer.json()


def finished(client: Client, id: str) -> ActivityDocument:
    done = client.wait(id, timeout=60)
    assert (done.state, done.exit_code) == ("finished", 0), (done, list(client.events(id)))
    return done


def test_3_6_1_the_client_pushes_input(alice: Client, share: str) -> None:
    """The answer to the creation says where to; it is told again later; the job waits for the file."""
    made = create(alice, document("cat in > out", share, staged("in", source="")))
    assert made["state"].startswith(("pending", "running:stage-in"))
    assert alice.status(made["id"]).links["files"] == made["links"]["files"]
    put = alice._http.put(made["links"]["files"] + "/in", content=DATA)
    assert put.status_code == 201
    finished(alice, made["id"])
    assert alice.read_file(made["id"], "out") == DATA


def test_3_6_2_the_service_pulls_input(alice: Client, storage: Place, share: str) -> None:
    """Of several sources for one file, one that works; which it was is told."""
    storage.files["/good"] = DATA
    sources = [staged("in", source=f"{storage.url}/{name}") for name in ("gone", "good")]
    made = create(alice, document("cat in > out", share, *sources))
    finished(alice, made["id"])
    assert alice.read_file(made["id"], "out") == DATA
    (fetched,) = [event.detail for event in alice.events(made["id"]) if event.kind == "fetched"]
    assert fetched is not None
    assert fetched["source"] == storage.url + "/good"
    assert "404" in fetched["tried"][0]["error"]


def test_3_6_3_the_service_pushes_output(alice: Client, storage: Place, share: str) -> None:
    """To all of its targets; where one refuses the others are served, and the failure is told with its target."""
    storage.answers["/locked"] = 403
    targets = [staged("out", target=f"{storage.url}/{name}") for name in ("one", "two")]
    made = create(alice, document("printf result > out", share, *targets))
    finished(alice, made["id"])
    assert (storage.files["/one"], storage.files["/two"]) == (b"result", b"result")
    targets.append(staged("out", target=storage.url + "/locked"))
    storage.files.clear()
    made = create(alice, document("printf result > out", share, *targets))
    failed = alice.wait(made["id"], timeout=60)
    assert failed.state == "failed"
    assert storage.url + "/locked" in (failed.reason or "")
    assert (storage.files["/one"], storage.files["/two"]) == (b"result", b"result")
    told = {event.detail["target"]: event.kind for event in alice.events(made["id"]) if "push" in event.kind}
    assert told == {
        storage.url + "/one": "pushed",
        storage.url + "/two": "pushed",
        storage.url + "/locked": "not-pushed",
    }
    assert alice.read_file(made["id"], "out") == b"result", "it is kept, for a restart or to be fetched"


def test_3_6_4_the_client_pulls_output(alice: Client, share: str) -> None:
    """From where the answer to the creation said, while the job runs and after its end."""
    made = create(
        alice, document("printf result > out; while [ ! -e go ]; do sleep 0.05; done", share, staged("out", target=""))
    )
    files = made["links"]["files"]
    until(lambda: alice._http.get(files + "/out").content == b"result", 30)
    assert not alice.status(made["id"]).final
    alice.terminate(made["id"])
    alice.wait(made["id"], timeout=60)
    assert alice._http.get(files + "/out").content == b"result"


def test_3_6_5_the_job_moves_its_data_itself(alice: Client, storage: Place, share: str) -> None:
    """It asks for an environment that gives it the tool and the credential; the service advertises that environment."""
    assert "staging" in {one.name for one in alice.environments()}
    storage.files["/in"] = DATA
    script = f'curl -K "$STAGING_CURL" {storage.url}/in | curl -K "$STAGING_CURL" -T - {storage.url}/out'
    job = Description(
        executable="/bin/bash",
        arguments=["-o", "pipefail", "-c", script.replace("-T -", "--data-binary @- -X PUT")],
        share=share,
        environments=[Environment(name="staging")],
    )
    finished(alice, alice.submit(job).id)
    assert storage.files["/out"] == DATA


def test_what_is_supported_is_advertised(alice: Client) -> None:
    staging = alice.capabilities().staging
    assert set(staging.ways) == {"pushin", "stagein", "stageout", "pullout", "runtime"}
    assert {"http", "https"} <= {scheme.scheme for scheme in staging.schemes if scheme.fetch}
    document = alice.information("basic")
    assert "staginginout" in repr(document)


@pytest.mark.parametrize(
    ("element", "words", "staging"),
    [
        ("JobDefinition/JobDescription/DataStaging/Source", "nosuch", staged("in", source="nosuch://storage/in")),
        ("JobDefinition/JobDescription/DataStaging/Target", "data", staged("out", target="data:,x")),
    ],
)
def test_what_is_not_supported_is_refused_with_its_element(
    alice: Client, element: str, words: str, staging: str
) -> None:
    """For programs a code and the element as the document has it, for people a sentence; and nothing is recorded."""
    before = [one.id for one in alice.list()]
    answer = alice._http.post(
        "/v1/activities", content=document("true", "local", staging), headers={"Content-Type": "application/jsdl+xml"}
    )
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == InvalidInput.code
    assert problem["element"] == element
    assert words in problem["detail"]
    assert [one.id for one in alice.list()] == before
