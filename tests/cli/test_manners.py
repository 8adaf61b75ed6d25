"""How the command behaves in a shell: pipes that close, streams that are closed, narrow terminals, its help."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from argosy.cli import main, tables
from argosy.cli.app import cli
from argosy.cli.describe import Job
from argosy.cli.progress import Progress
from argosy.cli.submit_sweep import sweep_of
from argosy.client import Client
from argosy.languages.native import Description
from tests.cli.conftest import Command
from tests.rest.live import Live
from tests.service.running import RunningService

#: What prints nothing, or is itself a document.
_NOTHING_TO_PRINT = {
    "convert",
    "logs",
    "serve",
    "sweep description",
}


def _commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


@pytest.mark.parametrize(("name", "command"), list(_commands(cli)), ids=lambda value: str(value))
def test_help_has_an_example_and_what_prints_has_json(name: str, command: click.Command) -> None:
    assert f"argosy {name}" in (command.epilog or "")
    options = {option for parameter in command.params for option in parameter.opts}
    assert ("--json" in options) == (name not in _NOTHING_TO_PRINT)


def _shell(script: str) -> subprocess.CompletedProcess[str]:
    program = f"{sys.executable} -W error -m argosy.cli"
    return subprocess.run(
        ["bash", "-c", script.replace("argosy", program)], capture_output=True, text=True, timeout=60, check=False
    )


def test_who_closes_the_pipe_is_not_told_anything(live: Live, argosy: Command) -> None:
    assert argosy("submit", "--", "prog").code == 0
    for words in ("list", "--help", "list --help"):
        done = _shell(f"argosy {words} | true; echo ${{PIPESTATUS[0]}}")
        assert (done.stdout, done.stderr) == ("141\n", "")


def test_one_job_that_is_not_there_has_a_code_of_its_own(live: Live, argosy: Command) -> None:
    for word in ("status", "cancel", "purge", "start", "restart", "hold", "release", "suspend", "resume"):
        assert argosy(word, "zzzz").code == 4, word
        assert argosy(word, "zzzz", "yyyy").code == 1, word


@pytest.mark.parametrize("words", ["list >&-", "list 2>&-", "list <&-"])
def test_closed_streams_are_no_defect(live: Live, words: str) -> None:
    done = _shell(f"argosy {words}")
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_while_the_command_is_still_loading(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def loading(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("argosy.cli.app.run", loading)
    assert main([]) == 130
    assert capsys.readouterr().err == "argosy: interrupted\n"


def test_a_full_disk_is_told_in_words(live: Live) -> None:
    done = _shell("argosy list >/dev/full")
    assert (done.returncode, done.stderr) == (1, "argosy: No space left on device\n")


def test_a_file_that_is_not_there_is_named(live: Live, argosy: Command) -> None:
    done = argosy("submit", "-f", "/no/such/file")
    assert (done.code, done.err) == (1, "argosy: /no/such/file: No such file or directory\n")


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-8"])
def test_names_of_any_script_in_any_locale(live: Live, argosy: Command, encoding: str) -> None:
    """JSON is in UTF-8 everywhere; a table says what the locale can."""
    name = "bücher 日本語"
    assert argosy("submit", "--name", name, "--", "prog").code == 0
    assert json.loads(argosy("list", "--json").out)["name"] == name

    def out(*words: str) -> bytes:
        command = [sys.executable, "-m", "argosy.cli", *words]
        variables = os.environ | {"PYTHONIOENCODING": encoding}
        return subprocess.run(command, env=variables, stdout=subprocess.PIPE, timeout=60, check=True).stdout

    assert json.loads(out("list", "--json").decode("utf-8"))["name"] == name
    assert name.encode(encoding, "replace") in out("list")


def test_a_name_that_is_no_text_comes_out_as_it_is(live: Live, argosy: Command) -> None:
    id = argosy("submit", "--held", "--", "prog").out.strip()
    live.do(live.operations.write, id, "f", b"data")
    done = subprocess.run(
        [sys.executable, "-m", "argosy.cli", "files", "get", id, "f", b"\xff"], capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, b"\xff\n"), done.stderr


def _terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")


ROWS = [["0123456789abcdef", "a name that is quite long", "running"], ["fedcba9876543210", "名前", "failed"]]


@pytest.mark.parametrize("columns", [30, 40, 60, 100])
def test_a_table_fits_the_terminal_and_ids_stay_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    _terminal(monkeypatch, columns)
    tables.table(["ID", "NAME", "STATE"], ROWS)
    shown = capsys.readouterr().out
    assert "0123456789abcdef" in shown
    assert "fedcba9876543210" in shown
    assert "failed" in shown
    assert ("a name that is quite long" in shown) == (columns != 40)
    if columns >= 40:
        assert all(tables.width(line) <= columns for line in shown.splitlines())


def test_nothing_is_cut_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tables.table(["ID", "NAME", "STATE"], [["1", "x" * 500, "y"]])
    assert "x" * 500 + "  y\n" in capsys.readouterr().out


def test_waiting_is_told_of_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[float | None] = []

    def wait(seconds: float | None) -> str:
        asked.append(seconds)
        if len(asked) < 3:
            raise TimeoutError
        return "done"

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with Progress() as progress:
        progress._next = 0.0
        assert progress.await_end(wait, lambda: "2 of 7", None) == "done"
    assert asked == [2.0, 2.0, 2.0]
    assert capsys.readouterr().err.startswith("\r\x1b[K2 of 7, waited ")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    with Progress() as progress:
        assert progress.await_end(wait, lambda: "2 of 7", 5.0) == "done"
    assert asked[-1] == 5.0
    assert capsys.readouterr().err == ""


def test_an_upload_and_a_download_tell_how_far_they_are(live: Live, tmp_path: Path, argosy: Command) -> None:
    id = argosy("submit", "--held", "--", "prog").out.strip()
    source = tmp_path / "large"
    source.write_bytes(os.urandom(3 * 1024 * 1024))
    told: list[int] = []
    with Client() as client:
        client.put_file(id, "large", source, progress=told.append)
        assert told[-1] == 3 * 1024 * 1024
        assert told == sorted(told)
        told.clear()
        client.get_file(id, "large", tmp_path / "back", progress=told.append)
    assert told[-1] == 3 * 1024 * 1024
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_waiting_outlasts_a_restart_of_the_service(home: Path) -> None:
    (home / "argosy.toml").write_text('[resources.local]\ntype = "local"\n')
    service = RunningService(home)

    def begin(words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "argosy.cli", *shlex.split(words)]
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "started\n"
        return waiting

    service.start()
    try:
        with begin("run -- sh -c 'echo started; sleep 300'") as running, begin("logs -f @last") as following:
            service.stop()
            service.start()
            assert _shell("argosy cancel @last").returncode == 0
            assert "terminated" in running.communicate(timeout=60)[1]
            assert following.communicate(timeout=60)[1] == ""
        assert (running.returncode, following.returncode) == (143, 0)
    finally:
        service.end()


def test_a_parameter_that_stands_nowhere_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    work = Job(Description(executable="echo", arguments=["{{a}}", "{b}"]), {}, {})
    sweep_of(work, ["a=1..3", "b=x,y"], lockstep=False, window=None, stop_after=None, held=False)
    told = capsys.readouterr().err
    assert told == "argosy: note: {{b}} stands nowhere in the job: it is the same for all its values\n"


def test_a_file_that_is_neither_description_nor_program_is_refused(live: Live, argosy: Command) -> None:
    Path("data").write_text("x,y\n")
    refused = argosy("submit", "data")
    assert refused.code == 2
    assert "'data' is no description" in refused.err
    assert argosy("submit", "--", "data").code == 0


def test_a_directory_that_is_not_there_is_named(live: Live, argosy: Command) -> None:
    id = argosy("submit", "--held", "--", "prog").out.strip()
    done = argosy("files", "get", id, "stdout", "/no/such/place")
    assert (done.code, done.err) == (1, "argosy: /no/such: there is no such directory\n")


@pytest.mark.parametrize(
    ("words", "meant"), [(["lst"], "list"), (["sweep", "lsit"], "list"), (["admin", "drian"], "drain")]
)
def test_a_command_that_is_mistyped_is_told_with_the_nearest(argosy: Command, words: list[str], meant: str) -> None:
    done = argosy(*words)
    assert done.code == 2
    assert f"Did you mean {meant}?" in done.err
