"""How fast the store is.

    python benchmarks/store.py [--rows N] [--seconds S] [--directory D]

Prints creates and changes a second at several numbers of concurrent callers and in vectors, each beside one commit for
each operation with bare sqlite3, the same rows on the same disk, measured directly before it; then a page of 50 of few
and of many activities.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from argosy.model import ActivityState
from argosy.store import Activity, Change, Event, NewActivity, Query
from argosy.store.sqlite import SQLiteStore, creating, operations
from argosy.store.sqlite.connections import open_writer
from argosy.store.sqlite.outbox import Audience
from argosy.store.sqlite.writer import Step, Written

DESCRIPTION = b'{"executable": "/bin/date", "arguments": ["-u"], "environment": {"A": "' + b"x" * 700 + b'"}}'
numbers = itertools.count(1)


def made(state: ActivityState = ActivityState.PENDING, owner: str = "alice", tags: int = 1) -> NewActivity:
    number = next(numbers)
    now = 1.7e9 + number / 10
    activity = Activity(
        id=f"{number:026d}",
        owner=owner,
        state=state,
        version=1,
        created=now,
        changed=now,
        name="benchmark",
        resource="slurm",
        session=f"/srv/argosy/sessions/{number}",
        tags={"project": f"p{number % 100}"} if tags else {},
    )
    event = Event(activity.id, now, "state", state, "created")
    return NewActivity(activity, DESCRIPTION, (event,), key=str(number), digest=b"d" * 32, key_expires=now + 86400)


def changed(activity: Activity) -> Change:
    # Back and forth: a job in the batch system goes from any of its states to any other.
    state = ActivityState.SUBMITTED if activity.state is ActivityState.QUEUED else ActivityState.QUEUED
    new = activity.but(state=state, native_id="4711", changed=activity.changed + 1)
    return Change(new, (Event(new.id, new.changed, "state", new.state, "seen in the queue"),))


class OnePerOperation:
    """The same rows with a commit for each operation: bare sqlite3, no thread, no queue, no event loop."""

    def __init__(self, path: Path) -> None:
        self.db = open_writer(path)
        self.activities: list[Activity] = []

    def create(self) -> None:
        new = made(ActivityState.SUBMITTED)
        self.commit(creating.create([new]))
        self.activities.append(new.activity)

    def change(self) -> None:
        after = self.commit(operations.change(changed(self.activities.pop())))
        self.activities.insert(0, after)

    def commit(self, step: Step) -> Any:
        self.db.execute("BEGIN IMMEDIATE")
        answer = step(Written(self.db, Audience()))
        self.db.execute("COMMIT")
        return answer

    def rate(self, operation: Callable[[], None], seconds: float) -> float:
        done, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < seconds:
            operation()
            done += 1
        return done / passed


async def rate(operation: Callable[[], Awaitable[int]], callers: int, seconds: float) -> float:
    start = time.perf_counter()
    done = 0

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() - start < seconds:
            number = await operation()  # not `done += await ...`, which reads `done` before it waits
            done += number

    await asyncio.gather(*(caller() for _ in range(callers)))
    return done / (time.perf_counter() - start)


async def writes(directory: Path, seconds: float) -> None:
    store = SQLiteStore(directory / "argosy.db")
    await store.open()
    store.subscribe(lambda events, records: None)
    bare = OnePerOperation(directory / "bare.db")
    print(f"{'':24}{'creates/s':>12}{'x bare':>9}{'changes/s':>12}{'x bare':>9}")
    for callers, vector in ((1, 1), (32, 1), (128, 1), (1, 100), (1, 1000)):
        waiting: list[Activity] = []

        async def create(vector: int = vector, waiting: list[Activity] = waiting) -> int:
            answers = await store.create([made(ActivityState.SUBMITTED) for _ in range(vector)])
            waiting.extend(answer.activity for answer in answers)
            return vector

        async def change(vector: int = vector, waiting: list[Activity] = waiting) -> int:
            taken, waiting[:vector] = waiting[:vector], []
            answers = await store.change([changed(one) for one in taken])
            waiting.extend(answers)
            return vector

        base = bare.rate(bare.create, seconds / 2)
        creates = await rate(create, callers, seconds)
        base_change = bare.rate(bare.change, seconds / 2)
        changes = await rate(change, callers, seconds)
        label = f"{callers} callers" if vector == 1 else f"vectors of {vector}"
        print(f"{label:24}{creates:12.0f}{creates / base:8.1f}x{changes:12.0f}{changes / base_change:8.1f}x")
    bare.db.close()
    await store.close()


async def fill(store: SQLiteStore, rows: int) -> None:
    states = list(ActivityState)
    for start in range(0, rows, 2000):
        await store.create(
            [made(states[n % len(states)], f"owner{n % 20}") for n in range(start, min(start + 2000, rows))]
        )


async def listings(directory: Path, rows: int) -> None:
    queries = {
        "all": Query(),
        "owner": Query(owner="owner3"),
        "owner, running": Query(owner="owner3", states=("running",)),
        "finished": Query(states=("finished",)),
        "owner, tag": Query(owner="owner3", tags=(("project", "p4"),)),
    }
    timed: dict[int, dict[str, float]] = {}
    for size in (1000, rows):
        store = SQLiteStore(directory / f"list{size}.db")
        await store.open()
        start = time.perf_counter()
        await fill(store, size)
        print(f"filled with {size} in {time.perf_counter() - start:.1f} s")
        middle = f"{next(numbers) - size // 2:026d}"
        cases = {**queries, "owner, from the middle": Query(owner="owner3", after=middle)}
        cases["owner, created before"] = Query(owner="owner3", created_before=1.7e9 + int(middle) / 10)
        timed[size] = {name: await page_time(store, query) for name, query in cases.items()}
        timed[size]["get, by id"] = await get_time(store, middle)
        await store.close()
    print(f"{'a page of 50, ms':24}{'of 1000':>12}{f'of {rows}':>12}{'ratio':>9}")
    for name, small in timed[1000].items():
        large = timed[rows][name]
        print(f"{name:24}{small * 1e3:12.3f}{large * 1e3:12.3f}{large / small:8.2f}x")


async def page_time(store: SQLiteStore, query: Query) -> float:
    taken = []
    for _ in range(100):
        start = time.perf_counter()
        await store.page(query)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


async def get_time(store: SQLiteStore, id: str) -> float:
    taken = []
    for _ in range(500):
        start = time.perf_counter()
        await store.get([id])
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


async def main() -> None:
    parser = argparse.ArgumentParser(description="How fast the store is.")
    parser.add_argument("--rows", type=int, default=200_000, help="how many activities to list from")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each rate is measured")
    parser.add_argument("--directory", type=Path, help="where the databases go; a disk like the service's")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        await writes(Path(directory), arguments.seconds)
        await listings(Path(directory), arguments.rows)


if __name__ == "__main__":
    asyncio.run(main())
