"""Sweeps through a real service on local processes: a thousand jobs, each once, whenever the service is killed."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from argosy.cli.app import run
from argosy.client import AsyncClient, Endpoint
from argosy.languages.sweeps.document import SweepDescription, SweepNode
from argosy.model import ArgosyError, InvalidInput, NotFound
from tests.service.running import RunningService
from tests.waiting import until

#: Appends its number in one write: two runs of the same job would leave it twice.
_COUNT = 'printf "%s\\n" "$1" >> "$2"'


def counting(runs: Path, jobs: int, **more: object) -> SweepDescription:
    description = {"executable": "/bin/sh", "arguments": ["-c", _COUNT, "sh", "{{n}}", str(runs)]}
    node = SweepNode(parameter="n", from_=1, to=jobs)
    return SweepDescription(description=description, sweep=node, **more)


def numbers(runs: Path) -> list[int]:
    return sorted(int(line) for line in runs.read_text().split())


def test_a_thousand_jobs_of_one_request(service: RunningService, tmp_path: Path) -> None:
    service.start()
    with service.client() as client:
        made = client.submit_sweep(counting(tmp_path / "runs", 1000, name="thousand"), key="k")
        assert (made.total, made.final, made.name) == (1000, False, "thousand")
        assert client.submit_sweep(counting(tmp_path / "runs", 1000, name="thousand"), key="k").id == made.id
        done = client.wait_sweep(made.id, timeout=100)
        assert (done.state, done.counts, done.progress, done.failures) == ("finished", {"finished": 1000}, 1.0, 0)
        assert numbers(tmp_path / "runs") == list(range(1, 1001))
        found = list(client.list(sweep=made.id))
        assert sorted(one.parameters["n"] for one in found) == list(range(1, 1001))
        assert {one.sweep for one in found} == {made.id}
        assert list(client.list(sweep=made.id, states=["failed"])) == []
        assert [one.id for one in client.sweeps(states=["finished"])] == [made.id]
        client.purge_sweep(made.id)
        assert list(client.list(sweep=made.id)) == []
        with pytest.raises(NotFound):
            client.sweep(made.id)


@pytest.mark.kill
@pytest.mark.parametrize("point", ["sweep-before", "sweep-after", "sweep-after:2", "final:10"])
def test_no_job_is_lost_or_doubled_when_the_service_is_killed(
    service: RunningService, point: str, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    service.start(fault=point)
    with contextlib.suppress(ArgosyError, OSError), service.client(retries=0) as client:
        client.wait_sweep(client.submit_sweep(counting(runs, 60, window=15), key="k").id, timeout=60)
    assert service.died(), service.log()
    service.start()
    with service.client() as client:
        made = client.submit_sweep(counting(runs, 60, window=15), key="k")
        done = client.wait_sweep(made.id, timeout=60)
        assert (done.state, done.counts) == ("finished", {"finished": 60}), done
        assert numbers(runs) == list(range(1, 61))
        assert Counter(one.parameters["index"] for one in client.list(sweep=made.id)) == Counter(range(60))
        assert [one.id for one in client.sweeps()] == [made.id]


@pytest.mark.kill
def test_a_termination_survives_the_service(service: RunningService, tmp_path: Path) -> None:
    service.start(fault="cancel-before")
    sleeping = SweepDescription(
        description={
            "executable": "/bin/sh",
            "arguments": ["-c", f"sleep 60 && echo {{{{n}}}} >> {tmp_path / 'runs'}"],
        },
        sweep=SweepNode(parameter="n", from_=1, to=1000),
        window=6,
    )
    with contextlib.suppress(ArgosyError, OSError), service.client(retries=0) as client:
        made = client.submit_sweep(sleeping, key="k")
        until(lambda: client.sweep(made.id).counts.get("running:lrms:running"))
        client.terminate_sweep(made.id)
        client.wait_sweep(made.id, timeout=30)
    assert service.died(), service.log()
    service.start()
    with service.client() as client:
        made = client.submit_sweep(sleeping, key="k")
        done = client.wait_sweep(made.id, timeout=60)
        assert done.state == "terminated"
        assert done.counts["terminated"] == done.made < 1000
        assert not (tmp_path / "runs").exists()


@pytest.mark.anyio
async def test_over_http_and_the_asynchronous_client(service: RunningService, tmp_path: Path) -> None:
    service.start()
    with service.client() as client:
        endpoint = client.endpoint
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    script = b"#!/bin/sh\n#SBATCH --array=1-3\n#SBATCH -J s\ntest $SLURM_ARRAY_TASK_ID != 2\n"
    async with AsyncClient(Endpoint(endpoint.url, endpoint.token, None)) as client:
        made = await client.submit_sweep(script, media_type="text/x-shellscript", name="mine")
        assert (made.name, made.total) == ("mine", 3)
        done = await client.wait_sweep(made.id, timeout=60)
        assert (done.state, done.nonzero, done.failures) == ("finished", 1, 1)
        assert "another exit code" in (done.reason or "")
        assert await client.sweep_description(made.id) == script
        assert [one.kind async for one in client.sweep_events(made.id)] == ["created", "state"]
        streamed = [one async for one in client.stream_sweep(made.id)]
        assert [one.kind for one in streamed] == ["created", "state"]
        assert [one.kind async for one in client.stream_sweep(made.id, after=streamed[0].seq)] == ["state"]
        with pytest.raises(NotFound):
            await anext(client.stream_sweep("sweep-0"))
        assert [one.id async for one in client.sweeps()] == [made.id]
        held = await client.submit_sweep(counting(tmp_path / "runs", 5), held=True, window=2)
        assert (held.state, held.window) == ("pending:held", 2)
        with pytest.raises(TimeoutError, match="0 of 5"):
            await client.wait_sweep(held.id, timeout=0.2)
        assert (await client.release_sweep(held.id)).state == "running"
        assert (await client.wait_sweep(held.id, timeout=60)).state == "finished"
        with pytest.raises(InvalidInput) as caught:
            await client.submit_sweep({"description": {"executable": "{{x}}"}, "sweep": {"product": []}})
        assert caught.value.element == "sweep.product"
        await client.purge_sweep(made.id)
    with httpx.Client(base_url=endpoint.url, headers=headers) as http:
        answer = http.get(f"/v1/sweeps/{held.id}")
        links = answer.json()["links"]
        assert len(http.get(links["activities"]).json()["items"]) == 5
        assert http.get(links["failed"]).json()["items"] == []
        assert http.get(links["events"]).json()["items"][0]["kind"] == "created"
        assert http.get(links["description"]).json()["sweep"]["parameter"] == "n"
        one = {"executable": "/bin/true"}
        refused = http.post("/v1/sweeps", json=one)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid-input")
        wrong = http.post("/v1/sweeps", json={"description": one, "sweep": {"parameter": "a", "values": 1}})
        assert (wrong.status_code, wrong.json()["element"]) == (422, "sweep.values")
        assert http.get("/v1/sweeps", params={"state": "running:lrms"}).status_code == 422
        assert http.get("/v1/sweeps", params={"state": "pending"}).json() == {"items": [], "next": None}
        assert http.delete(f"/v1/sweeps/{held.id}").status_code == 204
        assert http.get(f"/v1/sweeps/{held.id}").status_code == 404


def test_from_the_command_line(service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service.start()
    monkeypatch.setenv("ARGOSY_HOME", str(service.directory))
    monkeypatch.chdir(tmp_path)

    def argosy(*words: str) -> tuple[int, str, str]:
        with CliRunner().isolation() as (out, err, _):
            code = run(list(words))
            return code, out.getvalue().decode(), err.getvalue().decode()

    runs = tmp_path / "runs"
    Path("note.txt").write_text("{{a}} stays\n")
    code, out, err = argosy(
        "submit", "--sweep", "a=1..3", "--sweep", "b=x,007", "-i", "note.txt", "--name", "s", "--",
        "/bin/sh", "-c", f'echo "{{{{a}}}}{{{{b}}}} $(cat note.txt)" >> {runs}',
    )  # fmt: skip
    assert code == 0, err
    id = out.strip()
    assert id.startswith("sweep-")
    assert argosy("sweep", "wait", "--timeout", "60s", "@last")[0] == 0
    lines = sorted(runs.read_text().splitlines())
    assert lines == sorted(f"{a}{b} {{{{a}}}} stays" for a in (1, 2, 3) for b in ("x", "007"))
    code, out, _ = argosy("sweep", "status", id)
    assert "6, 6 made, 6 ended (100.0%)" in out
    assert "6  finished" in out
    assert argosy("list", "--sweep", id[-8:], "--state", "failed")[1] == "No job is like that.\n"
    assert len(argosy("list", "--sweep", "@last")[1].splitlines()) == 7
    assert "b=007" in argosy("status", "@last")[1]
    assert id in argosy("sweep", "list")[1]

    code, out, _ = argosy(
        "submit", "--sweep", "a=1..2", "--sweep", "b=x,y", "--lockstep", "--held", "--json", "--", "/bin/echo", "{{a}}"
    )
    assert '"total":2' in out
    assert argosy("sweep", "release", "@last")[1].endswith("  running\n")
    assert argosy("sweep", "terminate", "--wait", "@last")[1].split()[-1] in ("finished", "terminated")
    assert "created" in argosy("sweep", "events", "@last")[1]
    assert '"lockstep"' not in argosy("sweep", "description", "@last")[1]
    assert argosy("sweep", "purge", "@last")[0] == 0

    # The commands for jobs take a sweep as well, by its id.
    said = argosy("submit", "--sweep", "a=x,y", "--", "/bin/echo", "-{{a}}-")[1].strip()
    code, out, _ = argosy("wait", "--timeout", "60s", said, id)
    assert (code, out.splitlines()) == (0, [f"{said}  finished  2 finished", f"{id}  finished  6 finished"])
    first, second = (one.split()[0] for one in reversed(argosy("list", said)[1].splitlines()[1:]))
    out = argosy("logs", said)[1]
    assert out == f"==> job 0: {first} <==\n-x-\n\n==> job 1: {second} <==\n-y-\n"
    code, out, _ = argosy("status", said, first)
    assert "2, 2 made, 2 ended (100.0%)" in out
    assert f"id           {first}" in out
    assert "created" in argosy("events", "-f", said)[1]
    assert [argosy(*words)[0] for words in (("cancel", said), ("status", "sweep-0000"), ("list", first))] == [0, 4, 2]
    assert argosy("logs", "-f", said)[0] == argosy("status", "-v", said)[0] == 2
    for words in (("logs", "sweep-0000"), ("list", "sweep-0000"), ("list", "--sweep", "0000")):
        code, out, err = argosy(*words)
        assert (code, out) == (4, ""), err
    slow = argosy("submit", "--sweep", "a=1..2", "--", "/bin/sleep", "60")[1].strip()
    assert argosy("cancel", "--wait", "--json", slow)[1].count('"state":"terminated"') == 1
    assert argosy("wait", slow)[0] == 1
    assert argosy("purge", "--json", slow)[1] == f'{{"id":"{slow}"}}\n'
    assert argosy("sweep", "purge", "--json", said)[1] == f'{{"id":"{said}"}}\n'

    Path("array.sh").write_text("#!/bin/sh\n#SBATCH --array=1-4\nexit $SLURM_ARRAY_TASK_ID\n")
    assert argosy("submit", "--stop-after", "1", "array.sh")[1].startswith("sweep-")
    assert argosy("sweep", "wait", "@last")[0] == 1
    for words in (
        ("submit", "--sweep", "a", "--", "x"),
        ("submit", "--lockstep", "--", "x"),
        ("submit", "--sweep", "a=1", "-f", "array.sh"),
    ):
        assert argosy(*words)[0] == 2
    code, out, err = argosy("submit", "--sweep", "a=1..2", "--", "/bin/echo", "{{b}}")
    assert (code, out) == (1, "")
    assert "no parameter b" in err
    assert argosy("sweep", "status", "sweep-0000")[0] == 4
    with service.client() as client:
        assert len(list(client.sweeps())) == 2
