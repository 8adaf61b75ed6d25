"""In a process of its own: one executor follows so many Slurm jobs. tracking_sample.py N SCRATCH. Prints JSON.

The queue is a file in squeue's format that a script of that name prints; everything behind it is the library's own.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from growth import queue_text
from measuring import memory_of

from argosy import Job, JobExecutor, JobState
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig
from argosy.executors.loop import background_loop

_POLL = 0.5
_LOOKS = 5
_BEAT = 0.005
_LIMIT = 300.0


class Heart:
    """Beats in the event loop, and notes the longest that it was kept from it."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = 0.0
        background_loop().call_soon_threadsafe(self._beat)

    def reset(self) -> None:
        self.longest = 0.0

    def _beat(self) -> None:
        now = time.perf_counter()
        if self._last:
            self.longest = max(self.longest, now - self._last - _BEAT)
        self._last = now
        background_loop().call_later(_BEAT, self._beat)


def fake(directory: Path, text: str) -> Path:
    """squeue, which notes its calls; no job has ended, so nobody asks the accounting."""
    (directory / "queue").write_text(text)
    squeue = directory / "squeue"
    squeue.write_text(f'#!/bin/sh\necho >>"{directory}/calls"\nexec cat "{directory}/queue"\n')
    squeue.chmod(0o755)
    return directory / "calls"


def wait_for(calls: Path, many: int) -> int:
    """Wait until squeue was called so often; how often it was."""
    end = time.monotonic() + _LIMIT
    while (called := calls.stat().st_size if calls.exists() else 0) < many:
        if time.monotonic() > end:
            raise TimeoutError("the queue is not asked any more")
        time.sleep(0.01)
    return called


def main() -> None:
    many, scratch = int(sys.argv[1]), Path(tempfile.mkdtemp(dir=sys.argv[2]))
    ids, text = queue_text(many)
    calls = fake(scratch, text)
    del text
    os.environ["PATH"] = f"{scratch}:{os.environ['PATH']}"
    config = BatchExecutorConfig(work_directory=scratch / "work", batch=BatchConfig(poll=_POLL))
    executor = JobExecutor.get_instance("slurm", config=config)
    executor.list()
    gc.collect()
    before = memory_of(os.getpid())
    jobs = [Job() for _ in ids]
    for job, native_id in zip(jobs, ids, strict=True):
        executor.attach(job, native_id)
    while any(job.status.state is JobState.NEW for job in jobs):
        time.sleep(0.05)
    heart = Heart()
    # One that is under way is no whole one.
    first = wait_for(calls, wait_for(calls, 1) + 2)
    heart.reset()
    cpu, begin = time.process_time(), time.perf_counter()
    last = wait_for(calls, first + _LOOKS)
    used, wall = time.process_time() - cpu, time.perf_counter() - begin
    gc.collect()
    answer = {
        "cpu_ms": used / (last - first) * 1e3,
        "wall_s": wall / (last - first),
        "blocked_ms": heart.longest * 1e3,
        "bytes": (memory_of(os.getpid()) - before) / many,
    }
    print(json.dumps(answer), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
