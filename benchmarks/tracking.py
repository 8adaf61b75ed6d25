"""One executor that follows many Slurm jobs: memory, CPU of a look at the queue, and what it keeps others from."""

from __future__ import annotations

from typing import Any

from measuring import Curve, Found, Options, Row, python


def measure(options: Options) -> Found:
    """The whole library over a squeue that prints a file, as often as the queue is asked."""
    found = Found()
    sizes = [1000, 10_000] if options.quick else [1000, 10_000, 100_000]
    taken: dict[int, dict[str, Any]] = {size: python("tracking_sample.py", size, options.scratch) for size in sizes}
    for size, sample in taken.items():
        for name, what, unit in (
            ("cpu_ms", "CPU of one look at the queue", "ms"),
            ("blocked_ms", "longest that the event loop was held up by it", "ms"),
            ("bytes", "memory of each job", "bytes"),
        ):
            found.rows.append(Row(f"{size} Slurm jobs followed: {what}", unit, [sample[name]]))
    each = [taken[size]["cpu_ms"] / size * 1e3 for size in sizes]
    found.curves.append(
        Curve("Following jobs: a look at the queue", "jobs", "us CPU a job", list(sizes), {"Slurm": each})
    )
    if not options.quick:
        found.notes.append("the longest hold-up at 100,000 jobs is one full garbage collection of the interpreter")
    return found
