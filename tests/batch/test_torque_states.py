"""What Torque says of jobs; the texts are as its guide and sources have them."""

from __future__ import annotations

import pytest

from argosy.batch.torque import Torque
from argosy.model import Completed, Observation, Outcome, Phase

from .cases.pbs_classic import described


def seen(state: str, *more: str) -> Observation:
    done = Completed(("qstat",), 0, described("7.srv", state, *more), "")
    snapshot = Torque().parse_status(done, ["7.srv"])
    assert snapshot.unreadable == ()
    return snapshot.jobs["7.srv"]


@pytest.mark.parametrize(
    ("lines", "outcome", "code"),
    [
        (["exit_status = 0"], Outcome.EXITED, 0),
        (["exit_status = 137"], Outcome.EXITED, 137),
        (["exit_status = 271"], Outcome.CANCELLED, None),
        (
            ["exit_status = 271", "Resource_List.walltime = 01:00:00", "resources_used.walltime = 01:00:12"],
            Outcome.TIMEOUT,
            None,
        ),
        (
            ["exit_status = 271", "Resource_List.walltime = 01:00:00", "resources_used.walltime = 00:20:00"],
            Outcome.CANCELLED,
            None,
        ),
        (["exit_status = 267"], Outcome.EXITED, 139),
        (["exit_status = -11"], Outcome.TIMEOUT, None),
        (["exit_status = -10"], Outcome.OUT_OF_MEMORY, None),
        (["exit_status = -1"], Outcome.NOT_STARTED, None),
        ([], Outcome.CANCELLED, None),
    ],
)
def test_endings(lines: list[str], outcome: Outcome, code: int | None) -> None:
    job = seen("C", *lines)
    assert (job.phase, job.outcome, job.exit_code) == (Phase.ENDED, outcome, code)


def test_times_and_hosts() -> None:
    job = seen("R", "exec_host = n1/0-3+n2/0", "start_time = 1795255939")
    assert (job.hosts, job.started, job.submitted) == (("n1", "n2"), 1795255939.0, 1795256268.0)


def test_a_state_that_is_not_known() -> None:
    assert seen("Z").phase is Phase.OTHER
