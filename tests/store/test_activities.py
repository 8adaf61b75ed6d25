"""Creating, reading, changing and purging activities."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from argosy.model import ActivityState, Conflict, InvalidInput, Outcome, Unavailable, Usage
from argosy.model.actions import Action
from argosy.model.activity import FINAL, RESTARTS, TRANSITIONS
from argosy.store import Activity, Change, Created, Event, NewActivity, Query, Store, Wish
from tests.store.making import activity, change, event, new

pytestmark = pytest.mark.anyio
S = ActivityState

FULL: dict[str, Any] = {
    "name": "näme 'quoted' \"twice\"\n\0",
    "resource": "slurm",
    "queue": "long",
    "session": "/srv/argosy/a",
    "intended": 1.5,
    "native_id": "4711",
    "submitted": 2.25,
    "started": 3.125,
    "ended": 4.0625,
    "exit_code": -3,
    "signal": 9,
    "reason": "because of 🦆",
    "hosts": ("n1", "n2"),
    "start_estimate": 7.5,
    "usage": Usage(cpu_seconds=1.5, wall_seconds=2.5, max_rss=1 << 40),
    "final_at": 9.5,
    "expires": 10.5,
    "worker": "w",
    "tags": {"project": "x", "ünï": "'; DROP TABLE activity; --"},
    "terminate_by": "bob",
    "sweep": "sweep-1",
    "parameters": {"index": 3, "a": "x", "b": 0.5, "c": True},
    "noted": 1234.5,
    "failed_in": S.STAGING_OUT,
    "outcome": Outcome.TIMEOUT,
    "waiting_for": "credential",
    "restarts": 2,
    "earlier": ("12", "13[4]"),
    "wish": Wish(Action.HOLD, "bob", 1235.5, True, "slurmctld is away"),
    "waiting_since": 12.5,
    "groups": ("staff",),
    "local_account": "argosy-a",
    "environments": ("python-3.11",),
    "credentials": ("credential-1",),
    "cores": 8,
    "nodes": 2,
    "processes": 4,
    "account": "project",
}


async def created(store: Store, **fields: Any) -> Activity:
    (answer,) = await store.create([new(activity(**fields))])
    assert isinstance(answer, Created)
    return answer.activity


async def test_every_field_comes_back(store: Store) -> None:
    made = activity(**FULL)
    missing = set(Activity.__struct_fields__) - set(FULL) - {"id", "owner", "state", "version", "created", "changed"}
    assert not missing
    assert await store.create([new(made, b"\x00description")]) == [Created(made)]
    assert await store.get([made.id]) == {made.id: made}
    assert await store.description(made.id) == b"\x00description"


async def test_every_field_can_be_changed(store: Store) -> None:
    made = await created(store)
    after = made.but(**FULL, changed=99.0, state=S.FAILED)
    assert await store.change([Change(after)]) == [after.but(version=2)]
    assert await store.get([made.id]) == {made.id: after.but(version=2)}
    bare = made.but(version=2, state=S.FAILED)
    assert await store.change([Change(bare)]) == [bare.but(version=3)]
    assert await store.get([made.id]) == {made.id: bare.but(version=3)}


async def test_what_is_not_there(store: Store) -> None:
    assert await store.get([]) == {}
    assert await store.get(["none"]) == {}
    assert await store.description("none") is None
    assert await store.events("none") == []
    assert await store.create([]) == []
    assert await store.change([]) == []
    (answer,) = await store.change([change(activity())])
    assert isinstance(answer, Conflict)


@pytest.mark.parametrize("number", [1, 4, 5, 3000])
async def test_get_answers_for_those_that_exist(store: Store, number: int) -> None:
    made = [activity() for _ in range(number)]
    await store.create([new(one) for one in made])
    assert await store.get([one.id for one in made]) == {one.id: one for one in made}
    assert len(await store.get([made[0].id, "none", made[0].id])) == 1


async def test_an_id_used_twice_fails_alone(store: Store) -> None:
    first, other, third = activity(), activity(), activity()
    await store.create([new(first)])
    with pytest.raises(ValueError, match="already"):
        await store.create([new(other), new(activity(first.id), key="k"), new(third)])
    assert set(await store.get([first.id, other.id, third.id])) == {first.id, other.id, third.id}
    assert (await store.get([first.id]))[first.id] == first
    # Nothing of the bad one is left behind, its key neither.
    (again,) = await store.create([new(key="k")])
    assert isinstance(again, Created)
    assert not again.existed


@pytest.mark.parametrize("seed", range(4))
async def test_a_vector_is_recorded_as_its_elements_one_by_one(open_store: Any, seed: int) -> None:
    chance = random.Random(seed)
    vector, single = await open_store("vector"), await open_store("single")
    for number in (1, 5, 256, chance.randrange(2, 700)):
        asked = []
        for _ in range(number):
            one = activity(
                owner=chance.choice("ab"), tags=dict.fromkeys(chance.sample("xyz", chance.randrange(4)), "v")
            )
            events = tuple(event(one, kind) for kind in ("created", "state")[: chance.randrange(3)])
            key = f"k{chance.randrange(number)}" if chance.random() < 0.7 else None
            digest = chance.choice((b"1", b"1", b"2"))
            # Some keys are over when another asks for them in a later vector.
            expires = chance.choice((9e9, one.created + number))
            asked.append(NewActivity(one, b"{}", events, key=key, digest=digest, key_expires=expires))
        answers = await vector.create(asked)
        alone = [answer for one in asked for answer in await single.create([one])]
        assert list(map(told, answers)) == list(map(told, alone))
        ids = [one.activity.id for one in asked]
        assert await vector.get(ids) == await single.get(ids)
    assert await vector.feed(None, after=0, limit=10_000) == await single.feed(None, after=0, limit=10_000)
    for owner in "ab":
        query = Query(owner=owner, tags=(("x", "v"),), limit=1000)
        assert await vector.page(query) == await single.page(query)


async def test_an_id_used_twice_fails_alone_in_a_long_vector(store: Store) -> None:
    first = activity()
    await store.create([new(first)])
    asked = [new(key=f"k{number}", key_expires=9e9) for number in range(600)]
    asked[300] = new(activity(first.id))
    with pytest.raises(ValueError, match="already"):
        await store.create(asked)
    assert await store.count() == 600
    answers = await store.create([new(key=one.key, key_expires=9e9) for one in asked if one.key])
    assert all(isinstance(answer, Created) and answer.existed for answer in answers)


async def test_a_bad_caller_does_not_hurt_the_others(store: Store) -> None:
    first = activity()
    await store.create([new(first)])
    calls = [store.create([new(first if number == 7 else None)]) for number in range(40)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [number for number, answer in enumerate(answers) if isinstance(answer, BaseException)] == [7]
    assert await store.count() == 40


@pytest.mark.parametrize("fields", [{"name": "\ud800"}, {"reason": "\udcff"}, {"tags": {"\ud800": ""}}])
async def test_text_that_is_not_unicode_is_refused(store: Store, fields: dict[str, Any]) -> None:
    made = await created(store)
    with pytest.raises(InvalidInput):
        await store.create([new(activity(**fields))])
    with pytest.raises(InvalidInput):
        await store.change([change(made, **fields)])
    assert await store.count() == 1
    assert await store.get([made.id]) == {made.id: made}


def told(answer: object) -> object:
    return str(answer) if isinstance(answer, Conflict) else answer


# -- keys --------------------------------------------------------------------------------------------


async def test_a_repeat_answers_with_the_first_activity(store: Store) -> None:
    first = activity()
    await store.create([new(first, key="k", digest=b"1", key_expires=9e9)])
    (changed,) = await store.change([change(first, state=S.STAGING_IN)])
    second = activity()
    assert await store.create([new(second, key="k", digest=b"1", key_expires=9e9)]) == [Created(changed, existed=True)]
    assert await store.get([second.id]) == {}
    assert len(await store.feed(None, after=0)) == 2


async def test_two_equal_keys_in_one_vector(store: Store) -> None:
    first, second = activity(), activity()
    answers = await store.create([new(one, key="k", key_expires=9e9) for one in (first, second)])
    assert answers == [Created(first), Created(first, existed=True)]
    assert await store.count() == 1


async def test_equal_keys_at_once_make_one_activity(store: Store) -> None:
    answers = await asyncio.gather(*(store.create([new(key="k", key_expires=9e9)]) for _ in range(50)))
    flat = [answer for vector in answers for answer in vector]
    assert all(isinstance(answer, Created) for answer in flat)
    assert len({answer.activity.id for answer in flat}) == 1
    assert sum(not answer.existed for answer in flat) == 1


async def test_another_request_under_the_same_key_is_refused(store: Store) -> None:
    await store.create([new(key="k", digest=b"1", key_expires=9e9)])
    answers = await store.create([new(), new(key="k", digest=b"2", key_expires=9e9), new()])
    assert [type(answer) for answer in answers] == [Created, Conflict, Created]
    assert "another request" in str(answers[1])


async def test_keys_are_their_owners(store: Store) -> None:
    answers = await store.create([new(activity(owner=owner), key="k", key_expires=9e9) for owner in ("a", "b")])
    assert [answer.existed for answer in answers if isinstance(answer, Created)] == [False, False]


async def test_a_key_outlives_its_activity(store: Store) -> None:
    first = activity(created=1000.0, state=S.FINISHED)
    await store.create([new(first, key="k", digest=b"1", key_expires=2000.0)])
    await store.purge([first.id], [])
    (answer,) = await store.create([new(activity(created=1999.0), key="k", digest=b"1", key_expires=3000.0)])
    assert isinstance(answer, Conflict)
    assert "purged" in str(answer)
    (answer,) = await store.create([new(activity(created=2000.0), key="k", digest=b"2", key_expires=3000.0)])
    assert isinstance(answer, Created)
    assert not answer.existed
    (repeat,) = await store.create([new(activity(created=2500.0), key="k", digest=b"2", key_expires=3500.0)])
    assert repeat == Created(answer.activity, existed=True)


async def test_expired_removes_expired_keys(store: Store) -> None:
    await store.create([new(activity(created=10.0), key="k", digest=b"1", key_expires=20.0)])
    assert await store.expired(20.0, 10) == []
    # As seen by a clock that is behind: the key is gone, not only past its time.
    (answer,) = await store.create([new(activity(created=11.0), key="k", digest=b"2", key_expires=20.0)])
    assert isinstance(answer, Created)
    assert not answer.existed


# -- changes -----------------------------------------------------------------------------------------


async def test_a_change_decided_on_an_old_version_is_refused(store: Store) -> None:
    made = await created(store)
    (first,) = await store.change([change(made, state=S.STAGING_IN)])
    (second,) = await store.change([change(made, state=S.HELD)])
    assert isinstance(second, Conflict)
    assert await store.get([made.id]) == {made.id: first}
    assert len(await store.events(made.id)) == 2


async def test_changes_of_one_vector_build_on_each_other(store: Store) -> None:
    made = await created(store)
    staging = change(made, state=S.STAGING_IN)
    staged = change(made.but(version=2), state=S.STAGED_IN)
    stale = change(made.but(version=2), state=S.FAILED)
    answers = await store.change([staging, staged, stale])
    assert [type(answer) for answer in answers] == [Activity, Activity, Conflict]
    assert (await store.get([made.id]))[made.id].version == 3


async def test_one_of_many_at_once_wins(store: Store) -> None:
    made = await created(store)
    answers = await asyncio.gather(*(store.change([change(made, reason=str(number))]) for number in range(30)))
    assert sum(isinstance(answer, Activity) for (answer,) in answers) == 1


@pytest.mark.parametrize("old", list(S))
async def test_only_legal_transitions_are_recorded(store: Store, old: S) -> None:
    for new_state in S:
        made = await created(store, state=old)
        if new_state is old or new_state in TRANSITIONS[old]:
            assert await store.change([change(made, state=new_state)]) == [made.but(version=2, state=new_state)]
        else:
            with pytest.raises(ValueError, match=f"{old} to {new_state}"):
                await store.change([change(made, state=new_state)])
            assert await store.get([made.id]) == {made.id: made}
            assert len(await store.events(made.id)) == 1


@pytest.mark.parametrize("old", list(S))
async def test_only_a_failed_one_is_restarted(store: Store, old: S) -> None:
    for new_state in S:
        made = await created(store, state=old)
        again = made.but(state=new_state, restarts=1)
        asked = Change(again, (Event(made.id, 1.0, "restarted", new_state),))
        if new_state is old or (old is S.FAILED and new_state in RESTARTS):
            assert await store.change([asked]) == [again.but(version=2)]
            assert await store.count([new_state]) >= 1
        else:
            with pytest.raises(ValueError, match=f"{old} to {new_state}"):
                await store.change([asked])


async def test_a_restarted_one_is_unfinished_again(store: Store) -> None:
    made = await created(store, state=S.FAILED, expires=1.0, restarts=1)
    again = made.but(state=S.STAGING_IN, restarts=2, expires=None, worker="w")
    (now,) = await store.change([Change(again, (Event(made.id, 1.0, "restarted", S.STAGING_IN),))])
    assert isinstance(now, Activity)
    assert await store.expired(99.0, 10) == []
    with pytest.raises(Conflict, match=f"{made.id} has not ended"):
        await store.purge([made.id], [("remove-session", {})])
    assert await store.chores(9e9, 10) == []
    assert await store.get([made.id]) == {made.id: now}
    await store.retire_all()
    assert [one.id for one in await store.take("other", 5.0, 10)] == [made.id]


async def test_an_illegal_change_leaves_the_others_of_its_vector(store: Store) -> None:
    good, bad = await created(store), await created(store)
    with pytest.raises(ValueError, match="cannot go from pending to finished"):
        await store.change([change(bad, state=S.FINISHED), change(good, state=S.HELD)])
    found = await store.get([good.id, bad.id])
    assert (found[good.id].state, found[bad.id].state) == (S.HELD, S.PENDING)


@pytest.mark.parametrize("state", sorted(FINAL))
async def test_a_final_activity_may_change_in_all_but_its_state(store: Store, state: S) -> None:
    made = await created(store, state=state)
    (answer,) = await store.change([change(made, expires=5.0)])
    assert isinstance(answer, Activity)
    assert await store.expired(5.0, 10) == [made.id]


@pytest.mark.parametrize("fields", [{"owner": "mallory"}, {"created": 1.0}])
async def test_owner_and_creation_stay(store: Store, fields: dict[str, Any]) -> None:
    made = await created(store)
    with pytest.raises(ValueError, match="cannot change"):
        await store.change([change(made, **fields)])
    assert await store.get([made.id]) == {made.id: made}


async def test_events_of_another_activity_are_refused(store: Store) -> None:
    made = await created(store)
    with pytest.raises(ValueError, match="event of activity"):
        await store.change([Change(made, (event(activity()),))])


async def test_changed_tags_are_found(store: Store) -> None:
    made = await created(store, tags={"a": "1", "b": "2"})
    (after,) = await store.change([change(made, tags={"b": "3", "c": "4"})])
    for owner in ("alice", None):
        assert (await store.page(Query(owner=owner, tags=(("a", "1"),))))[0] == []
        assert (await store.page(Query(owner=owner, tags=(("b", "2"),))))[0] == []
        assert (await store.page(Query(owner=owner, tags=(("b", "3"), ("c", "4")))))[0] == [after]


# -- the end -----------------------------------------------------------------------------------------


async def test_purge_removes_everything_but_the_others(store: Store) -> None:
    gone, kept = activity(tags={"t": "v"}, state=S.FAILED), activity(tags={"t": "v"})
    await store.create([new(gone), new(kept)])
    await store.purge([gone.id, "none"], [("remove-session", {"path": "/s/1"}), ("tell", {})])
    assert await store.get([gone.id, kept.id]) == {kept.id: kept}
    assert await store.description(gone.id) is None
    assert await store.events(gone.id) == []
    assert [one.activity for one in await store.feed("alice", after=0)] == [kept.id]
    assert (await store.page(Query(tags=(("t", "v"),))))[0] == [kept]
    assert [(chore.kind, chore.payload) for chore in await store.chores(0.0, 10)] == [
        ("remove-session", {"path": "/s/1"}),
        ("tell", {}),
    ]


async def test_expired_lists_final_activities_whose_time_has_come(store: Store) -> None:
    late = await created(store, state=S.FINISHED, expires=20.0)
    early = await created(store, state=S.FAILED, expires=10.0)
    await created(store, state=S.FINISHED)
    await created(store, state=S.STAGING_IN, expires=10.0)
    assert await store.expired(9.0, 10) == []
    assert await store.expired(10.0, 10) == [early.id]
    assert await store.expired(99.0, 10) == [early.id, late.id]
    assert await store.expired(99.0, 1) == [early.id]


async def test_count(store: Store) -> None:
    for state in (S.PENDING, S.HELD, S.QUEUED, S.LRMS_RUNNING, S.FINISHED):
        await created(store, state=state)
    assert await store.count() == 5
    assert await store.count(["pending"]) == 2
    assert await store.count(["running:lrms"]) == 2
    assert await store.count(["running", "finished", "running:lrms:queued"]) == 3
    assert await store.count(["pendin", "pendingx", "", "running:"]) == 0


async def test_close_finishes_what_was_asked(open_store: Any) -> None:
    store = await open_store()
    calls = [asyncio.ensure_future(store.create([new() for _ in range(100)])) for _ in range(20)]
    await asyncio.sleep(0)  # lets the calls begin
    await store.close()
    assert all(call.done() for call in calls)
    with pytest.raises(Unavailable):
        await store.create([new()])
    with pytest.raises(Unavailable):
        await store.get(["x"])
    await store.close()
    assert await (await open_store()).count() == 2000


async def test_a_caller_that_goes_away_changes_nothing_for_others(store: Store) -> None:
    left = asyncio.ensure_future(store.create([new()]))
    stays = asyncio.ensure_future(store.create([new()]))
    await asyncio.sleep(0)
    left.cancel()
    assert len(await stays) == 1
    await asyncio.wait([left])
    assert await store.count() in (1, 2)
