"""LSF's parsers over what a real LSF-compatible system (volclava 2.2) printed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from argosy.batch import Control, Group, Submission
from argosy.batch.lsf import LSF, fields
from argosy.model import Completed, JobSpec, Outcome, Phase, SubmitException, Unavailable

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings" / "lsf"
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here")

SYSTEM = LSF()
ONE = Group("t", (Submission("t", JobSpec("true"), "true"),))
TWO = Group("t", (Submission("t.0", JobSpec("true"), "true"), Submission("t.1", JobSpec("true"), "true")))


@cache
def recorded(name: str) -> tuple[Completed, float]:
    data = json.loads((RECORDINGS / f"{name}.json").read_text())
    done = Completed(tuple(data["argv"]), data["returncode"], data["stdout"], data["stderr"])
    return done, datetime.fromisoformat(data["time"]).timestamp()


def timed(*names: str) -> Completed:
    """What was printed, behind the time, as the commands of `LSF` print it."""
    parts = [recorded(name) for name in names]
    last, when = parts[-1]
    return Completed(
        last.argv, last.returncode, f"{int(when)}\n" + "".join(part.stdout for part, _ in parts), last.stderr
    )


def all_named(prefix: str) -> list[str]:
    return sorted(path.stem for path in RECORDINGS.glob(f"{prefix}*.json"))


def utc(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("name", [*all_named("02-"), *all_named("02b"), *all_named("02d"), *all_named("17d")])
def test_accepted(name: str) -> None:
    done, _ = recorded(name)
    native_id = done.stdout.partition("<")[2].partition(">")[0]
    assert native_id.isdigit()
    assert SYSTEM.parse_submit(done, ONE) == [native_id]
    assert SYSTEM.parse_submit(done, TWO) == [f"{native_id}[1]", f"{native_id}[2]"]


@pytest.mark.parametrize("name", [*all_named("03"), "17-full-submit"])
def test_refused(name: str) -> None:
    done, _ = recorded(name)
    with pytest.raises(SubmitException) as caught:
        SYSTEM.parse_submit(done, ONE)
    assert not caught.value.transient
    assert done.stderr.strip() in caught.value.message


def test_a_silenced_bsub_has_not_told() -> None:
    with pytest.raises(Unavailable):
        SYSTEM.parse_submit(recorded("20b-bsub-env")[0], ONE)


@pytest.mark.parametrize("name", all_named("04"))
def test_nobody_answered(name: str) -> None:
    done, _ = recorded(name)
    with pytest.raises(Unavailable):
        SYSTEM.parse_status(done, ["936"])
    with pytest.raises(Unavailable):
        SYSTEM.parse_find(done, ["t"])
    with pytest.raises(Unavailable):
        SYSTEM.parse_accounting(done, ["936"])
    with pytest.raises(Unavailable):
        SYSTEM.parse_control(Control.CANCEL, done, ["936"])


def test_every_state() -> None:
    arrays = [f"967[{index}]" for index in range(1, 9)]
    names = [
        *("964", "965", "944", "968", "972", "973", "970", "950", "955", "956", "939", "940", "942", "941", "938"),
        *("943", "937", "953", "971", "966", "969"),
    ]
    snapshot = SYSTEM.parse_status(timed("12f-bjobs-json"), [*names, *arrays])
    assert snapshot.unreadable == ()
    jobs = snapshot.jobs
    phases = {name: jobs[name].phase for name in names if name in jobs}
    assert phases == {
        **dict.fromkeys(("964", "970", "969"), Phase.RUNNING),
        "965": Phase.SUSPENDED,
        **dict.fromkeys(("968", "972"), Phase.QUEUED),
        **dict.fromkeys(("944", "973"), Phase.HELD),
        **dict.fromkeys(("950", "955", "956", "941", "938", "943", "953", "966"), Phase.ENDED),
    }
    # Ended with a code that is not told here: left to the accounting.
    assert not {"939", "940", "942", "937", "971"} & set(jobs)
    assert {jobs[name].outcome for name in ("950", "955")} == {Outcome.CANCELLED}
    assert (jobs["938"].outcome, jobs["938"].exit_code) == (Outcome.EXITED, 0)
    assert {one: jobs[one].phase for one in arrays if one in jobs} == {
        "967[1]": Phase.ENDED,
        **dict.fromkeys(("967[4]", "967[6]", "967[7]", "967[8]"), Phase.RUNNING),
    }
    assert jobs["964"].hosts == ("vm",)
    assert jobs["964"].submitted == utc(2026, 11, 21, 10, 45)
    assert jobs["964"].started == utc(2026, 11, 21, 10, 45, 43)
    assert jobs["938"].ended == utc(2026, 11, 21, 10, 18, 39)


def test_without_the_time_now_there_are_no_times() -> None:
    jobs = SYSTEM.parse_status(recorded("12f-bjobs-json")[0], ["964"]).jobs
    assert (jobs["964"].phase, jobs["964"].started) == (Phase.RUNNING, None)


@pytest.mark.parametrize(
    ("name", "ids", "shown"),
    [
        ("12n-bjobs-unknown", ["9999999"], set()),
        ("12p-bjobs-one-unknown-json", ["936", "9999999"], {"936"}),
        ("12q-bjobs-unknown-json", ["9999999"], set()),
        ("12r-bjobs-empty", ["936"], set()),
        ("12t-bjobs-weird-json", ["970"], {"970"}),
        ("12v-bjobs-element-unknown", ["967[77]"], set()),
    ],
)
def test_unknown_ids_are_merely_absent(name: str, ids: list[str], shown: set[str]) -> None:
    snapshot = SYSTEM.parse_status(timed(name), ids)
    assert (set(snapshot.jobs), snapshot.unreadable) == (shown, ())


def test_a_field_that_is_not_known_is_no_answer() -> None:
    with pytest.raises(Unavailable):
        SYSTEM.parse_status(recorded("12g-bjobs-o-bad-field")[0], ["939"])


@pytest.mark.parametrize(
    ("names", "native_id", "outcome", "code"),
    [
        (("14-bhist-l-exit0",), "938", Outcome.EXITED, 0),
        (("14b-bhist-l-exit7",), "939", Outcome.EXITED, 7),
        (("14c-bhist-l-kill9",), "940", Outcome.EXITED, 137),
        (("13f-bjobs-l-exit255",), "942", Outcome.EXITED, 255),
        (("14e-bhist-l-wall",), "937", Outcome.TIMEOUT, None),
        (("13g-bjobs-l-wall",), "937", Outcome.TIMEOUT, None),
        (("14g-bhist-l-carun",), "951", Outcome.CANCELLED, None),
        (("13i-bjobs-l-carun", "14g-bhist-l-carun"), "951", Outcome.CANCELLED, None),
        (("14h-bhist-l-capend",), "950", Outcome.CANCELLED, None),
        (("13j-bjobs-l-capend",), "950", Outcome.CANCELLED, None),
        (("13s-bjobs-l-badwd",), "958", Outcome.EXITED, 127),
        (("14i-bhist-l-array",), "948[1]", Outcome.EXITED, 0),
        (("14i-bhist-l-array",), "948[2]", Outcome.EXITED, 7),
        (("14i-bhist-l-array",), "948[3]", Outcome.EXITED, 137),
        (("14i-bhist-l-array",), "948[5]", Outcome.CANCELLED, None),
    ],
)
def test_how_jobs_ended(names: tuple[str, ...], native_id: str, outcome: Outcome, code: int | None) -> None:
    seen = SYSTEM.parse_accounting(timed(*names), [native_id]).jobs[native_id]
    assert (seen.phase, seen.outcome, seen.exit_code) == (Phase.ENDED, outcome, code)
    assert seen.ended is not None
    assert utc(2026, 11, 21, 10, 18) <= seen.ended <= utc(2026, 11, 21, 10, 20)


@pytest.mark.parametrize(
    ("name", "native_id"),
    [
        *(("14f-bhist-l-mem", "974"), ("14j-bhist-l-susp", "947"), ("14k-bhist-l-rerun", "953")),
        *(("14i-bhist-l-array", "948[4]"), ("13-bjobs-l-run", "936"), ("14l-bhist-unknown", "9999999")),
    ],
)
def test_what_has_not_ended_has_no_end(name: str, native_id: str) -> None:
    assert SYSTEM.parse_accounting(timed(name), [native_id]).jobs == {}


def test_the_mix_in_long_form() -> None:
    ids = ["939", "940", "942", "937", "964", "950", "967[2]"]
    jobs = SYSTEM.parse_accounting(timed("12c-bjobs-UF"), ids).jobs
    assert {one: job.exit_code for one, job in jobs.items()} == {
        "939": 7,
        "940": 137,
        "942": 255,
        **dict.fromkeys(("937", "950")),
        "967[2]": 7,
    }
    assert jobs["937"].outcome is Outcome.TIMEOUT
    assert SYSTEM.parse_find(recorded("12c-bjobs-UF")[0], ["t"]) == {}


def test_a_job_is_found_by_its_description() -> None:
    done, _ = recorded("17e-full-bjobs-l")
    marked = Completed(
        done.argv, 0, done.stdout.replace("Job Description <a description>", "Job Description <argosy:t.1>"), ""
    )
    assert SYSTEM.parse_find(marked, ["t.1", "t"]) == {"t.1": "963"}


@pytest.mark.parametrize(
    ("name", "verb", "refused"),
    [
        ("06-suspend", Control.SUSPEND, {}),
        ("06c-suspend-other", Control.SUSPEND, {"952": "User permission denied"}),
        ("06d-suspend-unknown", Control.SUSPEND, {"9999999": "No matching job found"}),
        ("06f-suspend-finished", Control.SUSPEND, {"938": "Job has already finished"}),
        ("07-cancel-pending", Control.CANCEL, {}),
        ("07c-cancel-finished", Control.CANCEL, {}),
        ("07d-cancel-unknown", Control.CANCEL, {}),
        ("07e-cancel-other", Control.CANCEL, {"952": "User permission denied"}),
        ("07f-cancel-many", Control.CANCEL, {}),
        ("07g-cancel-array-element", Control.CANCEL, {}),
        ("07j-cancel-finished2", Control.CANCEL, {}),
        ("08-release", Control.RELEASE, {"949": "Operation is in progress"}),
        ("08b-resume-begin", Control.RELEASE, {}),
        ("18-resume", Control.RESUME, {}),
    ],
)
def test_acting(name: str, verb: Control, refused: dict[str, str]) -> None:
    done, _ = recorded(name)
    ids = [word for word in done.argv[1:] if fields.ID.match(word)]
    assert SYSTEM.parse_control(verb, done, ids) == refused


def test_shares() -> None:
    names = ("15b-bqueues-l", "15d-bhosts", "15f-lshosts")
    (share,) = SYSTEM.parse_shares([recorded(name)[0] for name in names])
    assert (share.name, share.available, share.default) == ("normal", True, True)
    assert (share.nodes, share.cores, share.free_cores) == (1, 256, 246)
    assert share.memory_per_node == 24105 * 1024 * 1024
    assert share.max_wall is None
    assert (share.jobs_running, share.jobs_waiting, share.nodes_up) == (9, 259, 1)
    assert (share.operating_systems, share.architectures, share.restricted) == (("linux",), (), False)


def test_list() -> None:
    ids = SYSTEM.parse_list(recorded("12f-bjobs-json")[0])
    assert {"964", "967[4]", "968", "944"} <= set(ids)
    assert not {"938", "939", "967[1]"} & set(ids)
    assert SYSTEM.parse_list(recorded("12r-bjobs-empty")[0]) == []


def test_the_variables_of_a_job_are_those_that_the_script_reads() -> None:
    for name, index in (("16-env", "0"), ("16b-env-array", "5")):
        variables = dict(line.partition("=")[::2] for line in recorded(name)[0].stdout.splitlines() if "=" in line)
        assert {"LSB_JOBID", "LSB_JOBINDEX", "LSB_MCPU_HOSTS", "LS_SUBCWD"} <= variables.keys()
        assert variables["LSB_JOBINDEX"] == index


@pytest.mark.parametrize(
    ("written", "now", "expected"),
    [
        ("Nov 21 10:45", utc(2026, 11, 21, 10, 46), utc(2026, 11, 21, 10, 45)),
        ("Dec 31 23:59", utc(2027, 1, 1, 0, 1), utc(2026, 12, 31, 23, 59)),
        ("11/21-10:45:43", utc(2026, 11, 22), utc(2026, 11, 21, 10, 45, 43)),
        ("Feb 29 10:00", utc(2027, 3, 1), utc(2024, 2, 29, 10)),
        ("Sat Nov 21 10:45:41 2026", None, utc(2026, 11, 21, 10, 45, 41)),
        ("Nov 21 10:45", None, None),
        ("-", 0.0, None),
        ("Foo 99 10:45", utc(2026, 1, 1), None),
    ],
)
def test_times_without_a_year(written: str, now: float | None, expected: float | None) -> None:
    assert fields.time(written, now) == expected


def test_a_time_to_come() -> None:
    now = utc(2026, 12, 31, 23)
    assert fields.time("Jan  1 08:00 E", now, future=True) == utc(2027, 1, 1, 8)
