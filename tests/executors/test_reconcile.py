"""What to believe when the queue, accounting and the job's own record disagree or say nothing."""

from __future__ import annotations

import pytest

from argosy.batch.records import Record, RecordKind
from argosy.executors.batch.executor import to_status
from argosy.executors.batch.reconcile import Policy, Watched, on_duplicate, on_exit, on_seen, on_start, on_unseen
from argosy.executors.contract import Handle
from argosy.model import JobState, Observation, Outcome, Phase

S = JobState
POLICY = Policy(record_grace=3, word_grace=10, lost_after=300)


def watched() -> Watched:
    return Watched(Handle("t", "7"), since=0.0)


def record(kind: RecordKind, code: int | None = None, **more: object) -> Record:
    return Record(kind, "t", "7", 0, 100.0, exit_code=code, **more)


def seen(phase: Phase, word: str = "W", **more: object) -> Observation:
    return Observation("7", phase, word, **more)


def test_a_plain_exit_is_believed_at_once() -> None:
    report = on_exit(watched(), record(RecordKind.EXIT, 7), 101.0)
    assert (report.outcome, report.exit_code, report.signal) == (Outcome.EXITED, 7, None)


@pytest.mark.parametrize(
    ("record_", "queue", "outcome"),
    [
        (record(RecordKind.EXIT, 143, terminated=True), Outcome.TIMEOUT, Outcome.TIMEOUT),
        (record(RecordKind.EXIT, 143, terminated=True), Outcome.CANCELLED, Outcome.CANCELLED),
        (record(RecordKind.EXIT, 137), Outcome.OUT_OF_MEMORY, Outcome.OUT_OF_MEMORY),
        (record(RecordKind.EXIT, 137), Outcome.EXITED, Outcome.EXITED),
        (record(RecordKind.EXIT, 0, terminated=True), Outcome.EXITED, Outcome.EXITED),
    ],
)
def test_a_signalled_exit_waits_for_the_batch_systems_word(record_: Record, queue: Outcome, outcome: Outcome) -> None:
    job = watched()
    assert on_exit(job, record_, 101.0) is None
    assert on_seen(job, seen(Phase.ENDING), 101.0, 101.1, POLICY) is None
    report = on_seen(job, seen(Phase.ENDED, outcome=queue, exit_code=1), 101.0, 101.2, POLICY)
    assert (report.outcome, report.exit_code) == (outcome, record_.exit_code)


def test_the_record_does_where_the_batch_system_never_gives_its_word() -> None:
    job = watched()
    on_exit(job, record(RecordKind.EXIT, 137), 101.0)
    assert on_unseen(job, None, 105.0, POLICY) is None
    report = on_unseen(job, None, 112.0, POLICY)
    assert (report.outcome, report.exit_code, report.signal) == (Outcome.EXITED, 137, 9)


def test_a_job_that_was_cancelled_and_is_gone_was_cancelled() -> None:
    job = watched()
    job.cancel_asked = True
    on_exit(job, record(RecordKind.EXIT, 143, terminated=True), 101.0)
    assert on_unseen(job, None, 112.0, POLICY).outcome is Outcome.CANCELLED


def test_absence_is_not_success() -> None:
    job = watched()
    assert on_unseen(job, None, 100.0, POLICY) is None
    assert on_unseen(job, None, 399.0, POLICY) is None
    report = on_unseen(job, None, 401.0, POLICY)
    assert report.outcome is Outcome.LOST
    assert report.exit_code is None


def test_a_job_that_was_cancelled_and_left_no_word_is_not_waited_for_as_long() -> None:
    job = watched()
    on_seen(job, seen(Phase.QUEUED), 100.0, 100.0, POLICY)
    job.cancel_asked = True
    assert on_unseen(job, None, 101.0, POLICY) is None
    assert on_unseen(job, None, 111.0, POLICY) is None
    report = on_unseen(job, None, 111.5, POLICY)
    assert report.outcome is Outcome.CANCELLED


def attached() -> Watched:
    return Watched(Handle("t", "7", attached=True), since=0.0)


def test_what_was_attached_to_and_nobody_knows_is_soon_lost_and_never_cancelled() -> None:
    for asked in (False, True):
        job = attached()
        job.cancel_asked = asked
        assert on_unseen(job, None, 100.0, POLICY) is None
        assert on_unseen(job, None, 119.0, POLICY) is None
        assert on_unseen(job, None, 121.0, POLICY).outcome is Outcome.LOST


def test_what_was_attached_to_waits_for_an_accounting_that_is_away() -> None:
    job = attached()
    on_unseen(job, None, 100.0, POLICY, answered=False)
    assert on_unseen(job, None, 399.0, POLICY, answered=False) is None
    assert on_unseen(job, None, 399.5, POLICY).outcome is Outcome.LOST


def test_what_was_attached_to_and_seen_is_like_any_other() -> None:
    job = attached()
    on_seen(job, seen(Phase.QUEUED), 100.0, 100.0, POLICY)
    on_unseen(job, None, 101.0, POLICY)
    assert on_unseen(job, None, 399.0, POLICY) is None


def test_a_job_that_is_seen_again_was_not_lost() -> None:
    job = watched()
    on_unseen(job, None, 100.0, POLICY)
    on_seen(job, seen(Phase.QUEUED), 200.0, 200.1, POLICY)
    assert on_unseen(job, None, 401.0, POLICY) is None


def test_accounting_that_lags_behind_decides_nothing() -> None:
    assert on_unseen(watched(), seen(Phase.RUNNING), 100.0, POLICY) is None


def test_an_end_waits_a_moment_for_the_record() -> None:
    job = watched()
    over = seen(Phase.ENDED, outcome=Outcome.EXITED, exit_code=0, ended=99.0)
    assert on_seen(job, over, 100.0, 100.1, POLICY) is None
    report = on_seen(job, over, 103.0, 103.2, POLICY)
    assert (report.outcome, report.exit_code, report.time) == (Outcome.EXITED, 0, 99.0)


def test_an_end_of_which_nobody_knows_the_code_is_not_a_success() -> None:
    job = watched()
    over = seen(Phase.ENDED, outcome=Outcome.EXITED)
    assert on_unseen(job, over, 100.0, POLICY) is None
    assert on_unseen(job, over, 200.0, POLICY) is None
    assert on_unseen(job, over, 401.0, POLICY).outcome is Outcome.LOST


def test_what_was_asked_before_the_start_was_known_is_stale() -> None:
    job = watched()
    assert on_start(job, record(RecordKind.START), 50.0).phase is Phase.RUNNING
    assert on_seen(job, seen(Phase.QUEUED), 49.9, 50.2, POLICY) is None
    assert job.phase is Phase.RUNNING


def test_a_requeue_is_seen() -> None:
    job = watched()
    on_start(job, record(RecordKind.START), 50.0)
    report = on_seen(job, seen(Phase.QUEUED, reason="BeginTime"), 60.0, 60.1, POLICY)
    assert report.phase is Phase.QUEUED
    assert "requeued" in report.message


def test_a_second_run_of_what_may_not_run_again_ends_the_job() -> None:
    again = record(RecordKind.DUPLICATE, owner="7", owner_run=0, ran=False)
    report = on_duplicate(watched(), again, 2.0)
    assert report.phase is Phase.ENDED
    assert "not run again" in report.message


def test_a_second_run_that_was_never_begun_did_not_exit() -> None:
    """A node refuses what it is to run again; Slurm then shows an exit code that no application has given."""
    job = watched()
    assert on_start(job, record(RecordKind.START), 1.0) is not None
    assert on_seen(job, seen(Phase.QUEUED, run=1), 2.0, 2.1, POLICY).message == "requeued by the batch system"
    refused = seen(Phase.ENDED, "FAILED", outcome=Outcome.EXITED, exit_code=1, run=1)
    assert on_seen(job, refused, 3.0, 3.1, POLICY) is None
    report = on_seen(job, refused, 7.0, 7.1, POLICY)
    assert (report.outcome, report.exit_code) == (Outcome.NODE_FAILURE, None)
    assert "put it back into the queue" in report.message


def test_a_script_that_could_write_nothing_ran_nothing() -> None:
    """Its exit status is its own, unless it has said before that the application began."""
    unwritten = seen(Phase.ENDED, "FAILED", outcome=Outcome.EXITED, exit_code=125, hosts=("n1",))
    job = watched()
    assert on_seen(job, unwritten, 3.0, 3.1, POLICY) is None
    report = on_seen(job, unwritten, 7.0, 7.1, POLICY)
    assert (report.outcome, report.exit_code) == (Outcome.NOT_STARTED, None)
    assert "not seen by n1" in report.message
    begun = watched()
    on_start(begun, record(RecordKind.START), 1.0)
    on_seen(begun, unwritten, 3.0, 3.1, POLICY)
    report = on_seen(begun, unwritten, 7.0, 7.1, POLICY)
    assert (report.outcome, report.exit_code) == (Outcome.EXITED, 125)


def test_another_copys_refusal_is_no_end() -> None:
    other = Record(RecordKind.DUPLICATE, "t", "8", 0, 1.0, owner="7", ran=False)
    assert on_duplicate(watched(), other, 2.0) is None


def test_reasons_are_told_once() -> None:
    job = watched()
    first = on_seen(job, seen(Phase.QUEUED, reason="Priority"), 1.0, 1.1, POLICY)
    assert first.message == "Priority"
    assert on_seen(job, seen(Phase.QUEUED, reason="Priority"), 2.0, 2.1, POLICY) is None
    assert on_seen(job, seen(Phase.QUEUED, reason="Resources"), 3.0, 3.1, POLICY).message == "Resources"


def test_a_script_that_could_not_start_the_application_says_so() -> None:
    report = on_exit(watched(), record(RecordKind.EXIT, 125, ran=False, note="no such directory: /x"), 1.0)
    assert (report.outcome, report.exit_code) == (Outcome.NOT_STARTED, None)
    assert "/x" in report.message


def test_the_steps_of_a_job_that_stages_are_told_once_each() -> None:
    job = watched()
    steps = [RecordKind.STAGE_IN, RecordKind.START, RecordKind.STAGE_OUT, RecordKind.CLEANUP]
    reports = [on_start(job, record(kind), 50.0) for kind in steps]
    assert [report.state for report in reports] == [S.STAGE_IN, S.ACTIVE, S.STAGE_OUT, S.CLEANUP]
    assert {report.phase for report in reports} == {Phase.RUNNING}
    assert [on_start(job, record(kind), 51.0) for kind in steps] == [None] * 4


def test_a_start_after_the_queue_showed_it_running_is_told_of_a_job_that_stages_only() -> None:
    plain, staging = watched(), watched()
    for job in (plain, staging):
        on_seen(job, seen(Phase.RUNNING), 49.9, 50.0, POLICY)
    on_start(staging, record(RecordKind.STAGE_IN), 50.1)
    assert on_start(plain, record(RecordKind.START), 50.2) is None
    assert on_start(staging, record(RecordKind.START), 50.2).state is S.ACTIVE


def test_a_later_run_stages_again_and_an_earlier_ones_records_are_past() -> None:
    job = watched()
    on_start(job, record(RecordKind.STAGE_IN), 50.0)
    on_start(job, record(RecordKind.START), 50.1)
    again = Record(RecordKind.STAGE_IN, "t", "7", 1, 60.0)
    assert on_start(job, again, 60.0).state is S.STAGE_IN
    assert on_start(job, record(RecordKind.STAGE_OUT), 60.1) is None
    assert on_start(job, Record(RecordKind.START, "t", "7", 1, 61.0), 61.0).state is S.ACTIVE


@pytest.mark.parametrize(("code", "outcome"), [(0, Outcome.NOT_STAGED_OUT), (3, Outcome.EXITED)])
def test_what_could_not_be_brought_out(code: int, outcome: Outcome) -> None:
    report = on_exit(watched(), record(RecordKind.EXIT, code, failed=True, note="stage_out[0] failed"), 1.0)
    assert (report.outcome, report.exit_code, report.message) == (outcome, code, "stage_out[0] failed")
    status = to_status(report)
    assert (status.state, status.exit_code) == (S.FAILED, code)


def test_a_job_that_stages_is_active_when_its_script_says_so() -> None:
    job = watched()
    report = on_seen(job, seen(Phase.RUNNING), 49.9, 50.0, POLICY)
    assert to_status(report, stages=True).state is S.STAGE_IN
    assert to_status(report).state is S.ACTIVE


def test_a_record_of_a_run_that_was_put_back_is_forgotten_when_the_next_begins() -> None:
    job = watched()
    assert on_exit(job, record(RecordKind.EXIT, 143, terminated=True), 10.0) is None
    assert on_start(job, Record(RecordKind.START, "t", "7", 1, 12.0), 12.0).phase is Phase.RUNNING
    assert on_seen(job, seen(Phase.RUNNING), 40.0, 40.1, POLICY) is None


def test_a_cancelled_job_that_the_queue_still_shows_was_cancelled() -> None:
    job = watched()
    job.cancel_asked = True
    assert on_exit(job, record(RecordKind.EXIT, 143, terminated=True), 10.0) is None
    assert on_seen(job, seen(Phase.RUNNING), 21.0, 21.1, POLICY).outcome is Outcome.CANCELLED


def test_a_cancelled_job_that_ended_nobody_says_how_was_cancelled() -> None:
    job = watched()
    job.cancel_asked = True
    ended = seen(Phase.ENDED, outcome=Outcome.EXITED)
    assert on_seen(job, ended, 10.0, 10.0, POLICY) is None
    assert on_seen(job, ended, 14.0, 14.0, POLICY).outcome is Outcome.CANCELLED


def test_a_script_that_was_cancelled_before_the_application_was_cancelled() -> None:
    job = watched()
    job.cancel_asked = True
    report = on_exit(job, record(RecordKind.EXIT, 125, ran=False, note="the run could not be claimed"), 1.0)
    assert report.outcome is Outcome.CANCELLED
    assert "claimed" in report.message
