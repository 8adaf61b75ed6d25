"""A job that was withdrawn runs nothing, whenever a copy of it starts; one that has begun stays as it is."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from argosy.batch.records import WITHDRAWN, RecordKind
from argosy.executors.batch.reconcile import Watched, on_duplicate
from argosy.executors.batch.withdrawing import parse_withdraw, withdraw
from argosy.executors.contract import Handle
from argosy.model import JobSpec, Outcome, Unavailable
from argosy.transport.local import LocalTransport
from tests.batch.scripts import Spool, submission

#: An `ln` for file systems without hard links.
_SYMBOLIC = '#!/bin/sh\n[ "$1" = -s ] && exec /bin/ln "$@"\necho "ln: not permitted" >&2\nexit 1\n'


@pytest.fixture(params=["hard", "symbolic"])
def environ(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """With links of one kind."""
    if request.param == "hard":
        return {"PATH": os.environ["PATH"]}
    (tmp_path / "ln").write_text(_SYMBOLIC)
    (tmp_path / "ln").chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def _withdraw(spool: Spool, environ: dict[str, str], *tags: str) -> dict[str, str]:
    async def work() -> dict[str, str]:
        transport = LocalTransport(environ)
        try:
            return parse_withdraw(await transport.run(withdraw(str(spool.path), tags), timeout=60), tags)
        finally:
            await transport.close()

    return asyncio.run(work())


def _script(spool: Spool, tag: str) -> str:
    job = JobSpec("/bin/sh", arguments=["-c", f"echo x >> {spool.path}/ran.{tag}"])
    return spool.script(submission(job, str(spool.path), tag, rerunnable=True))


def test_what_was_withdrawn_runs_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    spool = Spool(tmp_path / "it's a spool")
    assert _withdraw(spool, environ, "a", "b-2") == {}
    assert _withdraw(spool, environ, "b-2") == {}, "it may be done again"
    for run in (0, 1):
        assert spool.run(_script(spool, "b-2"), "8", run)[0] == 0
    assert not (spool.path / "ran.b-2").exists()
    record = spool.records()["8.0.duplicate"]
    assert (record.kind, record.tag, record.owner) == (RecordKind.DUPLICATE, "b-2", WITHDRAWN)
    report = on_duplicate(Watched(Handle("b-2", "8"), since=0.0), record, 1.0)
    assert report is not None
    assert (report.native_id, report.outcome) == ("8", Outcome.NOT_STARTED)


def test_what_has_begun_is_not_withdrawn(environ: dict[str, str], tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert spool.run(_script(spool, "a"), "7.cluster")[0] == 0
    assert _withdraw(spool, environ, "b", "a") == {"a": "7.cluster"}
    assert (spool.path / "ran.a").read_text() == "x\n"


def test_a_claim_that_cannot_be_taken_is_told(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    (spool.path / "claims" / "a").write_text("in the way")
    with pytest.raises(Unavailable, match="could not be taken"):
        _withdraw(spool, dict(os.environ), "a")


def test_a_claim_that_nobody_has_is_not_said_to_be_taken_with_the_one_before(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    (tmp_path / "ln").write_text('#!/bin/sh\ncase "$*" in *b/owner) exit 1 ;; esac\nexec /bin/ln "$@"\n')
    (tmp_path / "ln").chmod(0o755)
    with pytest.raises(Unavailable, match="could not be taken"):
        _withdraw(spool, {"PATH": f"{tmp_path}:{os.environ['PATH']}"}, "a", "b")
