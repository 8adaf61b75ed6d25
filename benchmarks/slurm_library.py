"""Slurm through the library: submissions a second, the commands they take, and how soon an end is known."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from measuring import Found, NotHere, Options, Row, Sample, alternate, column, python

_COMMANDS = ("sbatch", "squeue", "sacct", "scancel", "scontrol", "sinfo")


def measure(options: Options) -> Found:
    """Beside a loop of plain `sbatch` with scripts that were rendered beforehand. Raises NotHere without Slurm."""
    if shutil.which("sbatch") is None or subprocess.run(["sinfo", "-h"], capture_output=True, check=False).returncode:
        raise NotHere("there is no Slurm that answers on this machine (tests/servers/slurm-up.sh starts one, as root)")
    found = Found()
    shims = Shims(options.scratch / "shims")
    jobs = options.pick(60, 300)

    def sample(how: str, many: int) -> Sample:
        answer: dict[str, Any] = python("slurm_sample.py", how, many, options.scratch, env=shims.environ())
        commands = shims.count()
        return answer | {
            "commands": sum(commands.values()) / many,
            **{name: float(commands[name]) for name in _COMMANDS},
        }

    ways = {how: (lambda how=how: sample(how, jobs)) for how in ("single", "list", "sbatch")}
    _rows(found, alternate(options.pick(1, 3), ways), jobs)
    if not options.quick:
        many = 1000
        both = {how: (lambda how=how: sample(how, many)) for how in ("list", "sbatch")}
        _rows(found, alternate(1, both), many)
    return found


def _rows(found: Found, taken: dict[str, list[Sample]], jobs: int) -> None:
    plain = taken["sbatch"]
    names = {"single": f"{jobs} Slurm jobs one by one", "list": f"{jobs} Slurm jobs as a list"}
    for how, label in names.items():
        if how not in taken:
            continue
        ours = taken[how]
        for name, what, unit in (
            ("rate", "submitted", "jobs/s"),
            ("cpu_us", "CPU of submitting one", "us"),
            ("ended_rate", "submitted and ended", "jobs/s"),
            ("commands", "scheduler commands a job, until all have ended", ""),
        ):
            found.rows.append(Row(f"{label}: {what}", unit, column(ours, name), column(plain, name), "sbatch loop"))
        for name in ("p50_ms", "p95_ms"):
            what = f"{label}: from a job's end to the callback, {name[:3]}"
            found.rows.append(Row(what, "ms", column(ours, name)))
        last = ours[-1]
        found.notes.append(f"{label}: " + ", ".join(f"{last[name]:.0f} {name}" for name in _COMMANDS if last[name]))


class Shims:
    """A directory for the front of PATH, whose commands note that they were called and become the real ones."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log = directory / "log"
        directory.mkdir()
        for name in _COMMANDS:
            real = shutil.which(name)
            if real is not None:
                shim = directory / name
                shim.write_text(f'#!/bin/sh\necho {name} >>"$ARGOSY_BENCHMARK_LOG"\nexec {real} "$@"\n')
                shim.chmod(0o755)

    def environ(self) -> dict[str, str]:
        """The environment of what is measured, the count begun anew."""
        self._log.write_text("")
        path = f"{self._directory}:{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "ARGOSY_BENCHMARK_LOG": str(self._log)}

    def count(self) -> Counter[str]:
        """How often each was called since."""
        return Counter(self._log.read_text().split())
