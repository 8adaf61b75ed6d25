"""Programs that wait for their jobs when they end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.executors.fake_slurm import FakeSlurm

IMPORT = "from datetime import timedelta\nfrom argosy import Job, JobExecutor, JobSpec\n"
START = "job = Job(JobSpec('/bin/sh', ['-c', 'read line <go; exit 5'], directory=sys.argv[1]))\n"
SUBMIT = "executor = JobExecutor.get_instance('local'); executor.submit(job)\n"


def program(tmp_path: Path, *text: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    """What such a program tells. Its job waits for `let_go`."""
    os.mkfifo(tmp_path / "go")
    begin = "import atexit, sys\ndef let_go():\n    open(sys.argv[1] + '/go', 'w').write('x')\n"
    command = [sys.executable, "-c", begin + "".join(text), str(tmp_path)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"PATH": path}
    )


def at_exit(timeout: str = "") -> str:
    """What waits at the program's end, and lets the job go on only then."""
    return f"@atexit.register\ndef late():\n    let_go()\n    print('seen', job.wait({timeout}).exit_code)\n"


def test_a_handler_can_wait_that_was_registered_before_the_first_job(tmp_path: Path) -> None:
    done = program(tmp_path, IMPORT, at_exit(), START, SUBMIT)
    assert (done.stdout, done.stderr) == ("seen 5\n", "")


@pytest.mark.parametrize(
    ("timeout", "words"), [("", "jobs are followed no longer"), ("timedelta(0)", "'NoneType' object has no attribute")]
)
def test_one_that_comes_too_late_is_not_kept_waiting(tmp_path: Path, timeout: str, words: str) -> None:
    done = program(tmp_path, at_exit(timeout), IMPORT, START, SUBMIT)
    assert done.stdout == ""
    assert words in done.stderr


def test_callbacks_are_told_before_a_program_ends(tmp_path: Path) -> None:
    callback = "executor.set_job_status_callback(lambda job, status: print(status.state))\n"
    begin, submit = SUBMIT.split("; ")
    done = program(tmp_path, IMPORT, START, begin, "\n", callback, submit, "let_go(); job.wait()")
    assert done.stdout.split() == ["QUEUED", "ACTIVE", "FAILED"]


def test_what_fails_for_want_of_a_thread_is_no_defect_at_the_end(tmp_path: Path) -> None:
    # A pool that is asked for late ends first, and while it ends, what goes on beside asks for threads.
    beside = (
        "import asyncio, threading\n"
        "from argosy.executors.loop import background_loop\n"
        "from argosy.executors.tasks import over_and_over\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "tried, pool = threading.Event(), ThreadPoolExecutor(1)\n"
        "async def work():\n"
        "    try:\n        await asyncio.to_thread(int)\n"
        "    except RuntimeError:\n        print('tried'); tried.set(); raise\n"
        "asyncio.run_coroutine_threadsafe(over_and_over(work, 'the test'), background_loop())\n"
        "pool.submit(tried.wait)\n"
    )
    done = program(tmp_path, IMPORT, beside)
    assert (done.stdout, done.stderr) == ("tried\n", "")


def test_one_step_that_fails_keeps_no_other_from_being_taken(tmp_path: Path) -> None:
    steps = "from argosy.executors.ending import at_end\nat_end(lambda: print('taken'))\nat_end(lambda: sys.exit(3))\n"
    done = program(tmp_path, at_exit(), IMPORT, START, SUBMIT, steps)
    assert done.stdout == "taken\n"
    assert "a step at the end of the program failed" in done.stderr
    assert "jobs are followed no longer" in done.stderr


def test_what_needs_thread_pools_is_not_waited_for_in_vain(tmp_path: Path) -> None:
    fake = FakeSlurm(tmp_path / "bin")
    config = "from argosy import JobExecutorConfig\n"
    submit = SUBMIT.replace("'local'", "'slurm', config=JobExecutorConfig(work_directory=sys.argv[1])")
    done = program(tmp_path, IMPORT, config, at_exit(), START, submit, path=fake.path)
    assert done.stdout == ""
    assert "jobs are followed no longer" in done.stderr


def test_what_is_closed_at_the_end_is_there_for_the_last_steps(tmp_path: Path) -> None:
    closed = "import threading, weakref\nkept = threading.Event()\nweakref.finalize(kept, print, 'closed')\n"
    step = "from argosy.executors.ending import at_end\nat_end(lambda: print('taken'))\n"
    done = program(tmp_path, IMPORT, closed, step)
    assert (done.stdout, done.stderr) == ("taken\nclosed\n", "")
