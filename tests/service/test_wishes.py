"""Hold, release, suspend and resume: the pure part."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from argosy.executors.contract import Report
from argosy.model import ActivityState, Outcome, Phase
from argosy.model.actions import Action, action_towards, allowed, satisfied
from argosy.model.activity import may_follow
from argosy.service.lifecycle import (
    Accepted,
    Begun,
    Decision,
    InputChecked,
    Instruction,
    Needs,
    Never,
    Reported,
    TerminateAsked,
    decide,
)
from argosy.service.lifecycle.wishes import WishAnswered, Wished, held_here, pending
from argosy.store import Activity

S = ActivityState
NOTHING = Needs(inputs=False, outputs=False)
INPUTS = Needs(inputs=True, outputs=False)
HOLD, RELEASE = Wished(Action.HOLD, "alice"), Wished(Action.RELEASE, "bob")
SUSPEND, RESUME = Wished(Action.SUSPEND, "alice"), Wished(Action.RESUME, "alice")


def seen(phase: Phase, time: float = 4.0, **more: object) -> Reported:
    return Reported(Report("a", "7", phase, time, **more))


def live(*happened: object, state: S = S.PENDING, needs: Needs = NOTHING) -> Decision:
    """Everything that follows, with the instructions of the last."""
    whole = Decision(Activity("a", "alice", state, 1, 0.0, 0.0, resource="told"), [], [])
    for now, one in enumerate(happened, 1):
        decision = decide(whole.activity, one, needs, float(now), 10.0)
        whole = Decision(decision.activity, whole.events + decision.events, decision.instructions)
    return whole


def kinds(decision: Decision) -> list[str]:
    return [event.kind for event in decision.events]


def test_pending_is_held_by_the_service_and_released_by_anybody_who_may() -> None:
    held = live(HOLD)
    assert (held.activity.state, held.events[-1].by) == (S.HELD, "alice")
    going = live(HOLD, RELEASE)
    assert going.activity.state is S.STAGED_IN
    assert Instruction.SUBMIT in going.instructions


def test_while_input_arrives_it_is_held_where_it_is() -> None:
    held = live(Begun(), HOLD, InputChecked(()), needs=INPUTS)
    assert held.activity.state is S.STAGING_IN
    assert held_here(held.activity)
    assert not held.instructions
    going = live(Begun(), HOLD, InputChecked(()), RELEASE, needs=INPUTS)
    assert going.instructions == [Instruction.CHECK_INPUT]
    assert going.activity.wish is None
    assert going.events[-1].by == "bob"


def test_a_hold_during_submission_reaches_the_batch_system() -> None:
    accepted = live(Begun(), HOLD, Accepted("7"))
    assert accepted.activity.state is S.SUBMITTED
    assert accepted.instructions == [Instruction.CONTROL]
    shown = live(Begun(), HOLD, Accepted("7"), seen(Phase.HELD))
    assert shown.activity.state is S.LRMS_HOLD
    assert shown.activity.wish.done
    assert shown.events[-1].by == "alice"


def test_what_the_batch_system_never_had_stays_with_the_service() -> None:
    parked = live(Begun(), HOLD, Never())
    assert parked.activity.state is S.STAGED_IN
    assert not parked.instructions
    assert kinds(parked)[-1] == "held"
    assert live(Begun(), HOLD, Never(), RELEASE).instructions == [Instruction.RECOVER]
    # While the submission is under way nothing else may submit: its answer decides.
    assert not live(Begun(), HOLD, RELEASE).instructions
    assert Instruction.CANCEL in live(Begun(), HOLD, Never(), TerminateAsked("alice")).instructions


def test_the_batch_system_is_asked_and_what_it_shows_counts() -> None:
    queued = (Begun(), Accepted("7"), seen(Phase.QUEUED))
    asked = live(*queued, HOLD)
    assert asked.instructions == [Instruction.CONTROL]
    heard = live(*queued, HOLD, WishAnswered(4.0))
    assert pending(heard.activity) is not None, "that it was heard is not that it is so"
    shown = live(*queued, HOLD, WishAnswered(4.0), seen(Phase.HELD))
    assert shown.activity.wish.done
    released = live(*queued, HOLD, WishAnswered(4.0), seen(Phase.HELD), RELEASE, seen(Phase.QUEUED))
    assert released.activity.wish is None
    assert released.events[-1].by == "bob"


def test_a_refusal_is_told_in_the_batch_systems_words() -> None:
    refused = live(Begun(), Accepted("7"), seen(Phase.QUEUED), HOLD, WishAnswered(4.0, refused="Access denied"))
    assert refused.activity.wish is None
    assert (refused.events[-1].kind, refused.events[-1].message) == ("refused", "Access denied")
    assert refused.activity.state is S.QUEUED


def test_while_the_batch_system_is_away_it_is_told_once() -> None:
    away = WishAnswered(4.0, away="no answer")
    told = live(Begun(), Accepted("7"), seen(Phase.QUEUED), HOLD, away, away)
    assert kinds(told).count("unavailable") == 1
    assert pending(told.activity) is not None


def test_an_answer_to_an_older_wish_changes_nothing() -> None:
    late = live(Begun(), Accepted("7"), seen(Phase.QUEUED), HOLD, RELEASE, WishAnswered(4.0, refused="no"))
    assert pending(late.activity).action is Action.RELEASE


def test_a_job_that_starts_first_is_not_held() -> None:
    late = live(Begun(), Accepted("7"), seen(Phase.QUEUED), HOLD, seen(Phase.RUNNING))
    assert late.activity.wish is None
    assert kinds(late)[-1] == "refused"


def test_a_hold_that_the_batch_system_gives_up_is_seen() -> None:
    lost = live(Begun(), Accepted("7"), seen(Phase.QUEUED), HOLD, seen(Phase.HELD), seen(Phase.QUEUED))
    assert kinds(lost)[-1] == "hold-lost"
    assert lost.activity.wish is None
    running = (Begun(), Accepted("7"), seen(Phase.RUNNING))
    lost = live(*running, SUSPEND, seen(Phase.SUSPENDED), seen(Phase.RUNNING))
    assert kinds(lost)[-1] == "suspend-lost"
    fine = live(*running, SUSPEND, seen(Phase.SUSPENDED), RESUME, seen(Phase.RUNNING))
    assert "suspend-lost" not in kinds(fine)
    assert fine.activity.wish is None


def test_what_ends_first_has_no_wishes_left() -> None:
    end = seen(Phase.ENDED, outcome=Outcome.EXITED, exit_code=0)
    over = live(Begun(), Accepted("7"), seen(Phase.RUNNING), SUSPEND, end)
    assert over.activity.state is S.FINISHED
    assert over.activity.wish is None


HAPPENINGS = st.lists(
    st.sampled_from(
        [
            Begun(),
            InputChecked(()),
            Accepted("7"),
            Never(),
            HOLD,
            RELEASE,
            SUSPEND,
            RESUME,
            *map(seen, (Phase.QUEUED, Phase.HELD, Phase.RUNNING, Phase.SUSPENDED)),
            seen(Phase.ENDED, outcome=Outcome.EXITED, exit_code=0),
            TerminateAsked("alice"),
            WishAnswered(3.0),
            WishAnswered(4.0, refused="no"),
            WishAnswered(5.0, away="gone"),
        ]
    ),
    max_size=14,
)


@given(HAPPENINGS, st.booleans())
def test_whatever_happens_in_whatever_order(happened: list[object], inputs: bool) -> None:
    decision = live(*happened, needs=INPUTS if inputs else NOTHING)
    states = [S.PENDING, *(event.state for event in decision.events)]
    assert all(old is new or may_follow(old, new) for old, new in itertools.pairwise(states))
    times = [event.time for event in decision.events]
    assert times == sorted(times)
    wish = decision.activity.wish
    if wish is not None:
        # A wish that lasts holds what it is about; any other is still being asked for.
        if wish.done:
            assert decision.activity.state in (S.STAGING_IN, S.STAGED_IN, S.LRMS_HOLD, S.SUSPENDED)
        assert not decision.activity.state.final
        assert decision.activity.state is not S.TERMINATING


@given(st.sampled_from(S), st.booleans())
def test_what_is_so_already_is_not_what_can_be_asked_for(state: S, held: bool) -> None:
    can = allowed(state, held=held)
    for action in Action:
        assert not (action in can and satisfied(state, action, held=held))
    assert (Action.TERMINATE in can) == (not state.final and state is not S.TERMINATING)


def test_states_to_go_to() -> None:
    assert action_towards("pending:held", S.QUEUED) is Action.HOLD
    assert action_towards("running:lrms:suspended", S.LRMS_RUNNING) is Action.SUSPEND
    assert action_towards("running", S.SUSPENDED) is Action.RESUME
    assert action_towards("running", S.HELD) is Action.RELEASE
    assert action_towards("terminated", S.QUEUED) is Action.TERMINATE
