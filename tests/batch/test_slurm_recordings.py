"""Slurm's parsers over what a real Slurm 22.05 printed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from argosy.batch import Control, Group, Submission
from argosy.batch.slurm import Slurm
from argosy.batch.slurm.environment import SEPARATOR
from argosy.batch.slurm.states import read_state
from argosy.model import Completed, JobSpec, Outcome, Phase, SubmitException, Unavailable

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings" / "slurm"
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here")

SLURM = Slurm()
ONE = Group("t", (Submission("t", JobSpec("true"), "true"),))
TWO = Group("t", (Submission("t.0", JobSpec("true"), "true"), Submission("t.1", JobSpec("true"), "true")))


@cache
def recorded(name: str) -> Completed:
    data = json.loads((RECORDINGS / f"{name}.json").read_text())
    return Completed(tuple(data["argv"]), data["returncode"], data["stdout"], data["stderr"])


def all_named(prefix: str) -> list[str]:
    return sorted(path.stem for path in RECORDINGS.glob(f"{prefix}*.json"))


def epoch(text: str) -> str:
    try:
        return str(int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()))
    except ValueError:
        return text


def rows(text: str, columns: list[list[str]]) -> Completed:
    return Completed((text,), 0, "".join(SEPARATOR.join(row) + "\n" for row in columns), "")


@cache
def the_mix() -> tuple[Completed, tuple[str, ...]]:
    """Every state at once, in the columns that `Slurm.status` asks for."""
    hosts, queues, ends = {}, {}, {}
    for line in recorded("12-squeue-all").stdout.splitlines():
        values = line.split("|", 19)
        if len(values) == 20:
            hosts[values[0]], queues[values[0]], ends[values[0]] = values[13], values[14], values[8]
    table = []
    for line in recorded("12f-squeue-O").stdout.splitlines():
        values = line.split("|", 9)
        if len(values) != 10 or "[" in values[0]:  # recorded without -r, which shows elements one by one
            continue
        native_id, _, _, state, reason, status, start, restarts, comment, _ = values
        times = ["0", epoch(start), epoch(ends.get(native_id, "N/A"))]
        where = [hosts.get(native_id, ""), queues.get(native_id, "debug")]
        table.append([native_id, state, status, restarts, *times, *where, reason, comment])
    return rows("squeue", table), tuple(row[0] for row in table)


@pytest.mark.parametrize("name", all_named("02"))
def test_accepted(name: str) -> None:
    done = recorded(name)
    if "--parsable" in done.argv:
        native_id = done.stdout.strip().partition(";")[0]
        assert SLURM.parse_submit(done, ONE) == [native_id]
        assert SLURM.parse_submit(done, TWO) == [f"{native_id}_0", f"{native_id}_1"]


@pytest.mark.parametrize("name", [*all_named("03"), *all_named("04")])
def test_refused(name: str) -> None:
    done = recorded(name)
    with pytest.raises(SubmitException) as caught:
        SLURM.parse_submit(done, ONE)
    assert caught.value.transient is (name == "03i2-refused-qos-maxsubmit")
    assert done.stderr.strip() in caught.value.message


@pytest.mark.parametrize("name", ["05-down-sbatch", "05j-nomunge-sbatch"])
def test_a_controller_that_was_not_reached_may_be_asked_again(name: str) -> None:
    with pytest.raises(SubmitException) as caught:
        SLURM.parse_submit(recorded(name), ONE)
    assert caught.value.transient


@pytest.mark.parametrize(
    "words",
    [
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
    ],
)
def test_without_an_answer_it_is_not_known_whether_the_job_was_accepted(words: str) -> None:
    with pytest.raises(Unavailable, match="Slurm did not answer"):
        SLURM.parse_submit(Completed(("sbatch",), 1, "", words), ONE)


def test_success_that_names_no_job_is_no_success() -> None:
    with pytest.raises(Unavailable):
        SLURM.parse_submit(Completed(("sbatch",), 0, "", ""), ONE)


def test_every_state() -> None:
    done, ids = the_mix()
    snapshot = SLURM.parse_status(done, ids)
    assert snapshot.unreadable == ()
    assert len(snapshot.jobs) > 50
    for native_id, job in snapshot.jobs.items():
        assert job.native_id == native_id
        assert job.phase is not Phase.OTHER, job
        assert (job.outcome is not None) is (job.phase is Phase.ENDED), job
    jobs = snapshot.jobs

    def kind(native_id: str) -> tuple[Phase, Outcome | None, int | None]:
        return jobs[native_id].phase, jobs[native_id].outcome, jobs[native_id].exit_code

    assert kind("97") == (Phase.ENDED, Outcome.EXITED, 0)
    assert kind("98") == (Phase.ENDED, Outcome.EXITED, 7)
    assert kind("99") == (Phase.ENDED, Outcome.EXITED, 137)
    assert jobs["99"].signal == 9
    assert kind("131") == (Phase.ENDED, Outcome.EXITED, 255)
    assert kind("100") == (Phase.ENDED, Outcome.OUT_OF_MEMORY, None)
    assert kind("101") == (Phase.ENDED, Outcome.NOT_STARTED, None)
    assert kind("102") == (Phase.ENDED, Outcome.NOT_STARTED, None)
    assert kind("115") == (Phase.ENDED, Outcome.CANCELLED, None)
    assert kind("127") == (Phase.ENDED, Outcome.NODE_FAILURE, None)
    assert kind("147") == (Phase.ENDING, None, None)
    assert kind("104") == (Phase.HELD, None, None)
    assert kind("133") == (Phase.HELD, None, None)
    assert kind("106") == (Phase.QUEUED, None, None)
    assert kind("112_2") == (Phase.ENDED, Outcome.EXITED, 7)
    assert kind("112_4") == (Phase.RUNNING, None, None)
    assert jobs["106"].start_estimate is not None
    assert jobs["106"].started is None
    assert jobs["107"].start_estimate is None
    assert jobs["114"].started is None  # cancelled before it started
    assert jobs["133"].run == 1
    assert jobs["98"].hosts == ("n1",)


def test_wait_statuses_above_127() -> None:
    found = {}
    for line in recorded("29b-exit-ge-128-squeue").stdout.splitlines():
        native_id, name, state, status, _ = line.split("|")
        row = [native_id, state, status, "0", "1", "2", "3", "n1", "debug", "None", "(null)"]
        found[name] = SLURM.parse_status(rows("squeue", [row]), [native_id]).jobs[native_id].exit_code
    assert found == {
        "exit128": 128,
        "exit130": 130,
        "exit137": 137,
        "exit200": 200,
        "exit255": 255,
        "term": 143,
        "segv": 139,
    }


def test_an_odd_line_concerns_its_job_alone() -> None:
    done, ids = the_mix()
    lines = done.stdout.split("\n")
    broken = next(i for i, line in enumerate(lines) if line.startswith("98" + SEPARATOR))
    lines[broken] = lines[broken].replace("1792", "nonsense")
    lines.insert(3, "the second line of a comment")
    snapshot = SLURM.parse_status(Completed(done.argv, 0, "\n".join(lines), ""), ids)
    assert "98" not in snapshot.jobs
    assert len(snapshot.jobs) == len(SLURM.parse_status(done, ids).jobs) - 1
    assert [native_id for native_id, _ in snapshot.unreadable] == [None, "98"]


def test_only_what_was_asked_for_is_answered() -> None:
    done, _ = the_mix()
    assert SLURM.parse_status(done, ["97", "12345"]).jobs.keys() == {"97"}


@pytest.mark.parametrize(
    "name", ["12p-squeue-one-unknown", "12q-squeue-two-unknown", "27b-purged-squeue", "27h-squeue-empty"]
)
def test_an_unknown_id_is_only_absent(name: str) -> None:
    assert SLURM.parse_status(recorded(name), ["99999999"]).jobs == {}


@pytest.mark.parametrize("name", ["05b-down-squeue", "05h-noconf", "05i-nomunge"])
def test_no_answer_is_unavailable(name: str) -> None:
    for parse in (
        lambda done: SLURM.parse_status(done, ["1"]),
        SLURM.parse_list,
        lambda done: SLURM.parse_find(done, ["t"]),
    ):
        with pytest.raises(Unavailable):
            parse(recorded(name))


def test_unknown_words_are_kept() -> None:
    row = ["1", "BRAND_NEW", "0", "0", "1", "2", "3", "n1", "debug", "None", "(null)"]
    job = SLURM.parse_status(rows("squeue", [row]), ["1"]).jobs["1"]
    assert (job.phase, job.word, job.outcome) == (Phase.OTHER, "BRAND_NEW", None)


@pytest.mark.parametrize(
    ("word", "reason", "phase"),
    [
        ("PENDING", "launch failed requeued held", Phase.HELD),
        ("PENDING", "launch_failed_requeued_held", Phase.HELD),
        ("PENDING", "job requeued in held state", Phase.HELD),
        ("PENDING", "JobHeldAdmin", Phase.HELD),
        ("PENDING", "DependencyNeverSatisfied", Phase.QUEUED),
        ("REQUEUED", None, Phase.QUEUED),
        ("SPECIAL_EXIT", None, Phase.HELD),
        ("STOPPED", None, Phase.SUSPENDED),
        ("CANCELLED by 1001", None, Phase.ENDED),
    ],
)
def test_words(word: str, reason: str | None, phase: Phase) -> None:
    assert read_state(word, reason)[0] is phase


# -- accounting -------------------------------------------------------------------------------------------------------


def accounted(name: str) -> list[dict[str, str]]:
    """The rows of a recording of sacct, by their columns."""
    done = recorded(name)
    columns = done.argv[done.argv.index("-o") + 1].split(",")
    lines = (line.split("|") for line in done.stdout.splitlines())
    return [dict(zip(columns, line, strict=True)) for line in lines if len(line) == len(columns)]


def as_asked(row: dict[str, str]) -> list[str]:
    times = [epoch(row.get(column, "Unknown")) for column in ("Submit", "Start", "End")]
    rest = [row.get(column, "") for column in ("ElapsedRaw", "TotalCPU", "MaxRSS", "Partition")]
    nodes = row.get("NodeList", "" if row["State"].startswith(("PENDING", "CANCELLED")) else "n1")
    return [row["JobID"], row["State"], row["ExitCode"], *times, *rest, nodes, row.get("Reason", "None")]


def test_accounting_of_every_state() -> None:
    table = [as_asked(row) for row in accounted("13b-sacct-X")]
    ids = [row[0] for row in table]
    snapshot = SLURM.parse_accounting(rows("sacct", table), ids)
    jobs = snapshot.jobs
    assert snapshot.unreadable == ()
    assert len(jobs) > 50
    assert all(job.phase is not Phase.OTHER for job in jobs.values())
    assert jobs["12"].outcome is Outcome.NOT_STARTED  # refused when it was submitted
    assert jobs["10"].outcome is Outcome.NOT_STARTED  # 0:53
    assert (jobs["97"].outcome, jobs["97"].exit_code) == (Outcome.EXITED, 0)
    assert (jobs["98"].outcome, jobs["98"].exit_code) == (Outcome.EXITED, None)
    assert "7 or 135" in (jobs["98"].reason or "")
    assert (jobs["99"].exit_code, jobs["99"].signal) == (137, 9)
    assert jobs["115"].outcome is Outcome.CANCELLED
    assert jobs["115"].word == "CANCELLED by 1001"
    assert jobs["100"].outcome is Outcome.OUT_OF_MEMORY
    assert jobs["96"].outcome is Outcome.TIMEOUT


def test_exit_codes_that_lost_their_highest_bit_are_not_told() -> None:
    table = [as_asked(row) for row in accounted("29-exit-ge-128-sacct")]
    jobs = SLURM.parse_accounting(rows("sacct", table), [row[0] for row in table]).jobs
    codes = {native_id: job.exit_code for native_id, job in jobs.items()}
    assert codes == {"153": None, "154": None, "155": None, "156": None, "157": None, "158": 143, "159": 139}
    assert {job.outcome for job in jobs.values()} == {Outcome.EXITED}


def test_the_last_run_counts() -> None:
    table = [as_asked(row) for row in accounted("13g-sacct-duplicates")]
    job = SLURM.parse_accounting(rows("sacct", table), ["132"]).jobs["132"]
    assert (job.phase, job.word, job.run) == (Phase.QUEUED, "PENDING", 1)


def test_memory_comes_from_the_steps() -> None:
    table = [as_asked(row) for row in accounted("30c-sacct-steps")]
    job = SLURM.parse_accounting(rows("sacct", table), ["162"]).jobs["162"]
    assert job.usage is not None
    assert (job.usage.max_rss, job.usage.wall_seconds) == (10556 * 1024, 1)


def test_elements_cancelled_before_they_started_share_a_row() -> None:
    def row(native_id: str, state: str, code: str = "0:0") -> list[str]:
        return [native_id, state, code, "1", "2", "3", "0", "00:00:00", "", "debug", "None assigned", "None"]

    table = [row("7_[0,2-3%2]", "CANCELLED by 0"), row("7_1", "COMPLETED")]
    jobs = SLURM.parse_accounting(rows("sacct", table), ["7_0", "7_1", "7_3", "7_9"]).jobs
    assert jobs.keys() == {"7_0", "7_1", "7_3"}
    assert jobs["7_3"].native_id == "7_3"
    waiting = [row("7_[0-9]", "PENDING")]
    assert SLURM.parse_accounting(rows("sacct", waiting), ["7_0"]).jobs == {}


@pytest.mark.parametrize("name", ["05e-down-sacct", "05k-sacct-nodb"])
def test_no_accounting(name: str) -> None:
    with pytest.raises(Unavailable, match=r"accounting did not answer"):
        SLURM.parse_accounting(recorded(name), ["1"])


def test_find_where_there_is_no_accounting() -> None:
    assert SLURM.parse_find(recorded("05k-sacct-nodb"), ["t"]) == {}
    with pytest.raises(Unavailable):
        SLURM.parse_find(recorded("05e-down-sacct"), ["t"])


@pytest.mark.parametrize("name", ["13d-sacct-unknown", "25b-sacct-too-early"])
def test_what_accounting_does_not_know_is_only_absent(name: str) -> None:
    assert SLURM.parse_accounting(recorded(name), ["93"]).jobs == {}


# -- acting -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "verb", "ids", "refused"),
    [
        ("07-cancel-pending", Control.CANCEL, ["37"], []),
        ("07c-cancel-finished", Control.CANCEL, ["20"], []),
        ("07d-cancel-finished-verbose", Control.CANCEL, ["20"], []),
        ("07e-cancel-unknown", Control.CANCEL, ["99999999"], []),
        ("07f-cancel-other-user", Control.CANCEL, ["46"], ["46"]),
        ("28b-scancel-ctld", Control.CANCEL, ["112_1", "97", "99999999", "123"], ["123"]),
        ("08-hold", Control.HOLD, ["29"], []),
        ("08d-hold-running", Control.HOLD, ["18"], []),
        ("08e-hold-finished", Control.HOLD, ["20"], ["20"]),
        ("08f-hold-unknown", Control.HOLD, ["99999999"], ["99999999"]),
        ("08g-hold-other", Control.HOLD, ["46", "47"], ["46"]),
        ("08h-release-admin-hold", Control.RELEASE, ["28"], ["28"]),
        ("06-suspend-denied", Control.SUSPEND, ["34"], ["34"]),
        ("20c-resume-not-suspended", Control.RESUME, ["95"], ["95"]),
    ],
)
def test_control(name: str, verb: Control, ids: list[str], refused: list[str]) -> None:
    assert list(SLURM.parse_control(verb, recorded(name), ids)) == refused


def test_control_without_an_answer() -> None:
    with pytest.raises(Unavailable):
        SLURM.parse_control(Control.CANCEL, recorded("05c-down-scancel"), ["1"])
    with pytest.raises(Unavailable):
        SLURM.parse_control(Control.HOLD, recorded("05g-down-scontrol"), ["1"])


# -- what there is ----------------------------------------------------------------------------------------------------


def test_shares() -> None:
    wanted = (0, 1, 4, 5, 6, 7, 8, 9)  # of %R|%a|%l|%L|%D|%c|%C|%m|%G|%f|%T|%F
    lines = (line.split("|") for line in recorded("15-sinfo-o").stdout.splitlines())
    nodes = rows("sinfo", [[line[column] for column in wanted] for line in lines])
    jobs = rows("squeue", [["debug", "R"], ["debug,long", "PD"], ["long", "PD"]])
    told = [nodes, recorded("15e-show-partition"), recorded("15f-show-node"), jobs]
    shares = {share.name: share for share in SLURM.parse_shares(told)}
    assert list(shares) == ["debug", "long", "scav", "closed", "stopped"]
    debug = shares["debug"]
    assert (debug.default, debug.nodes, debug.cores, debug.cores_per_node, debug.free_cores) == (True, 4, 64, 16, 21)
    assert (debug.max_wall, debug.default_wall, debug.gpus_per_node) == (7200, 3600, 2)
    assert debug.features == ("avx2", "fake")
    assert debug.memory_per_node == 32000 * 1024 * 1024
    assert (shares["long"].max_nodes, shares["long"].max_wall) == (2, 7 * 86_400)
    assert shares["scav"].max_wall is None
    assert (shares["closed"].default_wall, shares["closed"].available) == (None, True)
    assert not shares["stopped"].available
    assert shares["stopped"].why_not == "the partition is INACTIVE"
    assert (debug.architectures, debug.operating_systems, debug.nodes_up) == (("x86_64",), ("linux",), 4)
    assert [(one.jobs_running, one.jobs_waiting) for one in (debug, shares["long"])] == [(1, 1), (0, 2)]
    assert [name for name, share in shares.items() if share.restricted] == ["closed"]


@pytest.mark.parametrize(
    ("state", "up"),
    [
        ("IDLE", 1),
        ("MIXED+PLANNED", 1),
        ("IDLE+POWERED_DOWN", 1),
        ("IDLE*", 0),
        ("DOWN*+DRAIN", 0),
        ("ALLOCATED+DRAIN", 0),
        ("IDLE+NOT_RESPONDING", 0),
    ],
)
def test_nodes_that_take_jobs(state: str, up: int) -> None:
    partition = Completed(("scontrol",), 0, "PartitionName=p State=UP TotalNodes=1\n", "")
    node = Completed(("scontrol",), 0, f"NodeName=n1 Arch=x86_64 OS=Linux 6.1 State={state} Partitions=p,q \n", "")
    empty = Completed(("sinfo",), 0, "", "")
    (share,) = SLURM.parse_shares([empty, partition, node, empty])
    assert share.nodes_up == up


def test_shares_where_single_nodes_do_not_answer() -> None:
    down = recorded("05g-down-scontrol")
    empty = Completed(("sinfo",), 0, "", "")
    shares = SLURM.parse_shares([empty, recorded("15e-show-partition"), down, down])
    assert len(shares) == 5
    assert {(share.nodes_up, share.jobs_waiting, share.architectures) for share in shares} == {(None, None, ())}


def test_shares_without_an_answer() -> None:
    with pytest.raises(Unavailable):
        SLURM.parse_shares(
            [recorded("05d-down-sinfo"), recorded("15e-show-partition"), recorded("15f-show-node"), rows("squeue", [])]
        )
