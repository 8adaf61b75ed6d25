"""A thousand jobs through the service, asked for in vectors and one by one: none lost, none doubled, all true."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from argosy.client import Client, Description
from argosy.languages.documents import EventDocument
from argosy.model.activity import ActivityState, may_follow
from tests.service.running import RunningService

pytestmark = [pytest.mark.load, pytest.mark.timeout(170)]

_VECTORS, _IN_VECTOR, _SINGLE = 3, 250, 250
_LIMIT = 150.0
#: One write with O_APPEND: two runs of the same job would leave two lines. The exit code is the job's own number.
_COUNT = 'printf "%s\\n" "$ARGOSY_JOB_TAG" >> "$1"; exit "$2"'


def _exit_code(number: int) -> int:
    return number % 7


def _describe(share: str, runs: Path, number: int) -> Description:
    return Description(
        executable="/bin/sh",
        arguments=["-c", _COUNT, "sh", str(runs), str(_exit_code(number))],
        share=share,
        duration=60,
    )


def _create_all(service: RunningService, share: str, runs: Path) -> dict[str, int]:
    """The ids of all jobs with the exit code that each must have; vectors and single requests at the same time."""

    def vector(number: int) -> dict[str, int]:
        numbers = range(number * _IN_VECTOR, (number + 1) * _IN_VECTOR)
        with service.client() as client:
            results = client.submit_many([_describe(share, runs, one) for one in numbers])
        assert all(result.activity is not None for result in results), [one.problem for one in results if one.problem]
        return {one.activity.id: _exit_code(at) for one, at in zip(results, numbers, strict=True)}

    def singles() -> dict[str, int]:
        with service.client() as client:
            return {client.submit(_describe(share, runs, at)).id: _exit_code(at) for at in range(_SINGLE)}

    made: dict[str, int] = {}
    with ThreadPoolExecutor(_VECTORS + 1) as threads:
        parts = [threads.submit(vector, number) for number in range(_VECTORS)] + [threads.submit(singles)]
        for part in parts:
            made |= part.result()
    return made


def _follow(client: Client, wanted: int) -> dict[str, list[EventDocument]]:
    """Everything that happened to every activity, from the stream of events, until that many have ended."""
    histories: dict[str, list[EventDocument]] = {}
    ended: set[str] = set()
    deadline = time.monotonic() + _LIMIT
    for event in client.stream(after=0):
        histories.setdefault(event.activity, []).append(event)
        if ActivityState(event.state).final:
            ended.add(event.activity)
            if len(ended) == wanted:
                return histories
        assert time.monotonic() < deadline, f"{len(ended)} of {wanted} ended within {_LIMIT} s"
    raise AssertionError(f"the stream ended after {len(ended)} of {wanted} jobs")


def _check_history(events: list[EventDocument]) -> None:
    times = [event.time for event in events]
    assert times == sorted(times), events
    numbers = [event.seq for event in events]
    assert numbers == sorted(set(numbers)), events
    states = [ActivityState(event.state) for event in events]
    for old, new in pairwise(states):
        assert old is new or may_follow(old, new), events
    assert ActivityState.LRMS_RUNNING in states, events
    assert states[-1] is ActivityState.FINISHED, events


def test_none_lost_none_doubled(service: RunningService, share: str, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    wanted = _create_all(service, share, runs)
    assert len(wanted) == _VECTORS * _IN_VECTOR + _SINGLE
    with service.client() as client:
        histories = _follow(client, len(wanted))
        assert histories.keys() == wanted.keys()
        for events in histories.values():
            _check_history(events)

        counts = Counter(runs.read_text().split())
        assert [id for id in wanted if counts[id] != 1] == []
        assert len(counts) == len(wanted)

        ids = list(wanted)
        known = {one.activity.id: one.activity for one in client.statuses(ids) if one.activity is not None}
        assert {id: known[id].exit_code for id in ids} == wanted
        for record in known.values():
            assert record.state == ActivityState.FINISHED
            assert record.created <= record.submitted <= record.started <= record.ended, record
        assert {activity.id for activity in client.list(page_size=1000)} == set(ids)
        assert len({activity.native_id for activity in known.values()}) == len(ids)
