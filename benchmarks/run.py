"""All measurements: python benchmarks/run.py [--quick] [--only NAME...] [--json FILE] [--plots DIRECTORY]

Prints a table in which each figure stands beside something measured in the same rounds, and writes the raw figures and
plots to benchmarks/results. `store.py` measures the store alone, by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import growth
import identity
import importing
import local_library
import notifying
import plots
import psij_library
import rest
import slurm_library
import staging
import tracking
import whole
from measuring import HERE, Found, NotHere, Options, Row, spread

MEASUREMENTS: dict[str, Callable[[Options], Found]] = {
    "import": importing.measure,
    "local": local_library.measure,
    "slurm": slurm_library.measure,
    "psij": psij_library.measure,
    "tracking": tracking.measure,
    "rest": rest.measure,
    "identity": identity.measure,
    "service": whole.measure,
    "growth": growth.measure,
    "notifying": notifying.measure,
    "staging": staging.measure,
}


def main() -> None:
    """Take the measurements that were asked for."""
    parser = argparse.ArgumentParser(description="Measure Argosy beside what its work costs without it.")
    parser.add_argument("--quick", action="store_true", help="fewer jobs and rounds: about two minutes")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, metavar="NAME", default=list(MEASUREMENTS))
    parser.add_argument("--json", type=Path, default=HERE / "results" / "figures.json", help="where raw figures go")
    parser.add_argument("--plots", type=Path, default=HERE / "results", help="where plots go")
    arguments = parser.parse_args()
    results: dict[str, Found] = {}
    with tempfile.TemporaryDirectory(prefix="argosy-benchmark-") as scratch:
        options = Options(quick=arguments.quick, scratch=Path(scratch))
        for name in arguments.only:
            begin = time.monotonic()
            try:
                results[name] = MEASUREMENTS[name](options)
            except NotHere as why:
                results[name] = Found(notes=[str(why)])
            show(name, results[name], time.monotonic() - begin)
    write(arguments.json, results, quick=arguments.quick)
    try:
        drawn = plots.draw(results, arguments.plots)
    except NotHere as why:
        print(why)
    else:
        print(f"{len(drawn)} plots in {arguments.plots}")


def show(name: str, found: Found, seconds: float) -> None:
    """Print one measurement's table."""
    print(f"\n{name} ({seconds:.0f} s)")
    widest = max((len(f"{row.what} [{row.unit}]") for row in found.rows), default=0)
    print(f"{'':{widest}}  {'ours':>26}  {'reference':>10}  {'ratio':>20}  against, target")
    for row in found.rows:
        print(f"{f'{row.what} [{row.unit}]':{widest}}  {_figures(row)}")
    for note in found.notes:
        print(f"  {note}")
    print(flush=True)


def _figures(row: Row) -> str:
    ours = _three(row.ours)
    target = f"target {row.target}" if row.target else ""
    if not row.reference:
        return f"{ours:>26}  {'':10}  {'':20}  {target}".rstrip()
    reference = _short(spread(row.reference)[1])
    words = ", ".join(word for word in (row.against, target) if word)
    return f"{ours:>26}  {reference:>10}  {_three(row.ratios()):>20}  {words}"


def _three(values: list[float]) -> str:
    """The least, the median and the greatest; one alone as it is."""
    if len(values) == 1:
        return _short(values[0])
    return " / ".join(map(_short, spread(values)))


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write(file: Path, results: dict[str, Found], *, quick: bool) -> None:
    """The raw figures, with what they were taken on."""
    machine = {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpus": len(os.sched_getaffinity(0)),
        "load": os.getloadavg(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "quick": quick,
    }
    found = {name: one.plain() for name, one in results.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"machine": machine, "results": found}, indent=1) + "\n")
    print(f"raw figures in {file}")


if __name__ == "__main__":
    main()
