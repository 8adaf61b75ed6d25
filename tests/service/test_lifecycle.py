"""The lifecycle is pure: whatever happens in whatever order, states stay legal, times ordered, ends final."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.executors.contract import Report
from argosy.model import ActivityState, Outcome, Phase
from argosy.model.activity import may_follow
from argosy.service.lifecycle import (
    Accepted,
    Away,
    Begun,
    Decision,
    InputChecked,
    Instruction,
    Matched,
    Needs,
    Never,
    OutputChecked,
    Refused,
    Reported,
    TerminateAsked,
    TooLate,
    Unmatched,
    decide,
    resume,
)
from argosy.store import Activity

S = ActivityState
NOTHING = Needs(inputs=False, outputs=False)


def activity(state: S = S.PENDING, **more: object) -> Activity:
    return Activity("a", "alice", state, 1, 0.0, 0.0, **{"resource": "here", **more})


def live(activity: Activity, *happened: object, needs: Needs = NOTHING) -> Decision:
    """Everything that follows, one after the other."""
    whole = Decision(activity, [], [])
    for now, one in enumerate(happened, 1):
        decision = decide(whole.activity, one, needs, float(now), 10.0)
        whole = Decision(decision.activity, whole.events + decision.events, decision.instructions)
    return whole


def ended(outcome: Outcome = Outcome.EXITED, exit_code: int | None = 0, **more: object) -> Reported:
    return Reported(Report("a", "7", Phase.ENDED, 5.0, outcome=outcome, exit_code=exit_code, **more))


def running(time: float = 4.0) -> Reported:
    return Reported(Report("a", "7", Phase.RUNNING, time, hosts=("n1",)))


def test_the_shortest_life() -> None:
    decision = live(activity(), Begun(), Accepted("7"), running(), ended(exit_code=3))
    done = decision.activity
    assert (done.state, done.exit_code, done.native_id, done.hosts) == (S.FINISHED, 3, "7", ("n1",))
    assert done.expires == done.final_at + 10.0
    assert [event.state for event in decision.events if event.kind == "state"] == [
        S.STAGED_IN,
        S.SUBMITTED,
        S.LRMS_RUNNING,
        S.LRMS_FINISHED,
        S.STAGING_OUT,
        S.STAGED_OUT,
        S.FINISHED,
    ]


def test_the_intention_is_recorded_before_the_submission() -> None:
    decision = live(activity(), Begun())
    assert decision.instructions == [Instruction.SUBMIT]
    assert decision.activity.intended is not None
    assert resume(decision.activity) is Instruction.RECOVER


def test_it_waits_for_its_input() -> None:
    needs = Needs(inputs=True, outputs=False)
    waiting = live(activity(), Begun(), InputChecked(("a.txt",)), needs=needs)
    assert waiting.activity.state is S.STAGING_IN
    assert waiting.instructions == []
    assert live(waiting.activity, InputChecked(()), needs=needs).instructions == [Instruction.SUBMIT]


@pytest.mark.parametrize("needs", [NOTHING, Needs(inputs=False, outputs=True)])
def test_output_that_is_missing_fails_it_only_where_it_was_declared(needs: Needs) -> None:
    decision = live(activity(), Begun(), Accepted("7"), ended(exit_code=1), needs=needs)
    if needs.outputs:
        assert decision.instructions == [Instruction.CHECK_OUTPUT]
        decision = live(decision.activity, OutputChecked(("out.txt",)), needs=needs)
        assert decision.activity.state is S.FAILED
        assert "out.txt" in decision.activity.reason
        assert "exit code 1" in decision.activity.reason
    else:
        assert decision.activity.state is S.FINISHED


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.EXITED])
def test_what_ends_a_job_from_outside_fails_it(outcome: Outcome) -> None:
    decision = live(activity(), Begun(), Accepted("7"), running(), ended(outcome, None, message="why"))
    assert (decision.activity.state, decision.activity.reason) == (S.FAILED, "why")


def test_an_end_is_believed_without_a_start() -> None:
    decision = live(activity(), Begun(), Accepted("7"), ended())
    assert S.LRMS_RUNNING in [event.state for event in decision.events]


def test_a_report_may_come_before_the_answer_to_the_submission() -> None:
    decision = live(activity(), Begun(), running(), Accepted("7"), ended())
    assert decision.activity.state is S.FINISHED


def test_terminating_before_anything_was_submitted_needs_no_batch_system() -> None:
    decision = live(activity(S.HELD), TerminateAsked("alice"))
    assert (decision.activity.state, decision.activity.terminate_by) == (S.TERMINATED, "alice")


def test_terminating_while_it_is_being_submitted_waits_for_the_answer() -> None:
    decision = live(activity(), Begun(), TerminateAsked("alice"))
    assert decision.activity.state is S.TERMINATING
    accepted = live(decision.activity, Accepted("7"))
    assert accepted.instructions == [Instruction.CANCEL]
    assert accepted.activity.native_id == "7"


def test_what_the_batch_system_does_not_know_is_terminated_once_no_copy_can_run() -> None:
    ending = live(activity(), Begun(), TerminateAsked("alice")).activity
    looked_for = live(ending, Never())
    assert (looked_for.activity.state, looked_for.instructions) == (S.TERMINATING, [Instruction.CANCEL])
    assert live(ending, Never(withdrawn=True)).activity.state is S.TERMINATED


def test_a_second_termination_is_ignored() -> None:
    first = live(activity(), Begun(), Accepted("7"), running(), TerminateAsked("alice"))
    second = live(first.activity, TerminateAsked("bob"))
    assert second.activity == first.activity
    assert second.events == second.instructions == []


def test_a_termination_that_meets_with_trouble_is_tried_anew_when_it_is_asked_for_again() -> None:
    words = "the job goes on"
    troubled = live(activity(), Begun(), Accepted("7"), running(), TerminateAsked("alice"), Away(words, "cancel"))
    assert (troubled.activity.state, troubled.activity.reason) == (S.TERMINATING, words)
    again = live(troubled.activity, TerminateAsked("bob"))
    assert again.instructions == [Instruction.CANCEL]
    assert (again.activity.state, again.activity.terminate_by, again.activity.reason) == (S.TERMINATING, "alice", None)
    assert [event.kind for event in live(again.activity, Away(words, "cancel")).events] == ["unavailable"]


def test_a_job_that_ends_by_itself_while_terminating_is_terminated_with_its_exit_code() -> None:
    decision = live(activity(), Begun(), Accepted("7"), TerminateAsked("alice"), ended(exit_code=0))
    assert (decision.activity.state, decision.activity.exit_code) == (S.TERMINATED, 0)


def test_a_requeue_goes_back_to_the_queue() -> None:
    queued = Reported(Report("a", "7", Phase.QUEUED, 6.0, message="requeued by the batch system"))
    decision = live(activity(), Begun(), Accepted("7"), running(), queued)
    assert decision.activity.state is S.QUEUED
    assert live(decision.activity, running(8.0), ended()).activity.state is S.FINISHED


def test_an_outside_fault_is_told_once_for_the_same_words() -> None:
    decision = live(activity(), Begun(), Away("down", "submit"), Away("down", "submit"), Away("still", "submit"))
    assert [event.message for event in decision.events if event.kind == "unavailable"] == ["down", "still"]
    assert decision.activity.state is S.STAGED_IN


def test_a_refusal_fails_it_in_the_batch_systems_words() -> None:
    decision = live(activity(), Begun(), Refused("sbatch: error: invalid account"))
    assert (decision.activity.state, decision.activity.reason) == (S.FAILED, "sbatch: error: invalid account")


reports = st.builds(
    lambda phase, outcome, code, time, native_id: Reported(
        Report(
            "a",
            native_id,
            phase,
            time,
            outcome=outcome if phase is Phase.ENDED else None,
            exit_code=code if phase is Phase.ENDED and outcome is Outcome.EXITED else None,
        )
    ),
    st.sampled_from(Phase),
    st.sampled_from(Outcome),
    st.integers(0, 255),
    st.floats(0, 1e6),
    st.sampled_from(["7", "8"]),
)
missing = st.sampled_from([(), ("a",)])
happenings = st.one_of(
    st.just(Begun()),
    st.builds(InputChecked, missing),
    st.builds(Accepted, st.just("7")),
    st.builds(Refused, st.just("no")),
    st.builds(Away, st.sampled_from(["x", "y"]), st.just("submit")),
    st.just(Never()),
    st.just(Never(withdrawn=True)),
    reports,
    st.builds(OutputChecked, missing),
    st.builds(TerminateAsked, st.just("alice")),
    st.builds(TooLate, st.just("late")),
)


@given(
    start=st.sampled_from([S.PENDING, S.HELD]),
    happened=st.lists(happenings, max_size=30),
    needs=st.builds(Needs, st.booleans(), st.booleans()),
)
def test_any_history_is_legal(start: S, happened: list[object], needs: Needs) -> None:
    decision = live(activity(start), *happened, needs=needs)
    states = [start, *(event.state for event in decision.events)]
    for old, new in pairwise(states):
        assert old is new or may_follow(old, new), states
    assert not any(state.final for state in states[:-1] if state is not states[-1])
    times = [event.time for event in decision.events]
    assert times == sorted(times)
    done = decision.activity
    assert done.state is states[-1]
    if done.state.final:
        assert done.expires is not None
        assert resume(done) is None
    elif done.state.in_lrms:
        assert done.native_id is not None
    # A crash at any instant is survived: there is always something to go on with, or somebody to wait for.
    if not done.state.final and done.state is not S.HELD:
        assert resume(done) is not None


def test_one_without_a_share_is_matched_first() -> None:
    begun = decide(activity(resource=None), Begun(), NOTHING, 1.0, 10.0)
    assert begun.instructions == [Instruction.MATCH]
    assert begun.activity.state is S.PENDING
    matched = decide(begun.activity, Matched("slurm", "long", "slurm/long", ("python-3.11",)), NOTHING, 2.0, 10.0)
    assert matched.instructions == [Instruction.SUBMIT]
    assert (matched.activity.resource, matched.activity.queue) == ("slurm", "long")
    assert matched.activity.environments == ("python-3.11",)


def test_one_that_nothing_takes_waits_and_says_why_and_since_when() -> None:
    waiting = decide(activity(resource=None), Unmatched("it is closed"), NOTHING, 1.0, 10.0)
    assert (waiting.activity.state, waiting.activity.reason) == (S.PENDING, "it is closed")
    assert not waiting.instructions
    again = decide(waiting.activity, Unmatched("it is closed"), NOTHING, 2.0, 10.0)
    assert again.activity == waiting.activity
    assert not again.events
    other = decide(waiting.activity, Unmatched("it is away"), NOTHING, 3.0, 10.0)
    assert (other.activity.reason, other.activity.waiting_since) == ("it is away", 1.0)
    assert resume(other.activity) == Begun()
    matched = decide(other.activity, Matched("a", None, "a"), NOTHING, 4.0, 10.0)
    assert (matched.activity.reason, matched.activity.waiting_since) == (None, None)
    assert matched.events[0].kind == "matched"


@pytest.mark.parametrize("state", [S.HELD, S.STAGED_IN, S.LRMS_RUNNING, S.TERMINATING, S.FINISHED])
def test_a_match_that_comes_late_changes_nothing(state: S) -> None:
    late = decide(activity(state), Matched("b", None, "b"), NOTHING, 1.0, 10.0)
    assert late.activity.resource == "here"
    assert not late.events


def test_one_that_waits_is_terminated_at_once() -> None:
    ended = decide(activity(resource=None, waiting_since=1.0), TerminateAsked("bob"), NOTHING, 2.0, 10.0)
    assert (ended.activity.state, ended.activity.waiting_since) == (S.TERMINATED, None)
    assert not ended.instructions
