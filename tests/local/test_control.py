"""Cancelling, suspending, holding; and that never more cores are in use than there are slots."""

from __future__ import annotations

import os
import signal
import sys
import time
from itertools import accumulate

import pytest

from argosy.batch.contract import Control
from argosy.executors.contract import JobRequest
from argosy.executors.local.processes import Leader, Table, open_process, send, terminate
from argosy.executors.local.spawn import prepare, reap, start
from argosy.model import InvalidStateException, JobSpec, NotFound, Outcome, Phase, ResourceSpecV1
from tests.waiting import until_async as until

from .conftest import Bench, alive, handle

pytestmark = pytest.mark.anyio

# Leaves four more processes: a child, one in its own session, one orphaned by a double fork in its own session, and the
# same with an empty environment; all but the first ignore SIGTERM.
FAMILY = """
import os, signal, sys, time
def note():
    with open("pids", "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(300)
def away(depth, bare):
    if os.fork() == 0:
        os.setsid()
        if depth and os.fork():
            os._exit(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if bare:
            text = "import time, signal, sys; exec(sys.argv[1]); note()"
            source = open("family.py").read().split("def away")[0]
            os.execve(sys.executable, [sys.executable, "-S", "-c", text, source], {})
        note()
if os.fork() == 0:
    note()
away(0, False)
away(1, False)
away(0, True)
note()
"""


def state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(") ", 1)[1][0]


async def family(bench: Bench, tmp_path, tag: str) -> list[int]:
    (tmp_path / "family.py").write_text(FAMILY)
    await bench.submit(tag, sys.executable, "-S", "family.py", directory=tmp_path)
    file = tmp_path / "pids"
    await until(lambda: file.exists() and file.read_text().count("\n") == 5, "all processes of the family run")
    pids = [int(line) for line in file.read_text().split()]
    assert len(set(pids)) == 5
    assert all(map(alive, pids))
    return pids


async def test_cancel_ends_every_process(bench: Bench, tmp_path):
    pids = await family(bench, tmp_path, "family")
    assert await bench.driver.control(Control.CANCEL, [handle("family")]) == [None]
    (report,) = await bench.seen("family")
    assert not any(map(alive, pids))
    assert (report.outcome, report.exit_code, report.signal) == (Outcome.CANCELLED, 143, 15)
    # Once more, now that it has ended, is no error.
    assert await bench.driver.control(Control.CANCEL, [handle("family")]) == [None]


async def test_cancel_in_the_queue(bench: Bench, tmp_path):
    await bench.submit("first", "/bin/sleep", "300", resources=ResourceSpecV1(process_count=2))
    await bench.submit("second", "/usr/bin/touch", str(tmp_path / "ran"))
    assert await bench.driver.control(Control.CANCEL, [handle("second"), handle("first")]) == [None, None]
    second, first = await bench.seen("second", "first")
    assert second.outcome is first.outcome is Outcome.CANCELLED
    assert second.exit_code is None
    assert not (tmp_path / "ran").exists()


async def test_suspend_resume_and_cancel_while_suspended(bench: Bench, tmp_path):
    await bench.submit("job", "/bin/sh", "-c", "sleep 300 & echo $$ $! > p; mv p pids; wait", directory=tmp_path)
    await until((tmp_path / "pids").exists, "the job has started")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert await bench.driver.control(Control.SUSPEND, [handle("job")]) == [None]
    await bench.seen("job", phase=Phase.SUSPENDED)
    await until(lambda: {state(pid) for pid in pids} == {"T"}, "both are stopped")
    assert await bench.driver.control(Control.RESUME, [handle("job")]) == [None]
    await until(lambda: {state(pid) for pid in pids} == {"S"}, "both go on")
    assert [r.phase for r in bench.reports][-1] in (Phase.RUNNING, Phase.SUSPENDED)
    await bench.driver.control(Control.SUSPEND, [handle("job")])
    await bench.driver.control(Control.CANCEL, [handle("job")])
    (report,) = await bench.seen("job")
    assert report.outcome is Outcome.CANCELLED
    assert not any(map(alive, pids))


async def test_hold_and_release(bench: Bench, tmp_path):
    await bench.submit("block", "/bin/sh", "-c", "until [ -e go ]; do sleep 0.02; done", directory=tmp_path,
                       resources=ResourceSpecV1(process_count=2))  # fmt: skip
    await bench.submit("held", "/bin/true")
    await bench.submit("next", "/bin/true")
    assert await bench.driver.control(Control.HOLD, [handle("held")]) == [None]
    (tmp_path / "go").touch()
    await bench.seen("block", "next")
    assert await bench.driver.list_jobs() == ["held"]
    phases = [report.phase for report in bench.reports if report.tag == "held"]
    assert phases == [Phase.QUEUED, Phase.HELD]
    assert await bench.driver.control(Control.RELEASE, [handle("held")]) == [None]
    assert (await bench.seen("held"))[0].exit_code == 0
    hold, resume, none = [
        (await bench.driver.control(verb, [handle(tag)]))[0]
        for verb, tag in [(Control.HOLD, "held"), (Control.RESUME, "held"), (Control.CANCEL, "nobody")]
    ]
    assert isinstance(hold, InvalidStateException)
    assert isinstance(resume, InvalidStateException)
    assert isinstance(none, NotFound)


async def test_slots_are_honoured_and_used(bench: Bench):
    widths = [1, 2, 1, 1, 2, 1, 1, 1, 2, 1] * 3
    requests = [
        JobRequest(f"j{i}", JobSpec("/bin/sleep", ["0.02"], resources=ResourceSpecV1(process_count=width)))
        for i, width in enumerate(widths)
    ]
    await bench.driver.submit(requests)
    await bench.seen(*(request.tag for request in requests))
    changes = []
    for report in bench.reports:
        width = widths[int(report.tag[1:])]
        if report.phase in (Phase.RUNNING, Phase.ENDED):
            changes.append(
                (report.time, report.phase is Phase.RUNNING, width if report.phase is Phase.RUNNING else -width)
            )
    in_use = list(accumulate(change for _, _, change in sorted(changes)))
    assert max(in_use) == 2
    assert in_use[-1] == 0
    started = [report.tag for report in bench.reports if report.phase is Phase.RUNNING]
    assert started == [request.tag for request in requests]  # first come, first served
    (share,) = await bench.driver.shares()
    assert (share.name, share.cores, share.free_cores, share.available) == ("", 2, 2, True)
    assert share.memory_per_node > 10**8


def test_terminate_without_a_reaper(tmp_path):
    deaf = "trap '' TERM; echo >deaf; while :; do sleep 0.05; done"
    started = start(prepare(JobSpec("/bin/sh", ["-c", deaf]), str(tmp_path), os.environ, "lone"))
    leader = Leader(started.pid, started.start_time)
    end = time.monotonic() + 10
    while not (tmp_path / "deaf").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    try:
        assert started.pid in {process.pid for process in Table().members("lone", leader)}
        assert terminate("lone", leader, 0.2) == []
        assert reap(started.pid).signal == signal.SIGKILL
    finally:
        os.close(started.pidfd)


def test_a_pid_that_is_used_again_is_not_signalled():
    started = start(prepare(JobSpec("/bin/sleep", ["300"]), "/", os.environ, "other"))
    try:
        earlier = Leader(started.pid, started.start_time - 1)
        assert Table().members("mine", earlier) == []
        assert open_process(started.pid, started.start_time - 1) is None
        process = Table().processes[started.pid]
        assert send([process._replace(start_time=process.start_time - 1)], signal.SIGKILL) == 0
        assert alive(started.pid)
    finally:
        os.close(started.pidfd)
        os.kill(started.pid, signal.SIGKILL)
        reap(started.pid)
