"""The body of a job script under a real bash."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from argosy.batch.records import NOT_RUN, RecordKind
from argosy.batch.script import protect_line_ends
from argosy.model import InvalidJobException, JobSpec
from argosy.model.shell import substitute
from tests.waiting import until

from .scripts import Spool, seen, submission, write_show

_ODD = "'\"\\\n\r\t $`!&|;<>(){}[]*?~#%=-^:é\u2028\U0001f680"
_VALUES = st.one_of(
    st.text(st.sampled_from(_ODD + "aZ0"), max_size=30),
    st.binary(max_size=30).map(lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape")),
    st.sampled_from(["", "-n", "--", "$(id)", "`id`", "${HOME}", "$${HOME}", "${NO_SUCH}x", "~", "~/x", "a=b", "\r\n"]),
)
_BASH_OWN = ["UID", "IFS", "POSIXLY_CORRECT", "BASH_ENV", "SHELLOPTS", "RANDOM", "PWD", "argosy_tag", "SHLVL", "PS4"]
_NAMES = st.one_of(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True), st.sampled_from(_BASH_OWN)).filter(
    lambda name: not name.startswith(("LD_", "ARGOSY_", "SLURM_", "PMI", "LC_", "FAKE_")) and name not in ("HOME", "_")
)
_SOME = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture(scope="module")
def show() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield write_show(Path(directory))


def raw(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def fresh(spool: Spool) -> Spool:
    """Another spool, for one example of many."""
    return Spool(Path(tempfile.mkdtemp(dir=spool.path)))


# -- what the application is given ------------------------------------------------------------------------------------


@_SOME
@example(arguments=["x" * 100_000, "'" * 30_000], environment={"A": "y" * 100_000}, inherit=True)
@example(arguments=["${UID}"], environment=dict.fromkeys(_BASH_OWN, "7 x"), inherit=False)
@given(
    arguments=st.lists(_VALUES, max_size=5),
    environment=st.dictionaries(_NAMES, _VALUES, max_size=4),
    inherit=st.booleans(),
)
def test_arguments_and_environment_arrive_byte_for_byte(
    spool: Spool, show: Path, arguments: list[str], environment: dict[str, str], inherit: bool
) -> None:
    here = fresh(spool)
    before = {"PATH": os.environ["PATH"], "HOME": "/root", "FAKE_ID": "7", "FAKE_RUN": "0"}
    before |= {"KEEP": "a\nb", "SLURM_JOB_ID": "7", "argosy_spool": "/nowhere", "argosy_id": "9"}
    spec = JobSpec(str(show), arguments, environment=environment, inherit_environment=inherit)
    status, said = here.run(here.script(submission(spec, str(here.path))), environ=before)
    assert status == 0, said

    given_arguments, given_environment = seen(show)
    own = {"ARGOSY_JOB_TAG": "job", "ARGOSY_NATIVE_ID": "7", "PSIJ_NODEFILE": f"{here.path}/out/7.nodes"}
    variables = before | own if inherit else {"SLURM_JOB_ID": "7"} | own
    variables.pop("argosy_spool", None)
    variables.pop("argosy_id", None)
    if environment.keys().isdisjoint(_BASH_OWN):  # what ${UID} means is bash's own affair
        lookup = dict(variables if inherit else variables | {"PATH": before["PATH"]})
        for name, value in environment.items():
            lookup[name] = variables[name] = substitute(value, lookup)
        assert given_arguments == [raw(substitute(argument, lookup)) for argument in arguments]
    else:
        variables |= environment if all("${" not in value for value in environment.values()) else {}
    for name in ("_", "SHLVL", "PWD", "OLDPWD"):
        if name not in environment:
            given_environment.pop(name.encode(), None)
    if environment.keys().isdisjoint(_BASH_OWN) or all("${" not in value for value in environment.values()):
        assert given_environment == {raw(name): raw(value) for name, value in variables.items()}


@_SOME
@given(name=_VALUES.filter(lambda name: name and "/" not in name and name not in (".", "..") and len(raw(name)) < 100))
def test_odd_paths(spool: Spool, name: str) -> None:
    here = fresh(spool)
    directory = os.fsencode(here.path) + b"/" + raw(name)
    os.mkdir(directory)
    with open(directory + b"/in " + raw(name), "wb") as file:
        file.write(b"data")
    spec = JobSpec("cat", stdin_path=f"in {name}", stdout_path=f"out {name}", stderr_path=name)
    status, said = here.run(here.script(submission(spec, os.fsdecode(directory))))
    assert status == 0, said
    with open(directory + b"/out " + raw(name), "rb") as file:
        assert file.read() == b"data"
    assert os.path.exists(directory + b"/" + raw(name))


@pytest.mark.parametrize("executable", ["if", "exit", "a=b", "-x", "cd", "mv", "x y"])
def test_an_executable_of_any_name_is_looked_up_on_path(spool: Spool, executable: str) -> None:
    (spool.path / "bin").mkdir()
    program = spool.path / "bin" / executable
    program.write_text("#!/bin/sh\nexit 42\n")
    program.chmod(0o755)
    spec = JobSpec(executable, environment={"PATH": f"{spool.path}/bin:${{PATH}}"})
    assert spool.run(spool.script(submission(spec, str(spool.path))))[0] == 42
    assert spool.records()["7.0.exit"].exit_code == 42


def test_a_variable_of_bash_with_an_executable_that_looks_like_an_assignment_is_refused() -> None:
    with pytest.raises(InvalidJobException) as caught:
        submission(JobSpec("a=b", environment={"UID": "1"}), "/")
    assert caught.value.element == "executable"


def test_functions_and_settings_of_the_user_do_not_reach_the_script(spool: Spool, show: Path) -> None:
    environ = {f"BASH_FUNC_{name}%%": "() {  builtin exit 66; }" for name in ("mv", "ln", "mkdir", "cd", "date", "cat")}
    environ |= {"SHELLOPTS": "errexit:nounset:noglob", "CDPATH": "/tmp", "LANG": "de_DE.UTF-8"}
    spec = JobSpec(str(show), inherit_environment=False)
    status, said = spool.run(spool.script(submission(spec, str(spool.path))), environ=environ)
    assert status == 0, said
    assert not [name for name in seen(show)[1] if name.startswith(b"BASH_FUNC")]


def test_the_home_directory(spool: Spool) -> None:
    (spool.path / "a $b").mkdir()
    spec = JobSpec("pwd", stdout_path="stdout")
    home = {"HOME": str(spool.path)}
    assert spool.run(spool.script(submission(spec, "~/a $b")), environ=home) == (0, "")
    assert (spool.path / "a $b" / "stdout").read_text() == f"{spool.path}/a $b\n"


@pytest.mark.parametrize("stderr", ["both", "link", "/both"])
def test_one_file_for_both_streams_is_opened_once(spool: Spool, stderr: str) -> None:
    (spool.path / "link").symlink_to("both")
    path = f"{spool.path}{stderr}" if stderr.startswith("/") else stderr
    spec = JobSpec("sh", ["-c", "echo 1; echo 2 >&2; echo 3"], stdout_path="both", stderr_path=path)
    assert spool.run(spool.script(submission(spec, str(spool.path)))) == (0, "")
    assert (spool.path / "both").read_text() == "1\n2\n3\n"


def test_no_descriptor_but_the_streams_reaches_the_application(spool: Spool) -> None:
    spec = JobSpec("ls", ["/proc/self/fd"], stdout_path="stdout")
    spool.run(spool.script(submission(spec, str(spool.path))))
    assert (spool.path / "stdout").read_text().split() == ["0", "1", "2", "3"]  # 3 is ls reading the directory


# -- endings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 0", 0), ("exit 7", 7), ("exit 137", 137), ("kill -9 $$", 137), ("kill -TERM $$", 143)],
)
def test_exit_status(spool: Spool, command: str, status: int) -> None:
    spec = JobSpec("sh", ["-c", command])
    assert spool.run(spool.script(submission(spec, str(spool.path))))[0] == status
    record = spool.records()["7.0.exit"]
    assert (record.exit_code, record.ran, record.note, record.terminated) == (status, True, None, False)
    assert record.usage is not None
    assert record.usage.wall_seconds is not None
    assert 0 <= record.usage.wall_seconds < 30
    assert sorted(spool.records()) == ["7.0.exit", "7.0.start"]
    assert os.listdir(spool.path / "tmp") == []


def test_cpu_time_is_counted(spool: Spool) -> None:
    spec = JobSpec("bash", ["-c", "for ((i = 0; i < 300000; i++)); do :; done"])
    spool.run(spool.script(submission(spec, str(spool.path))))
    usage = spool.records()["7.0.exit"].usage
    assert usage is not None
    assert usage.cpu_seconds is not None
    assert usage.cpu_seconds > 0.1


def test_no_such_program(spool: Spool) -> None:
    spec = JobSpec("no-such-program", stderr_path="err")
    assert spool.run(spool.script(submission(spec, str(spool.path))))[0] == 127
    assert "no-such-program" in (spool.path / "err").read_text()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stdin_path": "missing"}, "standard input could not be opened"),
        ({"stdout_path": "missing/out"}, "standard output could not be opened"),
        ({"stderr_path": "missing/err"}, "standard error could not be opened"),
        ({"pre_launch": "missing"}, "pre_launch failed"),
        ({"pre_launch": "fails"}, "pre_launch failed with exit status 3"),
        ({"pre_launch": "leaves"}, "pre_launch ended the script"),
    ],
)
def test_what_the_script_cannot_do_keeps_the_application_from_running(
    spool: Spool, change: dict[str, str], words: str
) -> None:
    (spool.path / "fails").write_text("(exit 3)\n")
    (spool.path / "leaves").write_text("exit 0\n")
    spec = JobSpec("touch", ["ran"], **change)
    status, _ = spool.run(spool.script(submission(spec, str(spool.path))))
    record = spool.records()["7.0.exit"]
    assert not (spool.path / "ran").exists()
    assert not record.ran
    assert words in (record.note or "")
    assert (status, record.exit_code) in [(NOT_RUN, NOT_RUN), (0, 0)]


def test_a_missing_directory(spool: Spool) -> None:
    status, said = spool.run(spool.script(submission(JobSpec("touch", ["ran"]), f"{spool.path}/a\nb")))
    record = spool.records()["7.0.exit"]
    assert (status, record.exit_code, record.ran) == (NOT_RUN, NOT_RUN, False)
    assert record.note is not None
    assert record.note.startswith("the directory could not be entered: ")
    assert "No such file or directory" in record.note
    assert record.note in said
    assert list(spool.path.rglob("ran")) == []


def test_pre_and_post_launch(spool: Spool) -> None:
    (spool.path / "pre").write_text("export FROM_PRE=$ASKED; cd /; echo pre; set -eu\n")
    (spool.path / "post").write_text('echo "post $FROM_PRE"; exit 4\n')
    spec = JobSpec(
        "sh",
        ["-c", 'echo "$FROM_PRE"; pwd; exit 5'],
        environment={"ASKED": "x y"},
        stdout_path="stdout",
        pre_launch="pre",
        post_launch="post",
    )
    assert spool.run(spool.script(submission(spec, str(spool.path)))) == (5, "pre\npost x y\n")
    assert (spool.path / "stdout").read_text() == f"x y\n{spool.path}\n"
    record = spool.records()["7.0.exit"]
    assert (record.exit_code, record.ran, record.note) == (5, True, "post_launch failed with exit status 4")


# -- at most once -----------------------------------------------------------------------------------------------------


def counting(spool: Spool, *, rerunnable: bool = False) -> str:
    spec = JobSpec("sh", ["-c", f"echo >>{spool.path}/runs"])
    return spool.script(submission(spec, str(spool.path), rerunnable=rerunnable))


def runs(spool: Spool) -> int:
    path = spool.path / "runs"
    return len(path.read_text()) if path.exists() else 0


@pytest.mark.parametrize("rerunnable", [False, True])
def test_a_second_copy_runs_nothing(spool: Spool, rerunnable: bool) -> None:
    script = counting(spool, rerunnable=rerunnable)
    assert spool.run(script, "7")[0] == 0
    assert spool.run(script, "8")[0] == 0
    assert runs(spool) == 1
    record = spool.records()["8.0.duplicate"]
    assert (record.kind, record.tag, record.native_id) == (RecordKind.DUPLICATE, "job", "8")
    assert (record.owner, record.owner_run, record.repeated, record.ran) == ("7", 0, False, False)
    assert "8.0.exit" not in spool.records()


def test_a_requeue_of_a_job_that_may_not_run_again(spool: Spool) -> None:
    script = counting(spool)
    spool.run(script, "7")
    assert spool.run(script, "7", 1)[0] == 0
    assert runs(spool) == 1
    record = spool.records()["7.1.duplicate"]
    assert record.repeated
    assert record.owner_run == 0


def test_a_requeue_of_a_rerunnable_job_runs_each_run_once(spool: Spool) -> None:
    script = counting(spool, rerunnable=True)
    for run in (0, 1, 1, 0, 3):
        spool.run(script, "7", run)
    assert runs(spool) == 3
    assert {name for name in spool.records() if "duplicate" in name} == {"7.0.duplicate", "7.1.duplicate"}


def test_a_script_that_died_before_it_was_owner_claims_nothing(spool: Spool) -> None:
    (spool.path / "claims" / "job").mkdir()
    (spool.path / "claims" / "job" / "7.0.host.123").write_text("7 0 host.123.4\n")
    spool.run(counting(spool), "8")
    assert runs(spool) == 1


def test_a_symbolic_link_is_a_claim_too(spool: Spool) -> None:
    (spool.path / "claims" / "job").mkdir()
    (spool.path / "claims" / "job" / "owner").symlink_to("7 2 host.123.4")
    spool.run(counting(spool), "8")
    assert runs(spool) == 0
    record = spool.records()["8.0.duplicate"]
    assert (record.owner, record.owner_run) == ("7", 2)


def test_many_at_once(spool: Spool) -> None:
    script = counting(spool)
    processes = [spool.start(script, str(number)) for number in range(12)]
    for process in processes:
        process.communicate(timeout=60)
    assert runs(spool) == 1
    kinds = sorted(record.kind for record in spool.records().values())
    assert kinds == ["duplicate"] * 11 + ["exit", "start"]


def test_a_run_that_cannot_be_claimed_is_not_run(spool: Spool) -> None:
    (spool.path / "claims").rmdir()
    assert spool.run(counting(spool))[0] == NOT_RUN
    assert runs(spool) == 0
    record = spool.records()["7.0.exit"]
    assert not record.ran
    assert (record.note or "").startswith("the run could not be claimed")


def test_killed_in_the_middle_it_is_not_run_again(spool: Spool) -> None:
    spec = JobSpec("sh", ["-c", f"echo >>{spool.path}/runs; exec sleep 60"])
    script = spool.script(submission(spec, str(spool.path)))
    process = spool.start(script)
    until(lambda: runs(spool))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert sorted(spool.records()) == ["7.0.start"]
    spool.run(script, "7", 1)
    spool.run(script, "9", 0)
    assert runs(spool) == 1


# -- signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("launcher", ["single", "multiple"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_the_exit_record_outlives_a_signal(spool: Spool, launcher: str, number: signal.Signals) -> None:
    # The application takes its time over the signal; the record comes after its end.
    trap = f"trap 'sleep 0.2; echo end >end; exit 9' {number.name[3:]}; echo >ready; while :; do sleep 0.05; done"
    spec = JobSpec("sh", ["-c", trap], launcher=launcher)
    process = spool.start(spool.script(submission(spec, str(spool.path))))
    until((spool.path / "ready").exists)
    os.killpg(process.pid, number)
    process.communicate(timeout=60)
    record = spool.records()["7.0.exit"]
    assert (spool.path / "end").exists()
    assert (process.returncode, record.exit_code) == (9, 9)
    assert record.terminated is (number == signal.SIGTERM)


def test_an_application_that_dies_of_the_signal(spool: Spool) -> None:
    spec = JobSpec("sh", ["-c", "echo >ready; exec sleep 60"])
    process = spool.start(spool.script(submission(spec, str(spool.path))))
    until((spool.path / "ready").exists)
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    record = spool.records()["7.0.exit"]
    assert (record.exit_code, record.terminated, record.ran) == (143, True, True)


def test_a_signal_before_the_application_keeps_it_from_running(spool: Spool) -> None:
    (spool.path / "pre").write_text("echo >ready; while [ ! -e go ]; do read -t 0.05 <> <(:); done; true\n")
    spec = JobSpec("touch", ["ran"], pre_launch="pre")
    process = spool.start(spool.script(submission(spec, str(spool.path))))
    until((spool.path / "ready").exists)
    os.killpg(process.pid, signal.SIGTERM)
    (spool.path / "go").touch()
    process.communicate(timeout=60)
    record = spool.records()["7.0.exit"]
    assert (record.exit_code, record.ran, record.terminated) == (143, False, True)
    assert not (spool.path / "ran").exists()


# -- arrays -----------------------------------------------------------------------------------------------------------


def test_an_array_of_anything(spool: Spool) -> None:
    jobs = [
        JobSpec("sh", ["-c", 'echo "$0 $A"; exit 3', "it's\n0"], stdout_path="out.0", environment={"A": "zero"}),
        JobSpec("cat", stdin_path="out.0", stdout_path="out.1"),
        JobSpec("sh", ["-c", 'echo "${A-none}"'], stdout_path="out.2", launcher="multiple"),
    ]
    script = spool.script(*(submission(spec, str(spool.path), f"job.{i}") for i, spec in enumerate(jobs)))
    assert [spool.run(script, f"7_{index}", 0, index)[0] for index in range(3)] == [3, 0, 0]
    assert (spool.path / "out.1").read_text() == "it's\n0 zero\n"
    assert (spool.path / "out.2").read_text() == "none\n"
    records = spool.records()
    assert {records[f"7_{index}.0.exit"].tag for index in range(3)} == {"job.0", "job.1", "job.2"}
    assert spool.run(script, "7_9", 0, 9)[0] == NOT_RUN


def test_line_ends_are_protected_without_a_change_of_meaning(spool: Spool, show: Path) -> None:
    arguments = ["a\r\nb", "\r\n\r\n", "\r", "'\r\n'"]
    script = protect_line_ends(spool.script(submission(JobSpec(str(show), arguments), str(spool.path))))
    assert "\r\n" not in script
    assert spool.run(script)[0] == 0
    assert seen(show)[0] == [raw(argument) for argument in arguments]
