"""What was answered is there after the process was killed, and nothing is there by halves."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from argosy.model import ActivityState
from argosy.store import Query
from argosy.store.sqlite import SQLiteStore

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.anyio, pytest.mark.kill]


def run_until_killed(database: Path, point: str, number: int, *, lines: int = 0) -> list[tuple[str, str]]:
    """What it said. With `lines` it is killed from outside, after so many."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.crash", str(database), point, str(number)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = []
    if lines:
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    whole = ("".join(said) + rest).split("\n")[:-1]
    return [(what, id) for what, id in (line.split() for line in whole)]


async def check(database: Path, said: list[tuple[str, str]]) -> int:
    """Everything that was said is there, everything that is there is whole. How many there are."""
    store = SQLiteStore(database)
    await store.open()
    try:
        there, more = await store.page(Query(limit=1_000_000))
        assert more is None
        by_id = {one.id: one for one in there}
        for what, id in said:
            assert id in by_id, (what, id)
            assert what == "created" or by_id[id].version == 2
        for one in there:
            events = await store.events(one.id)
            assert await store.description(one.id) == one.id.encode()
            assert [event.state for event in events] == [ActivityState.PENDING, ActivityState.STAGING_IN][: one.version]
            assert one.state is events[-1].state
        tagged, _ = await store.page(Query(tags=(("a", "b"),), limit=1_000_000))
        assert tagged == there
    finally:
        await store.close()
    db = sqlite3.connect(database)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert {id for (id,) in db.execute("SELECT activity FROM submission_key")} == set(by_id)
    db.close()
    return len(there)


@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
@pytest.mark.parametrize("number", [1, 2, 30])
async def test_killed_at_a_commit(tmp_path: Path, point: str, number: int) -> None:
    database = tmp_path / "argosy.db"
    said = run_until_killed(database, point, number)
    there = await check(database, said)
    if number == 1:
        assert not said
        assert (there > 0) == (point == "after-commit")
    else:
        assert there > 0


async def test_killed_at_any_moment(tmp_path: Path) -> None:
    database = tmp_path / "argosy.db"
    said = []
    for _ in range(4):
        said += run_until_killed(database, "none", 1, lines=random.randint(1, 400))
        assert await check(database, said) >= len(said) / 2
