"""Listings: which index a query walks, and the statement that walks it.

A page is a walk backwards through an index that ends with the id, from where the last page ended: its cost does not
grow with the number of activities. The index is named in the statement, so that it depends on no statistics. Several
states are as many walks, merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from argosy.model import ActivityState
from argosy.store.records import Query

_COLUMNS = "a.owner, a.state, a.version, a.created, a.changed, a.name, a.resource, a.expires, a.worker, a.tags, a.rest"
_HAS_TAG = "SELECT 1 FROM tag o WHERE o.activity = a.pk"
_EVERY_STATE = [state.value for state in ActivityState]
#: Before and after every id.
LOWEST, HIGHEST = "", "\U0010ffff"


def concrete(states: Sequence[str]) -> list[str]:
    """The states that are one of these or below one of them."""
    return [state.value for state in ActivityState if any(state.within(ancestor) for ancestor in states)]


def listing(query: Query, *, above: str = LOWEST, below: str = HIGHEST) -> tuple[str, dict[str, Any]] | None:
    """The statement and its values; None where nothing can match.

    It yields one row more than the page holds where there are more. Only ids between `above` and `below` are read.
    """
    states = concrete(query.states)
    if query.states and not states:
        return None
    values: dict[str, Any] = {"above": above, "below": below, "limit": query.limit + 1}
    where = ["a.id > :above", "a.id < :below"]
    for column, operator, name in (
        ("owner", "=", "owner"),
        ("resource", "=", "resource"),
        ("name", "=", "name"),
        ("native_id", "=", "native_id"),
        ("sweep", "=", "sweep"),
        ("created", ">=", "created_from"),
        ("created", "<", "created_before"),
    ):
        value = getattr(query, name)
        if value is not None:
            where.append(f"a.{column} {operator} :{name}")
            values[name] = value
    for index, (key, value) in enumerate(query.tags):
        values |= {f"key{index}": key, f"value{index}": value}

    if query.native_id is not None and not query.tags:
        source = "activity a INDEXED BY activity_by_native_id"
    elif query.sweep is not None and not query.tags:
        return _by_states(query, states or _EVERY_STATE, where, values)
    elif query.tags:
        source, where = _by_tag(query, where)
    elif query.owner is not None and query.name is not None:
        source = "activity a INDEXED BY activity_by_owner_name"
    elif states:
        return _by_states(query, states, where, values)
    elif query.owner is not None:
        source = "activity a INDEXED BY activity_by_owner"
    else:
        source = "activity a"
    if states:
        where.append(f"a.state IN ({_state_names(states, values)})")
    return _walk(source, where) + " ORDER BY id DESC LIMIT :limit", values


def _walk(source: str, where: Sequence[str]) -> str:
    # Sources and conditions are the texts of this module; what a caller gave is bound.
    ordered = "t.id" if source.startswith("tag t ") else "a.id"
    return f"SELECT {ordered} AS id, {_COLUMNS} FROM {source} WHERE {' AND '.join(where)}"  # noqa: S608


def _by_tag(query: Query, where: Sequence[str]) -> tuple[str, list[str]]:
    index = "tag_by_value" if query.owner is None else "tag_by_owner"
    source = f"tag t INDEXED BY {index} CROSS JOIN activity a ON a.pk = t.activity"
    first = ["t.id > :above", "t.id < :below", "t.key = :key0", "t.value = :value0"]
    if query.owner is not None:
        first.append("t.owner = :owner")
    numbers = range(1, len(query.tags))
    others = [f"EXISTS ({_HAS_TAG} AND o.key = :key{number} AND o.value = :value{number})" for number in numbers]
    return source, [*first, *where[2:], *others]


def _by_states(
    query: Query, states: Sequence[str], where: Sequence[str], values: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    index = "activity_by_state" if query.owner is None else "activity_by_owner_state"
    if query.sweep is not None:
        index = "activity_by_sweep"
    source = f"activity a INDEXED BY {index}"
    names = _state_names(states, values).split(", ")
    walks = [_walk(source, [*where, f"a.state = {name}"]) for name in names]
    return " UNION ALL ".join(walks) + " ORDER BY id DESC LIMIT :limit", values


def _state_names(states: Sequence[str], values: dict[str, Any]) -> str:
    names = []
    for number, state in enumerate(states):
        values[f"state{number}"] = state
        names.append(f":state{number}")
    return ", ".join(names)
