"""Listings against a naive model, and the indexes that they walk."""

from __future__ import annotations

import asyncio
import itertools
import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argosy.model import ActivityState
from argosy.store import Activity, Query, Store
from argosy.store.sqlite import SQLiteStore
from argosy.store.sqlite.listing import listing
from argosy.store.sqlite.queries import SQL
from tests.store.making import activity, new

SOME = st.sampled_from
OWNERS, NAMES, RESOURCES = ("a", "b", "c"), (None, "x", "y"), (None, "slurm", "local")
KEYS, VALUES = ("k", "l"), ("1", "2")
STATES = ("pending", "running", "running:lrms", "running:lrms:queued", "finished", "pendingx", "pend", "", "running:")

times = st.integers(0, 400).map(float)


@st.composite
def records(draw: st.DrawFn) -> list[Activity]:
    """Activities whose ids are in the order of time, but for clocks that disagree by up to a minute."""
    drawn = sorted(draw(st.lists(times, max_size=25)))
    return [
        activity(
            f"{number:04d}",
            draw(SOME(OWNERS)),
            created=time + draw(st.integers(-30, 30)),
            state=draw(SOME(list(ActivityState))),
            name=draw(SOME(NAMES)),
            resource=draw(SOME(RESOURCES)),
            native_id=draw(SOME((None, "1", "2"))),
            sweep=draw(SOME((None, "s", "t"))),
            tags=draw(st.dictionaries(SOME(KEYS), SOME(VALUES))),
        )
        for number, time in enumerate(drawn)
    ]


queries = st.builds(
    Query,
    owner=SOME((None, *OWNERS, "nobody")),
    states=st.lists(SOME(STATES), max_size=3).map(tuple),
    tags=st.lists(st.tuples(SOME(KEYS), SOME(VALUES)), max_size=2).map(tuple),
    resource=SOME(RESOURCES),
    name=SOME(NAMES),
    created_from=st.none() | times,
    created_before=st.none() | times,
    after=st.none() | st.integers(0, 30).map("{:04d}".format),
    limit=st.integers(1, 8),
    native_id=SOME((None, None, "1", "3")),
    sweep=SOME((None, None, "s", "u")),
)


def matches(one: Activity, query: Query) -> bool:
    return (
        (query.owner is None or one.owner == query.owner)
        and (not query.states or any(one.state == s or one.state.startswith(s + ":") for s in query.states if s))
        and all(one.tags.get(key) == value for key, value in query.tags)
        and (query.resource is None or one.resource == query.resource)
        and (query.name is None or one.name == query.name)
        and (query.native_id is None or one.native_id == query.native_id)
        and (query.sweep is None or one.sweep == query.sweep)
        and (query.created_from is None or one.created >= query.created_from)
        and (query.created_before is None or one.created < query.created_before)
        and (query.after is None or one.id < query.after)
    )


async def _check(made: list[Activity], asked: list[Query]) -> None:
    with TemporaryDirectory() as directory:
        store = SQLiteStore(Path(directory) / "argosy.db")
        await store.open()
        try:
            await store.create([new(one) for one in made])
            for query in asked:
                expected = sorted((one for one in made if matches(one, query)), key=lambda one: one.id, reverse=True)
                page, more = await store.page(query)
                assert page == expected[: query.limit]
                assert more == (page[-1].id if len(expected) > query.limit else None)
                seen = list(page)
                while more is not None:
                    page, more = await store.page(Query(**{**_fields(query), "after": more}))
                    assert len(page) == query.limit or more is None
                    seen += page
                assert seen == expected
        finally:
            await store.close()


def _fields(query: Query) -> dict[str, object]:
    return {name: getattr(query, name) for name in Query.__dataclass_fields__}


@settings(deadline=None, max_examples=60)
@given(records(), st.lists(queries, min_size=1, max_size=12))
def test_listings_agree_with_a_naive_model(made: list[Activity], asked: list[Query]) -> None:
    asyncio.run(_check(made, asked))


@pytest.mark.anyio
async def test_pages_stay_in_order_while_activities_come_and_go(store: Store) -> None:
    made = [activity(state=ActivityState.FINISHED) for _ in range(30)]
    await store.create([new(one) for one in made])
    first, after = await store.page(Query(limit=10))
    assert after is not None
    await store.purge([after], [])
    await store.create([new()])
    second, _ = await store.page(Query(limit=10, after=after))
    assert [one.id for one in first + second] == [one.id for one in reversed(made[10:])]


@pytest.mark.anyio
async def test_a_clock_that_was_set_back_hides_nothing(store: Store) -> None:
    first, second, third = (activity(created=created) for created in (105.0, 95.0, 100.0))
    await store.create([new(one) for one in (first, second, third)])
    assert (await store.page(Query(created_from=100.0)))[0] == [third, first]
    assert (await store.page(Query(created_before=100.0)))[0] == [second]
    assert (await store.page(Query(created_from=95.0, created_before=105.0)))[0] == [third, second]


@pytest.mark.anyio
async def test_a_page_of_nothing_is_an_error(store: Store) -> None:
    with pytest.raises(ValueError, match="at least one"):
        await store.page(Query(limit=0))


@pytest.mark.anyio
async def test_no_listing_reads_the_table_from_end_to_end(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "argosy.db")
    await store.open()
    await store.close()
    asked = []
    with sqlite3.connect(tmp_path / "argosy.db") as db:
        for owner, states, tags, name, time in itertools.product(
            (None, "a"), ((), ("pending:held",), ("running",)), ((), (("k", "v"),), (("k", "v"), ("l", "w"))),
            (None, "n"), (None, 5.0),
        ):  # fmt: skip
            query = Query(owner, states, tags, "slurm", name, time, time, "5", native_id="7" if time else None)
            asked += [query, replace(query, native_id=None, sweep="s")]
        for query in asked:
            made = listing(query)
            assert made is not None
            plan = [row[3] for row in db.execute("EXPLAIN QUERY PLAN " + made[0], made[1])]
            assert any(step.startswith("SEARCH") for step in plan), (query, plan)
            # A sort would read all that matches before the first row is known.
            assert not [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step], (query, plan)
    db.close()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "name",
    [name for name, sql in SQL.items() if sql.lstrip("-").startswith(("SELECT", "--", "WITH", "DELETE", "UPDATE"))],
)
async def test_no_fixed_query_reads_a_table_from_end_to_end(tmp_path: Path, name: str) -> None:
    store = SQLiteStore(tmp_path / "argosy.db")
    await store.open()
    await store.close()
    db = sqlite3.connect(tmp_path / "argosy.db")
    sql = SQL[name]
    values = (None,) * max([int(number) for number in re.findall(r"\?(\d)", sql)] or [sql.count("?")])
    plan = [row[3] for row in db.execute("EXPLAIN QUERY PLAN " + sql, values)]
    db.close()
    # Counting everything has to; so has what is sent along as a list, and what is found by recursion. Unfinished sweeps
    # are few, and have an index to themselves; so have dead letters and messages that wait. Workers and chores are few.
    allowed = {
        "count_all": "SCAN activity USING COVERING INDEX",
        "tally": "SCAN activity USING INDEX activity_unfinished",
        "sweeps_to_take": "SCAN sweep USING INDEX sweep_unfinished",
        "owners_with_many_dead": "SCAN delivery USING COVERING INDEX delivery_dead",
        "subscriptions_with_many_waiting": "SCAN delivery USING COVERING INDEX delivery_waiting",
        # What is counted of an owner is what a search has found, up to the limit.
        "count_owned": "SCAN (subquery",
        "count_unfinished": ("SCAN (subquery", "SCAN json_each"),
        "select_workers": "SCAN worker",
        "count_chores": "SCAN chore USING COVERING INDEX",
        # All messages that wait, when the clock was set.
        "shift_due": "SCAN delivery USING INDEX delivery_next",
    }.get(name, "SCAN json_each")
    allowed = (allowed,) if isinstance(allowed, str) else allowed
    scans = [
        step
        for step in plan
        if step.startswith("SCAN") and not step.startswith((*allowed, "SCAN busy", "SCAN telling", "SCAN CONSTANT"))
    ]
    assert not scans, plan
