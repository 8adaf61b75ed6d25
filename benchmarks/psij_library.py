"""Side by side with psij-python: the same program (beside.py) under both, each in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from typing import Any

from measuring import Found, NotHere, Options, Row, Sample, alternate, column, python
from slurm_library import Shims

_PROGRAMS = {
    "argosy": "from argosy import Job, JobSpec, JobExecutor",
    "psij": "from psij import Job, JobSpec, JobExecutor",
}
_NOTHING = "pass"


def measure(options: Options) -> Found:
    """Local processes, objects, imports, and Slurm where there is one. Raises NotHere without psij-python."""
    if importlib.util.find_spec("psij") is None:
        raise NotHere("psij-python is not installed (it comes with the extra `benchmark`): its rows are left out")
    found = Found()
    against = f"psij-python {version('psij-python')}"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ |= {"HOME": str(options.scratch), "PYTHONPYCACHEPREFIX": str(options.scratch / "pycache")}
    _objects(options, found, against, environ)
    _local(options, found, against, environ)
    if shutil.which("sbatch") is None or subprocess.run(["sinfo", "-h"], capture_output=True, check=False).returncode:
        found.notes.append("there is no Slurm that answers: its rows are left out")
    else:
        _slurm(options, found, against, environ)
    return found


def _both(rounds: int, environ: dict[str, str], *arguments: object) -> dict[str, list[Sample]]:
    def sample(lib: str) -> Sample:
        answer: dict[str, Any] = python("beside.py", lib, *arguments, env=environ)
        return answer

    return alternate(rounds, {lib: (lambda lib=lib: sample(lib)) for lib in ("argosy", "psij")})


def _row(
    found: Found, taken: dict[str, list[Sample]], figure: str, what: str, unit: str, against: str, to: str
) -> None:
    found.rows.append(Row(what, unit, column(taken["argosy"], figure), column(taken["psij"], figure), against, to))


def _objects(options: Options, found: Found, against: str, environ: dict[str, str]) -> None:
    def start(program: str) -> Sample:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], env=environ, check=True)
        return {"ms": (time.perf_counter() - begin) * 1e3}

    programs = {**_PROGRAMS, "nothing": _NOTHING}
    for program in programs.values():
        start(program)  # so that its bytecode is there
    ways = {name: (lambda program=program: start(program)) for name, program in programs.items()}
    taken = alternate(options.pick(5, 15), ways)
    nothing = column(taken["nothing"], "ms")
    beyond = {
        name: [{"ms": mine["ms"] - other} for mine, other in zip(taken[name], nothing, strict=True)]
        for name in _PROGRAMS
    }
    _row(found, beyond, "ms", "import, beyond `python -c pass`", "ms", against, "< 60 ms")
    built = _both(options.pick(3, 7), environ, "construct", options.pick(2000, 10_000))
    _row(found, built, "us", "Job + JobSpec", "us", against, "<= 0.05x")


def _local(options: Options, found: Found, against: str, environ: dict[str, str]) -> None:
    jobs = options.pick(300, 2000)
    rounds = options.pick(2, 5)
    listed = _both(rounds, environ, "list", jobs)
    _row(found, listed, "rate", f"{jobs} local jobs as a list, there a loop", "jobs/s", against, ">= 12x")
    taken = _both(rounds, environ, "local", jobs)
    _row(found, taken, "rate", f"{jobs} local jobs", "jobs/s", against, "")
    _row(found, taken, "cpu_us", f"{jobs} local jobs: CPU each", "us", against, "")
    if all(column(taken["psij"], "bytes")):  # few jobs fit into what is there already
        _row(found, taken, "bytes", f"{jobs} local jobs: memory each", "bytes", against, "")


def _slurm(options: Options, found: Found, against: str, environ: dict[str, str]) -> None:
    shims = Shims(options.scratch / "psij-shims")
    jobs = options.pick(60, 1000)

    def sample(lib: str) -> Sample:
        answer: dict[str, Any] = python(
            "beside.py", lib, "slurm", jobs, options.scratch, env={**environ, **shims.environ()}
        )
        commands = sum(shims.count().values())
        rates = {name: jobs / answer[f"{name}_s"] for name in ("loop", "accepted", "ended")}
        return {**rates, "cpu_us": answer["cpu_us"], "commands": commands / jobs * 1000}

    ways = {lib: (lambda lib=lib: sample(lib)) for lib in ("argosy", "psij")}
    taken = alternate(options.pick(1, 2), ways)
    loop = f"a loop of {jobs} Slurm jobs"
    for figure, what, unit, target in (
        ("loop", "until the loop has ended", "jobs/s", ">= 8x"),
        ("accepted", "until Slurm has accepted all", "jobs/s", ">= 8x"),
        ("ended", "until all are known to have ended", "jobs/s", ""),
        ("cpu_us", "CPU of submitting one", "us", ""),
        ("commands", "scheduler commands for 1,000 jobs", "", ""),
    ):
        _row(found, taken, figure, f"{loop}: {what}", unit, against, target)
    few = options.pick(5, 20)
    usual, fast = (_both(1, environ, "latency", few, options.scratch, *poll) for poll in ((), (1,)))
    for name in ("p50", "p95"):
        what = f"from a Slurm job's end to the callback, {name}"
        target = "< 0.2 s" if name == "p50" else ""
        _row(found, usual, f"{name}_s", what, "s", against, target)
        _row(found, fast, f"{name}_s", f"{what}, it asking every second", "s", against, target)
