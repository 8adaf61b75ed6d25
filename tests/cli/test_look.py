from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

import argosy.cli
from argosy.cli.app import _COMMANDS
from argosy.cli.tables import printable
from argosy.cli.units import Duration, Size, ago, size, span
from argosy.model import ActivityState, Usage
from tests.cli.conftest import Command
from tests.rest.live import Live

S = ActivityState


def submit(argosy: Command, *arguments: str) -> str:
    return argosy("submit", *arguments, "--", "prog").out.strip()


def test_an_empty_list_says_what_to_do_next(argosy: Command, live: Live) -> None:
    assert argosy("list").out == "No jobs yet. Start one with: argosy run -- hostname\n"
    assert argosy("list", "--state", "running").out == "No job is like that.\n"
    assert argosy("list", "--json").out == ""
    nothing = argosy("status", "@last")
    assert (nothing.code, nothing.out) == (4, "")
    assert "argosy run" in nothing.err


def test_lists_and_filters(argosy: Command, live: Live) -> None:
    one = submit(argosy, "--name", "first", "--tag", "k=v")
    two = submit(argosy, "--name", "second\x1b[31m\nline")
    live.do(live.operations.advance, one, S.FINISHED, exit_code=3)
    lines = argosy("list").out.splitlines()
    assert lines[0].split() == ["ID", "NAME", "STATE", "EXIT", "SHARE", "CREATED"]
    assert [line.split()[0] for line in lines[1:]] == [two, one]
    assert "\x1b" not in lines[1]
    assert lines[2].split()[:5] == [one, "first", "finished", "3", "fake"]
    documents = [json.loads(line) for line in argosy("list", "--json", "--tag", "k=v").out.splitlines()]
    assert [d["id"] for d in documents] == [one]
    assert len(argosy("list", "--limit", "1").out.splitlines()) == 2
    wrong = argosy("list", "--state", "nonsense")
    assert (wrong.code, wrong.err.count("\n")) == (1, 1)


def test_jobs_are_named_by_parts_of_their_ids(argosy: Command, live: Live) -> None:
    ids = [submit(argosy, "--name", f"n{i}") for i in range(12)]

    def named(name: str) -> str | None:
        done = argosy("status", name, "--json")
        return json.loads(done.out)["id"] if done.code == 0 else None

    assert named("@last") == ids[-1]
    assert named(ids[3]) == ids[3]
    assert named(ids[3][-4:]) == ids[3]
    assert named("0011") == ids[11]
    several = argosy("status", "a000")
    assert several.code == 1
    assert "12 jobs" in several.err
    assert argosy("status", "3").code == 1
    assert argosy("status", "nobody").code == 4


def test_status_in_detail(argosy: Command, live: Live) -> None:
    id = submit(argosy, "--name", "n", "--tag", "k=v")
    live.do(
        live.operations.advance,
        id,
        S.FAILED,
        native_id="17",
        hosts=("a", "b"),
        started=1.0,
        ended=2.0,
        reason="out of memory\nsays the batch system",
        usage=Usage(1.25, 3700, 3 * 1024**2),
    )
    shown = dict(line.split(None, 1) for line in argosy("status", id).out.splitlines())
    assert shown["state"] == "failed"
    assert shown["reason"] == "out of memory\N{REPLACEMENT CHARACTER}says the batch system"
    assert shown["started"].startswith("1970-01-01 00:00:01 UTC  (")
    assert (shown["hosts"], shown["tags"], shown["memory"]) == ("a, b", "k=v", "3 MiB")
    other = submit(argosy)
    both = argosy("status", other, id)
    assert [line.split()[1] for line in both.out.splitlines() if line.startswith("id ")] == [other, id]
    partly = argosy("status", "x" * 32, id)
    assert partly.code == 1
    assert f"id           {id}" in partly.out
    assert "there is no activity" in partly.err


def test_logs(argosy: Command, live: Live) -> None:
    id = submit(argosy)
    early = argosy("logs", id)
    assert early.code == 4
    assert "pending" in early.err
    live.do(live.operations.write, id, "stdout", b"out\n")
    live.do(live.operations.write, id, "stderr", b"err\n")
    assert argosy("logs", id).out == "out\n"
    assert argosy("logs", "--stderr", id).out == "err\n"
    live.do(live.operations.advance, id, S.FINISHED)
    assert argosy("logs", "-f", id).out == "out\n"


def test_events(argosy: Command, live: Live) -> None:
    id = submit(argosy)
    live.do(live.operations.advance, id, S.FAILED, "the node\x1b is gone")
    lines = argosy("events", id).out.splitlines()
    assert [line.split()[3:5] for line in lines] == [["created", "pending"], ["state", "failed"]]
    assert lines[1].endswith("the node\N{REPLACEMENT CHARACTER} is gone")
    followed = [json.loads(line)["kind"] for line in argosy("events", "-f", "--json", id).out.splitlines()]
    assert followed == ["created", "state"]
    assert argosy("events", "x" * 32).code == 4


def test_wait_start_cancel_purge(argosy: Command, live: Live) -> None:
    one, two = submit(argosy, "--held"), submit(argosy)
    assert argosy("start", one).code == 0
    again = argosy("start", one, two, "--json")
    assert (again.code, again.err.count("\n")) == (1, 2)
    late = argosy("wait", one, "--timeout", "0.05s")
    assert late.code == 5
    assert "is pending" in late.err
    refused = argosy("purge", one)
    assert (refused.code, "terminate it first" in refused.err) == (1, True)
    assert argosy("cancel", "--wait", one).code == 0
    live.do(live.operations.advance, two, S.FINISHED, exit_code=0)
    both = argosy("wait", two, one)
    assert both.code == 1
    assert both.out.splitlines() == [f"{two}  finished  exit code 0", f"{one}  terminated  asked for"]
    assert argosy("wait", two).code == 0
    assert json.loads(argosy("wait", "--json", two).out)["id"] == two
    assert argosy("purge", one, two).code == 0
    assert argosy("purge", "x" * 32).code == 4
    assert live.operations.activities == {}
    assert argosy("purge", "--terminate", submit(argosy)).code == 0


def test_files(argosy: Command, live: Live) -> None:
    id = submit(argosy)
    assert argosy("files", "ls", id).out == "There are no files.\n"
    Path("in.dat").write_bytes(b"x" * 2048)
    assert argosy("files", "put", id, "in.dat").code == 0
    put = argosy("files", "put", id, "in.dat", "sub/tool", "--executable", "--json")
    assert json.loads(put.out)["path"] == "sub/tool"
    listed = argosy("files", "ls", id).out.splitlines()
    assert [line.split()[:2] for line in listed] == [["NAME", "SIZE"], ["in.dat", "2"], ["sub/", "-"]]
    assert argosy("files", "ls", id, "sub").out.splitlines()[1].startswith("sub/tool*")
    got = argosy("files", "get", id, "sub/tool", "here")
    assert (got.code, got.out) == (0, "here\n")
    assert Path("here").read_bytes() == b"x" * 2048
    missing = argosy("files", "get", id, "nothing")
    assert missing.code == 4
    assert sorted(path.name for path in Path().iterdir()) == ["here", "in.dat"]


def test_environments(argosy: Command, live: Live) -> None:
    out = argosy("environments").out
    assert "python" in out
    assert "threads=1|2" in out
    (told,) = map(json.loads, argosy("environments", "--json").out.splitlines())
    assert (told["name"], told["version"], told["shares"]) == ("python", "3.11", ["fake/debug"])


def test_shares_and_version(argosy: Command, live: Live) -> None:
    out = argosy("shares").out
    assert "fake/debug (default)" in out
    assert "no: down for repairs" in out
    assert [json.loads(line)["share"] for line in argosy("shares", "--json").out.splitlines()] == [
        "fake/debug",
        "fake/long",
    ]
    assert json.loads(argosy("version", "--json").out)["service"] == "0.test"
    assert "service 0.test" in argosy("version").out


@pytest.mark.parametrize("command", [["list"], ["run", "true"], ["shares"], ["status", "@last"], ["wait", "x" * 32]])
def test_without_a_service(argosy: Command, command: list[str]) -> None:
    done = argosy(*command)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("argosy: there is no service in ")
    assert done.err.endswith("; start one with: argosy serve\n")


def test_with_a_service_that_is_gone(argosy: Command, home: Path) -> None:
    (home / "endpoint.json").write_text('{"url": "http://127.0.0.1:1", "socket": null}')
    (home / "token").write_text("t")
    (home / "token").chmod(0o600)
    done = argosy("list")
    assert done.code == 3
    assert "no service answers at http://127.0.0.1:1" in done.err
    (home / "token").chmod(0o644)
    assert "chmod 600" in argosy("list").err
    version = argosy("version")
    assert version.code == 0


@pytest.mark.parametrize(
    "command", [[], *[[name] for name in _COMMANDS], ["files", "ls"], ["files", "get"], ["files", "put"]]
)
def test_help(argosy: Command, command: list[str]) -> None:
    done = argosy(*command, "--help")
    assert done.code == 0
    assert done.out.startswith("Usage: argosy")
    if len(command) == 1 and command != ["version"] and command != ["shares"]:
        assert "Example" in done.out
    assert max(map(len, done.out.splitlines())) <= 115


def test_help_needs_neither_the_network_nor_the_service() -> None:
    script = "import sys, argosy.cli; argosy.cli.main(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "click" in loaded
    assert not loaded & {"httpx", "msgspec", "rich", "litestar", "uvicorn", "asyncio", "argosy.client"}


@pytest.mark.parametrize(("missing", "extra"), [("click", "client"), ("httpx", "client"), ("uvicorn", "service")])
def test_what_is_not_installed_is_named(
    missing: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(arguments: object) -> int:
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr("argosy.cli.app.run", fail)
    assert argosy.cli.main(["list"]) == 1
    assert capsys.readouterr().err == f"argosy: {missing} is not installed; run: pip install 'argosy[{extra}]'\n"


def test_what_nobody_expected_is_not_hidden(monkeypatch: pytest.MonkeyPatch, argosy: Command) -> None:
    monkeypatch.setattr("argosy.cli.look.connect", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        argosy("list")


def test_units() -> None:
    assert [Size().convert(text, None, None) for text in ("1", "2K", "1.5MiB", "4G", "1tb")] == [
        1,
        2048,
        1572864,
        4294967296,
        1024**4,
    ]
    assert [Duration().convert(text, None, None) for text in ("1:00:00", "90", "90s", "0:01", "1.5h")] == [
        3600,
        5400,
        90,
        60,
        5400,
    ]
    for kind, text in ((Size(), "-1"), (Size(), "G"), (Duration(), "x"), (Duration(), "0s")):
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)
    now = datetime(2024, 1, 1, tzinfo=UTC)
    assert [ago((now - timedelta(seconds=s)).isoformat(), now) for s in (0, 5, 125, 7200, 3600, 200_000, -90)] == [
        "just now",
        "5 s ago",
        "2 min ago",
        "2 hours ago",
        "1 hour ago",
        "2 days ago",
        "in 1 min",
    ]
    assert ago(None) == "-"
    assert [size(n) for n in (None, 0, 1023, 1536, 5 * 1024**3, 2 * 1024**4)] == [
        "-",
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5 GiB",
        "2.0 TiB",
    ]
    assert span(59.9) == "59 s"
    assert printable("a\tb\u202ec\x9b") == "a\ufffdb\ufffdc\ufffd"
