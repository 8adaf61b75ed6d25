"""The token bucket, and what one caller may ask of the endpoints at once. Pure: tests tell the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.endpoints.limiting import Callers
from argosy.model import LimitExceeded
from argosy.service.administration.limits import Bucket, Limits


@given(
    st.floats(0.1, 1000),
    st.integers(1, 100),
    st.lists(st.floats(0, 5), min_size=1, max_size=200),
)
def test_no_more_than_the_burst_and_the_rate(rate: float, burst: int, pauses: list[float]) -> None:
    bucket = Bucket(rate, burst, 0.0)
    now, taken = 0.0, 0
    for pause in pauses:
        now += pause
        wait = bucket.take(now)
        taken += wait == 0.0
        assert 0 <= bucket.left(now) <= burst
        if wait:
            # Whoever waits as long as it was told is let in.
            now += wait + 1e-9 * max(1.0, now)
            taken += bucket.take(now) == 0.0 or bucket.take(now + 1e-6) == 0.0
    assert taken <= burst + rate * (now + 1e-6) + 1


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_rate_is_of_each_caller() -> None:
    clock = Clock()
    callers = Callers(Limits(rate=2, burst=3), clock)
    for _ in range(3):
        callers.enter("alice", stream=False)
        callers.leave("alice", stream=False)
    with pytest.raises(LimitExceeded) as refused:
        callers.enter("alice", stream=False)
    assert refused.value.retry_after == pytest.approx(0.5)
    callers.enter("bob", stream=False)
    told = dict(callers.headers("alice"))
    assert told == {b"ratelimit-policy": b'"requests";q=3;w=2', b"ratelimit": b'"requests";r=0;t=2'}
    clock.now += 0.5
    callers.enter("alice", stream=False)


def test_what_is_under_way_is_counted_and_streams_apart() -> None:
    callers = Callers(Limits(rate=0, requests=2, streams=1), Clock())
    callers.enter("alice", stream=False)
    callers.enter("alice", stream=False)
    callers.enter("alice", stream=True)
    for stream in (False, True):
        with pytest.raises(LimitExceeded) as refused:
            callers.enter("alice", stream=stream)
        assert refused.value.retry_after == 1.0
        callers.leave("alice", stream=stream)
        callers.enter("alice", stream=stream)
    assert callers.streams() == 1
    assert callers.headers("alice") == []


def test_callers_who_ask_for_nothing_are_forgotten() -> None:
    clock = Clock()
    callers = Callers(Limits(rate=1, burst=1), clock)
    callers.enter("stays", stream=True)
    for number in range(30_000):
        clock.now += 2
        callers.enter(f"caller {number}", stream=False)
        callers.leave(f"caller {number}", stream=False)
    assert len(callers._callers) <= 10_001
    assert callers.streams() == 1
