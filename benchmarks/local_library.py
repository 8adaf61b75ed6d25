"""Local processes through the library: jobs a second, CPU a job, memory a job."""

from __future__ import annotations

from collections.abc import Callable

import processes
from measuring import Curve, Found, NotHere, Options, Row, Sample, alternate, column, python


def measure(options: Options) -> Found:
    """Beside a C loop of posix_spawn and `xargs -P`."""
    jobs = options.pick(500, 2000)
    found = Found()
    ways: dict[str, Callable[[], Sample]] = {
        "argosy": lambda: processes.per_job(python("local_sample.py", "run", jobs), jobs)
    }
    try:
        c_loop = processes.c_loop(options.scratch)
        ways["C posix_spawn"] = lambda: c_loop(jobs)
    except NotHere as why:
        found.notes.append(str(why))
    ways["argosy, a list"] = lambda: processes.per_job(python("local_sample.py", "list", jobs), jobs)
    ways[f"xargs -P{processes.AT_ONCE}"] = lambda: processes.xargs(jobs)
    taken = alternate(options.pick(3, 7), ways)
    for name in [name for name in ways if not name.startswith("argosy")]:
        found.rows += [
            Row(
                "local jobs as a list",
                "jobs/s",
                column(taken["argosy, a list"], "rate"),
                column(taken[name], "rate"),
                name,
                ">= 1500",
            ),
            Row("local jobs", "jobs/s", column(taken["argosy"], "rate"), column(taken[name], "rate"), name, ">= 1500"),
            Row(
                "CPU of a local job",
                "us",
                column(taken["argosy"], "cpu_us"),
                column(taken[name], "cpu_us"),
                name,
                "<= 1.3x C",
            ),
        ]
    _memory(options, found)
    return found


def _memory(options: Options, found: Found) -> None:
    sizes = [1000, 2000, 5000, 20000]
    rounds = options.pick(1, 3)
    made, plain = (
        {size: [python("local_sample.py", what, size) for _ in range(rounds)] for size in sizes}
        for what in ("objects", "plain")
    )
    for size in (2000, 20000):
        found.rows.append(
            Row(
                f"memory of a Job, {size} of them",
                "bytes",
                column(made[size], "bytes"),
                column(plain[size], "bytes"),
                "dataclass",
            )
        )
    ran = {size: [python("local_sample.py", "memory", size)["bytes"]] for size in (500, options.pick(2000, 20000))}
    least, most = min(ran), max(ran)
    found.rows.append(
        Row(f"memory of a job that has run, {most} of them", "bytes", ran[most], ran[least], f"{least} of them")
    )
    middle = {size: sorted(column(made[size], "bytes"))[rounds // 2] for size in sizes}
    found.curves.append(
        Curve("Memory of a Job object", "jobs", "bytes a job", list(sizes), {"Job + JobSpec": list(middle.values())})
    )
