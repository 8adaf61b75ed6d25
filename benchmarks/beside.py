"""The same program under psij-python and under Argosy, in a process of its own. Prints JSON.

beside.py psij|argosy local N                      N times /bin/true as processes of this machine, in a loop
beside.py psij|argosy list N                       as `local`, but as a list where there are lists (argosy)
beside.py psij|argosy slurm N SCRATCH              a loop of N single submissions
beside.py psij|argosy latency N SCRATCH [POLL]     from the end of each of N jobs to its callback
beside.py psij|argosy construct N                  N times Job with JobSpec
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from measuring import fraction

_LIMIT = 900.0


def cpu() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def local(lib: Any, many: int, *, at_once: bool) -> dict[str, float]:
    executor = lib.JobExecutor.get_instance("local")
    run(lib, executor, 20, at_once=at_once)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    before, begin = cpu(), time.perf_counter()
    run(lib, executor, many, at_once=at_once)
    wall, used = time.perf_counter() - begin, cpu() - before
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident) * 1024
    return {"rate": many / wall, "cpu_us": used / many * 1e6, "bytes": grown / many}


def run(lib: Any, executor: Any, many: int, *, at_once: bool) -> None:
    jobs = [lib.Job(lib.JobSpec("/bin/true")) for _ in range(many)]
    if at_once and lib.__name__ == "argosy":
        executor.submit(jobs)
    else:
        for job in jobs:
            executor.submit(job)
    for job in jobs:
        job.wait()
    assert all(job.status.state == lib.JobState.COMPLETED for job in jobs)


def slurm(lib: Any, many: int, scratch: Path) -> dict[str, float]:
    executor = lib.JobExecutor.get_instance("slurm", config=configuration(lib, scratch, None))
    jobs = [lib.Job(lib.JobSpec("/bin/true")) for _ in range(many)]
    before, begin = cpu(), time.perf_counter()
    for job in jobs:
        executor.submit(job)
    looped = time.perf_counter() - begin
    ids = {job.native_id for job in jobs}
    accepted, used = time.perf_counter() - begin, cpu() - before
    assert len(ids) == many
    assert None not in ids
    for job in jobs:
        job.wait()
    assert all(job.status.state == lib.JobState.COMPLETED for job in jobs)
    return {
        "loop_s": looped,
        "accepted_s": accepted,
        "cpu_us": used / many * 1e6,
        "ended_s": time.perf_counter() - begin,
    }


def latency(lib: Any, many: int, scratch: Path, poll: float | None) -> dict[str, float]:
    executor = lib.JobExecutor.get_instance("slurm", config=configuration(lib, scratch, poll))
    told: dict[str, float] = {}
    all_told = threading.Event()

    class Told(lib.JobStatusCallback):  # type: ignore[misc]
        def job_status_changed(self, job: Any, status: Any) -> None:
            if status.final:
                told[job.id] = time.time()
                if len(told) == many:
                    all_told.set()

    executor.set_job_status_callback(Told())
    out = Path(tempfile.mkdtemp(dir=scratch))
    late = []
    jobs = [
        lib.Job(lib.JobSpec("/bin/sh", ["-c", "sleep 5; date +%s.%N"], stdout_path=out / f"{number}"))
        for number in range(many)
    ]
    for job in jobs:
        executor.submit(job)
    if not all_told.wait(_LIMIT):
        raise TimeoutError(f"{many - len(told)} of {many} jobs have not ended in {_LIMIT:g} s")
    late = [told[job.id] - float((out / f"{number}").read_text()) for number, job in enumerate(jobs)]
    return {"p50_s": fraction(late, 0.5), "p95_s": fraction(late, 0.95)}


def construct(lib: Any, many: int) -> dict[str, float]:
    job, spec = lib.Job, lib.JobSpec
    job(spec("/bin/true"))
    begin = time.perf_counter()
    for _ in range(many):
        job(spec("/bin/true", ["a"], environment={"B": "c"}))
    return {"us": (time.perf_counter() - begin) / many * 1e6}


def configuration(lib: Any, scratch: Path, poll: float | None) -> Any:
    work = Path(tempfile.mkdtemp(dir=scratch))
    if lib.__name__ == "argosy":
        return lib.JobExecutorConfig(work_directory=work)
    from psij.executors.batch.slurm import SlurmExecutorConfig

    if poll is None:
        return SlurmExecutorConfig(work_directory=work)
    return SlurmExecutorConfig(work_directory=work, queue_polling_interval=poll, initial_queue_polling_delay=1)


def main() -> None:
    name, what, many, *more = sys.argv[1:]
    lib = importlib.import_module(name)
    if what in ("local", "list"):
        answer = local(lib, int(many), at_once=what == "list")
    elif what == "construct":
        answer = construct(lib, int(many))
    elif what == "slurm":
        answer = slurm(lib, int(many), Path(more[0]))
    else:
        answer = latency(lib, int(many), Path(more[0]), float(more[1]) if more[1:] else None)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
