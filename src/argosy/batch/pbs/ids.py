"""Ids of jobs as PBS and Torque write them: ``12.server``, ``12[].server`` an array, ``12[3].server`` its element.

The server's name may be left out where there is one server only, and be written short or with its domain.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

_ID = re.compile(r"(?P<number>\d{1,18})(?P<index>\[\d{0,9}\])?(?P<server>\.[A-Za-z0-9_.-]+)?\Z", re.ASCII)
# With what queries and messages have besides: several elements, e.g. 12[6-7].server.
_NAMED = re.compile(r"(?P<number>\d{1,18})(?:\[(?P<indices>[\d,:-]*)\])?(?P<server>\.[A-Za-z0-9_.-]+)?\Z", re.ASCII)

#: So many elements of one array are named one by one; more of them by asking for all of it.
_FEW = 20


def is_id(text: str) -> bool:
    """Whether this can be the id of a job, an array or an element."""
    return _ID.match(text) is not None


def is_array(text: str) -> bool:
    """Whether this is the id of an array as a whole."""
    match = _ID.match(text)
    return match is not None and match["index"] == "[]"


def element_id(array_id: str, index: int) -> str:
    """The id of an array's element."""
    number, dot, server = array_id.partition(".")
    return f"{number.removesuffix('[]')}[{index}]{dot}{server}"


def array_of(element: str) -> str | None:
    """The id of the array that this is an element of."""
    match = _ID.match(element)
    if match is None or match["index"] in (None, "[]"):
        return None
    return f"{match['number']}[]{match['server'] or ''}"


def names(ids: Iterable[str]) -> list[str]:
    """How to ask for all these in few words: an array in place of many of its elements. What is no id is left out."""
    asked: dict[str, None] = {}
    elements: defaultdict[str, list[str]] = defaultdict(list)
    for native_id in ids:
        array_id = array_of(native_id)
        if array_id is not None:
            elements[array_id].append(native_id)
        elif is_id(native_id):
            asked[native_id] = None
    for array_id, members in elements.items():
        asked.update(dict.fromkeys(members if len(members) <= _FEW else [array_id]))
    return list(asked)


def ranges(ids: Iterable[str]) -> tuple[list[str], list[str]]:
    """Single jobs, and the elements of arrays as contiguous ranges: ``12[0-3].server``."""
    single: dict[str, None] = {}
    elements: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for native_id in ids:
        match = _ID.match(native_id)
        if match is None:
            continue
        if match["index"] in (None, "[]"):
            single[native_id] = None
        else:
            elements[match["number"], match["server"] or ""].add(int(match["index"][1:-1]))
    several: list[str] = []
    for (number, server), indices in elements.items():
        several += [f"{number}[{text}]{server}" for text in _contiguous(sorted(indices))]
    return list(single), several


def _contiguous(numbers: Sequence[int]) -> list[str]:
    texts: list[str] = []
    start = 0
    for place, number in enumerate(numbers):
        if place + 1 < len(numbers) and numbers[place + 1] == number + 1:
            continue
        first = numbers[start]
        texts.append(str(first) if first == number else f"{first}-{number}")
        start = place + 1
    return texts


class Asked:
    """The ids that were asked for, to be recognised in answers however their server is written there."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = set(ids)
        self._by_number: defaultdict[tuple[str, str | None], list[str]] = defaultdict(list)
        for native_id in ids:
            if match := _ID.match(native_id):
                self._by_number[match["number"], match["index"]].append(native_id)

    def find(self, shown: str) -> str | None:
        """The id that was asked for and is meant by `shown`."""
        if shown in self._ids:
            return shown
        match = _ID.match(shown)
        if match is None:
            return None
        server = match["server"] or ""
        for native_id in self._by_number.get((match["number"], match["index"]), ()):
            if _same_server(server, native_id.partition(".")[2]):
                return native_id
        return None

    def find_named(self, named: str) -> list[str]:
        """The ids that are meant by a word of a message: a job, an element, a range of elements, all of an array."""
        match = _NAMED.match(named)
        if match is None:
            return []
        server, indices = match["server"] or "", match["indices"]
        return [
            native_id
            for (number, index), members in self._by_number.items()
            if number == match["number"] and _covers(indices, index)
            for native_id in members
            if _same_server(server, native_id.partition(".")[2])
        ]


def _same_server(one: str, other: str) -> bool:
    one, other = one.lstrip("."), other.lstrip(".")
    return not one or not other or one == other or one.startswith(other + ".") or other.startswith(one + ".")


def _covers(indices: str | None, index: str | None) -> bool:
    """Whether the indices of a message (None: a single job; empty: a whole array) speak of this one."""
    if indices is None or index is None:
        return indices is None and index is None
    if not indices or index == "[]":
        return True
    number = int(index[1:-1])
    for part in indices.split(","):
        first, dash, last = part.partition(":")[0].partition("-")
        if first.isdecimal() and (last.isdecimal() or not dash) and int(first) <= number <= int(last or first):
            return True
    return False
