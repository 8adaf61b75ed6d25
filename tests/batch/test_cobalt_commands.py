"""What Cobalt is asked for, and its way of submitting under a qsub that runs the script at once."""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from argosy.batch import Group, Submission
from argosy.batch.cobalt import Cobalt
from argosy.model import InvalidJobException, JobAttributes, JobSpec, ResourceSpecV1

from .scripts import Spool, submission

SYSTEM = Cobalt()


def directives(**more: object) -> tuple[str, ...]:
    return SYSTEM.directives(Submission("t", JobSpec("/bin/true", **more), "exec -- /bin/true", "/"))


def test_directives() -> None:
    attributes = JobAttributes(
        duration=timedelta(seconds=61),
        queue_name="debug",
        account="mine",
        custom_attributes={"cobalt.attrs": "mcdram=cache:numa=quad", "cobalt.disable_preboot": True},
    )
    resources = ResourceSpecV1(node_count=2, processes_per_node=3)
    assert directives(name="a 'b", attributes=attributes, resources=resources) == (
        "#COBALT --jobname=a__b",
        "#COBALT --nodecount=2",
        "#COBALT --proccount=6",
        "#COBALT --time=2",
        "#COBALT --queue=debug",
        "#COBALT --project=mine",
        "#COBALT --attrs=mcdram=cache:numa=quad",
        "#COBALT --disable_preboot",
    )


@pytest.mark.parametrize(
    ("attributes", "element"),
    [
        (JobAttributes(reservation_id="r"), "attributes.reservation_id"),
        (JobAttributes(queue_name="a b"), "attributes.queue_name"),
        (JobAttributes(custom_attributes={"cobalt.env": "A=1"}), "attributes.custom_attributes.cobalt.env"),
        (JobAttributes(custom_attributes={"cobalt.outp": "x"}), "attributes.custom_attributes.cobalt.outp"),
        (JobAttributes(custom_attributes={"cobalt.n": 3}), "attributes.custom_attributes.cobalt.n"),
    ],
)
def test_refused(attributes: JobAttributes, element: str) -> None:
    with pytest.raises(InvalidJobException) as caught:
        directives(attributes=attributes)
    assert caught.value.element == element


@pytest.mark.parametrize("inherits", [True, False])
def test_submission(tmp_path: Path, inherits: bool) -> None:
    spool = Spool(tmp_path / "a spool")
    (tmp_path / "bin").mkdir()
    qsub = tmp_path / "bin" / "qsub"
    # Cobalt runs the file itself, with an environment of its own.
    qsub.write_text('#!/bin/sh\necho "Job routed to queue debug"\necho 7\nenv -i COBALT_JOBID=7 HOME=/ "$1"\n')
    qsub.chmod(0o755)
    spec = JobSpec("/bin/sh", ["-c", 'printf %s "$GIVEN"'], inherit_environment=inherits, stdout_path=tmp_path / "out")
    group = Group("tag", (submission(spec, str(tmp_path), "tag"),))
    command = SYSTEM.submit(SYSTEM.script(group, str(spool.path)))
    value = 'it\'s\n$HOME "x" \\'
    done = subprocess.run(
        command.argv,
        input=command.stdin,
        env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "GIVEN": value, "HOME": "/"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {(record.native_id, record.exit_code) for record in spool.records().values()} == {("7", None), ("7", 0)}
    assert (tmp_path / "out").read_text() == (value if inherits else "")
    # Nothing is left of the script and of what was inherited.
    assert sorted(path.name for path in (spool.path / "out").iterdir()) == ["7.nodes", "7.out"]
