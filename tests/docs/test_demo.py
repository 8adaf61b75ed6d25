"""What `make demo` runs: its exact energies, its Monte Carlo, and the whole of it."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / "ising" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


exact, ising = load("exact"), load("ising")


def energy_of(lattice: list[list[int]]) -> int:
    size = len(lattice)
    return -sum(
        lattice[row][column] * (lattice[(row + 1) % size][column] + lattice[row][(column + 1) % size])
        for row in range(size)
        for column in range(size)
    )


@pytest.mark.parametrize("temperature", [1.0, 2.0, exact.CRITICAL, 2.5, 5.0])
def test_the_finite_lattice_is_the_sum_over_all_states(temperature: float) -> None:
    size, total, weighted = 3, 0.0, 0.0
    for state in range(2 ** (size * size)):
        spins = [[1 if state >> (row * size + column) & 1 else -1 for column in range(size)] for row in range(size)]
        energy = energy_of(spins)
        weight = math.exp(-energy / temperature)
        total += weight
        weighted += energy * weight
    assert exact.kaufman(temperature, size) == pytest.approx(weighted / total / size**2, abs=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 3.0, 5.0])
def test_a_large_lattice_is_the_infinite_one(temperature: float) -> None:
    assert exact.kaufman(temperature, 64) == pytest.approx(exact.onsager(temperature), abs=1e-6)


def test_the_energy_at_the_critical_temperature_is_onsagers() -> None:
    assert exact.onsager(exact.CRITICAL) == pytest.approx(-math.sqrt(2), abs=1e-9)


def test_neighbours_and_energy_are_those_of_a_lattice_of_numbers() -> None:
    lattice = ising.Lattice(6, 2.0, seed=1)
    for _ in range(20):
        lattice.sweep()
        spins = [[1 if lattice.spins >> (row * 6 + column) & 1 else -1 for column in range(6)] for row in range(6)]
        assert lattice.energy() * 36 == pytest.approx(energy_of(spins))


def test_chances_are_as_often_as_they_should_be() -> None:
    lattice = ising.Lattice(32, 2.0, seed=2)
    ones = sum(lattice.chances().bit_count() for _ in range(400))
    p, count = math.exp(-2.0), 400 * 1024
    assert abs(ones - p * count) < 5 * math.sqrt(p * (1 - p) * count)


def test_the_demo_runs_and_is_right(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ARGOSY_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(tmp_path / "examples" / "demo.py")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All agree." in done.stdout
    results = sorted((tmp_path / ".demo" / "results").glob("*/result.json"))
    assert len(results) == 6
    assert all(json.loads(path.read_text())["error"] < 0.01 for path in results)
    assert (tmp_path / ".demo").stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / ".demo" / "service" / "endpoint.json").exists()
    left = [line for line in _processes() if str(tmp_path) in line]
    assert not left


def _processes() -> list[str]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return lines
