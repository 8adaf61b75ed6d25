"""Workers' leases, events, listeners, the outbox."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from argosy.model import ActivityState, Conflict
from argosy.store import Activity, Change, Event, Store
from tests.store.making import activity, change, event, new

pytestmark = pytest.mark.anyio
S = ActivityState


async def test_take_gives_each_activity_to_one_worker(store: Store) -> None:
    made = [activity() for _ in range(5)]
    await store.create([new(one) for one in reversed(made)])
    await store.create([new(activity(state=S.FINISHED))])
    for worker in ("v", "w"):
        await store.beat(worker, 100.0)
    first = await store.take("v", 0.0, 3)
    assert first == [one.but(worker="v", version=2) for one in made[:3]]
    assert await store.take("w", 0.0, 9) == [one.but(worker="w", version=2) for one in made[3:]]
    assert await store.take("w", 0.0, 9) == []
    assert await store.get([one.id for one in made[:3]]) == {one.id: one for one in first}


async def test_a_dead_worker_is_fenced_off(store: Store) -> None:
    await store.create([new()])
    await store.beat("dead", 10.0)
    await store.beat("alive", 1000.0)
    (mine,) = await store.take("dead", 0.0, 1)
    assert await store.take("alive", 10.0, 1) == []
    (theirs,) = await store.take("alive", 10.5, 1)
    assert theirs.id == mine.id
    (answer,) = await store.change([change(mine, state=S.STAGING_IN)])
    assert isinstance(answer, Conflict)
    (answer,) = await store.change([change(theirs, state=S.STAGING_IN)])
    assert isinstance(answer, Activity)


async def test_whoever_is_alone_may_take_everything(store: Store) -> None:
    await store.create([new()])
    await store.beat("dead", 1000.0)
    assert len(await store.take("dead", 0.0, 9)) == 1
    await store.retire_all()
    await store.beat("alone", 1000.0)
    assert len(await store.take("alone", 0.0, 9)) == 1


async def test_a_promise_to_live_is_not_taken_back(store: Store) -> None:
    await store.create([new(activity(worker="v"))])
    await store.beat("v", 100.0)
    await store.beat("v", 50.0)
    assert await store.take("w", 100.0, 1) == []
    assert len(await store.take("w", 100.5, 1)) == 1


async def test_a_retired_worker_leaves_its_work_at_once(store: Store) -> None:
    await store.create([new(), new()])
    await store.beat("v", 100.0)
    await store.beat("w", 100.0)
    assert len(await store.take("v", 0.0, 5)) == 2
    await store.retire("v")
    assert len(await store.take("w", 0.0, 1)) == 1
    assert len(await store.take("w", 0.0, 5)) == 1
    await store.retire("unknown")


async def test_a_worker_that_nobody_has_heard_of_is_dead(store: Store) -> None:
    made = [activity(worker=worker) for worker in ("x", None, "y", "v", "x")]
    await store.create([new(one) for one in made])
    await store.beat("y", 100.0)
    await store.beat("v", 100.0)
    taken = await store.take("v", 0.0, 9)
    assert [one.id for one in taken] == [made[0].id, made[1].id, made[4].id]


async def test_finished_work_is_nobodys(store: Store) -> None:
    made = activity(state=S.TERMINATING, worker="gone")
    await store.create([new(made)])
    await store.change([change(made, state=S.TERMINATED)])
    assert await store.take("v", 0.0, 9) == []


async def test_two_processes_share_the_work(open_store: Any) -> None:
    one, other = await open_store(), await open_store()
    await one.create([new() for _ in range(300)])
    await asyncio.gather(one.beat("one", 100.0), other.beat("other", 100.0))

    # Who comes first may take all that follows; the first takes are one each.
    started = await asyncio.gather(one.take("one", 0.0, 7), other.take("other", 0.0, 7))
    assert [len(taken) for taken in started] == [7, 7]

    async def work(store: Store, worker: str) -> list[str]:
        mine: list[str] = []
        while taken := await store.take(worker, 0.0, 7):
            mine += [activity.id for activity in taken]
        return mine

    lists = await asyncio.gather(work(one, "one"), work(other, "other"))
    every = [activity.id for taken in started for activity in taken] + lists[0] + lists[1]
    assert len(set(every)) == len(every) == 300


async def test_two_processes_race_on_changes(open_store: Any) -> None:
    stores = [await open_store(), await open_store()]
    made = activity()
    await stores[0].create([new(made)])
    won: list[int] = []

    async def count_up(store: Store, goal: int) -> int:
        refused = 0
        while (now := (await store.get([made.id]))[made.id]).version <= goal:
            (answer,) = await store.change([change(now, exit_code=(now.exit_code or 0) + 1)])
            if isinstance(answer, Conflict):
                refused += 1
            else:
                won.append(answer.version)
        return refused

    await asyncio.gather(*(count_up(store, 100) for store in stores for _ in range(3)))
    final = (await stores[1].get([made.id]))[made.id]
    # Every change that was answered with a record is there, and each was decided on the one before.
    assert sorted(won) == list(range(2, final.version + 1))
    assert final.exit_code == final.version - 1
    assert len(await stores[0].events(made.id)) == final.version


async def test_what_one_process_wrote_the_other_reads(open_store: Any) -> None:
    one, other = await open_store(), await open_store()
    for _ in range(20):
        made = activity()
        await one.create([new(made)])
        assert await other.get([made.id]) == {made.id: made}
        assert await other.get([made.id] * 9) == {made.id: made}


# -- events ------------------------------------------------------------------------------------------


async def test_events_come_back_in_order(store: Store) -> None:
    made = activity()
    full = event(made, "unavailable", message="m\n'", by="bob", detail={"a": [1, None, "ü"]})
    await store.create([new(made)])
    await store.change([change(made, state=S.HELD)])
    await store.change([Change(made.but(version=2, state=S.HELD), (full, full))])
    found = await store.events(made.id)
    assert [one.seq for one in found] == sorted({one.seq for one in found})
    assert len(found) == 4
    assert found[2] == Event(
        made.id, made.changed, "unavailable", made.state, full.message, "bob", full.detail, found[2].seq
    )
    assert await store.events(made.id, after=found[1].seq) == found[2:]
    assert await store.events(made.id, after=found[1].seq, limit=1) == found[2:3]
    assert await store.last_seq() == found[-1].seq


async def test_feed(store: Store) -> None:
    assert await store.last_seq() == 0
    owners = ["a", "b", "a", "c", "b"]
    made = [activity(owner=owner) for owner in owners]
    for one in made:
        await store.create([new(one)])
    everything = await store.feed(None, after=0)
    assert [one.activity for one in everything] == [one.id for one in made]
    assert await store.feed("b", after=0) == [everything[1], everything[4]]
    assert await store.feed("b", after=everything[1].seq) == [everything[4]]
    assert await store.feed(None, after=everything[0].seq, limit=2) == everything[1:3]
    assert await store.feed("nobody", after=0) == []


async def test_a_seq_is_never_given_twice(store: Store) -> None:
    first = activity(state=ActivityState.FINISHED)
    await store.create([new(first)])
    (told,) = await store.events(first.id)
    await store.purge([first.id], [])
    second = activity()
    await store.create([new(second)])
    assert (await store.events(second.id))[0].seq > told.seq


async def test_listeners_hear_of_each_commit_before_its_callers(store: Store) -> None:
    heard: list[Event] = []
    records: dict[str, Activity] = {}

    def listener(events: Sequence[Event], about: dict[str, Activity]) -> None:
        heard.extend(events)
        records.update(about)

    stop = store.subscribe(listener)
    made = [activity() for _ in range(60)]

    async def create(one: Activity) -> bool:
        await store.create([new(one)])
        return one.id in records

    assert all(await asyncio.gather(*(create(one) for one in made)))
    (after,) = await store.change([change(made[0], state=S.HELD)])
    await store.change([change(made[0], state=S.HELD)])  # refused: no event
    await store.beat("w", 1.0)
    assert heard == await store.feed(None, after=0)
    assert records == {one.id: one for one in made} | {made[0].id: after}
    stop()
    stop()
    await store.create([new()])
    assert len(heard) == 61


async def test_listeners_do_not_hear_of_what_failed(store: Store) -> None:
    heard: list[Event] = []
    first = activity()
    await store.create([new(first)])
    store.subscribe(lambda events, _: heard.extend(events))
    with pytest.raises(ValueError, match="already"):
        await store.create([new(), new(activity(first.id)), new()])
    assert len(heard) == 2
    assert heard == (await store.feed(None, after=0))[1:]


async def test_a_failing_listener_is_told_of_and_hurts_nobody(store: Store) -> None:
    told: list[dict[str, Any]] = []
    heard: list[Event] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    def bad(*_: object) -> None:
        raise RuntimeError("listener")

    store.subscribe(bad)
    store.subscribe(lambda events, _: heard.extend(events))
    assert len(await store.create([new()])) == 1
    assert len(heard) == 1
    assert [str(context["exception"]) for context in told] == ["listener"]
    asyncio.get_running_loop().set_exception_handler(None)


# -- outbox ------------------------------------------------------------------------------------------


async def test_chores_stay_until_they_are_done(store: Store) -> None:
    await store.purge([], [("k", {"n": number}) for number in range(4)])
    chores = await store.chores(0.0, 10)
    assert [chore.payload["n"] for chore in chores] == [0, 1, 2, 3]
    assert await store.chores(0.0, 2) == chores[:2]
    await store.chore_done([chores[0].id, chores[2].id])
    await store.chore_done([])
    await store.chore_later(chores[1].id, 50.0)
    await store.chore_later(chores[1].id, 60.0)
    assert await store.chores(59.0, 10) == [chores[3]]
    (first, second) = await store.chores(60.0, 10)
    assert (first, second.attempts, second.due) == (chores[3], 2, 60.0)
