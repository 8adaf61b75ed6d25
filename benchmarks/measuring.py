"""How measurements are taken: alternately with a reference, several times, with the CPU time of every process in them.

The machine is shared and noisy, so a figure alone says little. Each is taken beside something measured in the same
rounds; what counts is the ratio of each pair, its median and its extremes.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
#: What a sample measured: figures by name.
Sample = dict[str, float]
_TICK = os.sysconf("SC_CLK_TCK")


class NotHere(Exception):
    """A measurement cannot be taken on this machine; says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of ours beside its reference, one pair a round. Without a reference: what there is."""

    what: str
    unit: str
    ours: list[float]
    reference: list[float] = field(default_factory=list)
    against: str = ""
    target: str = ""

    def ratios(self) -> list[float]:
        """Ours over the reference's, round by round."""
        if not self.reference:
            return []
        return [mine / other for mine, other in zip(self.ours, self.reference, strict=True)]


@dataclass(frozen=True, slots=True)
class Curve:
    """How a cost grows; one line of a plot for each name in `lines`."""

    title: str
    x: str
    y: str
    at: list[float]
    lines: dict[str, list[float]]


@dataclass(slots=True)
class Found:
    """What one measurement found."""

    rows: list[Row] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Options:
    """How long to measure, and where there is room for files."""

    quick: bool
    scratch: Path

    def pick(self, quick: int, full: int) -> int:
        """A number that is smaller when there is little time."""
        return quick if self.quick else full


def alternate(rounds: int, ways: dict[str, Callable[[], Sample]]) -> dict[str, list[Sample]]:
    """Take each way's sample once a round, the order turned round every time."""
    taken: dict[str, list[Sample]] = {name: [] for name in ways}
    names = list(ways)
    for _ in range(rounds):
        for name in names:
            taken[name].append(ways[name]())
        names.reverse()
    return taken


def column(samples: list[Sample], name: str) -> list[float]:
    """One figure of all samples."""
    return [sample[name] for sample in samples]


def fraction(values: Sequence[float], part: float) -> float:
    """The value that `part` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """The least, the median and the greatest."""
    return min(values), statistics.median(values), max(values)


def python(program: str, *arguments: object, env: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a program of this directory in a process of its own; what it prints is JSON."""
    done = subprocess.run(
        [sys.executable, str(HERE / program), *map(str, arguments)],
        stdout=subprocess.PIPE,
        env=env,
        check=True,
        timeout=600,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def cpu_of(pid: int) -> float:
    """The CPU seconds of another process so far, to the nanosecond: the clock that clock_getcpuclockid(3) names."""
    return time.clock_gettime((~pid << 3) | 2)


def cpu_of_children(pid: int) -> float:
    """The CPU seconds of a process's children that have ended and were waited for (proc(5), fields 16 and 17)."""
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, values[13:15])) / _TICK


def memory_of(pid: int) -> int:
    """The resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
