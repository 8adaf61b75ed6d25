"""In a process of its own: so many jobs through the local executor, or so many objects. Prints JSON.

local_sample.py run N          wall and CPU seconds of N times /bin/true, this process and its children
local_sample.py list N         as `run`, submitted as a list
local_sample.py objects N      bytes that each of N jobs with its specification takes, none run
local_sample.py memory N       bytes that N jobs take that have run and ended
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measuring import memory_of

from argosy import Job, JobExecutor, JobSpec, JobState


def cpu() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def run(jobs: list[Job], *, at_once: bool = False) -> dict[str, float]:
    executor = JobExecutor.get_instance("local")
    before, begin = cpu(), time.perf_counter()
    if at_once:
        executor.submit(jobs)
    else:
        for job in jobs:
            executor.submit(job)
    for job in jobs:
        job.wait()
    measured = {"wall": time.perf_counter() - begin, "cpu": cpu() - before}
    assert all(job.status.state is JobState.COMPLETED for job in jobs)
    return measured


@dataclass
class Plain:
    """What a job is made of at the least."""

    executable: str
    arguments: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


def grown(make: Any, many: int) -> float:
    gc.collect()
    before = memory_of_self()
    kept = [make() for _ in range(many)]
    gc.collect()
    return (memory_of_self() - before) / len(kept)


def memory_of_self() -> int:
    return memory_of(int(Path("/proc/self").readlink().name))


def main() -> None:
    what, many = sys.argv[1], int(sys.argv[2])
    run([Job(JobSpec("/bin/true")) for _ in range(20)])
    if what in ("run", "list"):
        answer = run([Job(JobSpec("/bin/true")) for _ in range(many)], at_once=what == "list")
    elif what == "memory":
        before = memory_of_self()
        jobs = [Job(JobSpec("/bin/true")) for _ in range(many)]
        run(jobs)
        gc.collect()
        answer = {"bytes": (memory_of_self() - before) / many}
    else:
        makers = {"objects": lambda: Job(JobSpec("/bin/true", ["a"])), "plain": lambda: Plain("/bin/true", ["a"])}
        answer = {"bytes": grown(makers[what], many)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
