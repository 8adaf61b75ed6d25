"""The state models: PSI/J's partial order, GES's transitions, and the table between them."""

from __future__ import annotations

from itertools import product

import pytest

from argosy.model import ActivityState, JobState, JobStateOrder
from argosy.model.activity import FINAL, IN_LRMS, TRANSITIONS, may_follow
from argosy.model.projections import PSIJ, psij

CHAIN = ["NEW", "QUEUED", "STAGE_IN", "ACTIVE", "STAGE_OUT", "CLEANUP", "COMPLETED"]


def test_the_order_is_that_of_the_specification() -> None:
    for (i, one), (j, other) in product(enumerate(CHAIN), enumerate(CHAIN)):
        assert JobState[one].is_greater_than(JobState[other]) == (i > j)


def test_different_final_states_cannot_be_compared() -> None:
    final = [state for state in JobState if state.final]
    assert {state.name for state in final} == {"COMPLETED", "FAILED", "CANCELED"}
    for one, other in product(final, final):
        assert one.is_greater_than(other) is (None if one is not other else False)


def test_every_final_state_is_greater_than_every_other() -> None:
    for state, final in product(JobState, JobState):
        if final.final and not state.final:
            assert final.is_greater_than(state) is True
            assert state.is_greater_than(final) is False


def test_the_chain_of_a_successful_job() -> None:
    state: JobState | None = JobState.COMPLETED
    walked = []
    while state is not None:
        walked.append(state.name)
        state = JobStateOrder.prev(state)
    assert walked[::-1] == CHAIN
    assert JobStateOrder.prev(JobState.FAILED) is JobStateOrder.prev(JobState.CANCELED) is None


def test_states_print_as_their_names() -> None:
    assert (str(JobState.ACTIVE), repr(JobState.ACTIVE), bool(JobState.NEW)) == ("ACTIVE", "ACTIVE", True)
    assert JobState.from_name("QUEUED") is JobState.QUEUED
    assert len({hash(state) for state in JobState}) == len(JobState)


def test_every_activity_state_has_its_transitions_and_its_projection() -> None:
    assert set(TRANSITIONS) == set(ActivityState) == set(PSIJ)
    for state in ActivityState:
        assert len(state.split(":")) <= 3
        assert state.split(":")[0] in {"pending", "running", "finished", "failed", "terminated"}


def test_final_states_absorb() -> None:
    for state in FINAL:
        assert not any(may_follow(state, other) for other in ActivityState)


def test_every_state_can_be_reached_and_left() -> None:
    reached = {ActivityState.PENDING}
    while more := {new for old in reached for new in TRANSITIONS[old]} - reached:
        reached |= more
    assert reached == set(ActivityState)
    for state in set(ActivityState) - FINAL:
        assert ActivityState.FAILED in TRANSITIONS[state]
        assert state is ActivityState.TERMINATING or ActivityState.TERMINATING in TRANSITIONS[state]


@pytest.mark.parametrize("staging", [True, False])
def test_the_projection_never_goes_back(staging: bool) -> None:
    """But for what a batch system does itself: a requeue, which PSI/J has no state for."""
    for old, successors in TRANSITIONS.items():
        for new in successors - (IN_LRMS if old in IN_LRMS else frozenset()) - {ActivityState.PENDING}:
            if (old, new) == (ActivityState.STAGED_IN, ActivityState.STAGING_IN):
                continue
            before, after = psij(old, staging=staging), psij(new, 0, staging=staging)
            assert before is after or after.is_greater_than(before), (old, new)


def test_a_finished_activity_is_completed_or_failed_by_its_exit_code() -> None:
    assert psij(ActivityState.FINISHED, 0) is JobState.COMPLETED
    assert psij(ActivityState.FINISHED, 3) is psij(ActivityState.FINISHED, None) is JobState.FAILED


def test_sub_states_belong_to_their_ancestors() -> None:
    assert ActivityState.QUEUED.within("running:lrms")
    assert ActivityState.QUEUED.within("running")
    assert not ActivityState.QUEUED.within("running:lrm")
