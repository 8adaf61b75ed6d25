"""What the library costs before it does anything: its import, and a job with its specification."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import timeit

from local_sample import Plain
from measuring import Found, Options, Row, Sample, alternate, column

from argosy import Job, JobSpec

_PROGRAMS = {
    "python -c pass": "pass",
    "import argosy": "import argosy",
    "import argosy, its names used": "from argosy import Job, JobSpec, JobExecutor",
    "and the local executor": "from argosy import JobExecutor; JobExecutor.get_instance('local')",
}


def measure(options: Options) -> Found:
    """Beside an interpreter that does nothing, and a dataclass."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ["PYTHONPYCACHEPREFIX"] = str(options.scratch / "pycache")

    def start(program: str) -> Sample:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], env=environ, check=True)
        return {"ms": (time.perf_counter() - begin) * 1e3}

    for program in _PROGRAMS.values():
        start(program)  # so that its bytecode is there
    ways = {name: (lambda program=program: start(program)) for name, program in _PROGRAMS.items()}
    taken = alternate(options.pick(7, 21), ways)
    nothing, *others = _PROGRAMS
    found = Found()
    for name in others:
        pairs = zip(column(taken[name], "ms"), column(taken[nothing], "ms"), strict=True)
        added = [mine - other for mine, other in pairs]
        target = "" if name == "and the local executor" else "< 60"
        found.rows += [
            Row(name, "ms", column(taken[name], "ms"), column(taken[nothing], "ms"), nothing),
            Row(f"{name}: beyond `{nothing}`", "ms", added, target=target),
        ]
    loops = options.pick(20_000, 100_000)
    built = alternate(
        options.pick(3, 7),
        {
            "ours": lambda: _each(lambda: Job(JobSpec("/bin/true", ["a"], environment={"B": "c"})), loops),
            "plain": lambda: _each(lambda: Plain("/bin/true", ["a"], {"B": "c"}), loops),
        },
    )
    against = "dataclass with a UUID"
    found.rows.append(
        Row("Job + JobSpec", "us", column(built["ours"], "us"), column(built["plain"], "us"), against, "< 14")
    )
    named = alternate(
        options.pick(3, 7),
        {
            "ours": lambda: _each(lambda: Job(JobSpec("/bin/true", ["a"], environment={"B": "c"})).id, loops),
            "plain": lambda: _each(lambda: Plain("/bin/true", ["a"], {"B": "c"}), loops),
        },
    )
    found.rows.append(
        Row("Job + JobSpec, its id asked for", "us", column(named["ours"], "us"), column(named["plain"], "us"), against)
    )
    return found


def _each(make: object, loops: int) -> Sample:
    return {"us": timeit.timeit(make, number=loops) / loops * 1e6}  # type: ignore[arg-type]
