"""A failed activity goes on from the stage that failed, and no job runs twice for it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.client import Client, Description
from argosy.executors.contract import Report
from argosy.model import ArgosyError, InvalidStateException, NotFound, Outcome, Phase
from argosy.model.activity import RESTARTED, ActivityState, may_follow, may_restart
from argosy.service.lifecycle import (
    Accepted,
    Begun,
    Decision,
    InputChecked,
    Instruction,
    Needs,
    OutputChecked,
    Refused,
    Reported,
    TerminateAsked,
    TooLate,
    decide,
    resume,
)
from argosy.service.lifecycle.restart import RestartAsked, why_not
from argosy.service.lifecycle.staging_events import (
    CredentialRenewed,
    CredentialWanted,
    FileMoved,
    Noticed,
    StagingFailed,
)
from argosy.store import Activity
from tests.service.driving import ALICE, BOB, create, record, told_service, until
from tests.service.running import RunningService
from tests.service.test_lifecycle import happenings

S = ActivityState
ASKED = RestartAsked("alice", "w")
BOTH = Needs(inputs=True, outputs=True)


def ended(outcome: Outcome, tag: str = "a", code: int | None = None) -> Reported:
    return Reported(Report(tag, "7", Phase.ENDED, 5.0, outcome=outcome, exit_code=code))


def live(*happened: object, needs: Needs = BOTH) -> Decision:
    whole = Decision(Activity("a", "alice", S.PENDING, 1, 0.0, 0.0, resource="told"), [], [])
    for now, one in enumerate(happened, 1):
        decision = decide(whole.activity, one, needs, float(now), 10.0)
        whole = Decision(decision.activity, whole.events + decision.events, decision.instructions)
    return whole


TO_JOB = (Begun(), InputChecked(()))
FAILURES: list[tuple[tuple[object, ...], S, Instruction, str]] = [
    ((Begun(), TooLate("no input")), S.STAGING_IN, Instruction.CHECK_INPUT, "a"),
    ((*TO_JOB, Refused("no")), S.STAGED_IN, Instruction.RECOVER, "a"),
    ((*TO_JOB, TooLate("away")), S.STAGED_IN, Instruction.RECOVER, "a"),
    ((*TO_JOB, TooLate("away", withdrawn=True)), S.STAGED_IN, Instruction.RECOVER, "a-2"),
    ((*TO_JOB, Accepted("7"), TooLate("away")), S.SUBMITTED, Instruction.WATCH, "a"),
    ((*TO_JOB, Accepted("7"), TerminateAsked("x"), TooLate("away")), S.SUBMITTED, Instruction.WATCH, "a"),
    ((*TO_JOB, Accepted("7"), ended(Outcome.TIMEOUT)), S.STAGED_IN, Instruction.SUBMIT, "a-2"),
    ((*TO_JOB, Accepted("7"), ended(Outcome.NOT_STARTED)), S.STAGED_IN, Instruction.SUBMIT, "a-2"),
    (
        (*TO_JOB, Accepted("7"), ended(Outcome.EXITED, code=0), OutputChecked(("o",))),
        S.STAGING_OUT,
        Instruction.CHECK_OUTPUT,
        "a",
    ),
]


@pytest.mark.parametrize(("happened", "state", "instruction", "tag"), FAILURES)
def test_it_goes_on_from_the_stage_that_failed(
    happened: tuple[object, ...], state: S, instruction: Instruction, tag: str
) -> None:
    failed = live(*happened).activity
    assert failed.state is S.FAILED
    assert failed.expires is not None
    decision = live(*happened, ASKED)
    now = decision.activity
    assert (now.state, decision.instructions, now.tag) == (state, [instruction], tag)
    assert (now.restarts, now.expires, now.final_at, now.worker, now.reason) == (1, None, None, "w", None)
    assert [event.by for event in decision.events if event.kind == RESTARTED] == ["alice"]
    for old, new in pairwise(decision.events):
        if old.state is not new.state:
            assert (may_restart if new.kind == RESTARTED else may_follow)(old.state, new.state)


def test_a_second_restart_changes_nothing() -> None:
    happened = FAILURES[0][0]
    assert len([e for e in live(*happened, ASKED, ASKED).events if e.kind == RESTARTED]) == 1


@pytest.mark.parametrize("outcome", [Outcome.LOST, Outcome.DUPLICATE])
def test_a_job_that_may_still_run_is_not_run_again(outcome: Outcome) -> None:
    happened = (*TO_JOB, Accepted("7"), ended(outcome))
    words = why_not(live(*happened).activity)
    assert words is not None
    assert "might still run" in words
    assert live(*happened, ASKED).activity.state is S.FAILED
    assert live(*happened, RestartAsked("alice", "w", over=True)).activity.tag == "a-2"


def test_what_the_old_job_tells_is_not_believed_of_the_new_one() -> None:
    happened = (*TO_JOB, Accepted("7"), ended(Outcome.TIMEOUT), ASKED)
    late = live(*happened, ended(Outcome.EXITED, code=0)).activity
    assert (late.state, late.native_id, late.exit_code) == (S.STAGED_IN, None, None)
    new = live(*happened, ended(Outcome.EXITED, "a-2", 0)).activity
    assert (new.state, new.exit_code, new.earlier) == (S.STAGING_OUT, 0, ("7",))


@pytest.mark.anyio
async def test_only_failed_ones_and_only_ones_own(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        id = await create(service)
        await until(lambda: driver.submitted == [id])
        for caller, kind in ((ALICE, InvalidStateException), (BOB, NotFound)):
            (answer,) = await service.restart(caller, [id])
            assert isinstance(answer, kind)
        await driver.end(id)
        (answer,) = await service.restart(ALICE, [id])
        assert isinstance(answer, InvalidStateException)
        assert "finished" in answer.message


@pytest.mark.anyio
async def test_each_submission_has_a_tag_of_its_own_and_all_are_forgotten(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        id = await create(service)
        for tag in (id, f"{id}-2", f"{id}-3"):
            await until(lambda tag=tag: tag in driver.submitted)
            await driver.on_reports([Report(tag, tag, Phase.ENDED, time.time(), outcome=Outcome.NODE_FAILURE)])
            found = await record(service, id)
            assert (found.state, found.native_id) == (S.FAILED, tag)
            (first,), (second,) = await asyncio.gather(service.restart(ALICE, [id]), service.restart(ALICE, [id]))
            assert isinstance(first, Activity)
            assert not isinstance(second, Activity) or second.restarts == first.restarts
        await until(lambda: len(driver.submitted) == 4)
        await driver.end(f"{id}-4")
        assert (await record(service, id)).state is S.FINISHED
        assert await service.purge(ALICE, [id]) == [None]
        await until(lambda: driver.forgotten)
        assert sorted(tag for tags in driver.forgotten for tag in tags) == [id, f"{id}-2", f"{id}-3", f"{id}-4"]


def _describe(share: str, later: Path, runs: Path) -> Description:
    return Description(
        executable="/bin/sh",
        arguments=["-c", 'printf "%s\\n" "$ARGOSY_JOB_TAG" >> "$1"', "sh", str(runs)],
        directory=str(later),
        share=share,
    )


@pytest.mark.kill
@pytest.mark.timeout(180)
@pytest.mark.parametrize("point", ["submit-before", "submit-after", "accepted", "reported"])
@pytest.mark.usefixtures("only_that_share")
def test_a_restart_survives_kill_9(service: RunningService, share: str, point: str, tmp_path: Path) -> None:
    runs, later = tmp_path / "runs", tmp_path / "later"
    description = _describe(share, later, runs)
    service.start()
    with service.client() as client:
        id = client.submit(description, key="k").id
        assert client.wait(id, timeout=60).state == "failed", list(client.events(id))
    service.stop()
    later.mkdir()
    service.start(fault=point)
    with contextlib.suppress(ArgosyError, OSError), service.client(retries=0) as client:
        client.restart(id)
        client.wait(id, timeout=30)
    assert service.died(), service.log()
    service.start()
    with service.client() as client:
        _restarted_once(client, id, runs)


def _restarted_once(client: Client, id: str, runs: Path) -> None:
    done = client.wait(id, timeout=60)
    assert (done.state, done.exit_code) == ("finished", 0), list(client.events(id))
    assert runs.read_text().split() == [f"{id}-2"]
    with pytest.raises(InvalidStateException):
        client.restart(id)
    (result,) = client.restart_many([id])
    assert result.problem is not None
    assert result.problem.code == "invalid-state"


more = st.one_of(
    happenings,
    st.builds(lambda over: RestartAsked("alice", "w", over), st.booleans()),
    st.just(FileMoved("fetched", "f", {})),
    st.just(StagingFailed("404")),
    st.just(CredentialWanted("expired")),
    st.just(CredentialRenewed()),
    st.just(Noticed("quota", "much")),
    st.builds(
        lambda outcome, tag: Reported(Report(tag, "9", Phase.ENDED, 1.0, outcome=outcome, exit_code=0)),
        st.sampled_from(Outcome),
        st.sampled_from(["a", "a-2", "a-3"]),
    ),
    st.builds(Accepted, st.sampled_from(["7", "8"])),
)


@given(happened=st.lists(more, max_size=40), needs=st.builds(Needs, st.booleans(), st.booleans()))
def test_whatever_happens_a_new_job_comes_only_after_the_old_one_is_over(happened: list[object], needs: Needs) -> None:
    record = Activity("a", "alice", S.PENDING, 1, 0.0, 0.0, resource="told")
    for now, one in enumerate([Begun(), *happened]):
        decision = decide(record, one, needs, float(now), 10.0)
        after = decision.activity
        path = [(record.state, ""), *((event.state, event.kind) for event in decision.events)]
        for (old, _), (new, kind) in pairwise(path):
            assert old is new or (may_restart if kind == RESTARTED else may_follow)(old, new), path
        if after.tag != record.tag:
            assert isinstance(one, RestartAsked)
            assert record.outcome is not None
            assert one.over or record.outcome not in (Outcome.LOST, Outcome.DUPLICATE)
            assert after.earlier == (*record.earlier, record.native_id)
        if after.state.final:
            assert after.expires is not None
            assert after.waiting_for is None
            assert resume(after) is None
        elif after.state is not S.HELD:
            assert resume(after) is not None
            assert after.expires is None
        if Instruction.SUBMIT in decision.instructions:
            assert after.state is S.STAGED_IN
            assert after.native_id is None
        record = after
