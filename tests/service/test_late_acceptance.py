"""Slurm takes a job when nobody expects it any more: after the service was told of no answer, or has died meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.client import Description
from tests.service.running import RunningService, until

pytestmark = [pytest.mark.slurm, pytest.mark.kill, pytest.mark.timeout(180), pytest.mark.usefixtures("slurm")]

#: Its first call reads the script and waits until it is let go; in the second directory. `answer` is what the service
#: is told meanwhile, where it is told anything. Later calls go through.
_SBATCH = """#!/bin/sh
cd {place} || exit 1
mkdir first 2>/dev/null || exec {sbatch} "$@"
cat >script
late() {{
    read -r _ <let-go || exit 1
    {sbatch} --wait "$@" <script >said 2>&1
    echo $? >ended.new && mv ended.new ended
}}
if [ -e answer ]; then
    (exec </dev/null >/dev/null 2>&1; late "$@") &
    cat answer >&2
    exit 1
fi
echo >asked
late "$@"
"""


class _Late:
    """An sbatch before the real one in PATH."""

    def __init__(self, place: Path, answer: str | None) -> None:
        self.place = place
        place.mkdir()
        os.mkfifo(place / "let-go")
        if answer is not None:
            (place / "answer").write_text(answer)
        sbatch = place / "sbatch"
        sbatch.write_text(_SBATCH.format(place=place, sbatch=shutil.which("sbatch")))
        sbatch.chmod(0o755)
        self.environ = {"PATH": f"{place}:{os.environ['PATH']}"}

    def accept(self) -> str:
        """Have Slurm take the job after all; returns once that copy has ended, with its exit status."""
        (self.place / "let-go").write_text("go\n")
        until((self.place / "ended").exists, 90)
        return (self.place / "ended").read_text().strip()


_AWAY = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n"


@pytest.fixture(params=[_AWAY, None], ids=["no-answer", "killed"])
def late(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_Late]:
    made = _Late(tmp_path / "late", request.param)
    yield made
    with contextlib.suppress(OSError):  # nobody waits there
        os.close(os.open(made.place / "let-go", os.O_WRONLY | os.O_NONBLOCK))


@pytest.fixture
def share() -> str:
    return "slurm"


def _submitted(service: RunningService, late: _Late, description: Description) -> str:
    """Submit it; the service has died while, or after, it was handed to Slurm, which has not taken it."""
    service.start(environ=late.environ)
    with service.client() as client:
        id = client.submit(description, key="k").id
        if (late.place / "answer").exists():
            until(lambda: any(event.kind == "unavailable" for event in client.events(id)), 60)
        else:
            until((late.place / "asked").exists, 60)
    service.kill()
    return id


def test_what_was_terminated_does_not_run(service: RunningService, late: _Late, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    (service.directory / "argosy.toml").write_text(
        '[service]\nretry_first = 600\n[resources.slurm]\ntype = "slurm"\n', encoding="utf-8"
    )
    id = _submitted(service, late, Description(executable="/bin/sh", arguments=["-c", f"echo x >> {runs}"]))
    # What is first done about it after the restart finds it in no queue.
    service.start(environ={"PATH": f"{_no_submission(tmp_path)}:{os.environ['PATH']}"})
    with service.client() as client:
        client.terminate(id)
        assert client.wait(id, timeout=60).state == "terminated", list(client.events(id))
        assert late.accept() == "0"
        assert not runs.exists()
        client.purge(id)
        until(lambda: not list((service.directory / "sessions").glob(f"**/{id}")), 30)
    assert list((service.directory / "spool" / "slurm" / "claims").iterdir()), "a later copy would still find the claim"


@pytest.mark.usefixtures("only_that_share")
def test_what_was_submitted_again_runs_once(service: RunningService, late: _Late, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    id = _submitted(service, late, Description(executable="/bin/sh", arguments=["-c", f"echo x >> {runs}; exit 3"]))
    service.start(environ=late.environ)
    with service.client() as client:
        done = client.wait(id, timeout=60)
        assert (done.state, done.exit_code) == ("finished", 3), list(client.events(id))
        assert late.accept() == "0"
        assert client.status(id).state == "finished"
    assert runs.read_text() == "x\n"


def _no_submission(tmp_path: Path) -> Path:
    """For PATH: an sbatch that takes nothing."""
    place = tmp_path / "away"
    place.mkdir()
    (place / "sbatch").write_text(f"#!/bin/sh\necho {_AWAY!r} >&2\nexit 1\n")
    (place / "sbatch").chmod(0o755)
    return place
