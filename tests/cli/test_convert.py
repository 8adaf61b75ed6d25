from __future__ import annotations

import json
from pathlib import Path

import pytest

from argosy.languages.jsdl import JSDL
from argosy.model import ArgosyError, InvalidInput
from tests.cli.conftest import Command
from tests.languages.documents import arguments, assignment, definition, posix, sweep, values
from tests.rest.live import Live

SWEEP = definition(posix(arguments("a")), sweep(assignment("//jsdl-posix:Argument", values("x", "y", "z"))))


@pytest.fixture
def job(home: Path) -> Path:
    del home
    path = Path("job.jsdl")
    path.write_bytes(definition(posix(arguments("hello"))))
    return path


def test_convert_prints_json(argosy: Command, job: Path) -> None:
    done = argosy("convert", str(job))
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {"executable": "/bin/echo", "arguments": ["hello"], "duration": None}
    assert argosy("convert", "-", "--from", "jsdl", input=job.read_text()).out == done.out


def test_convert_tells_what_is_lost(argosy: Command, home: Path) -> None:
    Path("job.json").write_text(json.dumps({"executable": "x", "share": "slurm/debug"}))
    done = argosy("convert", "job.json", "--to", "jsdl")
    assert done.code == 0
    assert done.err == "argosy: lost: share: JSDL knows no queues\n"
    assert JSDL().parse(done.out.encode(), strict=True).one().executable == "x"


def test_convert_prints_what_it_can_and_fails_for_what_is_not_supported(argosy: Command, job: Path) -> None:
    job.write_bytes(definition(posix("<jsdl-posix:StackSizeLimit>1</jsdl-posix:StackSizeLimit>")))
    done = argosy("convert", str(job))
    assert done.code == 1
    assert json.loads(done.out)["executable"] == "/bin/echo"
    assert "not supported" in done.err
    assert "StackSizeLimit" in done.err


def test_convert_strictly(argosy: Command, job: Path) -> None:
    job.write_bytes(job.read_bytes().replace(b"</jsdl:JobDescription>", b"<jsdl:Wrong/></jsdl:JobDescription>"))
    done = argosy("convert", "--strict", str(job))
    assert (done.code, done.out) == (1, "")
    assert "Wrong" in done.err
    assert "line 1" in done.err


def test_convert_a_sweep(argosy: Command, job: Path) -> None:
    job.write_bytes(SWEEP)
    done = argosy("convert", str(job))
    assert [one["arguments"] for one in json.loads(done.out)] == [["x"], ["y"], ["z"]]
    done = argosy("convert", str(job), "--to", "jsdl")
    assert (done.code, done.out) == (1, "")
    assert "3 jobs" in done.err


@pytest.mark.parametrize(
    "arguments", [["nowhere.jsdl"], ["job.jsdl", "--to", "cobol"], ["job.jsdl", "--from", "json"], ["words.txt"]]
)
def test_convert_fails_in_a_line(argosy: Command, job: Path, arguments: list[str]) -> None:
    Path("words.txt").write_text("just words")
    done = argosy("convert", *arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("argosy: ")
    assert done.err.count("\n") == 1


def test_help_has_an_example(argosy: Command) -> None:
    assert "argosy convert job.jsdl" in argosy("convert", "--help").out


@pytest.mark.parametrize("arguments", [["job.jsdl"], ["-f", "job.jsdl"], ["-f", "job.jsdl", "--language", "jsdl"]])
def test_submit_takes_any_language(argosy: Command, live: Live, job: Path, arguments: list[str]) -> None:
    done = argosy("submit", "--held", *arguments)
    assert (done.code, done.err) == (0, "")
    description = live.operations.descriptions[done.out.strip()]
    assert (description.executable, description.arguments, description.held) == ("/bin/echo", ["hello"], True)


def test_submit_takes_a_script_for_a_script(argosy: Command, live: Live) -> None:
    Path("job.sh").write_text("#!/bin/bash\n#SBATCH -n 4 --frob  # optional\necho hi\n")
    done = argosy("submit", "--to", "local", "job.sh")
    assert done.code == 0
    assert "--frob" in done.err
    description = live.operations.descriptions[done.out.strip()]
    assert (description.executable, description.share) == ("./script", "local")


def test_after_two_dashes_it_is_a_command(argosy: Command, live: Live, job: Path) -> None:
    done = argosy("submit", "--", "job.jsdl")
    assert live.operations.descriptions[done.out.strip()].executable == "job.jsdl"


def test_submit_a_sweep(argosy: Command, live: Live, job: Path) -> None:
    job.write_bytes(SWEEP)
    done = argosy("submit", "--each", "--key", "k", str(job))
    ids = done.out.split()
    assert [live.operations.descriptions[id].arguments for id in ids] == [["x"], ["y"], ["z"]]
    assert argosy("submit", "--each", "--key", "k", str(job)).out.split() == ids, "a repeat gives the same jobs"
    lines = argosy("submit", "--each", "--json", str(job)).out.splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == 3


def test_what_the_service_finds_wrong_is_told_at_its_place(
    argosy: Command, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def create(*_: object) -> list[ArgosyError]:
        return [InvalidInput("there are 4 nodes at most", element="resources.nodes")]

    monkeypatch.setattr(live.operations, "create", create)
    Path("big.sh").write_text("#!/bin/sh\n#SBATCH -J big\n#SBATCH -N 5\ntrue\n")
    done = argosy("submit", "--language", "script", "big.sh")
    assert done.code == 1
    assert "4 nodes at most (line 3; resources.nodes of the job that it describes) (at #SBATCH -N)" in done.err


def test_submit_refuses_what_is_not_supported_before_anything_is_made(argosy: Command, live: Live, job: Path) -> None:
    job.write_bytes(definition(posix("<jsdl-posix:StackSizeLimit>1</jsdl-posix:StackSizeLimit>")))
    done = argosy("submit", str(job))
    assert (done.code, done.out) == (1, "")
    assert "StackSizeLimit" in done.err
    assert not live.operations.descriptions
