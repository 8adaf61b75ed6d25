"""What to believe when the queue, accounting and the job's own record disagree or say nothing."""

from __future__ import annotations

import pytest

from argosy.batch.records import Record, RecordKind
from argosy.executors.batch.reconcile import Policy, Watched, on_duplicate, on_exit, on_seen, on_start, on_unseen
from argosy.executors.contract import Handle
from argosy.model import Observation, Outcome, Phase

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
