"""Sweeps in the store: activities and the position behind them are recorded together, and counts follow what ends."""

from __future__ import annotations

import itertools
import resource
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from argosy.model import ActivityState, Conflict
from argosy.model.sweep import SweepState
from argosy.store import (
    Change,
    Created,
    CreatedSweep,
    NewActivity,
    NewSweep,
    Query,
    Store,
    Sweep,
    SweepDocument,
    SweepEvent,
    SweepQuery,
)
from tests.store.making import activity, event, new

pytestmark = pytest.mark.anyio
S = ActivityState
_numbers = itertools.count(1)


def sweep(owner: str = "alice", total: int = 10, **fields: Any) -> Sweep:
    number = next(_numbers)
    made: dict[str, Any] = {"state": SweepState.RUNNING, "version": 0, "created": 50.0 + number, "changed": 0.5}
    return Sweep(id=f"sweep-{number:06d}", owner=owner, total=total, **made | fields)


async def recorded(store: Store, of: Sweep | None = None, **more: Any) -> Sweep:
    of = of or sweep()
    events = (SweepEvent(of.id, 1.0, "created", of.state, by=of.owner),)
    answer = await store.create_sweep(NewSweep(of, SweepDocument("json", True, b"{}"), events, **more))
    assert isinstance(answer, CreatedSweep), answer
    return answer.sweep


def jobs(of: Sweep, start: int, stop: int) -> list[NewActivity]:
    return [new(activity(owner=of.owner, sweep=of.id, parameters={"index": n})) for n in range(start, stop)]


async def test_every_field_comes_back(store: Store) -> None:
    fields: dict[str, Any] = {
        "next": 7, "refused": 1, "finished": 3, "nonzero": 2, "failed": 1, "terminated": 1, "name": "ö", "window": 5,
        "stop_after": 6, "reason": "because", "by": "bob", "purging": True, "final_at": 8.5, "expires": 9.5,
        "worker": "w", "groups": ("g", "h"), "local_account": "ann", "proxy": "p", "share": "s/q",
    }  # fmt: skip
    made = sweep(state=SweepState.FAILED, **fields)
    assert {name for name in Sweep.__dataclass_fields__ if name not in fields} == {
        "id", "owner", "state", "version", "created", "changed", "total",
    }  # fmt: skip
    await recorded(store, made)
    assert await store.sweep(made.id) == made
    assert await store.sweep("sweep-") is None
    assert await store.sweep_document(made.id) == SweepDocument("json", True, b"{}")
    (only,) = await store.sweep_events(made.id)
    assert (only.kind, only.by, only.seq > 0) == ("created", "alice", True)


async def test_activities_and_the_position_move_together_or_not_at_all(store: Store) -> None:
    of = await recorded(store)
    refusal = SweepEvent(of.id, 2.0, "refused", of.state, "no job", index=2)
    moved = await store.expand(of.id, 0, 3, jobs(of, 0, 2), [refusal])
    assert isinstance(moved, Sweep)
    assert (moved.next, moved.refused, moved.made, moved.open) == (3, 1, 2, 2)
    for start, stop in ((0, 3), (2, 4), (4, 5)):  # a repeat, and what would leave a gap
        assert isinstance(await store.expand(of.id, start, stop, jobs(of, start, stop), []), Conflict)
    good, *_ = jobs(of, 3, 4)
    (there,) = (await store.page(Query(sweep=of.id, limit=1)))[0]
    with pytest.raises(ValueError, match="already"):
        await store.expand(of.id, 3, 5, [good, new(activity(there.id, sweep=of.id))], [])
    assert len((await store.page(Query(sweep=of.id)))[0]) == 2
    assert await store.sweep(of.id) == moved
    assert [one.index for one in await store.sweep_events(of.id)] == [None, 2]
    assert isinstance(await store.expand("sweep-none", 0, 1, [], []), Conflict)


async def test_no_activity_is_made_of_a_sweep_that_does_not_run(store: Store) -> None:
    of = await recorded(store)
    held = await store.change_sweep(of.but(state=SweepState.HELD), [])
    assert isinstance(held, Sweep)
    assert isinstance(await store.expand(of.id, 0, 1, jobs(of, 0, 1), []), Conflict)
    await store.change_sweep(held.but(state=SweepState.RUNNING), [])
    assert isinstance(await store.expand(of.id, 0, 1, jobs(of, 0, 1), []), Sweep)


async def test_counts_follow_what_ends_even_what_is_started_again(store: Store) -> None:
    of = await recorded(store)
    made = jobs(of, 0, 5)
    await store.expand(of.id, 0, 5, made, [])
    ways: list[tuple[list[ActivityState], dict[str, Any]]] = [
        ([S.STAGED_IN, S.SUBMITTED, S.LRMS_FINISHED, S.STAGING_OUT, S.STAGED_OUT, S.FINISHED], {"exit_code": code})
        for code in (0, 3)
    ]
    ways += [([S.FAILED], {}), ([S.TERMINATING, S.TERMINATED], {})]
    for one, (path, fields) in zip(made, ways, strict=False):
        of_it = one.activity
        events = tuple(event(of_it.but(state=state)) for state in path)
        (answer,) = await store.change([Change(of_it.but(state=path[-1], **fields), events)])
        assert not isinstance(answer, Conflict)
    now = await store.sweep(of.id)
    assert now is not None
    assert (now.finished, now.nonzero, now.failed, now.terminated, now.open, now.failures) == (2, 1, 1, 1, 1, 2)
    assert await store.sweep_states(of.id) == {"pending": 1}
    # Counts stay when activities go.
    await store.purge([made[0].activity.id], [])
    assert await store.sweep(of.id) == now
    # A change of the sweep that was decided before does not undo them.
    changed = await store.change_sweep(of.but(version=now.version, state=SweepState.TERMINATING), [])
    assert isinstance(changed, Sweep)
    assert (changed.finished, changed.next) == (2, 5)


async def test_a_change_decided_on_an_old_version_or_against_the_states_is_refused(store: Store) -> None:
    of = await recorded(store)
    await store.change_sweep(of.but(name="first"), [])
    assert isinstance(await store.change_sweep(of.but(name="second"), []), Conflict)
    now = await store.sweep(of.id)
    assert now is not None
    with pytest.raises(ValueError, match="cannot go"):
        await store.change_sweep(now.but(state=SweepState.TERMINATED), [])
    assert isinstance(await store.change_sweep(sweep(), []), Conflict)


async def test_a_key_gives_the_first_sweep_and_is_apart_from_those_of_activities(store: Store) -> None:
    first = await recorded(store, key="k", digest=b"1", key_expires=1e9)
    again = await store.create_sweep(
        NewSweep(sweep(), SweepDocument("json", True, b"{}"), (), "k", digest=b"1", key_expires=1e9)
    )
    assert again == CreatedSweep(first, existed=True)
    other = await store.create_sweep(
        NewSweep(sweep(), SweepDocument("json", True, b"{}"), (), "k", digest=b"2", key_expires=1e9)
    )
    assert isinstance(other, Conflict)
    (made,) = await store.create([new(activity(), key="k", digest=b"3", key_expires=1e9)])
    assert isinstance(made, Created)
    assert not made.existed
    await store.remove_sweep(first.id)
    late = await store.create_sweep(
        NewSweep(sweep(), SweepDocument("json", True, b"{}"), (), "k", digest=b"1", key_expires=1e9)
    )
    assert isinstance(late, Conflict)


async def test_pages_are_newest_first_and_those_of_the_owner(store: Store) -> None:
    made = [await recorded(store, sweep(owner)) for owner in ("alice", "bob", "alice", "alice")]
    held = await store.change_sweep(made[2].but(state=SweepState.HELD), [])
    mine, more = await store.sweep_page(SweepQuery("alice", limit=2))
    assert (mine, more) == ([made[3], held], made[2].id)
    assert await store.sweep_page(SweepQuery("alice", after=more, limit=2)) == ([made[0]], None)
    assert await store.sweep_page(SweepQuery("alice", (SweepState.HELD,))) == ([held], None)
    assert len((await store.sweep_page(SweepQuery()))[0]) == 4


async def test_unfinished_and_half_removed_sweeps_are_taken_from_the_dead(store: Store) -> None:
    await store.beat("living", 100.0)
    nobodys = await recorded(store)
    await recorded(store, sweep(worker="living"))
    dead = await recorded(store, sweep(worker="dead"))
    await recorded(store, sweep(state=SweepState.FINISHED, expires=20.0))
    leaving = await recorded(store, sweep(state=SweepState.FINISHED, purging=True))
    taken = await store.take_sweeps("new", 50.0)
    assert [one.id for one in taken] == [nobodys.id, dead.id, leaving.id]
    assert {one.worker for one in taken} == {"new"}
    assert isinstance(await store.change_sweep(dead.but(name="late"), []), Conflict)
    assert len(await store.expired_sweeps(20.0, 10)) == 1
    assert await store.expired_sweeps(19.0, 10) == []


async def test_records_survive(open_store: Callable[[], Awaitable[Store]]) -> None:
    first = await open_store()
    of = await recorded(first)
    await first.expand(of.id, 0, 2, jobs(of, 0, 2), [])
    await first.close()
    second = await open_store()
    now = await second.sweep(of.id)
    assert now is not None
    assert now.next == 2
    assert {one.parameters["index"] for one in (await second.page(Query(sweep=of.id)))[0]} == {0, 1}


async def test_a_hundred_thousand_activities_are_made_in_bounded_memory(store: Store) -> None:
    of = await recorded(store, sweep(total=100_000))
    before = 0
    for start in range(0, 100_000, 500):
        made = await store.expand(of.id, start, start + 500, jobs(of, start, start + 500), [])
        assert isinstance(made, Sweep)
        if start == 10_000:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 * 1024, f"{grown} KiB"
    assert await store.sweep_states(of.id) == {"pending": 100_000}
    page, _ = await store.page(Query(sweep=of.id, states=("pending",), limit=3))
    assert [one.parameters["index"] for one in page] == [99_999, 99_998, 99_997]
