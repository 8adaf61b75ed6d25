"""Grid Engine's parsers over what a real Grid Engine 8.1.9 printed."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from argosy.batch import Control, Group, Submission
from argosy.batch.gridengine import GridEngine, xml
from argosy.model import Completed, JobSpec, Outcome, Phase, SubmitException, Unavailable

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings" / "gridengine"
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here")

SYSTEM = GridEngine()
ONE = Group("t", (Submission("t", JobSpec("true"), "true"),))
TWO = Group("t", (Submission("t.0", JobSpec("true"), "true"), Submission("t.1", JobSpec("true"), "true")))


@cache
def recorded(name: str) -> Completed:
    data = json.loads((RECORDINGS / f"{name}.json").read_text())
    return Completed(tuple(data["argv"]), data["returncode"], data["stdout"], data["stderr"])


def all_named(pattern: str) -> list[str]:
    return sorted(path.stem for path in RECORDINGS.glob(f"{pattern}.json"))


def then(*names: str) -> Completed:
    """Several outputs, one after another, as one command prints them."""
    parts = [recorded(name) for name in names]
    return Completed((), 0, "".join(part.stdout for part in parts), "".join(part.stderr for part in parts))


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


# -- submitting -------------------------------------------------------------------------------------------------------


def test_accepted() -> None:
    assert SYSTEM.parse_submit(recorded("02b-submit-ok-terse"), ONE) == ["2"]
    assert SYSTEM.parse_submit(recorded("02f-submit-ok-array-terse"), TWO) == ["6.1", "6.2"]


@pytest.mark.parametrize("name", all_named("03*-refused-*") if RECORDINGS.is_dir() else [])
def test_refused(name: str) -> None:
    with pytest.raises(SubmitException) as caught:
        SYSTEM.parse_submit(recorded(name), ONE)
    assert not caught.value.transient
    assert recorded(name).stderr.strip() in caught.value.message


@pytest.mark.parametrize("name", ["04-down-qsub", "04d-nocell", "04e-noroot"])
def test_not_reached_is_refused_for_now(name: str) -> None:
    with pytest.raises(SubmitException) as caught:
        SYSTEM.parse_submit(recorded(name), ONE)
    assert caught.value.transient


def test_an_answer_that_cannot_be_read_is_no_refusal() -> None:
    with pytest.raises(Unavailable):
        SYSTEM.parse_submit(recorded("02k-submit-bad-name-utf8"), ONE)


# -- the queue --------------------------------------------------------------------------------------------------------

_MIX = {
    "26": (Phase.RUNNING, "r"),
    "32": (Phase.RUNNING, "Rr"),
    "33": (Phase.HELD, "Eqw"),
    "35": (Phase.HELD, "Eqw"),
    "39": (Phase.HELD, "hqw"),
    "43": (Phase.SUSPENDED, "s"),
    "44.4": (Phase.RUNNING, "r"),
    "44.8": (Phase.RUNNING, "r"),
    "45.2": (Phase.HELD, "hqw"),
    "45.14": (Phase.HELD, "hqw"),
    "51": (Phase.RUNNING, "hr"),
    "53": (Phase.QUEUED, "qw"),
    "56": (Phase.QUEUED, "qw"),
}


@pytest.mark.parametrize("name", ["12-qstat-xml", "12b-qstat-xml-gd", "12d-qstat-xml-ext", "12e-qstat-xml-r"])
def test_states_in_every_form_of_the_table(name: str) -> None:
    ids = [*_MIX, "45.3", "44", "29", "9999999"]
    snapshot = SYSTEM.parse_status(then(name), ids)
    assert {native_id: (job.phase, job.word) for native_id, job in snapshot.jobs.items()} == _MIX
    assert snapshot.unreadable == ()
    assert snapshot.jobs["32"].run == 1
    running = snapshot.jobs["26"]
    assert (running.queue, running.hosts) == ("all.q", ("localhost",))


def test_times_are_those_of_the_state() -> None:
    jobs = SYSTEM.parse_status(then("12-qstat-xml"), ["26", "53"]).jobs
    assert (jobs["26"].started, jobs["26"].submitted) == (epoch("2026-11-21T10:12:19"), None)
    assert (jobs["53"].started, jobs["53"].submitted) == (None, epoch("2026-11-21T10:12:20"))


def test_why_jobs_wait() -> None:
    jobs = SYSTEM.parse_status(then("12-qstat-xml", "13t-qstat-j-all-xml"), ["35", "33", "56", "10", "39", "26"]).jobs
    assert 'can\'t open output file "/nosuch/dir/out": No such file or directory' in (jobs["35"].reason or "")
    assert "exit_status of job start = 100" in (jobs["33"].reason or "")
    assert "exclusive resource (exclusive) is already in use" in (jobs["56"].reason or "")
    assert jobs["10"].reason == (
        'has no permission for cluster queue "vip.q"; cannot run in PE "smp" because it only offers 0 slots'
    )
    assert jobs["39"].reason == "Job is in hold state"
    assert jobs["26"].reason is None


def test_details_that_cannot_be_read_leave_the_states() -> None:
    table = recorded("12-qstat-xml").stdout
    snapshot = SYSTEM.parse_status(Completed((), 0, table + "<?xml version='1.0'?>\n<detailed_job_info><", ""), ["35"])
    assert snapshot.jobs["35"].phase is Phase.HELD
    assert [native_id for native_id, _ in snapshot.unreadable] == [None]


@pytest.mark.parametrize("name", ["12k-qstat-empty-xml", "12r-qstat-escape"])
def test_absent_is_unknown(name: str) -> None:
    snapshot = SYSTEM.parse_status(recorded(name), ["26"])
    assert (snapshot.jobs, snapshot.unreadable) == ({}, ())


def test_being_deleted() -> None:
    assert SYSTEM.parse_status(recorded("12q-qstat-dr"), ["70"]).jobs["70"].phase is Phase.ENDING
    assert SYSTEM.parse_status(recorded("21d-node-lost-dr"), ["51"]).jobs["51"].phase is Phase.ENDING


@pytest.mark.parametrize("name", ["04b-down-qstat", "04d-nocell", "04e-noroot"])
def test_no_answer(name: str) -> None:
    for parse in (lambda done: SYSTEM.parse_status(done, ["26"]), SYSTEM.parse_list):
        with pytest.raises(Unavailable):
            parse(recorded(name))


def test_list() -> None:
    ids = SYSTEM.parse_list(recorded("12c-qstat-xml-me"))
    assert {"26", "44.4", "45.2", "45.10", "45.14", "45.18"} <= set(ids)
    assert "49" not in ids
    assert len(ids) == len(set(ids))


def test_found_by_context_and_only_ones_own() -> None:
    text = recorded("18c-full-qstat-j-xml").stdout.replace(">tag<", ">argosy<")
    number = re.search(r"<JB_job_number>(\d+)", text)
    assert number is not None
    found = SYSTEM.parse_find(Completed(("qstat",), 0, "lrm1\n" + text, ""), ["blue", "x"])
    assert found == {"blue": number[1]}
    assert SYSTEM.parse_find(Completed(("qstat",), 0, "lrm2\n" + text, ""), ["blue"]) == {}
    nobody = recorded("13p-qstat-j-unknown-xml").stdout
    assert SYSTEM.parse_find(Completed(("qstat",), 0, "lrm1\n" + nobody, ""), ["blue"]) == {}


def test_that_nobody_answered_is_said_with_success_too() -> None:
    text = "lrm1\n<?xml version='1.0'?>\n<comunication_error >\n    <AN_status>11</AN_status>\n</comunication_error>\n"
    with pytest.raises(Unavailable):
        SYSTEM.parse_find(Completed(("qstat",), 0, text, ""), ["t"])


def test_every_recorded_document_can_be_read() -> None:
    names = [path.stem for path in RECORDINGS.glob("*xml*.json") if recorded(path.stem).stdout.startswith("<?xml")]
    assert len(names) > 10
    for name in names:
        assert xml.parse(recorded(name).stdout).name


def test_elements_with_spaces_in_their_names() -> None:
    text = "<a><job ids><ULNG_value>7</ULNG_value></job ids></a>"
    assert [one.text for one in xml.parse(text).all("ULNG_value")] == ["7"]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        "<a>" * 100 + "</a>" * 100,
        "",
        "<a",
    ],
)
def test_what_is_no_plain_document_is_not_read(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        xml.parse(text)


def test_an_answer_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "MOST", 10)
    with pytest.raises(Unavailable, match="too long"):
        SYSTEM.parse_status(recorded("12-qstat-xml"), ["26"])


# -- accounting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "native_id", "outcome", "code", "signal"),
    [
        ("14-qacct-exit0", "29", Outcome.EXITED, 0, None),
        ("14b-qacct-exit7", "30", Outcome.EXITED, 7, None),
        ("14c-qacct-kill9", "31", Outcome.CANCELLED, None, 9),
        ("14d-qacct-hrt", "27", Outcome.TIMEOUT, None, 9),
        ("14f-qacct-carun", "48", Outcome.CANCELLED, None, 9),
        ("14h-qacct-mem", "34", Outcome.EXITED, 1, None),
        ("14i-qacct-badout", "35", Outcome.NOT_STARTED, None, None),
        ("14k-qacct-trap", "55", Outcome.EXITED, 3, None),
        ("14m-qacct-badshebang", "38", Outcome.NOT_STARTED, None, None),
        ("14o-qacct-exit100", "33", Outcome.EXITED, 100, None),
        ("14q-qacct-badwd", "36", Outcome.NOT_STARTED, None, None),
        ("14zb-qacct-exit-255", "73", Outcome.EXITED, 255, None),
        ("14zc-qacct-exit-130", "74", Outcome.EXITED, 130, 2),
        ("21h-node-lost-qacct", "51", Outcome.CANCELLED, None, None),
    ],
)
def test_ends(name: str, native_id: str, outcome: Outcome, code: int | None, signal: int | None) -> None:
    snapshot = SYSTEM.parse_accounting(recorded(name), [native_id])
    assert snapshot.unreadable == ()
    job = snapshot.jobs[native_id]
    assert (job.phase, job.outcome, job.exit_code, job.signal) == (Phase.ENDED, outcome, code, signal)


def test_facts_of_an_end() -> None:
    job = SYSTEM.parse_accounting(recorded("14d-qacct-hrt"), ["27"]).jobs["27"]
    assert job.word == "failed 37: qmaster enforced h_rt, h_cpu, or h_vmem limit"
    assert (job.started, job.ended) == (epoch("2026-11-21T10:12:20"), epoch("2026-11-21T10:12:25"))
    assert job.usage is not None
    assert (job.usage.wall_seconds, job.usage.max_rss) == (5, int(4.891 * 1024 * 1024))


@pytest.mark.parametrize("name", ["14n-qacct-rerun", "14p-qacct-exit99"])
def test_a_run_that_was_not_the_last_is_no_end(name: str) -> None:
    number = recorded(name).argv[-1]
    assert SYSTEM.parse_accounting(recorded(name), [number]).jobs == {}


@pytest.mark.parametrize("name", ["14g-qacct-capend", "14r-qacct-unknown", "14s-qacct-running"])
def test_what_accounting_does_not_know_is_only_absent(name: str) -> None:
    assert SYSTEM.parse_accounting(recorded(name), [recorded(name).argv[-1]]).jobs == {}


def test_no_accounting() -> None:
    with pytest.raises(Unavailable):
        SYSTEM.parse_accounting(recorded("04f-noroot-qacct"), ["1"])


def test_tasks_have_records_of_their_own() -> None:
    jobs = SYSTEM.parse_accounting(recorded("14j-qacct-array"), ["44.1", "44.2", "44.3", "44.9", "44"]).jobs
    assert {native_id: job.outcome for native_id, job in jobs.items()} == {
        "44.1": Outcome.EXITED,
        "44.2": Outcome.EXITED,
        "44.3": Outcome.CANCELLED,
    }
    assert jobs["44.2"].exit_code == 7


def test_all_of_a_users_at_once() -> None:
    snapshot = SYSTEM.parse_accounting(recorded("14v-qacct-owner"), ["29", "30", "44.2"])
    assert snapshot.unreadable == ()
    assert {native_id: job.exit_code for native_id, job in snapshot.jobs.items()} == {"29": 0, "30": 7, "44.2": 7}


def limits(category: str, failed: str, memory: str = "0.000B") -> Outcome | None:
    text = recorded("14c-qacct-kill9").stdout
    text = re.sub(r"^failed .*", f"failed       {failed}", text, flags=re.MULTILINE)
    text = re.sub(r"^category .*", f"category     {category}", text, flags=re.MULTILINE)
    text = re.sub(r"^end_time .*", "end_time     Sat Nov 21 10:13:21 2026", text, flags=re.MULTILINE)
    text = re.sub(r"^maxvmem .*", f"maxvmem      {memory}", text, flags=re.MULTILINE)
    return SYSTEM.parse_accounting(Completed((), 0, text, ""), ["31"]).jobs["31"].outcome


def test_a_limit_that_was_reached_tells_why_a_job_was_killed() -> None:
    killed = "100 : assumedly after job"
    assert limits("-l h_rt=60", killed) is Outcome.TIMEOUT
    assert limits("-l h_vmem=1G,h_rt=0:1:0 -q all.q", killed) is Outcome.TIMEOUT
    assert limits("-l h_rt=61", killed) is Outcome.CANCELLED
    assert limits("-l h_vmem=1M,h_rt=100", killed, "1.001MB") is Outcome.OUT_OF_MEMORY
    assert limits("-l h_vmem=2M", killed, "1.001MB") is Outcome.CANCELLED
    assert limits("NONE", "21  : in recognizing job") is Outcome.NODE_FAILURE
    assert (
        limits("NONE", "8   : in prolog") is Outcome.EXITED or limits("NONE", "8   : in prolog") is Outcome.NOT_STARTED
    )


# -- acting -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "verb", "ids", "refused"),
    [
        ("07-cancel-pending", Control.CANCEL, ["47"], []),
        ("07b-cancel-running", Control.CANCEL, ["48"], []),
        ("07c-cancel-finished", Control.CANCEL, ["29"], []),
        ("07d-cancel-unknown", Control.CANCEL, ["9999999"], []),
        ("07e-cancel-other", Control.CANCEL, ["49"], ["49"]),
        ("07f-cancel-many", Control.CANCEL, ["36", "9999999"], []),
        ("07g-cancel-array-task", Control.CANCEL, ["44.5"], []),
        ("07k-cancel-eqw", Control.CANCEL, ["37"], []),
        ("21e-node-lost-qdel-again", Control.CANCEL, ["51"], []),
        ("08-hold", Control.HOLD, ["41"], []),
        ("08b-release", Control.RELEASE, ["41"], []),
        ("08c-release-not-held", Control.RELEASE, ["53"], []),
        ("08d-hold-unknown", Control.HOLD, ["9999999"], ["9999999"]),
        ("08e-hold-other", Control.HOLD, ["49"], ["49"]),
        ("08g-release-operator-hold", Control.RELEASE, ["40"], ["40"]),
        ("08h-hold-finished", Control.HOLD, ["29"], ["29"]),
        ("08i-release-array-task", Control.RELEASE, ["45.6"], []),
        ("06-suspend", Control.SUSPEND, ["43"], []),
        ("06b-suspend-again", Control.SUSPEND, ["43"], []),
        ("06c-suspend-other", Control.SUSPEND, ["49"], ["49"]),
        ("06d-suspend-unknown", Control.SUSPEND, ["9999999"], ["9999999"]),
        ("06e-suspend-pending", Control.SUSPEND, ["41"], ["41"]),
        ("20-resume", Control.RESUME, ["43"], []),
        ("20b-resume-not-suspended", Control.RESUME, ["43"], []),
    ],
)
def test_control(name: str, verb: Control, ids: list[str], refused: list[str]) -> None:
    assert list(SYSTEM.parse_control(verb, recorded(name), ids)) == refused


def test_control_without_an_answer() -> None:
    with pytest.raises(Unavailable):
        SYSTEM.parse_control(Control.CANCEL, recorded("04c-down-qdel"), ["1"])


# -- what there is ----------------------------------------------------------------------------------------------------


def test_shares() -> None:
    configuration = then("15b-sq", "15c-sq-limit")
    told = [recorded("15i-qstat-gc-xml"), configuration, recorded("15e-qhost")]
    shares = {share.name: share for share in SYSTEM.parse_shares(told)}
    assert list(shares) == ["all.q", "closed.q", "rerun.q", "short.q", "vip.q"]
    everything = shares["all.q"]
    assert (everything.cores, everything.free_cores, everything.cores_per_node) == (16, 5, 16)
    assert everything.max_wall is None
    assert (everything.architectures, everything.operating_systems) == (("amd64",), ("linux",))
    assert shares["short.q"].max_wall == 60
    assert not shares["closed.q"].available
    assert shares["closed.q"].why_not is not None


def test_shares_without_an_answer() -> None:
    with pytest.raises(Unavailable):
        SYSTEM.parse_shares([recorded("04b-down-qstat"), recorded("15b-sq"), recorded("15e-qhost")])
