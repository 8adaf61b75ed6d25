from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from argosy.model import ActivityState
from tests.cli.conftest import Command
from tests.rest.fake import FakeOperations
from tests.rest.live import Live
from tests.waiting import until

S = ActivityState


class Player:
    """Plays the jobs that are submitted: waits for each, then does to it what it was told to."""

    def __init__(self, live: Live, play: Callable[[FakeOperations, str], None]) -> None:
        self.live = live
        self.play = play
        self.thread = threading.Thread(target=lambda: live.do(self._run))

    async def _run(self) -> None:
        operations = self.live.operations
        while not operations.activities:
            await operations.changed.wait()
        id = next(iter(operations.activities))
        wanted = {file.path for file in operations.descriptions[id].inputs}
        while not wanted <= set(operations.files[id]):
            await asyncio.sleep(0.01)
        self.play(operations, id)

    def __enter__(self) -> Player:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.thread.join()


def ended(
    state: ActivityState = S.FINISHED, stdout: bytes = b"", stderr: bytes = b"", **changes: Any
) -> Callable[[FakeOperations, str], None]:
    def play(operations: FakeOperations, id: str) -> None:
        operations.advance(id, S.LRMS_RUNNING)
        operations.write(id, "stdout", stdout)
        operations.write(id, "stderr", stderr)
        operations.advance(id, state, **changes)

    return play


def test_run_shows_the_output_and_takes_the_exit_code(argosy: Command, live: Live) -> None:
    with Player(live, ended(stdout=b"out\n", stderr=b"err\n", exit_code=7)):
        done = argosy("run", "--", "prog", "-x", "--", "--name", "y")
    assert (done.code, done.out) == (7, "out\n")
    assert done.err.startswith("err\n")
    assert "argosy: the job is kept" in done.err
    (description,) = live.operations.descriptions.values()
    assert (description.executable, description.arguments) == ("prog", ["-x", "--", "--name", "y"])


def test_run_sends_inputs_and_fetches_outputs(argosy: Command, live: Live) -> None:
    Path("script").write_text("#!/bin/sh\n")
    Path("script").chmod(0o755)
    Path("data.txt").write_text("data")

    def play(operations: FakeOperations, id: str) -> None:
        assert operations.files[id] == {"script": (b"#!/bin/sh\n", True), "d": (b"data", False)}
        operations.write(id, "sub/result", b"42", executable=True)
        ended(exit_code=0)(operations, id)

    with Player(live, play):
        done = argosy(
            "run", "--purge", "-i", "script", "-i", "data.txt=d", "-o", "sub/result", "-o", "d=copy", "./script"
        )
    assert (done.code, done.out, done.err) == (0, "", "")
    assert Path("result").read_text() == "42"
    assert stat.S_IMODE(os.stat("result").st_mode) & 0o100
    assert Path("copy").read_text() == "data"
    assert live.operations.purged != []
    (description,) = live.operations.descriptions.values()
    assert [(f.path, f.size, f.executable) for f in description.inputs] == [("script", 10, True), ("d", 4, False)]
    assert [f.path for f in description.outputs] == ["sub/result", "d"]


def test_output_goes_to_standard_output_where_that_is_said(argosy: Command, live: Live) -> None:
    def play(operations: FakeOperations, id: str) -> None:
        operations.write(id, "f", b"of the file")
        ended(stdout=b"of the job, ", exit_code=0)(operations, id)

    with Player(live, play):
        done = argosy("run", "-o", "f=-", "prog")
    assert (done.code, done.out) == (0, "of the job, of the file")
    assert argosy("files", "get", "@last", "f", "-").out == "of the file"
    assert list(Path().iterdir()) == []
    assert argosy("files", "get", "@last", "f", "./-").out == "./-\n"
    assert argosy("files", "get", "@last", "none", "-").code == 4
    for words in (["files", "get", "--json", "@last", "f", "-"], ["run", "--json", "-o", "f=-", "prog"]):
        assert argosy(*words).code == 2


def test_run_says_what_it_missed(argosy: Command, live: Live) -> None:
    with Player(live, ended(exit_code=0)):
        done = argosy("run", "-o", "nothing", "true")
    assert done.code == 1
    assert "left no file nothing" in done.err
    assert live.operations.purged == []


@pytest.mark.parametrize(
    ("state", "changes", "code", "told"),
    [
        (S.FINISHED, {"exit_code": 0}, 0, ""),
        (S.FINISHED, {"exit_code": 143, "signal": 15}, 143, "kept"),
        (S.FINISHED, {"signal": 9}, 137, "kept"),
        (S.FAILED, {"reason": "node failed"}, 125, "node failed"),
        (S.TERMINATED, {"reason": "asked for"}, 125, "asked for"),
        (S.TERMINATED, {"exit_code": 143, "signal": 15}, 143, "terminated"),
        (S.FAILED, {"exit_code": 0, "reason": "an output file is missing"}, 125, "an output file is missing"),
        (S.FINISHED, {}, 125, "no reason is known"),
    ],
)
def test_exit_codes_of_run(
    argosy: Command, live: Live, state: ActivityState, changes: dict[str, Any], code: int, told: str
) -> None:
    with Player(live, ended(state, **changes)):
        done = argosy("run", "prog")
    assert done.code == code
    assert told in done.err


def test_run_as_json_and_kept(argosy: Command, live: Live) -> None:
    with Player(live, ended(stdout=b"out", exit_code=0)):
        done = argosy("run", "--json", "prog")
    assert json.loads(done.out)["exit_code"] == 0
    assert done.err == "out"
    assert live.operations.purged == []


def test_run_gives_up_after_its_time(argosy: Command, live: Live) -> None:
    done = argosy("run", "--timeout", "0.1s", "prog")
    assert done.code == 5
    assert "time is up" in done.err
    assert [a.state for a in live.operations.activities.values()] == ["terminated"]


def test_options_become_a_description(argosy: Command, live: Live) -> None:
    done = argosy(
        *["submit", "--to", "fake/debug", "--name", "n", "-n", "8", "-N", "2", "--cores", "3", "--gpus", "1"],
        *["--memory", "4G", "--time", "1:30:00", "--launcher", "mpirun", "--account", "acc", "--env", "A=b=c"],
        *["--tag", "k=v", "--held", "--", "prog", "--flag"],
    )
    assert done.code == 0, done.err
    description = live.operations.descriptions[done.out.strip()]
    assert description.resources is not None
    assert (description.resources.processes, description.resources.nodes) == (8, 2)
    assert (description.resources.cores_per_process, description.resources.gpus_per_process) == (3, 1)
    assert description.resources.memory == 4 * 1024**3
    assert description.duration == 5400
    assert (description.share, description.launcher, description.account) == ("fake/debug", "mpirun", "acc")
    assert (description.environment, description.tags, description.held) == ({"A": "b=c"}, {"k": "v"}, True)
    assert description.arguments == ["--flag"]


def test_what_a_share_must_have_becomes_a_description(argosy: Command, live: Live) -> None:
    asked = ["--arch", "aarch64", "--label", "infiniband", "--with", "python>=3.10, <4;threads=2", "--with", "mpi"]
    done = argosy("submit", *asked, "--", "true")
    assert done.code == 0, done.err
    description = live.operations.descriptions[done.out.strip()]
    assert description.resources is not None
    assert (description.resources.architecture, description.resources.labels) == ("aarch64", ["infiniband"])
    first, second = description.environments
    assert (first.name, first.version, first.parameters) == ("python", ">=3.10, <4", {"threads": "2"})
    assert (second.name, second.version, second.parameters) == ("mpi", "", {})
    for wrong in ("", ">=3", "mpi;transport"):
        assert argosy("submit", "--with", wrong, "--", "true").code == 2


def test_submit_takes_a_description(argosy: Command, live: Live) -> None:
    Path("job.json").write_text('{"executable": "prog", "tags": {"a": "b"}}')
    one = argosy("submit", "-f", "job.json", "--key", "k")
    two = argosy("submit", "-f", "-", "--key", "k", "--json", input='{"executable": "prog", "tags": {"a": "b"}}')
    assert json.loads(two.out)["id"] == one.out.strip()
    wrong = argosy("submit", "-f", "-", input='{"executable": "prog", "tag": {}}')
    assert (wrong.code, wrong.out) == (1, "")
    assert wrong.err == "argosy: there is no field 'tag' here; did you mean tags? (at tag)\n"
    again = argosy("submit", "--key", "k", "--", "other")
    assert again.code == 1
    assert "used for something else" in again.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["submit"],
        ["submit", "-f", "x", "prog"],
        ["run", "-i", "/etc/passwd=x", "-i", "/etc/group=./x", "prog"],
        ["run", "-i", "/etc/passwd=stdin", "--stdin", "/etc/group", "prog"],
        ["run", "-o", "x=a", "-o", "x=b", "prog"],
        ["run", "-o", "a/x", "-o", "b/x", "prog"],
        ["run", "--to", "", "--", "prog"],
        ["run", "--to", "slurm/", "--", "prog"],
        ["submit", "--to", "/debug", "-f", "x"],
        ["submit", "nosuchfile"],
        ["submit", "nosuchfile", "--name", "x"],
        ["submit", "-o", "a=b", "--", "prog"],
        ["submit", "--window", "3", "--", "prog"],
        ["submit", "--strict", "--", "prog"],
        ["submit", "--sweep", "a=1,2", "--each", "--", "prog", "{{a}}"],
        ["run"],
        ["run", "--nonsense", "prog"],
        ["run", "--memory", "lots", "prog"],
        ["run", "--memory", "0", "prog"],
        ["run", "--time", "soon", "prog"],
        ["run", "--time", "0", "prog"],
        ["run", "--env", "A", "prog"],
        ["run", "-i", "missing", "prog"],
        ["run", "-n", "0", "prog"],
        ["list", "--limit", "0"],
        ["status"],
        ["nonsense"],
        ["files", "nonsense"],
    ],
)
def test_wrong_usage(argosy: Command, arguments: list[str]) -> None:
    done = argosy(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Error: " in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["job.json", "--name", "foo"], "nothing goes after it: '--name' does"),
        (["--name", "foo", "job.json"], "--name goes with a command"),
        (["-i", "data.txt", "job.json"], "--input goes with a command"),
        (["--memory", "1G", "-f", "job.json"], "--memory goes with a command"),
        (["--sweep", "a=1,2", "-f", "job.json"], "--sweep goes with a command"),
        (["--lockstep", "-f", "job.json"], "--lockstep goes with a command"),
        (["--window", "2", "-f", "job.json"], "--window and --stop-after go with a sweep"),
    ],
)
def test_nothing_is_without_effect_beside_a_description(
    argosy: Command, live: Live, arguments: list[str], told: str
) -> None:
    Path("job.json").write_text('{"executable": "prog"}')
    Path("data.txt").write_text("")
    done = argosy("submit", *arguments)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert live.operations.activities == {}
    assert argosy("submit", "--to", "fake", "--held", "--key", "k", "job.json").code == 0


def test_a_program_that_is_sent_needs_no_dashes(argosy: Command, live: Live) -> None:
    Path("prog-0").write_text("")
    assert argosy("submit", "-i", "prog-0=prog", "./prog", "-x").code == 0


def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "ARGOSY_HOME": str(home), "PYTHONWARNINGS": "error"}


def test_in_a_process_of_its_own(live: Live, home: Path) -> None:
    with Player(live, ended(stdout=b"\x00\xff binary", exit_code=3)):
        done = subprocess.run(
            [sys.executable, "-m", "argosy.cli", "run", "--", "prog"],
            env=environment(home),
            capture_output=True,
            timeout=60,
        )
    assert (done.returncode, done.stdout) == (3, b"\x00\xff binary"), done.stderr


def test_ctrl_c_ends_the_job_and_waits_for_its_end(live: Live, home: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "argosy.cli", "run", "--", "prog"],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        _until_running(live)
        assert process.stdout.read(5) == b"going"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert b"ending the job" in err
    assert [a.state for a in live.operations.activities.values()] == ["terminated"]


def test_a_second_ctrl_c_leaves(live: Live, home: Path) -> None:
    asked: list[str] = []

    async def never(caller: Any, ids: Any) -> Any:
        asked.extend(ids)
        return await live.operations.status(caller, ids)

    live.operations.terminate = never
    with subprocess.Popen(
        [sys.executable, "-m", "argosy.cli", "run", "--", "prog"],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        _until_running(live)
        assert process.stdout.read(5) == b"going"
        process.send_signal(signal.SIGINT)
        assert b"ending the job" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"left it ending" in err
    # Even where the second came before the first had been looked at.
    assert set(asked) == set(live.operations.activities)


def test_ctrl_c_before_the_service_has_answered(live: Live, home: Path) -> None:
    """The first waits for the answer and ends the job; the second leaves, and says what is not known."""
    create, asked, let_go = live.operations.create, threading.Event(), asyncio.Event()

    async def slowly(caller: Any, requests: Any) -> Any:
        asked.set()
        await let_go.wait()
        return await create(caller, requests)

    live.operations.create = slowly
    command = [sys.executable, "-m", "argosy.cli", "run", "--", "prog"]
    for often in (2, 1):
        asked.clear()
        with subprocess.Popen(command, env=environment(home), stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            assert asked.wait(30)
            process.send_signal(signal.SIGINT)
            assert "ending the job" in process.stderr.readline()
            if often == 2:
                process.send_signal(signal.SIGINT)
            else:
                live.do(let_go.set)
            told = process.communicate(timeout=30)[1]
        assert process.returncode == 130
        assert ("whether it has taken the job" in told) == (often == 2)
    newest = list(live.operations.activities.values())[-1]
    assert newest.state == "terminated"


def test_time_is_up_while_input_is_on_its_way(argosy: Command, live: Live) -> None:
    Path("data").write_text("x")
    done = argosy("run", "--timeout", "0.001s", "-i", "data", "prog")
    assert (done.code, done.err.count("the job was ended")) == (5, 1)
    assert list(live.operations.files.values()) == [{}]


def test_output_files_of_a_job_that_says_it_failed_come_too(argosy: Command, live: Live) -> None:
    def play(operations: FakeOperations, id: str) -> None:
        operations.write(id, "log", b"why")
        ended(exit_code=3)(operations, id)

    with Player(live, play):
        done = argosy("run", "-o", "log", "-o", "none", "prog")
    assert done.code == 3
    assert Path("log").read_bytes() == b"why"
    assert "left no file none" in done.err


def test_output_files_of_a_job_without_an_end_are_named(argosy: Command, live: Live) -> None:
    with Player(live, ended(S.FAILED, reason="node failed")):
        done = argosy("run", "-o", "log", "prog")
    assert done.code == 125
    assert "not fetched: log; what there is: argosy files ls" in done.err


def _until_running(live: Live) -> None:
    until(lambda: live.operations.activities)
    id = next(iter(live.operations.activities))
    live.do(live.operations.write, id, "stdout", b"going")
    live.do(live.operations.advance, id, S.LRMS_RUNNING)


def test_hold_says_what_became_of_each(argosy: Command, live: Live) -> None:
    ids = [argosy("submit", "--", "true").out.strip() for _ in range(2)]
    done = argosy("hold", *ids)
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == ids
    assert "still to come" in done.out
    refused = argosy("suspend", ids[0], "0" * 32)
    assert refused.code == 1
    assert f"{ids[0]}: it does not run" in refused.err
    assert "there is no activity" in refused.err


def test_run_fetches_directories_and_what_a_pattern_fits(argosy: Command, live: Live) -> None:
    def play(operations: FakeOperations, id: str) -> None:
        for path in ("plots/a.png", "plots/deep/b.png", "plots/deep/c.txt", "x.log", "y.log", ".z.log", "one", "t[1]"):
            operations.write(id, path, path.encode())
        ended(exit_code=0)(operations, id)

    wanted = ["plots/", "*.log", "plots/*/*.txt=texts", "plots/deep=deeper", "one"]
    with Player(live, play):
        done = argosy("run", *(word for name in wanted for word in ("-o", name)), "true")
    assert (done.code, done.err) == (0, "")
    there = {str(path): path.read_text() for path in sorted(Path().rglob("*")) if path.is_file()}
    assert there == {
        "plots/a.png": "plots/a.png",
        "plots/deep/b.png": "plots/deep/b.png",
        "plots/deep/c.txt": "plots/deep/c.txt",
        "x.log": "x.log",
        "y.log": "y.log",
        "texts/deep/c.txt": "plots/deep/c.txt",
        "deeper/b.png": "plots/deep/b.png",
        "deeper/c.txt": "plots/deep/c.txt",
        "one": "one",
    }
    assert argosy("files", "get", "@last", "plots", "again").out.split() == [
        "again/a.png",
        "again/deep/b.png",
        "again/deep/c.txt",
    ]
    assert argosy("files", "get", "@last", "t[1]", "literal").out == "literal\n"
    assert argosy("files", "get", "@last", "none/").code == 4


def test_run_says_what_fits_no_pattern(argosy: Command, live: Live) -> None:
    with Player(live, ended(exit_code=0)):
        done = argosy("run", "-o", "*.png", "true")
    assert done.code == 1
    assert "left no file *.png" in done.err


@pytest.mark.parametrize(
    "arguments", [["run", "\udcff"], ["submit", "--tag", "a=\udcff", "true"], ["status", "\udcff" * 4]]
)
def test_what_is_no_text_is_a_line_and_no_traceback(argosy: Command, live: Live, arguments: list[str]) -> None:
    done = argosy(*arguments)
    assert done.code == 2
    assert "no text in UTF-8" in done.err
