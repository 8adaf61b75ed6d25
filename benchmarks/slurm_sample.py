"""In a process of its own: so many jobs to Slurm. Prints JSON.

    slurm_sample.py single|list|sbatch N SCRATCH

`single` and `list` go through the library; `sbatch` runs the command in a loop with the same scripts, rendered
beforehand, and looks at the queue four times a second until all have ended.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

from measuring import fraction

from argosy import Job, JobExecutor, JobExecutorConfig, JobSpec, JobState, JobStatus
from argosy.batch import Group, Submission
from argosy.batch.script import command_text
from argosy.batch.slurm import Slurm
from argosy.executors.batch.spool import Spool
from argosy.launchers.registry import get_launcher

_LIMIT = 180.0


def cpu() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def through_library(many: int, scratch: Path, *, at_once: bool) -> dict[str, float]:
    executor = JobExecutor.get_instance("slurm", config=JobExecutorConfig(work_directory=scratch / "spool"))
    late: list[float] = []
    all_ended = threading.Event()

    def changed(job: Job, status: JobStatus) -> None:
        if status.final:
            late.append(time.time() - status.time)
            if len(late) == many:
                all_ended.set()

    executor.set_job_status_callback(changed)
    jobs = [Job(JobSpec("/bin/true")) for _ in range(many)]
    before, begin = cpu(), time.perf_counter()
    if at_once:
        executor.submit(jobs)
    else:
        for job in jobs:
            executor.submit(job)
    submitted, used = time.perf_counter() - begin, cpu() - before
    if not all_ended.wait(_LIMIT):
        raise TimeoutError(f"{many - len(late)} of {many} jobs have not ended in {_LIMIT:g} s")
    ended = time.perf_counter() - begin
    assert all(job.status.state is JobState.COMPLETED for job in jobs)
    return figures(many, submitted, used, ended) | {
        "p50_ms": fraction(late, 0.5) * 1e3,
        "p95_ms": fraction(late, 0.95) * 1e3,
    }


def plain(many: int, scratch: Path) -> dict[str, float]:
    spool = scratch / f"plain-{uuid.uuid4().hex}"
    for directory in Spool(str(spool)).directories():
        os.makedirs(directory)
    spec = JobSpec("/bin/true")
    launch = get_launcher("single").render(command_text(spec), spec)
    scripts = []
    for number in range(many):
        tag = uuid.uuid4().hex
        script = spool / f"{number}.sh"
        script.write_text(Slurm().script(Group(tag, (Submission(tag, spec, launch),)), str(spool)))
        scripts.append(script)
    before, begin = cpu(), time.perf_counter()
    ids = []
    for script in scripts:
        done = subprocess.run(["sbatch", "--parsable", script], check=True, stdout=subprocess.PIPE, text=True)
        ids.append(done.stdout.strip())
    submitted, used = time.perf_counter() - begin, cpu() - before
    left = set(ids)
    while left:
        if time.perf_counter() - begin > _LIMIT:
            raise TimeoutError(f"{len(left)} of {many} jobs have not ended in {_LIMIT:g} s")
        shown = subprocess.run(["squeue", "-h", "--me", "-o", "%i"], check=True, stdout=subprocess.PIPE, text=True)
        left &= set(shown.stdout.split())
        if left:
            select.select([], [], [], 0.25)
    return figures(many, submitted, used, time.perf_counter() - begin)


def figures(many: int, submitted: float, used: float, ended: float) -> dict[str, float]:
    return {"rate": many / submitted, "cpu_us": used / many * 1e6, "ended_rate": many / ended}


def main() -> None:
    how, many, scratch = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    answer = plain(many, scratch) if how == "sbatch" else through_library(many, scratch, at_once=how == "list")
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
