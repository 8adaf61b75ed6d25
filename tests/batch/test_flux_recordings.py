"""Flux's parsers over what a real flux-core 0.88 printed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from argosy.batch import Control, Group, Submission
from argosy.batch.flux import Flux
from argosy.batch.flux.ids import number
from argosy.model import Completed, JobSpec, Outcome, Phase, SubmitException, Unavailable

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings" / "flux"
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here")

SYSTEM = Flux()


def group(count: int) -> Group:
    return Group("t", tuple(Submission(f"t.{index}", JobSpec("true"), "true") for index in range(count)))


@cache
def recorded(name: str) -> Completed:
    data = json.loads((RECORDINGS / f"{name}.json").read_text())
    return Completed(tuple(data["argv"]), data["returncode"], data["stdout"], data["stderr"])


def all_named(prefix: str) -> list[str]:
    return sorted(path.stem for path in RECORDINGS.glob(f"{prefix}*.json"))


@cache
def the_mix() -> dict[str, str]:
    """The ids of the mix by the jobs' names."""
    return {job["name"]: str(job["id"]) for job in json.loads(recorded("12-jobs-json").stdout)["jobs"]}


def test_ids_in_every_form() -> None:
    decimal = int(recorded("14l-id-dec").stdout)
    plain = recorded("14m-id-f58plain").stdout.strip()
    given = recorded("14l-id-dec").argv[-1]
    assert number(given) == number(plain) == number(str(decimal)) == number(hex(decimal)) == decimal
    for job in json.loads(recorded("12-jobs-json").stdout)["jobs"]:
        assert number(job["jobid"]) == job["id"]
    assert [number(odd) for odd in ("", "f", "abc!", "f0", "-1", "9" * 30)] == [None] * 6


@pytest.mark.parametrize("name", all_named("02"))
def test_accepted(name: str) -> None:
    done = recorded(name)
    ids = [str(number(line)) for line in done.stdout.split()]
    assert SYSTEM.parse_submit(done, group(len(ids))) == ids


def test_ids_for_fewer_jobs_than_were_submitted_are_no_answer() -> None:
    with pytest.raises(Unavailable):
        SYSTEM.parse_submit(recorded("02d-submit-ok-cc"), group(4))


@pytest.mark.parametrize("name", [*all_named("03"), "21c-submit-disabled"])
def test_refused(name: str) -> None:
    done = recorded(name)
    with pytest.raises(SubmitException) as caught:
        SYSTEM.parse_submit(done, group(1))
    assert caught.value.transient is (name == "21c-submit-disabled")
    assert done.stderr.strip() in caught.value.message


@pytest.mark.parametrize("name", all_named("04"))
def test_nobody_answered(name: str) -> None:
    done = recorded(name)
    for ask in (
        lambda: SYSTEM.parse_status(done, ["1"]),
        lambda: SYSTEM.parse_find(done, ["t"]),
        lambda: SYSTEM.parse_list(done),
        lambda: SYSTEM.parse_control(Control.CANCEL, done, ["1"]),
    ):
        with pytest.raises(Unavailable):
            ask()


def test_an_instance_that_is_not_there_may_be_there_later() -> None:
    with pytest.raises(SubmitException) as caught:
        SYSTEM.parse_submit(recorded("04-down-submit"), group(1))
    assert caught.value.transient


def test_every_state() -> None:
    names = the_mix()
    snapshot = SYSTEM.parse_status(recorded("12-jobs-json"), list(names.values()))
    assert snapshot.unreadable == ()
    assert set(snapshot.jobs) == set(names.values())

    def told(name: str) -> tuple[Phase, Outcome | None, int | None]:
        job = snapshot.jobs[names[name]]
        return job.phase, job.outcome, job.exit_code

    ended = Phase.ENDED
    assert {name: told(name) for name in names if name.startswith("mix")} == {
        "mix-pd-res": (Phase.QUEUED, None, None),
        "mix-held": (Phase.HELD, None, None),
        "mix-begin": (Phase.QUEUED, None, None),
        "mix-dep": (Phase.QUEUED, None, None),
        "mix-node1": (Phase.RUNNING, None, None),
        "mix-run": (Phase.RUNNING, None, None),
        "mix-exit255": (ended, Outcome.EXITED, 255),
        "mix-badout": (ended, Outcome.NOT_STARTED, None),
        "mix-nocmd": (ended, Outcome.NOT_STARTED, None),
        "mix-ntasks": (ended, Outcome.EXITED, 3),
        "mix-gpu": (ended, Outcome.CANCELLED, None),
        "mix-term": (ended, Outcome.CANCELLED, None),
        "mix-badcwd": (ended, Outcome.CANCELLED, None),
        "mix-carun": (ended, Outcome.CANCELLED, None),
        "mix-capend": (ended, Outcome.CANCELLED, None),
        "mix-depfail": (ended, Outcome.NOT_STARTED, None),
        "mix-slow7": (ended, Outcome.EXITED, 7),
        "mix-timeout": (ended, Outcome.TIMEOUT, None),
        "mix-kill9": (ended, Outcome.EXITED, 137),
        "mix-exit7": (ended, Outcome.EXITED, 7),
        "mix-exit0": (ended, Outcome.EXITED, 0),
    }
    jobs = {name: snapshot.jobs[native_id] for name, native_id in names.items()}
    assert jobs["mix-pd-res"].start_estimate == pytest.approx(1795260435.2117777)
    assert jobs["mix-dep"].reason == "after-success=\u01925BM1bpK"
    assert jobs["mix-gpu"].reason == "cancel: enough"
    assert jobs["mix-timeout"].reason == "timeout: resource allocation expired"
    assert jobs["mix-run"].hosts == ("fake0",)
    assert jobs["mix-exit7"].started == pytest.approx(1795257948.5290954)


def test_a_job_that_is_larger_than_the_machine() -> None:
    shown = SYSTEM.parse_status(recorded("12-jobs-json"), ["67377299456"]).jobs["67377299456"]
    assert shown.outcome is Outcome.NOT_STARTED
    assert "unsatisfiable request" in (shown.reason or "")


def test_one_job_is_told_alone_and_however_its_id_is_written() -> None:
    done = recorded("12j-jobs-one-json")
    assert SYSTEM.parse_status(done, ["f5TRXp5D"]).jobs["f5TRXp5D"].exit_code == 7
    assert SYSTEM.parse_status(done, ["169617653760"]).jobs["169617653760"].exit_code == 7


def test_preempted() -> None:
    shown = SYSTEM.parse_status(recorded("09b-raise-after"), ["159937200128"]).jobs["159937200128"]
    assert (shown.outcome, shown.reason) == (Outcome.PREEMPTED, "preempt: preempted by test")


def test_a_node_was_lost() -> None:
    job = {
        **next(job for job in json.loads(recorded("12-jobs-json").stdout)["jobs"] if job["name"] == "mix-exit7"),
        "returncode": 1,
        "exception": {"occurred": True, "severity": 0, "type": "exec", "note": "node failure on fake1 (rank 1)"},
    }
    assert "node failure on fake1 (rank 1)" in recorded("20-node-lost").stdout
    shown = SYSTEM.parse_status(Completed(("flux",), 0, json.dumps(job), ""), [str(job["id"])]).jobs[str(job["id"])]
    assert shown.outcome is Outcome.NODE_FAILURE


def test_an_unknown_id_is_merely_absent() -> None:
    assert SYSTEM.parse_status(recorded("12h-jobs-unknown"), ["f1234567"]).jobs == {}
    with pytest.raises(Unavailable):
        SYSTEM.parse_status(recorded("12i-jobs-bad-id"), ["1"])


@pytest.mark.parametrize(
    ("name", "verb", "refused"),
    [
        ("07-cancel-pending", Control.CANCEL, ""),
        ("07b-cancel-running", Control.CANCEL, ""),
        ("07c-cancel-finished", Control.CANCEL, ""),
        ("07d-cancel-unknown", Control.CANCEL, ""),
        ("07f-cancel-many", Control.CANCEL, ""),
        ("07h-cancel-ascii-id", Control.CANCEL, ""),
        ("08-hold", Control.HOLD, ""),
        ("08b-release", Control.RELEASE, ""),
        ("08c-hold-running", Control.HOLD, "urgency cannot be changed once resources are allocated"),
        ("08d-hold-unknown", Control.HOLD, "unknown job"),
    ],
)
def test_acting(name: str, verb: Control, refused: str) -> None:
    done = recorded(name)
    ids = [word for word in done.argv[2:] if number(word) is not None and word not in ("default", "flux")]
    assert SYSTEM.parse_control(verb, done, ids) == ({ids[0]: refused} if refused else {})


def test_shares() -> None:
    limits = recorded("15k-queue-list-o")
    cut = "".join(
        "|".join(row[index] for index in (0, 3, 4)) + "\n"
        for row in (line.split("|") for line in limits.stdout.split())
    )
    resources = recorded("15f-resource-list-o").stdout.replace(" ", "|")
    rows = "".join("|".join(line.split("|")[:5]) + "\n" for line in resources.splitlines())
    shares = SYSTEM.parse_shares(
        [
            recorded("21d-queue-status"),
            Completed(("flux",), 0, cut, ""),
            Completed(("flux",), 0, rows, ""),
            recorded("15j-config"),
        ]
    )
    batch, debug = shares
    assert (batch.name, batch.available, batch.default, batch.max_wall) == ("batch", True, True, 7200)
    assert (batch.nodes, batch.cores, batch.free_cores, batch.gpus_per_node) == (2, 16, 12, 2)
    assert (debug.available, debug.why_not) == (False, "Job submission is disabled: closed")


def test_the_variables_of_a_job_are_those_that_the_script_reads() -> None:
    assert "FLUX_JOB_ID=\u0192" in recorded("17b-env-1").stdout
    assert "FLUX_ENCLOSING_ID=\u0192" in recorded("17c-env-batch").stdout
    assert "FLUX_JOB_ID=" not in recorded("17c-env-batch").stdout
