"""The whole service as its users see it, on processes of this machine and on a real Slurm."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from argosy.client import Client, Description, Input, Output
from argosy.model import Conflict, InvalidInput, InvalidStateException, NotFound
from tests.service.running import RunningService, until
from tests.service.test_kill import check_history

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    running = RunningService(tmp_path_factory.mktemp("whole") / "home")
    running.directory.mkdir(mode=0o700)
    running.start()
    yield running
    running.end()


@pytest.fixture
def client(shared: RunningService) -> Iterator[Client]:
    with shared.client() as client:
        yield client


HOSTILE = [
    "",
    " ",
    "a b",
    "'",
    '"',
    "\\",
    "\n",
    "a\nb\n",
    "\t\r\n",
    "$(touch /tmp/argosy-was-here)",
    "`id`",
    "${",
    "$HOME",
    "$${HOME}",
    "*",
    "!!",
    "-rf",
    "--",
    "ü ☃ 𝄞",
    "#SBATCH --time=1",
    "%j %A",
    ";&|<>",
    "x" * 100_000,
]
#: Writes its arguments and one variable, each ended by a NUL.
_DUMP = """
import os, sys
with open("dump", "wb") as out:
    for one in [*sys.argv[1:], os.environ["HOSTILE"]]:
        out.write(os.fsencode(one) + b"\\0")
"""


@pytest.mark.parametrize("share", [pytest.param("slurm", marks=pytest.mark.slurm), "local"], indirect=True)
def test_hostile_values_arrive_byte_for_byte(client: Client, share: str) -> None:
    made = [
        client.submit(
            Description(
                executable="/usr/bin/env",
                arguments=["python3", "-c", _DUMP, *HOSTILE],
                environment={"HOSTILE": value},
                name=(value.replace("\n", " ").strip() or "empty")[:200],
                share=share,
                stdout="out put/$(x) 'y'\".txt",
                inputs=[Input(path="out put/placeholder")],
            )
        )
        for value in HOSTILE[1:-1]
    ]
    for activity in made:
        client.put_file(activity.id, "out put/placeholder", b"")
    expected = [value.replace("$${HOME}", "${HOME}") for value in HOSTILE]
    for activity, value in zip(made, expected[1:-1], strict=True):
        done = client.wait(activity.id, timeout=60)
        assert done.exit_code == 0, (value, done, client.read_file(activity.id, "stderr"))
        dumped = client.read_file(activity.id, "dump").split(b"\0")[:-1]
        assert dumped == [os.fsencode(one) for one in [*expected, value]]
    assert not Path("/tmp/argosy-was-here").exists()


@pytest.mark.parametrize(
    ("fields", "element"),
    [
        ({"arguments": ["a\0b"]}, "arguments[0]"),
        ({"environment": {"A": "a\0b"}}, "environment.A"),
        ({"environment": {"A-B": "x"}}, "environment.A-B"),
        ({"arguments": ["x" * 200_000]}, "arguments[0]"),
        ({"stdout": "../out"}, "stdout"),
        ({"stdout": "a/../../out"}, "stdout"),
        ({"inputs": [{"path": "/etc/passwd"}]}, "inputs[0].path"),
        ({"inputs": [{"path": "a"}, {"path": "a"}]}, "inputs[1].path"),
        ({"outputs": [{"path": "../x"}]}, "outputs[0].path"),
        ({"nosuch": 1}, "nosuch"),
        ({"resources": {"nosuch": 1}}, "resources.nosuch"),
        ({"resources": {"nodes": 0}}, "resources.nodes"),
        ({"resources": {"nodes": 2, "processes": 3, "processes_per_node": 2}}, "resources.processes"),
        ({"duration": -1}, "duration"),
        ({"executable": 7}, "executable"),
        ({"executable": ""}, "executable"),
        ({"executable": None}, "executable"),
        ({"share": "nosuch"}, "share"),
        ({"directory": "relative"}, "directory"),
        ({"resources": {"processes": 100_000}}, "resources"),
        ({"launcher": "nosuch"}, "launcher"),
        ({"custom": {"nosystem": "x"}}, "custom"),
    ],
)
def test_a_bad_request_names_its_element_and_records_nothing(
    shared: RunningService, client: Client, fields: dict[str, Any], element: str
) -> None:
    before = [activity.id for activity in client.list()]
    body = {"executable": "/bin/true"} | fields
    body = {name: value for name, value in body.items() if value is not None}
    answer = httpx.post(
        client.endpoint.url + "/v1/activities",
        json=body,
        headers={"authorization": f"Bearer {client.endpoint.token}"},
    )
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["element"] == element, answer.text
    assert [activity.id for activity in client.list()] == before


@pytest.mark.slurm
@pytest.mark.parametrize(
    ("fields", "element"),
    [
        ({"share": "slurm/nosuch"}, "share"),
        ({"share": "slurm", "resources": {"nodes": 1000}}, "resources.nodes"),
        ({"share": "slurm/long", "duration": 1e9}, "duration"),
        ({"share": "slurm", "account": "a\nb"}, "account"),
        ({"share": "slurm", "name": "a\nb"}, "name"),
    ],
)
def test_what_slurm_can_never_run_is_refused(slurm: None, client: Client, fields: dict[str, Any], element: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        client.submit({"executable": "/bin/true"} | fields)
    assert caught.value.element == element


def test_a_key_answers_with_the_first_activity(client: Client) -> None:
    first = client.submit({"executable": "/bin/true"}, key="once")
    assert client.submit({"executable": "/bin/true"}, key="once").id == first.id
    with pytest.raises(Conflict):
        client.submit({"executable": "/bin/false"}, key="once")


def test_a_vector_answers_in_order_and_each_for_itself(client: Client) -> None:
    answers = client.submit_many(
        [{"executable": "/bin/true", "share": share} for share in ("local", "nosuch", "local")]
    )
    assert [answer.activity is not None for answer in answers] == [True, False, True]
    assert answers[1].problem.element == "[1].description.share"


@pytest.mark.parametrize("share", ["local", pytest.param("slurm", marks=pytest.mark.slurm)], indirect=True)
def test_states_of_a_job(client: Client, share: str) -> None:
    activity = client.submit(
        Description(
            executable="sh",
            arguments=["-c", "cat data > copy; echo out; echo err >&2; exit 5"],
            share=share,
            inputs=[Input(path="data", size=3)],
            outputs=[Output(path="copy")],
            tags={"kind": "test"},
        )
    )
    # It may still be pending: a resource that did not open in time when the service began is waited for.
    until(lambda: client.status(activity.id).state == "running:stage-in:staging")
    client.put_file(activity.id, "data", b"abc")
    done = client.wait(activity.id, timeout=60)
    assert (done.state, done.exit_code, done.psij_state) == ("finished", 5, "FAILED")
    assert done.usage is not None
    assert done.hosts
    assert client.read_file(activity.id, "copy") == b"abc"
    assert client.read_file(activity.id, "stdout") == b"out\n"
    assert client.read_file(activity.id, "stderr") == b"err\n"
    check_history(client, activity.id)
    assert [found.id for found in client.list(tags={"kind": "test"}) if found.share.startswith(share)] == [activity.id]
    with pytest.raises(InvalidStateException):
        client.put_file(activity.id, "late", b"x")
    client.purge(activity.id)
    with pytest.raises(NotFound):
        client.status(activity.id)


def test_a_job_may_run_in_the_home_directory(client: Client, share: str) -> None:
    for directory in ("~", "~/", "~/."):
        done = client.wait(
            client.submit(Description(executable="pwd", directory=directory, share=share)).id, timeout=60
        )
        assert (done.state, done.reason) == ("finished", None)
        assert client.read_file(done.id, "stdout").decode() == f"{Path.home()}\n"


def test_a_held_activity_waits_to_be_started(client: Client) -> None:
    activity = client.submit({"executable": "cat", "arguments": ["any"], "held": True})
    client.put_file(activity.id, "any", b"thing")
    assert client.status(activity.id).state == "pending:held"
    client.start(activity.id)
    assert client.wait(activity.id, timeout=60).exit_code == 0
    assert client.read_file(activity.id, "stdout") == b"thing"
    with pytest.raises(InvalidStateException):
        client.start(activity.id)


@pytest.mark.parametrize("share", ["local", pytest.param("slurm", marks=pytest.mark.slurm)], indirect=True)
def test_terminating_leaves_nothing_running(client: Client, share: str, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    # What left its session is found again here; on Slurm that takes a process tracker which this cluster has not.
    left = f"(setsid sleep 300 & echo $! >> {pids})" if share == "local" else f"sleep 300 & echo $! >> {pids}"
    script = f"{left}; echo $$ >> {pids}; sleep 300"
    activity = client.submit({"executable": "/bin/sh", "arguments": ["-c", script], "share": share})
    until(lambda: pids.exists() and len(pids.read_text().split()) == 2, 30)
    client.terminate(activity.id)
    client.terminate(activity.id)
    done = client.wait(activity.id, timeout=60)
    assert done.state == "terminated"
    assert client.terminate(activity.id).version == done.version
    until(lambda: not any(_alive(int(pid)) for pid in pids.read_text().split()), 30)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_an_output_that_is_not_there_is_told(client: Client) -> None:
    activity = client.submit({"executable": "/bin/true", "outputs": [{"path": "result"}]})
    done = client.wait(activity.id, timeout=60)
    assert done.state == "failed"
    assert "result" in done.reason


def test_events_are_streamed_and_resumed(client: Client) -> None:
    activity = client.submit({"executable": "/bin/true"})
    streamed = list(client.stream([activity.id], after=0))
    assert streamed[-1].state == "finished"
    assert [event.seq for event in streamed] == [event.seq for event in client.events(activity.id)]
    middle = streamed[2].seq
    assert [event.seq for event in client.stream([activity.id], after=middle)] == [
        event.seq for event in streamed if event.seq > middle
    ]


def test_many_clients_at_once(shared: RunningService) -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with shared.client() as client:
                for _ in range(5):
                    activity = client.submit({"executable": "/bin/true"})
                    assert client.wait(activity.id, timeout=60).exit_code == 0
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_nothing_is_readable_by_others(shared: RunningService) -> None:
    for name in (".", "token", "endpoint.json", "socket", "argosy.db", "lock", "sessions", "spool", "local"):
        path = shared.directory / name
        if path.exists():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, name


def test_without_the_token_nothing_is_told(client: Client) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic x"}):
        for path in ("/v1", "/v1/activities", "/v1/activities/x", "/v1/events"):
            answer = httpx.get(client.endpoint.url + path, headers=headers)
            assert answer.status_code == 401


def test_local_jobs_outlive_the_service_with_their_exit_codes(service: RunningService, tmp_path: Path) -> None:
    go = tmp_path / "go"
    service.start()
    with service.client() as client:
        ids = [
            client.submit(
                {"executable": "sh", "arguments": ["-c", f"while [ ! -e {go} ]; do sleep .05; done; {end}"]}
            ).id
            for end in ("exit 9", "kill -9 $$")
        ]
        until(lambda: all(client.status(id).state == "running:lrms:running" for id in ids), 30)
    os.killpg(service.process.pid, signal.SIGKILL)
    service.process.wait()
    go.touch()
    journal = service.directory / "local" / "journal"
    until(lambda: journal.read_text().count('"exit"') == 2, 30)
    service.start()
    with service.client() as client:
        done = [client.wait(id, timeout=30) for id in ids]
        assert [(one.state, one.exit_code, one.signal) for one in done] == [("finished", 9, None), ("finished", 137, 9)]


@pytest.mark.slurm
def test_a_batch_system_that_is_away_is_waited_for(slurm: None, service: RunningService, tmp_path: Path) -> None:
    """Its commands fail for a while; the activity says so in their words, and runs when they work again."""
    away = tmp_path / "away"
    away.touch()
    shims = tmp_path / "shims"
    shims.mkdir()
    for command in ("sbatch", "squeue", "sacct", "scancel", "scontrol", "sinfo"):
        shim = shims / command
        shim.write_text(
            f"#!/bin/sh\nif [ -e {away} ]; then echo x >> {tmp_path}/tries\n"
            f"echo '{command}: error: Unable to contact slurm controller' >&2; exit 1; fi\n"
            f'PATH=${{PATH#*:}}; exec {command} "$@"\n'
        )
        shim.chmod(0o755)
    (service.directory / "argosy.toml").write_text(
        '[service]\nretry_first = 0.2\nretry_most = 0.5\n[resources.slurm]\ntype = "slurm"\n'
    )
    service.start(environ={"PATH": f"{shims}:{os.environ['PATH']}"})
    with service.client() as client:
        activity = client.submit({"executable": "/bin/true"})
        until(lambda: "Unable to contact" in (client.status(activity.id).reason or ""), 30)
        told = [event for event in client.events(activity.id) if event.kind == "unavailable"]
        assert "Unable to contact slurm controller" in told[0].message
        tries = tmp_path / "tries"
        until(lambda: tries.exists() and len(tries.read_text().split()) > 8, 30)
        assert client.status(activity.id).state == "running:stage-in:staged"
        told = [event.message for event in client.events(activity.id) if event.kind == "unavailable"]
        assert len(told) == len(set(told))  # those of sbatch and of squeue, each once
        away.unlink()
        done = client.wait(activity.id, timeout=60)
        assert (done.state, done.exit_code) == ("finished", 0)


def test_one_directory_has_one_service(service: RunningService) -> None:
    service.start()
    second = RunningService(service.directory)
    found = (service.directory / "endpoint.json").read_bytes()
    second.start(fault="final")
    assert second.process.wait(30) != 0
    assert "another service runs" in second.log()
    (service.directory / "endpoint.json").write_bytes(found)


def test_what_cannot_have_been_submitted_is_not_left_behind(service: RunningService, tmp_path: Path) -> None:
    """Purging removes the session directory, and a killed purge is finished later."""
    service.start()
    with service.client() as client:
        activity = client.submit({"executable": "/bin/true"})
        client.wait(activity.id, timeout=30)
        session = service.directory / "sessions" / activity.id[-2:] / activity.id
        assert session.is_dir()
        client.purge(activity.id)
        service.kill()
        service.start()
        until(lambda: not session.exists(), 30)
