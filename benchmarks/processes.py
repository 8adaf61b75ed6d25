"""What starting processes costs without us: a C loop, and xargs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from measuring import HERE, NotHere, Sample

#: How many run at a time.
AT_ONCE = 16


def c_loop(scratch: Path) -> Callable[[int], Sample]:
    """A C program that starts so many processes with posix_spawn. Raises NotHere without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotHere("there is no C compiler (cc) for the posix_spawn loop")
    program = scratch / "spawn"
    if not program.exists():
        subprocess.run([compiler, "-O2", "-o", program, HERE / "spawn.c"], check=True)

    def run(jobs: int) -> Sample:
        done = subprocess.run([program, str(jobs), str(AT_ONCE)], check=True, capture_output=True)
        return per_job(json.loads(done.stdout), jobs)

    return run


def xargs(jobs: int) -> Sample:
    """`xargs -P`, one process a line. Raises NotHere where there is none."""
    if shutil.which("xargs") is None:
        raise NotHere("there is no xargs")
    before = os.times()
    begin = time.perf_counter()
    subprocess.run(["xargs", "-n1", f"-P{AT_ONCE}", "/bin/true"], input=b"x\n" * jobs, check=True)
    wall = time.perf_counter() - begin
    after = os.times()
    # xargs waits for its children, so that theirs is in its own.
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return per_job({"wall": wall, "cpu": cpu}, jobs)


def per_job(measured: Sample, jobs: int) -> Sample:
    """Jobs a second, and microseconds of CPU a job."""
    return measured | {"rate": jobs / measured["wall"], "cpu_us": measured["cpu"] / jobs * 1e6}
