"""Every requirement has its row, and what is to show it is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NODE = re.compile(r"`(tests/[\w/]+\.py::\w+(?:\[[^`]*\])?)`")

#: The parts of the seeds: CAN-01, the use cases, the GES requirements and Rimrock.
_REQUIREMENTS = """
000.step.1 000.step.2 000.step.3 000.exception.1 000.exception.2 000.exception.3
000.acceptance.1 000.acceptance.2 000.acceptance.3 000.acceptance.4 000.acceptance.5
001.uc1.1-2 001.uc1.3 001.uc1.4 001.uc1.5 001.uc1.6 001.uc1.3a 001.uc1.4-6a 001.uc1.4a 001.uc1.5a 001.uc1.5b
001.uc1.special.1 001.uc1.special.2 001.uc1.special.3
001.uc2.1 001.uc2.2 001.uc2.3 001.uc2.2a 001.uc2.2b 001.uc2.2c 001.uc2.special.1 001.uc2.special.2
001.uc3.1 001.uc3.2 001.uc3.3 001.uc3.2a 001.uc3.2b 001.uc3.2c 001.uc3.2d 001.uc3.special.1 001.uc3.special.2
002.3.1.1 002.3.1.2 002.3.1.3 002.3.1.4 002.3.1.5 002.3.1.6 002.3.1.7 002.3.1.8 002.3.2.1 002.3.2.2 002.3.3 002.3.4
002.3.5 002.3.6 002.3.6.1 002.3.6.2 002.3.6.3 002.3.6.4 002.3.6.5 002.3.6.6 002.3.7 002.3.8 002.3.9
002.4 002.5.1 002.5.2 002.5.3
004.auth 004.post 004.list 004.get 004.delete 004.abort 004.process
"""

#: The pages of interfaces (CAN-01, first acceptance).
INTERFACES = ["cli", "data", "library", "notifications", "psij", "remote", "rest", "rimrock", "staging", "sweeps"]


def rows() -> dict[str, list[str]]:
    found = {}
    for line in (ROOT / "docs" / "requirements.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if re.match(r"\d{3}\.", cells[0].lstrip("| ")):
            assert cells[0] not in found, cells[0]
            found[cells[0].lstrip("| ")] = cells[1:]
    return found


def _named() -> set[str]:
    pages = [ROOT / "docs" / "requirements.md", ROOT / "docs" / "guarantees.md"]
    return {node for page in pages for node in NODE.findall(page.read_text("utf-8"))}


def test_every_requirement_has_its_row() -> None:
    there = rows()
    for wanted in _REQUIREMENTS.split():
        assert any(name == wanted or name.startswith(f"{wanted}.") for name in there), wanted
    for name, cells in there.items():
        assert len(cells) == 3, name
        asked, answered, shown = cells
        assert asked, name
        assert answered, name
        assert NODE.findall(shown), f"{name} is shown by nothing"
        for place in re.findall(r"`([a-z][\w/]*(?:\.py|/))`", answered):
            assert (ROOT / "src" / "argosy" / place).exists(), f"{name}: {place}"


def test_what_is_to_show_them_is_there() -> None:
    wanted = _named()
    assert len(wanted) > 100
    files = sorted({node.partition("::")[0] for node in wanted})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    there = set(done.stdout.splitlines())
    there |= {line.partition("[")[0] for line in there}
    assert not wanted - there


@pytest.mark.parametrize("name", INTERFACES)
def test_every_interface_says_what_can_be_relied_on(name: str) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text("utf-8")
    section = re.search(r"^## What can be relied on\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    assert section is not None
    text = section[1]
    for word in ("Performance", "Limits", "Reliability", "Availability", "Consistency"):
        assert f"**{word}.**" in text, f"{name}: {word}"
