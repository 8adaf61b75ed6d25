"""What a job script does for a job that stages: under a real bash, whatever the files are called."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argosy.batch.records import NOT_RUN, NOT_STAGED_OUT, Record
from argosy.model import JobSpec, StageIn, StageOut, StageOutFlags, StagingMode
from tests.waiting import until

from .scripts import Spool, submission

F = StageOutFlags
_ODD = st.text(st.sampled_from("'\"\\\n\r\t $`!&|;<>(){}[]*?~#%=-^:é\u2028\U0001f680aZ0"), min_size=1, max_size=20)
_NAMES = st.one_of(
    _ODD,
    st.binary(min_size=1, max_size=20).map(lambda data: os.fsdecode(data.replace(b"\0", b"0").replace(b"/", b"1"))),
    st.sampled_from(["-rf", "--", "$(id)", "`id`", "~", "*", "-", " ", "\n", "a\n"]),
).filter(lambda name: name not in (".", "..") and len(os.fsencode(name)) < 60)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The job's directory."""
    path = tmp_path / "place"
    path.mkdir()
    return path


def run(spool: Spool, spec: JobSpec, directory: Path, **kwargs: object) -> tuple[int, Record]:
    status, _ = spool.run(spool.script(submission(spec, str(directory))), **kwargs)
    return status, spool.records()["7.0.exit"]


def kinds(spool: Spool) -> list[str]:
    """The records, in the order of their times."""
    records = sorted(spool.records().values(), key=lambda record: record.time)
    return [str(record.kind) for record in records]


def leftovers(*directories: Path) -> list[Path]:
    return [path for directory in directories for path in directory.rglob(".argosy-*")]


def test_in_and_out(spool: Spool, place: Path, tmp_path: Path) -> None:
    (tmp_path / "source").write_text("data")
    spec = JobSpec(
        "cat",
        stdin_path="new/in",
        stdout_path="out",
        stage_in=[StageIn(tmp_path / "source", "new/in")],
        stage_out=[StageOut("out", (tmp_path / "far" / "away").as_uri())],
        cleanup=["new", "out", "never made"],
    )
    status, record = run(spool, spec, place)
    assert (status, record.exit_code, record.note, record.failed) == (0, 0, None, False)
    assert (tmp_path / "far" / "away").read_text() == "data"
    assert os.listdir(place) == []
    assert kinds(spool) == ["stage-in", "start", "stage-out", "cleanup", "exit"]
    assert leftovers(tmp_path) == []


def test_a_plain_job_has_no_such_records(spool: Spool, place: Path) -> None:
    run(spool, JobSpec("true"), place)
    assert kinds(spool) == ["start", "exit"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=_NAMES, target=_NAMES, mode=st.sampled_from(StagingMode))
def test_names_of_any_kind(spool: Spool, name: str, target: str, mode: StagingMode) -> None:
    here = Spool(Path(tempfile.mkdtemp(dir=spool.path)))
    directory, far = here.path / "directory", here.path / "far"
    directory.mkdir()
    far.mkdir()
    (far / name).write_text("data")
    spec = JobSpec(
        "true",
        stage_in=[StageIn(far / name, Path("sub" + target) / target, mode)],
        stage_out=[StageOut(Path("sub" + target) / target, here.path / "back" / name)],
        cleanup=[Path("sub" + target) / target],
    )
    status, record = run(here, spec, directory)
    assert (status, record.note) == (0, None)
    assert (here.path / "back" / name).read_text() == "data"
    assert os.listdir(directory / ("sub" + target)) == []
    assert (far / name).exists() is (mode is not StagingMode.MOVE)
    assert leftovers(here.path) == []


@pytest.mark.parametrize("mode", list(StagingMode))
def test_modes(spool: Spool, place: Path, tmp_path: Path, mode: StagingMode) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / ".file").write_text("data")
    (tmp_path / "tree" / "link").symlink_to("sub")
    status, _ = run(spool, JobSpec("true", stage_in=[StageIn(tmp_path / "tree", "tree", mode)]), place)
    assert status == 0
    assert (place / "tree" / "link" / ".file").read_text() == "data"
    assert (place / "tree").is_symlink() is (mode is StagingMode.LINK)
    assert (place / "tree" / "link").is_symlink()
    assert (tmp_path / "tree").exists() is (mode is not StagingMode.MOVE)


def test_a_relative_source_is_linked_to_from_anywhere(spool: Spool, place: Path) -> None:
    (place / "data").write_text("data")
    run(spool, JobSpec("true", stage_in=[StageIn("data", "a/b/c", StagingMode.LINK)]), place)
    assert (place / "a" / "b" / "c").read_text() == "data"


def test_a_link_that_is_named_is_followed(spool: Spool, place: Path, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("data")
    (tmp_path / "link").symlink_to("data")
    run(spool, JobSpec("true", stage_in=[StageIn(tmp_path / "link", "x")]), place)
    assert not (place / "x").is_symlink()
    assert (place / "x").read_text() == "data"


def test_the_home_directory(spool: Spool, place: Path, tmp_path: Path) -> None:
    (tmp_path / "a $b").write_text("data")
    spec = JobSpec("true", inherit_environment=False, stage_in=[StageIn("~/a $b", "x")])
    assert run(spool, spec, place, environ={"HOME": str(tmp_path)})[0] == 0
    assert (place / "x").read_text() == "data"


def test_a_directory_goes_into_one_that_is_there(spool: Spool, place: Path, tmp_path: Path) -> None:
    for where, names in ((place / "out", ("a", "b", "sub/c")), (tmp_path / "far", ("b", "d", "sub/e"))):
        (where / "sub").mkdir(parents=True)
        for name in names:
            (where / name).write_text(where.name)
    assert run(spool, JobSpec("true", stage_out=[StageOut("out", tmp_path / "far")]), place)[0] == 0
    found = {str(path.relative_to(tmp_path / "far")) for path in (tmp_path / "far").rglob("*") if path.is_file()}
    assert found == {"a", "b", "d", "sub/c", "sub/e"}
    assert (tmp_path / "far" / "b").read_text() == "out"
    assert leftovers(tmp_path) == []


def test_a_stage_in_that_fails_keeps_the_application_from_running(spool: Spool, place: Path) -> None:
    spec = JobSpec(
        "touch",
        ["ran"],
        stage_in=[StageIn("/no/such", "x"), StageIn("/etc/hostname", "y")],
        stage_out=[StageOut("x", "z")],
        cleanup=["kept"],
        cleanup_flags=F.ON_ERROR,
    )
    (place / "kept").touch()
    status, record = run(spool, spec, place)
    assert (status, record.ran) == (NOT_RUN, False)
    assert record.note == "stage_in[0] (/no/such to x) failed: cp: cannot stat '/no/such': No such file or directory"
    assert os.listdir(place) == []  # and nothing after the first was tried, though what cleanup says was done
    assert kinds(spool) == ["stage-in", "exit"]


def test_a_target_is_whole_or_not_there(spool: Spool, place: Path, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_text("a" * 100_000)
    (tmp_path / "tree" / "loop").symlink_to("loop")
    (place / "x").write_text("old")
    # A copy that fails in its middle: a file that is larger than the limit allows.
    spec = JobSpec("true", stage_in=[StageIn(tmp_path / "tree" / "a", "x")])
    script = "ulimit -f 10\n" + spool.script(submission(spec, str(place)))
    status, _ = spool.run(script)
    assert status == NOT_RUN
    assert (place / "x").read_text() == "old"
    assert leftovers(tmp_path) == []


def test_a_stage_out_that_fails_makes_a_success_a_failure(spool: Spool, place: Path, tmp_path: Path) -> None:
    spec = JobSpec(
        "touch",
        ["made"],
        stage_out=[StageOut("missing", tmp_path / "far" / "m"), StageOut("made", tmp_path / "far" / "n")],
        cleanup=["made"],
    )
    status, record = run(spool, spec, place)
    assert (status, record.exit_code, record.ran, record.failed) == (NOT_STAGED_OUT, 0, True, True)
    assert "stage_out[0]" in (record.note or "")
    assert "cp: cannot stat" in (record.note or "")
    assert (tmp_path / "far" / "n").exists()  # the others are brought out all the same
    assert (place / "made").exists()  # and nothing is removed
    assert kinds(spool) == ["stage-in", "start", "stage-out", "exit"]


def test_the_exit_status_of_an_application_that_failed_stays(spool: Spool, place: Path) -> None:
    spec = JobSpec("sh", ["-c", "exit 3"], stage_out=[StageOut("missing", "x")])
    status, record = run(spool, spec, place)
    assert (status, record.exit_code, record.failed) == (3, 3, True)


def test_the_notes_of_post_launch_and_stage_out_are_both_kept(spool: Spool, place: Path) -> None:
    (place / "post").write_text("false\n")
    spec = JobSpec("true", post_launch="post", stage_out=[StageOut("missing", "x")])
    note = run(spool, spec, place)[1].note or ""
    assert note.startswith("post_launch failed with exit status 1; stage_out[0] ")


@pytest.mark.parametrize("present", [True, False])
def test_if_present(spool: Spool, place: Path, tmp_path: Path, present: bool) -> None:
    if present:
        (place / "x").touch()
    status, record = run(spool, JobSpec("true", stage_out=[StageOut("x", tmp_path / "y", F.IF_PRESENT)]), place)
    assert (status, record.note) == (0, None)
    assert (tmp_path / "y").exists() is present


_FLAGS = [F.ON_SUCCESS, F.ON_ERROR, F.ON_CANCEL, F.ALWAYS, F.NONE, F.ON_ERROR | F.ON_CANCEL]
_PROGRAMS = {"success": "true", "error": "exit 3", "cancel": "echo >ready; exec sleep 60"}


@pytest.mark.parametrize("outcome", list(_PROGRAMS))
def test_flags(spool: Spool, place: Path, tmp_path: Path, outcome: str) -> None:
    for number in range(len(_FLAGS)):
        (place / f"{number}").touch()
    outs = [StageOut(str(number), tmp_path / "far" / str(number), flags) for number, flags in enumerate(_FLAGS)]
    spec = JobSpec("sh", ["-c", _PROGRAMS[outcome]], stage_out=outs, cleanup=["0"], cleanup_flags=F.ON_CANCEL)
    process = spool.start(spool.script(submission(spec, str(place))))
    if outcome == "cancel":
        until((place / "ready").exists)
        os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    wanted = {"success": [0, 3, 4], "error": [1, 3, 4, 5], "cancel": [2, 3, 4, 5]}[outcome]
    assert sorted(int(path.name) for path in (tmp_path / "far").iterdir()) == wanted
    assert (place / "0").exists() is (outcome != "cancel")
    record = spool.records()["7.0.exit"]
    assert record.terminated is (outcome == "cancel")
    assert record.exit_code == {"success": 0, "error": 3, "cancel": 143}[outcome]


def held_up(script: str, function: str) -> str:
    """The script, waiting in one of its functions until there is a file ``go``."""
    wait = ": >waiting; while [[ ! -e go ]]; do read -t 0.05 <> <(:); done"
    assert f"{function}() {{" in script
    return script.replace(f"{function}() {{", f"{function}() {{\n{wait}")


def signalled(spool: Spool, script: str, place: Path) -> Record:
    """Run a script that waits, with a TERM signal to all its processes meanwhile."""
    process = spool.start(script)
    until((place / "waiting").exists)
    os.killpg(process.pid, signal.SIGTERM)
    (place / "go").touch()
    process.communicate(timeout=60)
    return spool.records()["7.0.exit"]


def test_a_signal_while_files_are_brought_out_changes_nothing(spool: Spool, place: Path, tmp_path: Path) -> None:
    (place / "made").touch()
    spec = JobSpec("true", stage_out=[StageOut("made", tmp_path / "far", F.ON_SUCCESS)])
    script = held_up(spool.script(submission(spec, str(place))), "argosy_stage_out")
    record = signalled(spool, script, place)
    assert (record.exit_code, record.terminated, record.note) == (0, False, None)
    assert (tmp_path / "far").exists()


def test_a_signal_while_files_are_brought_in(spool: Spool, place: Path) -> None:
    (place / "source").touch()
    spec = JobSpec("touch", ["ran"], stage_in=[StageIn("source", "x")], cleanup=["source"], cleanup_flags=F.ON_CANCEL)
    script = held_up(spool.script(submission(spec, str(place))), "argosy_stage_in")
    record = signalled(spool, script, place)
    assert (record.ran, record.exit_code, record.terminated) == (False, 143, True)
    assert not (place / "ran").exists()
    assert not (place / "source").exists()  # cleaned up, as of any cancelled job
    assert kinds(spool) == ["stage-in", "exit"]


def test_what_is_not_in_the_directory_is_not_removed(spool: Spool, place: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (place / "link").symlink_to(outside)
    (place / "sub").mkdir()
    (place / "-rf").touch()
    spec = JobSpec("true", cleanup=["-rf", "link/kept", str(outside), f"{place}/sub", "link"])
    status, record = run(spool, spec, place)
    assert status == 0
    assert record.note == "cleanup[1] (link/kept) failed: it is not in the job's directory"
    assert (outside / "kept").exists()
    assert os.listdir(place) == []  # the link itself is in it


def test_a_directory_that_is_reached_by_a_link(spool: Spool, place: Path, tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(place)
    (place / "x").touch()
    (place / "y").touch()
    _, record = run(spool, JobSpec("true", cleanup=["x", str(place / "y")]), tmp_path / "other")
    assert record.note is None
    assert os.listdir(place) == []


def test_members_of_an_array_stage_each_for_itself(spool: Spool, place: Path) -> None:
    jobs = [
        JobSpec("true"),
        JobSpec("cat", ["in"], stdout_path="out", stage_in=[StageIn("/etc/hostname", "in")]),
        JobSpec("true", stage_out=[StageOut("missing", "x")]),
    ]
    script = spool.script(*(submission(spec, str(place), f"job.{i}") for i, spec in enumerate(jobs)))
    assert [spool.run(script, f"7_{index}", 0, index)[0] for index in range(3)] == [0, 0, NOT_STAGED_OUT]
    assert (place / "out").read_text() == Path("/etc/hostname").read_text()
    assert "7_0.0.stage-in" not in spool.records()
    assert "7_1.0.stage-in" in spool.records()
