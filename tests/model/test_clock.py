"""Jumps of the machine's clock: what is taken back soon never counted; what lasts does; nothing goes back meanwhile."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from argosy.model.clock import PATIENCE, Clock

_HOUR = 3600.0


class Machine:
    """A machine's clocks, as a test sets them."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000.0
        self.steady = 500.0

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.steady)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def test_it_is_the_machine_s_clock() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(10):
        machine.passes(1000)
        assert clock.now() == machine.wall
    assert clock.shifted == 0.0


def test_a_jump_that_is_taken_back_never_was() -> None:
    for jump in (10 * 365 * 86_400.0, 5 * _HOUR, -5 * _HOUR):
        machine = Machine()
        clock = machine.clock()
        right = machine.wall
        machine.wall += jump
        for _ in range(int(PATIENCE) - 1):
            machine.passes(1)
            right += 1
            assert clock.now() == right
        machine.wall -= jump
        machine.passes(10 * PATIENCE)
        assert clock.now() == machine.wall
        assert clock.shifted == 0.0


def test_a_jump_that_lasts_counts_from_then_on() -> None:
    for jump in (5 * _HOUR, -5 * _HOUR):
        machine = Machine()
        clock = machine.clock()
        machine.wall += jump
        clock.now()
        machine.passes(PATIENCE + 1)
        assert clock.now() == machine.wall - jump or clock.now() == machine.wall
        assert clock.now() == machine.wall
        assert clock.shifted == jump


def test_another_jump_begins_the_waiting_anew() -> None:
    machine = Machine()
    clock = machine.clock()
    start = machine.wall
    machine.wall += _HOUR
    clock.now()
    machine.passes(PATIENCE - 1)
    machine.wall += _HOUR
    clock.now()
    machine.passes(PATIENCE - 1)
    assert clock.now() == start + 2 * (PATIENCE - 1)


def test_sleep_of_the_machine_is_no_jump() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passes(3 * 86_400)  # the steady clock goes on meanwhile
    assert clock.now() == machine.wall


@given(st.lists(st.tuples(st.floats(0, 300), st.floats(-1.5, 1.5)), max_size=50))
def test_small_corrections_never_let_it_go_back(steps: list[tuple[float, float]]) -> None:
    machine = Machine()
    clock = machine.clock()
    seen = [clock.now()]
    for passes, correction in steps:
        machine.passes(passes)
        machine.wall += correction
        seen.append(clock.now())
    assert all(later >= earlier for earlier, later in pairwise(seen)) or clock.shifted
