"""The command with jobs that really run: on this machine, through a service of its own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from argosy.cli.interrupts import Interrupts
from argosy.client import Client
from tests.cli.conftest import Command
from tests.service.running import RunningService


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    running = RunningService(tmp_path_factory.mktemp("service") / "home")
    running.directory.mkdir(mode=0o700)
    (running.directory / "argosy.toml").write_text('[resources.local]\ntype = "local"\n')
    running.start()
    yield running
    running.end()


@pytest.fixture
def home(service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARGOSY_HOME", str(service.directory))
    monkeypatch.chdir(tmp_path)
    return service.directory


LOOP = 'for f in a b; do echo "[${f}] $1"; done; echo $OUT'


def test_a_command_reaches_the_job_as_it_stands(argosy: Command) -> None:
    done = argosy("run", "--env", "IN=x", "--env", "OUT=${IN}+$${IN}", "--", "sh", "-c", LOOP, "-", "$${f}")
    assert (done.code, done.out) == (0, "[a] $${f}\n[b] $${f}\nx+${IN}\n"), done.err
    assert f"\ncommand\n  sh -c '{LOOP}' - '$${{f}}'\n" in argosy("status", "-vv", "@last").out


def test_what_is_replaced_in_a_description_is_shown_as_a_variable(argosy: Command) -> None:
    Path("job.json").write_text('{"executable": "echo", "arguments": ["${HOME}/a b"]}')
    assert argosy("submit", "job.json").code == 0
    assert """\ncommand\n  echo "${HOME-}"'/a b'\n""" in argosy("status", "-vv", "@last").out


def _argosy(words: str, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "argosy.cli", *shlex.split(words)]
    return subprocess.Popen(command, text=True, **{"stderr": subprocess.PIPE, **more})


def test_a_program_that_is_here_is_not_there_unless_it_is_sent(argosy: Command) -> None:
    Path("bin").mkdir()
    Path("bin/prog").write_text("#!/bin/sh\necho here")
    Path("bin/prog").chmod(0o755)
    unsent = argosy("run", "--", "bin/prog")
    assert unsent.err.startswith("argosy: note: bin/prog is here, and not where the job runs; -i bin/prog=bin/prog ")
    sent = argosy("run", "-i", "bin/prog=bin/prog", "--", "./bin/prog")
    assert (sent.code, sent.out, sent.err) == (0, "here\n", "")


def test_standard_input_reaches_the_job_where_that_is_said(argosy: Command) -> None:
    Path("lines").write_text("of a file\n")
    assert argosy("run", "--stdin", "-", "--", "cat", input="here\n").out == "here\n"
    assert argosy("run", "--stdin", "lines", "--", "cat").out == "of a file\n"
    with subprocess.Popen(["echo", "of a pipe"], stdout=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        assert argosy("run", "--stdin", f"/dev/fd/{writing.stdout.fileno()}", "--", "cat").out == "of a pipe\n"
    assert argosy("run", "--", "cat", input="not asked for").out == ""
    assert argosy("run", "--stdin", "none", "--", "cat").code == 1


def test_waiting_tells_of_those_that_have_ended_though_time_is_up(argosy: Command) -> None:
    running = argosy("submit", "--", "sleep", "300").out.strip()
    assert argosy("run", "--", "true").code == 0
    ended = json.loads(argosy("list", "--json", "--limit", "1").out)["id"]
    done = argosy("wait", "--timeout", "0.2s", running, ended)
    assert (done.code, done.out) == (5, f"{ended}  finished  exit code 0\n")
    assert done.err.startswith(f"argosy: time is up: 0 of 2 ended; {running} is ")
    assert "seconds" not in done.err
    assert json.loads(argosy("purge", "--terminate", "--json", running).out) == {"id": running}


def test_a_program_that_is_not_there_ends_as_in_a_shell(argosy: Command) -> None:
    assert argosy("run", "--", "/no/such").code == 127
    assert "exit code    127\n" in argosy("status", "@last").out


def test_what_was_asked_for_is_to_blame(argosy: Command) -> None:
    assert argosy("run", "--", "true").code == 0
    refused = argosy("files", "get", "@last", "../../../etc/passwd")
    assert refused.code == 1
    assert "'../../../etc/passwd'" in refused.err


def test_usage_of_no_job_is_told(argosy: Command) -> None:
    assert argosy("usage", "--records", "--from", "2199-01-01").out == "No job has ended in that time.\n"


#: Writes more than is read in between, on both streams, for as long as it is let.
FLOOD = "run {} -- sh -c 'echo here >&2; exec yes'"


def test_time_is_up_for_a_job_that_never_stops_writing(home: Path) -> None:
    with open(os.devnull, "wb") as nowhere, _argosy(FLOOD.format("--timeout 2s"), stdout=nowhere) as running:
        told = running.communicate(timeout=60)[1]
    assert running.returncode == 5
    assert "time is up; the job was ended" in told


def test_ctrl_c_ends_a_job_that_never_stops_writing(argosy: Command) -> None:
    with _argosy(FLOOD.format(""), stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        # Its stderr is shown while there is always more of its stdout.
        with open(os.devnull, "w") as nowhere:
            reading = threading.Thread(target=shutil.copyfileobj, args=(running.stdout, nowhere))
            reading.start()
            assert running.stderr.readline() == "here\n"
            running.send_signal(signal.SIGINT)
            told = running.stderr.read()
            reading.join(60)
        assert running.wait(60) == 130
    assert "ending the job" in told
    assert "there is more output; see: argosy logs" in told
    assert "terminated" in argosy("status", "@last").out


@pytest.mark.parametrize("both", [False, True])
def test_a_job_whose_output_nobody_reads_is_ended(argosy: Command, both: bool) -> None:
    """As with `| head`, and with `2>&1 | head`."""
    reading, writing = os.pipe()
    os.close(reading)
    errors = writing if both else subprocess.PIPE
    with _argosy("run -- sh -c 'echo here; exec sleep 300'", stdout=writing, stderr=errors) as running:
        os.close(writing)
        told = running.communicate(timeout=60)[1]
    assert running.returncode == 141
    assert both or "nobody reads the output any more" in told
    assert argosy("wait", "--timeout", "30s", "@last").code != 5
    assert "terminated" in argosy("status", "@last").out


def test_a_job_that_ended_in_time_was_not_ended(argosy: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is up while its output is still being shown."""
    read = Client.read_file

    def slowly(client: Client, id: str, path: str, **more: Any) -> bytes:
        client.wait(id, 30)
        late.append(True)
        return read(client, id, path, **more)

    late: list[bool] = []
    monkeypatch.setattr(Client, "read_file", slowly)
    monkeypatch.setattr(Interrupts, "late", property(lambda interrupts: bool(late)))
    done = argosy("run", "--timeout", "5m", "--", "sh", "-c", "head -c 3000000 /dev/zero; exit 3")
    assert (done.code, len(done.out)) == (3, 3_000_000)
    assert "time is up" not in done.err


def test_a_disk_that_is_full_leaves_the_job_and_names_it(argosy: Command) -> None:
    with open("/dev/full", "wb") as full, _argosy("run -- sh -c 'echo hi; exec sleep 300'", stdout=full) as running:
        told = running.communicate(timeout=60)[1]
    assert running.returncode == 1
    id = argosy("list", "--json", "--limit", "1").out
    assert "No space left on device" in told
    assert f"argosy status {json.loads(id)['id']}" in told
    assert argosy("purge", "--terminate", "@last").code == 0


def test_where_output_cannot_go_is_told_before_the_job_runs(service: RunningService, argosy: Command) -> None:
    with service.client() as client:
        before = client.counts()
        done = argosy("run", "-o", "res=nowhere/deep/x", "--", "true")
        assert (done.code, done.err) == (1, "argosy: nowhere/deep: there is no such directory\n")
        assert client.counts() == before
