"""What is believed of a plug-in's job: pure decisions over what its two sources say."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.psij import JobState, JobStatus
from argosy.psij.executors.batch._judgement import (
    Grace,
    Known,
    mentioned,
    on_exit_code,
    on_missing,
    on_shown,
    parse_apart,
)

S = JobState
GRACE = Grace(exit_code=3, word=10, lost=300)


def shown(known: Known, state: JobState, now: float, **more: object) -> JobStatus | None:
    return on_shown(known, JobStatus(state, **more), now, GRACE)


def test_an_exit_code_ends_the_job_at_once() -> None:
    assert (end := on_exit_code(Known(), 0, 1.0)).state is S.COMPLETED
    assert end.exit_code == 0
    assert (end := on_exit_code(Known(), 128, 1.0)).state is S.FAILED
    assert end.exit_code == 128


def test_one_that_was_signalled_waits_for_the_batch_systems_word() -> None:
    known = Known()
    assert on_exit_code(known, 143, 0.0) is None
    assert known.pending
    assert shown(known, S.ACTIVE, 5.0).state is S.ACTIVE
    assert shown(known, S.CANCELED, 6.0).state is S.CANCELED
    known = Known()
    on_exit_code(known, 143, 0.0)
    assert (end := shown(known, S.ACTIVE, 10.0)).state is S.FAILED
    assert end.exit_code == 143
    known = Known(cancel_asked=True)
    on_exit_code(known, 143, 0.0)
    assert on_missing(known, 1.0, GRACE).state is S.CANCELED
    known = Known()
    on_exit_code(known, 143, 0.0)
    assert on_missing(known, 1.0, GRACE).exit_code == 143


def test_the_batch_systems_end_waits_for_the_exit_code() -> None:
    known = Known()
    assert shown(known, S.COMPLETED, 0.0) is None
    assert known.pending
    assert shown(known, S.COMPLETED, 2.9) is None
    end = shown(known, S.COMPLETED, 3.0)
    assert (end.state, end.exit_code) == (S.COMPLETED, None)
    known.exit_code = 4
    assert shown(known, S.COMPLETED, 0.0).state is S.FAILED
    known = Known(exit_code=0)
    end = shown(known, S.FAILED, 0.0, message="node failure")
    assert (end.state, end.message, end.exit_code) == (S.FAILED, "node failure", 0)
    assert shown(Known(), S.COMPLETED, 0.0, exit_code=3).state is S.FAILED
    assert shown(Known(), S.CANCELED, 0.0).state is S.CANCELED


def test_absence_is_no_end() -> None:
    known = Known()
    assert on_missing(known, 0.0, GRACE) is None
    assert on_missing(known, 299.0, GRACE) is None
    assert shown(known, S.ACTIVE, 299.5).state is S.ACTIVE
    assert on_missing(known, 300.0, GRACE) is None
    end = on_missing(known, 600.0, GRACE)
    assert end.state is S.FAILED
    assert "lost" in end.message


def test_absence_of_what_was_cancelled_or_attached() -> None:
    known = Known(cancel_asked=True)
    assert on_missing(known, 0.0, GRACE) is None
    assert on_missing(known, 3.0, GRACE).state is S.CANCELED
    known = Known(attached=True)
    assert on_missing(known, 0.0, GRACE) is None
    assert "attached" in on_missing(known, 3.0, GRACE).message
    known = Known(attached=True)
    shown(known, S.ACTIVE, 0.0)
    on_missing(known, 1.0, GRACE)
    assert on_missing(known, 4.0, GRACE) is None


@given(st.lists(st.sampled_from(["ok", "odd"]), max_size=12), st.booleans())
def test_odd_lines_are_set_apart(kinds: list[str], heading: bool) -> None:
    def parse(exit_code: int, out: str) -> Mapping[str, JobStatus]:
        lines = out.splitlines()
        if heading:
            assert lines[0] == "ID STATE"
            lines = lines[1:]
        return {line.split()[0]: JobStatus(S[line.split()[1]]) for line in lines}

    lines = ["ID STATE\n"] * heading
    lines += [f"{number} {'ACTIVE' if kind == 'ok' else 'WHO KNOWS'[4:]}\n" for number, kind in enumerate(kinds)]
    wanted = {str(number) for number, kind in enumerate(kinds) if kind == "ok"}
    ids = [str(number) for number in range(len(kinds))]
    if kinds and not wanted and not heading:
        with pytest.raises(KeyError):
            parse_apart(parse, "".join(lines), ids)
        return
    if not lines and heading:
        return
    found, odd = parse_apart(parse, "".join(lines), ids)
    assert set(found) == wanted
    assert len(odd) == kinds.count("odd")
    assert mentioned("".join(odd), set(ids)) == set(ids) - wanted


def test_the_ids_in_a_text() -> None:
    assert mentioned("a 12,13; id=14 x15|16", {"12", "13", "14", "15", "16", "1"}) == {"12", "13", "14", "16"}
    assert list(itertools.chain(mentioned("", {"1"}))) == []
