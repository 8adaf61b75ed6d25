"""Does listing cost more when there is more? A page of 50 of many activities, beside the same of few.

    python benchmarks/listing.py [--many 1000000] [--few 1000] [--rounds 300] [--directory D]

Prints microseconds for each filter, medians of rounds that alternate between the two stores.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from argosy.model import ActivityState
from argosy.store import Activity, Query
from argosy.store.sqlite import SQLiteStore
from argosy.store.sqlite.connections import open_writer
from argosy.store.sqlite.queries import SQL
from argosy.store.sqlite.rows import activity_row

_STATES = [ActivityState.FINISHED] * 8 + [ActivityState.FAILED, ActivityState.LRMS_RUNNING]
_EPOCH = 1.7e9
_AT_ONCE = 20_000


def _activity(number: int) -> Activity:
    """One of two owners' activities, one a second, so that each filter finds a page among a thousand."""
    created = _EPOCH + number
    return Activity(
        id=f"{number:032d}",
        owner=f"owner{number % 2}",
        state=_STATES[(number // 2) % len(_STATES)],
        version=1,
        created=created,
        changed=created,
        name="benchmark",
        resource="slurm",
        session=f"/srv/argosy/sessions/{number}",
        tags={"project": f"p{(number // 20) % 5}"},
        reason="ended by itself",
    )


def fill(path: Path, count: int) -> None:
    """A store with so many activities, written as fast as SQLite takes them."""
    db = open_writer(path)
    db.execute("PRAGMA synchronous = OFF")
    for begin in range(0, count, _AT_ONCE):
        some = [_activity(number) for number in range(begin, min(count, begin + _AT_ONCE))]
        db.execute("BEGIN")
        db.executemany(SQL["insert_activity"], [activity_row(one) for one in some])
        db.executemany(
            "INSERT INTO tag (activity, key, value, owner, id) SELECT pk, 'project', ?, owner, id FROM activity "
            "WHERE id = ?",
            [(one.tags["project"], one.id) for one in some],
        )
        db.execute("COMMIT")
    db.close()


def queries(count: int) -> dict[str, Query]:
    """What users list by. `count` is how many there are: times are in the middle of them."""
    middle = _EPOCH + count / 2
    return {
        "owner": Query(owner="owner1"),
        "owner, state": Query(owner="owner1", states=("running",)),
        "owner, rare state": Query(owner="owner1", states=("failed",)),
        "owner, tag": Query(owner="owner1", tags=(("project", "p3"),)),
        "owner, tag, state": Query(owner="owner1", states=("finished",), tags=(("project", "p3"),)),
        "owner, time": Query(owner="owner1", created_before=middle),
        "everybody": Query(),
        "everybody, state": Query(states=("running",)),
        "everybody, tag": Query(tags=(("project", "p3"),)),
        "everybody, time": Query(created_before=middle),
    }


async def measure(few: Path, many: Path, counts: tuple[int, int], rounds: int) -> None:
    """Print the table."""
    stores = [SQLiteStore(few), SQLiteStore(many)]
    for store in stores:
        await store.open()
    both = [queries(count) for count in counts]
    print(f"{'a page of 50 by':<20} {'of ' + str(counts[0]):>12} {'of ' + str(counts[1]):>12}   ratio")
    for name in both[0]:
        taken: list[list[float]] = [[], []]
        found = [len((await store.page(one[name]))[0]) for store, one in zip(stores, both, strict=True)]
        for _ in range(rounds):
            for which, (store, one) in enumerate(zip(stores, both, strict=True)):
                began = time.perf_counter()
                await store.page(one[name])
                taken[which].append(time.perf_counter() - began)
        small, large = (statistics.median(times) * 1e6 for times in taken)
        # Where the small store has fewer than a page, the time is of what there is.
        each = "" if found[0] == found[1] else f"   ({found[0]} and {found[1]} found)"
        print(f"{name:<20} {small:>9.0f} us {large:>9.0f} us   {large / small:.2f}{each}")
    for which, store in enumerate(stores):
        began = time.perf_counter()
        await store.states("owner1")
        one = time.perf_counter() - began
        await store.states(None)
        every = time.perf_counter() - began - one
        print(f"counts by state of {counts[which]}: owner {one * 1e3:.1f} ms, everybody {every * 1e3:.1f} ms")
        await store.close()


def main() -> None:
    """Make the stores, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as scratch:
        few, many = Path(scratch, "few.db"), Path(scratch, "many.db")
        fill(few, options.few)
        fill(many, options.many)
        asyncio.run(measure(few, many, (options.few, options.many), options.rounds))


if __name__ == "__main__":
    main()
