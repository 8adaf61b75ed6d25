"""Every vocabulary has every state, and every life of an activity is a possible life in each of them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.model import ActivityState, InvalidInput
from argosy.model.activity import FINAL, TRANSITIONS
from argosy.model.projections import BES, DRMAA2, EMI_ES, GES, MODELS, PSI_J, Facts, InformationModel, information_model

_S = ActivityState
_ALL = pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))

facts = st.builds(
    Facts,
    st.sampled_from(list(ActivityState)),
    st.sampled_from([None, 0, 1, 137]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@st.composite
def lives(draw: st.DrawFn) -> list[ActivityState]:
    """What the state model allows, from creation on; not always to the end."""
    life = [_S.PENDING]
    for _ in range(draw(st.integers(0, 25))):
        after = sorted(TRANSITIONS[life[-1]])
        # What a failed activity does when it is restarted is a life of its own.
        if not after or life[-1] in FINAL:
            break
        life.append(draw(st.sampled_from(after)))
    return life


@_ALL
@given(facts=facts)
def test_every_state_is_one_of_the_models(model: InformationModel, facts: Facts) -> None:
    told = model.project(facts)
    assert told.state
    if model.follows is not None:
        assert told.state in model.follows
        # A failed activity may be restarted; no other vocabulary knows of that.
        assert model is GES or not model.follows[told.state] or facts.state not in FINAL, "a final state stays final"
        assert model.follows[told.state] or facts.state in FINAL, "what is not final is not told as final"


@_ALL
@given(life=lives(), exit_code=st.sampled_from([None, 0, 3]))
def test_every_history_is_a_legal_one(
    model: InformationModel, life: list[ActivityState], exit_code: int | None
) -> None:
    told = model.history(life, exit_code)
    assert told
    assert [index for index, _ in told] == sorted(index for index, _ in told)
    for (_, before), (_, after) in itertools.pairwise(told):
        if model.follows is not None and before.state != after.state:
            assert after.state in model.follows[before.state], (before, after, life)
        assert before != after
    if life[-1] in FINAL:
        end = told[-1][1]
        assert end == model.project(Facts(life[-1], exit_code, *_passed(life)))


def _passed(life: list[ActivityState]) -> tuple[bool, bool, bool]:
    began = {_S.LRMS_RUNNING, _S.SUSPENDED, _S.LRMS_FINISHED}
    return any(s.in_lrms for s in life), not began.isdisjoint(life), _S.LRMS_FINISHED in life


@_ALL
def test_what_a_model_lets_follow_are_states_of_it(model: InformationModel) -> None:
    if model.follows is not None:
        assert {state for after in model.follows.values() for state in after} <= set(model.follows)
        assert {row.state for row in model.table.values()} <= set(model.follows)


def states_of(model: InformationModel, *life: ActivityState, exit_code: int | None = 0) -> list[str]:
    told = [row.state for _, row in model.history(life, exit_code)]
    return [state for at, state in enumerate(told) if at == 0 or told[at - 1] != state]


_REQUEUED = (_S.PENDING, _S.STAGED_IN, _S.SUBMITTED, _S.LRMS_RUNNING, _S.QUEUED, _S.LRMS_RUNNING, _S.LRMS_FINISHED)
_DONE = (*_REQUEUED, _S.STAGING_OUT, _S.STAGED_OUT, _S.FINISHED)


def test_a_job_that_was_requeued() -> None:
    assert states_of(BES, *_DONE) == ["Pending", "Running", "Finished"]
    assert states_of(PSI_J, *_DONE) == ["QUEUED", "ACTIVE", "COMPLETED"]
    assert states_of(DRMAA2, *_DONE) == ["QUEUED", "RUNNING", "REQUEUED", "RUNNING", "DONE"]
    assert states_of(EMI_ES, *_DONE)[-4:] == ["processing-running", "processing", "postprocessing", "terminal"]


def test_what_comes_after_a_restart_is_a_life_of_its_own() -> None:
    assert states_of(BES, _S.PENDING, _S.STAGING_IN, _S.FAILED, _S.STAGING_IN, _S.FAILED) == [
        "Pending",
        "Running",
        "Failed",
        "Running",
        "Failed",
    ]


def test_a_job_that_is_restarted_is_none_that_was_requeued() -> None:
    failed = (_S.PENDING, _S.STAGED_IN, _S.SUBMITTED, _S.LRMS_RUNNING, _S.FAILED)
    assert states_of(DRMAA2, *failed, _S.STAGED_IN, _S.SUBMITTED)[-2:] == ["FAILED", "QUEUED"]
    told = EMI_ES.history([*failed, _S.STAGING_IN, _S.FAILED], None)
    assert told[-1][1].attributes == ("preprocessing-failure",)
    delivered = EMI_ES.history([*_REQUEUED, _S.STAGING_OUT, _S.FAILED, _S.STAGING_OUT, _S.FAILED], 0)
    assert delivered[-1][1].attributes == ("postprocessing-failure",)


def test_what_was_too_short_to_be_seen_is_put_in() -> None:
    assert states_of(PSI_J, _S.PENDING, _S.STAGED_IN, _S.SUBMITTED, _S.FORWARDED, _S.FINISHED) == [
        "QUEUED",
        "ACTIVE",
        "COMPLETED",
    ]
    assert states_of(DRMAA2, _S.HELD, _S.LRMS_RUNNING) == ["QUEUED_HELD", "QUEUED", "RUNNING"]


@pytest.mark.parametrize(
    ("facts", "attribute"),
    [
        (Facts(_S.FAILED), "preprocessing-failure"),
        (Facts(_S.FAILED, None, submitted=True, started=True), "processing-failure"),
        (Facts(_S.FAILED, 0, submitted=True, started=True, ended=True), "postprocessing-failure"),
        (Facts(_S.TERMINATED), "preprocessing-cancel"),
        (Facts(_S.TERMINATED, 143, submitted=True), "processing-cancel"),
        (Facts(_S.TERMINATING, 0, submitted=True, ended=True), "postprocessing-cancel"),
        (Facts(_S.FINISHED, 3, submitted=True, ended=True), "app-failure"),
    ],
)
def test_emi_es_tells_how_it_ended(facts: Facts, attribute: str) -> None:
    assert attribute in EMI_ES.project(facts).attributes


def test_the_exit_code_is_no_failure_in_bes() -> None:
    assert BES.project(Facts(_S.FINISHED, 3)).state == "Finished"
    assert PSI_J.project(Facts(_S.FINISHED, 3)).state == "FAILED"
    assert PSI_J.project(Facts(_S.FINISHED, 0)).state == "COMPLETED"


def test_a_model_that_is_not_known_is_refused_by_name() -> None:
    assert information_model("EMI-ES") is EMI_ES
    with pytest.raises(InvalidInput, match="there are ges, bes") as refused:
        information_model("jdl")
    assert refused.value.element == "model"
