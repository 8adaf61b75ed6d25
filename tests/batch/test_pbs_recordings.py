"""PBS's parsers over what a real OpenPBS 23.06 printed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from argosy.batch import Control, Group, Submission
from argosy.batch.pbs import PBS
from argosy.batch.pbs.attributes import read
from argosy.model import Completed, JobSpec, Observation, Outcome, Phase, SubmitException, Unavailable

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings" / "openpbs"
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here")

SYSTEM = PBS()
ONE = Group("t", (Submission("t", JobSpec("true"), "true"),))
THREE = Group("t", tuple(Submission(f"t.{number}", JobSpec("true"), "true") for number in range(3)))


@cache
def recorded(name: str) -> Completed:
    data = json.loads((RECORDINGS / f"{name}.json").read_text())
    return Completed(tuple(data["argv"]), data["returncode"], data["stdout"], data["stderr"])


def all_named(prefix: str) -> list[str]:
    return sorted(path.stem for path in RECORDINGS.glob(f"{prefix}*.json"))


def lines(described: dict[str, object], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, value in described.items():
        if key == "Variable_List":
            assert isinstance(value, dict)
            found.append(f"    {key} = " + ",".join(f"{name}={text}" for name, text in value.items()))
        elif isinstance(value, dict):
            found += lines(value, f"{prefix}{key}.")
        else:
            found.append(f"    {prefix}{key} = {value}")
    return found


def as_text(name: str) -> Completed:
    """A recording in JSON as ``-f -w`` writes it; nothing but the form is another one."""
    done = recorded(name)
    jobs = json.loads(done.stdout).get("Jobs", {})
    text = "".join(f"Job Id: {native_id}\n" + "\n".join(lines(job)) + "\n\n" for native_id, job in jobs.items())
    return Completed(done.argv, done.returncode, text, done.stderr)


def one(name: str, native_id: str) -> Observation:
    snapshot = SYSTEM.parse_accounting(as_text(name), [native_id])
    assert snapshot.unreadable == ()
    return snapshot.jobs[native_id]


# -- submitting -------------------------------------------------------------------------------------------------------


def test_accepted() -> None:
    assert SYSTEM.parse_submit(recorded("02b-submit-ok-stdin"), ONE) == ["1417.vm"]
    assert SYSTEM.parse_submit(recorded("02c-submit-ok-array"), THREE) == ["1418[0].vm", "1418[1].vm", "1418[2].vm"]


@pytest.mark.parametrize("name", all_named("03"))
def test_refused(name: str) -> None:
    with pytest.raises(SubmitException) as caught:
        SYSTEM.parse_submit(recorded(name), ONE)
    assert recorded(name).stderr.strip().splitlines()[0].strip() in caught.value.message
    assert caught.value.transient is (name == "03g-refused-disabled")


def test_an_array_that_was_submitted_as_a_single_job_is_no_answer() -> None:
    with pytest.raises(Unavailable):
        SYSTEM.parse_submit(recorded("02-submit-ok"), THREE)


def test_down() -> None:
    with pytest.raises(SubmitException) as caught:
        SYSTEM.parse_submit(recorded("04-down-qsub"), ONE)
    assert caught.value.transient
    for name in ("04b-down-qstat", "04d-badhost-qstat", "04e-noconf"):
        done = recorded(name)
        with pytest.raises(Unavailable):
            SYSTEM.parse_status(Completed(done.argv, done.returncode, "", done.stderr), ["1.vm"])
    with pytest.raises(Unavailable):
        SYSTEM.parse_control(Control.CANCEL, recorded("04c-down-qdel"), ["1.vm"])


# -- watching ---------------------------------------------------------------------------------------------------------

_PHASES = {
    "1438.vm": Phase.RUNNING,
    "1439.vm": Phase.ENDED,
    "1440.vm": Phase.ENDED,
    "1446.vm": Phase.HELD,
    "1447.vm": Phase.HELD,  # by an operator
    "1448.vm": Phase.QUEUED,  # for its time to come
    "1449.vm": Phase.QUEUED,  # for another job
    "1450.vm": Phase.SUSPENDED,
    "1458.vm": Phase.QUEUED,
    "1465.vm": Phase.HELD,  # with quotes, newlines and backslashes in its variables
    "1462.vm": Phase.ENDED,
}


@pytest.mark.parametrize("name", ["12e-qstat-f-text", "12f-qstat-f-w-text"])
def test_the_mix_wrapped_or_not(name: str) -> None:
    ids = [*_PHASES, "1453.vm", "9999"]
    snapshot = SYSTEM.parse_accounting(recorded(name), ids)
    assert {native_id: job.phase for native_id, job in snapshot.jobs.items()} == _PHASES
    assert snapshot.unreadable == ()
    assert snapshot.jobs["1458.vm"].reason == "Not Running: Insufficient amount of resource: ncpus"
    wall = snapshot.jobs["1439.vm"]
    assert (wall.outcome, wall.started, wall.ended) == (Outcome.TIMEOUT, 1795256268.0, 1795256295.0)
    assert wall.reason is not None
    assert wall.reason.endswith("and exceeded resource walltime")
    assert wall.usage is not None
    assert (wall.usage.wall_seconds, wall.usage.max_rss) == (26.0, 4276 * 1024)


def test_wrapping_takes_nothing_from_values() -> None:
    texts = [recorded(name).stdout for name in ("12e-qstat-f-text", "12f-qstat-f-w-text")]
    wrapped, wide = ({job.name: job.attributes for job in read(text, "Job Id: ")[0]} for text in texts)
    assert wrapped.keys() == wide.keys()
    for native_id in wrapped:
        if native_id != "1465.vm":  # has a newline in a value
            assert wrapped[native_id] == wide[native_id]


@pytest.mark.parametrize(
    ("name", "native_id", "outcome", "code"),
    [
        ("13-one-exit0", "1440.vm", Outcome.EXITED, 0),
        ("13b-one-exit7", "1441.vm", Outcome.EXITED, 7),
        ("13c-one-kill9", "1442.vm", Outcome.EXITED, 137),
        ("13d-one-wall", "1439.vm", Outcome.TIMEOUT, None),
        ("14h-walltime-trap", "1481.vm", Outcome.TIMEOUT, None),
        ("13e-one-carun", "1454.vm", Outcome.CANCELLED, None),
        ("13i-one-depfail", "1462.vm", Outcome.NOT_STARTED, None),
        ("02q-unknown-dependency-state", "1430.vm", Outcome.NOT_STARTED, None),
        ("13l-one-trap", "1461.vm", Outcome.EXITED, 143),  # TERM by its owner's own qsig
        ("14-kill-term", "1474.vm", Outcome.EXITED, 143),
        ("14b-exit255", "1475.vm", Outcome.EXITED, 255),
        ("14f-cput", "1479.vm", Outcome.EXITED, 137),  # nothing tells it from a kill of its own
        ("18f-subjob-after-end", "1484[2].vm", Outcome.EXITED, 7),
        ("12s-qstat-shortid", "1441", Outcome.EXITED, 7),
    ],
)
def test_endings(name: str, native_id: str, outcome: Outcome, code: int | None) -> None:
    seen = one(name, native_id)
    assert (seen.phase, seen.outcome, seen.exit_code) == (Phase.ENDED, outcome, code)


def test_elements_of_an_array() -> None:
    ids = [f"1451[{number}].vm" for number in range(1, 9)]
    jobs = SYSTEM.parse_status(as_text("12c-qstat-x-t-json"), [*ids, "1451[77].vm"]).jobs
    assert list(jobs) == ids
    assert [job.exit_code for job in jobs.values()] == [0, 7, 137, None, None, None, None, None]
    running, cancelled = (Phase.RUNNING, None), (Phase.ENDED, Outcome.CANCELLED)
    assert [(job.phase, job.outcome) for job in jobs.values()][3:] == [running, *[cancelled] * 3, running]


def test_what_is_told_of_elements_after_their_array_was_deleted_is_not_believed() -> None:
    ids = [f"1451[{number}].vm" for number in range(1, 9)]
    jobs = SYSTEM.parse_accounting(as_text("22c-array-after-cancel"), ids).jobs
    outcomes = {native_id: (job.outcome, job.exit_code) for native_id, job in jobs.items()}
    assert outcomes["1451[1].vm"] == outcomes["1451[2].vm"] == (Outcome.EXITED, None)
    assert outcomes["1451[4].vm"] == outcomes["1451[8].vm"] == (Outcome.CANCELLED, None)


def test_a_job_that_was_requeued_or_is_being_deleted_runs() -> None:
    assert one("13h-one-rerun", "1456.vm").phase is Phase.RUNNING
    assert one("12b8-qstat-json-quick-E", "1473.vm").phase is Phase.RUNNING


@pytest.mark.parametrize("name", ["12n-qstat-unknown", "12o-qstat-finished", "12u-qstat-subjob-unknown"])
def test_unknown_and_finished_ids_are_absent(name: str) -> None:
    assert SYSTEM.parse_status(as_text(name), ["9999999", "1440.vm", "1451[77].vm"]).jobs == {}


def test_ids_and_their_servers() -> None:
    done = as_text("13b-one-exit7")
    for native_id in ("1441", "1441.vm", "1441.vm.example.org"):
        assert list(SYSTEM.parse_accounting(done, [native_id]).jobs) == [native_id]
    assert SYSTEM.parse_accounting(done, ["1441.other", "1441[].vm", "144.vm"]).jobs == {}


def test_the_tag_in_the_list_of_variables() -> None:
    done = recorded("12f-qstat-f-w-text")

    def with_tag(text: str) -> Completed:
        return Completed(done.argv, 0, done.stdout.replace("PBS_O_LANG=C.UTF-8", text), "")

    assert set(SYSTEM.parse_find(with_tag("ARGOSY_TAG=a-1"), ["a-1"])) == {"a-1"}
    for odd in ("A=x\\,ARGOSY_TAG=a-1", "XARGOSY_TAG=a-1", "ARGOSY_TAG=a-12"):
        assert SYSTEM.parse_find(with_tag(odd), ["a-1"]) == {}


# -- acting -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "verb", "ids", "refused"),
    [
        ("07-cancel-pending", Control.CANCEL, ["1453.vm"], set()),
        ("07c-cancel-finished", Control.CANCEL, ["1440.vm"], set()),
        ("07d-cancel-unknown", Control.CANCEL, ["9999999"], set()),
        ("07e-cancel-other", Control.CANCEL, ["1455.vm", "1456.vm"], {"1455.vm"}),
        ("07f-cancel-many", Control.CANCEL, ["1445.vm", "9999999", "1444.vm"], set()),
        ("08-hold", Control.HOLD, ["1449.vm"], set()),
        ("08d-hold-unknown", Control.HOLD, ["9999999"], {"9999999"}),
        ("08h-hold-finished", Control.HOLD, ["1440.vm"], {"1440.vm"}),
        ("08g-release-op", Control.RELEASE, ["1447.vm"], {"1447.vm"}),
        ("06-suspend-denied", Control.SUSPEND, ["1450.vm"], {"1450.vm"}),
        ("21b-resume-not-suspended", Control.RESUME, ["1438.vm"], {"1438.vm"}),
    ],
)
def test_control(name: str, verb: Control, ids: list[str], refused: set[str]) -> None:
    assert SYSTEM.parse_control(verb, recorded(name), ids).keys() == refused


@pytest.mark.parametrize("name", ["07k-cancel-array-in-list", "07m-cancel-array-first"])
def test_a_qdel_that_broke_down_did_nothing(name: str) -> None:
    with pytest.raises(Unavailable):
        SYSTEM.parse_control(Control.CANCEL, recorded(name), ["1420"])


# -- what there is ----------------------------------------------------------------------------------------------------


def test_shares() -> None:
    server = Completed(("qstat",), 0, "Server: vm\n    default_queue = workq\n", "")
    found = SYSTEM.parse_shares([recorded("15j-queues-text"), server, recorded("15f-nodes-text")])
    shares = {share.name: share for share in found}
    assert [name for name, share in shares.items() if share.available] == ["workq", "recshort", "recacl"]
    assert [name for name, share in shares.items() if share.default] == ["workq"]
    assert (shares["recshort"].max_wall, shares["recshort"].default_wall) == (600, 300)
    work = shares["workq"]
    assert (work.nodes, work.cores, work.free_cores, work.memory_per_node) == (1, 128, 119, 64 << 30)
    assert shares["recstop"].why_not == "the queue is stopped"
    assert (work.jobs_running, work.jobs_waiting, work.nodes_up, work.operating_systems) == (8, 2, 1, ("linux",))
    assert [name for name, share in shares.items() if share.restricted] == ["recacl"]


def test_shares_without_the_nodes() -> None:
    down = recorded("04f-down-pbsnodes")
    found = SYSTEM.parse_shares([recorded("15j-queues-text"), down, down])
    assert [share.name for share in found] == ["workq", "recshort", "recacl", "recstop", "recdis"]
    assert {share.nodes for share in found} == {None}
