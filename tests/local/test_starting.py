"""Starting a process: with posix_spawn, and with subprocess where the C library cannot, to the same effect."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from argosy import JobSpec
from argosy.executors.local import child, posix
from argosy.executors.local.spawn import Ended, NotStarted, prepare, reap, start


@pytest.fixture(autouse=True, params=["posix_spawn", "subprocess"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "subprocess":
        monkeypatch.setattr(posix, "spawn", None)
    elif posix.spawn is None:
        pytest.skip("the C library's posix_spawn cannot do all that is needed")
    return request.param


def run(spec: JobSpec, directory: Path | None = None) -> Ended:
    started = start(prepare(spec, None if directory is None else str(directory), os.environ, "tag"))
    os.close(started.pidfd)
    return reap(started.pid)


def says(tmp_path: Path, script: str, **fields: object) -> str:
    out = tmp_path / "out"
    assert run(JobSpec("/bin/bash", ["-c", script], stdout_path=out, **fields)).exit_code == 0
    return out.read_text()


def test_which_way_was_taken(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    popen = child.subprocess.Popen
    monkeypatch.setattr(
        child.subprocess, "Popen", lambda *args, **kwargs: started.append(args) or popen(*args, **kwargs)
    )
    assert run(JobSpec("/bin/true")).exit_code == 0
    assert bool(started) == (how == "subprocess")


def test_no_descriptor_is_passed_on(tmp_path: Path) -> None:
    fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
    try:
        for fd in fds:
            os.set_inheritable(fd, True)
        shown = says(tmp_path, "ls /proc/$$/fd; :")
    finally:
        for fd in fds:
            os.close(fd)
    # bash has one of its own, for the terminal or the script.
    assert {int(fd) for fd in shown.split()} - {255} == {0, 1, 2}


def test_signals_are_as_a_program_expects_them(tmp_path: Path) -> None:
    shown = dict(line.split(":") for line in says(tmp_path, "cat /proc/self/status").splitlines())
    assert int(shown["SigIgn"], 16) & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)) == 0
    assert int(shown["SigBlk"], 16) == 0


def test_it_leads_a_session_of_its_own(tmp_path: Path) -> None:
    pid, session = says(tmp_path, "echo $$ $(cut -d' ' -f6 /proc/$$/stat)").split()
    assert pid == session != str(os.getsid(0))


def test_the_environment_is_that_of_the_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = 'echo "$ARGOSY_TEST_A|$ARGOSY_TEST_B|$ARGOSY_JOB_TAG"'
    monkeypatch.setenv("ARGOSY_TEST_A", "one")
    assert says(tmp_path, shown) == "one||tag\n"
    monkeypatch.setenv("ARGOSY_TEST_A", "two")
    assert says(tmp_path, shown, environment={"ARGOSY_TEST_B": "${ARGOSY_TEST_A}"}) == "two|two|tag\n"
    assert says(tmp_path, shown, environment={"ARGOSY_TEST_A": "mine"}) == "mine||tag\n"
    monkeypatch.delenv("ARGOSY_TEST_A")
    assert says(tmp_path, shown) == "||tag\n"
    os.environb[b"ARGOSY_TEST_A"] = b"\xff"
    out = tmp_path / "bytes"
    assert run(JobSpec("/bin/sh", ["-c", 'printf %s "$ARGOSY_TEST_A"'], stdout_path=out)).exit_code == 0
    assert out.read_bytes() == b"\xff"
    assert says(tmp_path, "/usr/bin/env | grep -v '^[_SPO]'", inherit_environment=False) == "ARGOSY_JOB_TAG=tag\n"


def test_programs_are_found(tmp_path: Path) -> None:
    for directory in ("here", "there"):
        (tmp_path / directory).mkdir()
        program = tmp_path / directory / "program"
        program.write_text(f"#!/bin/sh\necho {directory}\n")
        program.chmod(0o755)
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "program").mkdir()
    out = tmp_path / "out"
    for executable, path, expected in (
        ("./program", None, "here"),
        ("../there/program", None, "there"),
        ("program", f"{tmp_path}/first:/nowhere:{tmp_path}/there", "there"),
        ("program", "../there", "there"),
    ):
        environment = None if path is None else {"PATH": path}
        assert run(JobSpec(executable, environment=environment, stdout_path=out), tmp_path / "here").exit_code == 0
        assert out.read_text() == f"{expected}\n", executable


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        (JobSpec("/no/such"), 127, "No such file or directory: /no/such"),
        (JobSpec("no-such-program"), 127, "No such file or directory: no-such-program"),
        (JobSpec("/etc/passwd"), 126, "Permission denied: /etc/passwd"),
        (JobSpec("/bin/true", directory="/no/such"), 127, "No such file or directory: /no/such"),
        (JobSpec("/bin/true", stdout_path="/no/such/out"), 127, "No such file or directory: /no/such/out"),
        (JobSpec("/bin/true", ["\0"]), 126, "null"),
        (JobSpec("/bin/true", environment={"A": "\0"}), 126, "null"),
        (JobSpec("/bin/true", environment={"A=B": "c"}), 126, "environment variable"),
        (JobSpec("/bin/true", ["x" * 131_072]), 126, "Argument list too long"),
    ],
    ids=str,
)
def test_what_cannot_be_started_says_why(spec: JobSpec, code: int, words: str) -> None:
    with pytest.raises(NotStarted, match=words) as caught:
        run(spec)
    assert caught.value.exit_code == code


def test_streams_where_the_standard_ones_are_closed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.closerange(0, 3)
            child._null_fd = -1
            code = run(
                JobSpec("/bin/sh", ["-c", "cat; echo out"], stdin_path="/etc/hostname", stdout_path=out)
            ).exit_code
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert out.read_text() == Path("/etc/hostname").read_text() + "out\n"
