"""One job at a time: how it is started and how its end is told."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argosy.executors.contract import JobRequest
from argosy.executors.local.spawn import TAG_VARIABLE, NotStarted, prepare, reap, start
from argosy.model import InvalidJobException, JobSpec, Outcome, Phase, ResourceSpecV1

from .conftest import Bench

pytestmark = pytest.mark.anyio

DUMP = """
import os, sys
arguments = b"\\0".join(map(os.fsencode, sys.argv[1:]))
os.write(1, arguments + b"\\0\\0" + b"\\0".join(name + b"=" + value for name, value in os.environb.items()))
"""


@pytest.mark.parametrize("code", [0, 7, 127, 126, 255])
async def test_exit_codes(bench: Bench, code: int):
    report = await bench.run("/bin/sh", "-c", f"exit {code}")
    assert (report.outcome, report.exit_code, report.signal) == (Outcome.EXITED, code, None)


async def test_a_signal_counts_as_128_and_its_number(bench: Bench):
    report = await bench.run("/bin/sh", "-c", "kill -9 $$")
    assert (report.outcome, report.exit_code, report.signal) == (Outcome.EXITED, 137, 9)


async def test_what_cannot_be_started_says_why(bench: Bench, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("x")
    orphan = tmp_path / "orphan"
    orphan.write_text("#!/no/such/interpreter\n")
    orphan.chmod(0o755)
    for argv, fields, code, words in [
        (["/no/such"], {}, 127, "No such file or directory: /no/such"),
        (["no-such-program"], {}, 127, "No such file or directory: no-such-program"),
        ([str(plain)], {}, 126, "Permission denied"),
        ([str(orphan)], {}, 127, "interpreter"),
        (["/bin/true"], {"directory": "/no/dir"}, 127, "No such file or directory: /no/dir"),
        (["/bin/true"], {"directory": "/no/dir", "stdout_path": "o"}, 127, "No such file or directory: /no/dir"),
        (["/bin/true"], {"stdin_path": "/no/input"}, 127, "No such file or directory: /no/input"),
        (["/bin/true"], {"stdout_path": str(tmp_path)}, 127, "Is a directory"),
    ]:
        report = await bench.run(*argv, **fields)
        assert (report.outcome, report.exit_code) == (Outcome.NOT_STARTED, code), argv
        assert words in (report.message or "")
        assert report.phase is Phase.ENDED


async def test_usage_and_times(bench: Bench):
    before = time.time()
    burn = "x = bytearray(60_000_000)\nimport time\nt = time.process_time()\nwhile time.process_time() < t + 0.2: pass"
    report = await bench.run(sys.executable, "-c", burn)
    after = time.time()
    (running,) = [r for r in bench.reports if r.tag == report.tag and r.phase is Phase.RUNNING]
    assert before - 0.01 <= running.time <= report.time <= after
    assert report.usage is not None
    assert 0.2 <= report.usage.cpu_seconds < 10
    assert 0.2 <= report.usage.wall_seconds <= after - before
    assert 60_000_000 < report.usage.max_rss < 200_000_000
    assert report.hosts == running.hosts == (os.uname().nodename,)


async def test_streams(bench: Bench, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    (work / "in").write_bytes(b"a\0b")
    (work / "out").write_text("old and longer")
    old = os.umask(0o027)
    try:
        script = "cat; echo err >&2"
        fields = {"directory": work, "stdin_path": "in", "stdout_path": "out", "stderr_path": work / "err"}
        report = await bench.run("/bin/sh", "-c", script, **fields)
    finally:
        os.umask(old)
    assert report.exit_code == 0
    assert (work / "out").read_bytes() == b"a\0b"
    assert (work / "err").read_text() == "err\n"
    assert (work / "err").stat().st_mode & 0o777 == 0o644 & ~old


async def test_both_outputs_in_one_file(bench: Bench, tmp_path):
    fields = {"directory": tmp_path, "stdout_path": "both", "stderr_path": "./both"}
    await bench.run("/bin/sh", "-c", "echo one; echo two >&2; echo three", **fields)
    assert (tmp_path / "both").read_text() == "one\ntwo\nthree\n"


async def test_streams_default_to_nothing(bench: Bench, tmp_path):
    script = "readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 > links; ls /proc/self/fd | wc -l >> links"
    # The redirection is readlink's own: 0 and 2 are what the job was given.
    await bench.run("/bin/sh", "-c", script, directory=tmp_path)
    lines = (tmp_path / "links").read_text().split()
    assert lines[0] == lines[2] == "/dev/null"
    assert lines[3] == "4"  # the three and that of the directory being listed: nothing leaked


async def test_a_pipe_without_a_reader_does_not_stop_the_reaper(bench: Bench, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    report = await bench.run("/bin/echo", "x", directory=tmp_path, stdout_path="fifo")
    assert report.outcome is Outcome.NOT_STARTED
    assert (await bench.run("/bin/true")).exit_code == 0


async def test_executable_and_directory(bench: Bench, tmp_path):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "program"
    program.write_text("#!/bin/sh\npwd\n")
    program.chmod(0o755)
    home = {"HOME": str(tmp_path), "PATH": f"/none:{tmp_path}/bin"}
    for executable, fields in [
        ("bin/program", {"directory": tmp_path}),
        ("program", {"directory": tmp_path, "environment": {"PATH": home["PATH"]}}),
    ]:
        assert (await bench.run(executable, stdout_path="out", **fields)).exit_code == 0
        assert (tmp_path / "out").read_text() == f"{tmp_path}\n"
    prepared = prepare(JobSpec("x", directory="~/d", stdout_path="~/o"), None, home, "t")
    assert (prepared.directory, prepared.stdout) == (f"{tmp_path}/d", f"{tmp_path}/o")
    assert prepare(JobSpec("x"), "~", home, "t").directory == str(tmp_path)


async def test_variables_are_replaced_in_order(bench: Bench, tmp_path):
    await bench.run(
        "/usr/bin/printf", "%s\\n", "${A}", "$${A}", "$A", "${NOPE}.", "x${B}y",
        environment={"A": "a b'\"", "B": "[${A}]"}, directory=tmp_path, stdout_path="out",
    )  # fmt: skip
    assert (tmp_path / "out").read_text() == "a b'\"\n${A}\n$A\n.\nx[a b'\"]y\n"


async def test_without_inherited_environment(bench: Bench, tmp_path):
    fields = {"inherit_environment": False, "environment": {"ONLY": "1"}, "directory": tmp_path, "stdout_path": "out"}
    report = await bench.run("/usr/bin/env", **fields)
    lines = sorted((tmp_path / "out").read_text().split())
    assert lines[:2] == [f"{TAG_VARIABLE}={report.tag}", "ONLY=1"]
    assert [line.partition("=")[0] for line in lines[2:]] == ["PSIJ_NODEFILE"]


async def test_scripts_and_launchers(bench: Bench, tmp_path):
    (tmp_path / "pre").write_text("echo pre; export FROM_PRE=yes; cd /\n")
    (tmp_path / "post").write_text("echo post\nexit 4\n")
    fields = {"directory": tmp_path, "stdout_path": "out", "pre_launch": "pre", "post_launch": "post"}
    report = await bench.run("/bin/sh", "-c", 'echo "$FROM_PRE"; exit 7', **fields)
    assert report.exit_code == 7
    assert report.message == "post_launch failed with exit status 4"
    assert (tmp_path / "out").read_text() == "pre\nyes\npost\n"
    resources = ResourceSpecV1(process_count=2)
    report = await bench.run(
        "/bin/echo", "it's", directory=tmp_path, stdout_path="out", launcher="multiple", resources=resources
    )
    assert report.exit_code == 0
    assert (tmp_path / "out").read_text() == "it's\nit's\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("(exit 9)\n", "pre_launch failed with exit status 9"),
        ("exit 0\n", "pre_launch ended the script"),
        ("set -e\nfalse\ntrue\n", "pre_launch ended the script"),
    ],
)
async def test_a_pre_launch_that_fails_ends_the_job(bench: Bench, tmp_path, script, words):
    (tmp_path / "pre").write_text(script)
    report = await bench.run("/usr/bin/touch", "ran", directory=tmp_path, pre_launch="pre")
    assert (report.outcome, report.exit_code, report.message) == (Outcome.NOT_STARTED, None, words)
    assert not (tmp_path / "ran").exists()


async def test_what_is_refused(bench: Bench):
    wide = ResourceSpecV1(process_count=3)
    far = ResourceSpecV1(node_count=2)
    answers = await bench.driver.submit(
        [
            JobRequest("wide", JobSpec("/bin/true", resources=wide)),
            JobRequest("far", JobSpec("/bin/true", resources=far)),
            JobRequest("odd", JobSpec("/bin/true", launcher="no-such-launcher")),
            JobRequest("good", JobSpec("/bin/true")),
        ]
    )
    assert [type(answer) for answer in answers[:3]] == [InvalidJobException] * 3
    assert "3 CPU cores" in str(answers[0])
    assert answers[3] == "good"
    assert await bench.driver.find(["wide", "far", "odd", "good"]) == {"good": "good"}
    await bench.seen("good")


TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=40)
NAME = st.from_regex(r"V_[A-Za-z0-9_]{0,10}\Z", fullmatch=True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arguments=st.lists(TEXT, max_size=5), environment=st.dictionaries(NAME, TEXT, max_size=4))
async def test_arguments_and_environment_arrive_byte_for_byte(bench: Bench, tmp_path, arguments, environment):
    escaped = {name: value.replace("${", "$${") for name, value in environment.items()}
    argv = [argument.replace("${", "$${") for argument in arguments]
    fields = {"inherit_environment": False, "environment": escaped, "directory": tmp_path, "stdout_path": "dump"}
    report = await bench.run(sys.executable, "-S", "-c", DUMP, *argv, **fields)
    assert report.exit_code == 0
    data = (tmp_path / "dump").read_bytes()
    expected = b"\0".join(map(os.fsencode, arguments)) + b"\0\0"
    assert data.startswith(expected)
    got = dict(entry.split(b"=", 1) for entry in data[len(expected) :].split(b"\0"))
    for name, value in environment.items():
        assert got[name.encode()] == value.encode()


async def test_bytes_that_are_not_utf8_survive(bench: Bench, tmp_path):
    raw = os.fsdecode(b"\xff\xfe$\x01")
    await bench.run("/usr/bin/printf", "%s", raw, directory=tmp_path, stdout_path="out")
    assert (tmp_path / "out").read_bytes() == b"\xff\xfe$\x01"


def test_start_and_reap_without_a_reaper():
    prepared = prepare(JobSpec("/bin/sh", ["-c", "kill -TERM $$"]), "/", os.environ, "direct")
    started = start(prepared)
    try:
        ended = reap(started.pid)
    finally:
        os.close(started.pidfd)
    assert (ended.exit_code, ended.signal) == (128 + signal.SIGTERM, signal.SIGTERM)
    with pytest.raises(NotStarted, match="No such file") as caught:
        start(prepare(JobSpec("/no/such"), "/", os.environ, "direct"))
    assert caught.value.exit_code == 127
