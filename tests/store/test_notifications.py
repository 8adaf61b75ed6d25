"""What is to be told is recorded with the event, whoever recorded the subscription; order and purge."""

from __future__ import annotations

from typing import Any

import pytest

from argosy.model import ActivityState, Conflict, LimitExceeded, NotFound
from argosy.model.webhooks import new_secret
from argosy.store import Activity, Store, Subscription
from tests.store.conftest import Opener
from tests.store.making import activity, change, new

pytestmark = pytest.mark.anyio

HOST = "https://h:443"
FAR = 1e12


def subscription(id: str, **more: Any) -> Subscription:
    fields: dict[str, Any] = {"owner": "alice", "url": f"https://h/{id}", "host": HOST, "secret": new_secret()}
    return Subscription(id, created=1.0, **fields | more)


async def move(store: Store, one: Activity, state: ActivityState) -> Activity:
    (moved,) = await store.change([change(one, state=state)])
    assert isinstance(moved, Activity), moved
    return moved


async def due(store: Store) -> list[tuple[str, str]]:
    return [(one.subscription, one.event.state) for one in await store.due(HOST, FAR, 100)]


async def test_another_process_that_subscribes_is_seen(open_store: Opener) -> None:
    first, second = await open_store(), await open_store()
    one = activity()
    await first.create([new(one)])
    await second.add_subscription(subscription("s"), 10)
    await move(first, one, ActivityState.STAGED_IN)
    assert await due(second) == [("s", ActivityState.STAGED_IN)]


async def test_only_the_owner_is_told_and_only_of_what_fits(store: Store) -> None:
    one, bobs = activity(tags={"k": "v"}, resource="r", name="n"), activity(owner="bob", tags={"k": "v"})
    for made in (
        subscription("all"),
        subscription("tagged", tags={"k": "v"}),
        subscription("other-tag", tags={"k": "w"}),
        subscription("elsewhere", resource="s"),
        subscription("named", name="n", resource="r"),
        subscription("final", states=("final",)),
        subscription("lrms", states=("running:lrms",)),
        subscription("reasons", kinds=("reason",)),
        subscription("any", kinds=("*",)),
    ):
        await store.add_subscription(made, 100)
    await store.create([new(one), new(bobs)])
    assert sorted(id for id, _ in await due(store)) == ["all", "any", "named", "tagged"]


async def test_a_creation_brings_its_subscriptions_and_a_repeat_does_not(store: Store) -> None:
    one = activity()
    mine = subscription("s", activity=one.id)
    made = new(one, key="k", digest=b"d", key_expires=FAR, subscriptions=(mine,))
    (first,) = await store.create([made])
    (again,) = await store.create([made])
    assert not isinstance(first, Conflict)
    assert not isinstance(again, Conflict)
    assert (first.subscriptions, again.subscriptions) == ((mine,), ())
    assert await store.subscriptions("alice", activity=one.id) == [mine]
    assert await store.subscriptions("bob", activity=one.id) == []
    assert await due(store) == [("s", ActivityState.PENDING)]


async def test_a_line_goes_one_by_one_whatever_becomes_of_the_first(store: Store) -> None:
    one, other = activity(), activity()
    await store.add_subscription(subscription("s"), 10)
    await store.create([new(one), new(other)])
    for state in (ActivityState.STAGED_IN, ActivityState.TERMINATING, ActivityState.TERMINATED):
        one = await move(store, one, state)
    first, others = await store.due(HOST, FAR, 100)
    assert (first.activity.id, others.activity.id) == (one.id, other.id)
    await store.put_off(first.number, FAR - 1, "no")
    assert [each.number for each in await store.due(HOST, FAR - 2, 100)] == [others.number]
    assert await store.next_due(HOST, FAR - 2) == FAR - 1
    await store.delivered(first.number)
    await store.delivered(first.number)  # once more: nothing is left of it
    (second,) = [each for each in await store.due(HOST, FAR, 100) if each.activity.id == one.id]
    assert second.event.state is ActivityState.STAGED_IN
    await store.give_up(second.number, 5.0, "never")
    (third,) = [each for each in await store.due(HOST, FAR, 100) if each.activity.id == one.id]
    assert third.event.state is ActivityState.TERMINATING
    assert await store.resend("bob", [second.number], 6.0) == [False]
    assert await store.resend("alice", [second.number, 999], 6.0) == [True, False]
    assert second.number not in [each.number for each in await store.due(HOST, FAR, 100)]
    await store.delivered(third.number)
    (again,) = [each for each in await store.due(HOST, FAR, 100) if each.activity.id == one.id]
    assert (again.number, again.attempts, again.id) == (second.number, 0, second.id)


async def test_a_purge_leaves_what_is_not_delivered_and_nothing_else(store: Store) -> None:
    done, waiting = activity(), activity()
    await store.create(
        [
            new(one, subscriptions=(subscription(f"s-{one.id}", activity=one.id, states=("final",)),))
            for one in (done, waiting)
        ]
    )
    for one in (done, waiting):
        await move(store, await move(store, one, ActivityState.TERMINATING), ActivityState.TERMINATED)
    first, _ = await store.due(HOST, FAR, 100)
    await store.delivered(first.number)
    await store.purge([done.id, waiting.id], [])
    assert await store.subscriptions("alice", activity=first.activity.id) == []
    (left,) = await store.due(HOST, FAR, 100)
    (ended,) = await store.subscriptions("alice", activity=left.activity.id)
    assert ended.why == "its activity was purged"
    await store.trim_outbox(FAR, before=FAR, most_dead=10, most_waiting=10)
    assert await due(store)  # what waits is not tidied away with its subscription
    await store.delivered(left.number)
    await store.trim_outbox(FAR, before=FAR, most_dead=10, most_waiting=10)
    assert await store.subscriptions("alice") == []


async def test_limits_and_what_is_not_there(store: Store) -> None:
    one = activity()
    await store.create([new(one)])
    for number in range(3):
        await store.add_subscription(subscription(f"a{number}"), 3)
        await store.add_subscription(subscription(f"b{number}", activity=one.id), 3)
    with pytest.raises(LimitExceeded):
        await store.add_subscription(subscription("x"), 3)
    with pytest.raises(LimitExceeded):
        await store.add_subscription(subscription("x", activity=one.id), 3)
    with pytest.raises(NotFound):
        await store.add_subscription(subscription("x", owner="bob", activity=one.id), 3)
    assert not await store.remove_subscription("bob", "a0")
    assert await store.remove_subscription("alice", "a0")
    await store.end_subscription("a1", 2.0, "gone")
    await store.add_subscription(subscription("y"), 2)
    page = await store.subscriptions("alice", limit=3)
    assert [each.id for each in page] == ["y", "b2", "b1"]
    assert [each.id for each in await store.subscriptions("alice", after="b1")] == ["b0", "a2", "a1"]
