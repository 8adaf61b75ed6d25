"""Slurm, from 20.02 on; tried with 22.05."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from argosy.batch.contract import BatchSystem, Control, Group, Submission
from argosy.batch.script import body, protect_line_ends
from argosy.model import Command, Completed, Share, Snapshot

from . import accounting, control, queue, shares
from .directives import directives, placing
from .environment import submission as submission_command
from .nodes import NODE_LIST
from .submit import parse_id


class Slurm(BatchSystem):
    """Slurm's commands sbatch, squeue, sacct, scancel, scontrol and sinfo.

    Jobs are marked by their comment, ``argosy:TAG``. The environment of whoever submits goes to the job, without what
    would change the submission (``SBATCH_*``). What the script itself prints is in the spool, as ``out/ID.out``.
    """

    name: ClassVar[str] = "slurm"
    signs: ClassVar[tuple[str, ...]] = ("sbatch",)
    #: Slurm's default MaxArraySize is 1001, the largest index 1000.
    max_array: ClassVar[int] = 1000
    controls: ClassVar[frozenset[Control]] = frozenset(Control)

    # -- submitting -------------------------------------------------------------------------------

    def directives(self, submission: Submission) -> tuple[str, ...]:
        return directives(submission)

    def script(self, group: Group, spool: str) -> str:
        lines = [
            "#!/bin/bash",
            *self.directives(group.members[0]),
            *(option.line for option in placing(group, spool)),
            text(group, spool),
        ]
        return protect_line_ends("\n".join(lines))

    def submit(self, script: str) -> Command:
        return submission_command("sbatch", "--parsable", stdin=script)

    def parse_submit(self, done: Completed, group: Group) -> list[str]:
        native_id = parse_id(done)
        if group.is_array:
            return [self.element_id(native_id, index) for index in range(len(group.members))]
        return [native_id]

    def element_id(self, array_id: str, index: int) -> str:
        return f"{array_id}_{index}"

    # -- watching ---------------------------------------------------------------------------------

    def status(self, ids: Sequence[str]) -> Command:
        return queue.status(ids)

    def parse_status(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        return queue.parse_status(done, ids)

    def accounting(self, ids: Sequence[str]) -> Command | None:
        return accounting.accounting(ids)

    def parse_accounting(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        return accounting.parse_accounting(done, ids)

    def find(self, tags: Sequence[str]) -> tuple[Command, ...]:
        del tags
        return (queue.find(), accounting.find())

    def parse_find(self, done: Completed, tags: Sequence[str]) -> dict[str, str]:
        if done.argv[0].endswith("sacct"):
            return accounting.parse_find(done, tags)
        return queue.parse_find(done, tags)

    def list_jobs(self) -> Command:
        return queue.list_jobs()

    def parse_list(self, done: Completed) -> list[str]:
        return queue.parse_list(done)

    # -- acting -----------------------------------------------------------------------------------

    def control(self, verb: Control, ids: Sequence[str]) -> Command:
        return control.control(verb, ids)

    def parse_control(self, verb: Control, done: Completed, ids: Sequence[str]) -> dict[str, str]:
        return control.parse_control(verb, done, ids)

    # -- what there is ----------------------------------------------------------------------------

    def shares(self) -> tuple[Command, ...]:
        return shares.shares()

    def parse_shares(self, done: Sequence[Completed]) -> list[Share]:
        return shares.parse_shares(done)


def text(group: Group, spool: str) -> str:
    """A job script's text after its directives."""
    element = "_${SLURM_ARRAY_TASK_ID}" if group.is_array else ""
    return body(
        group,
        spool,
        native_id="${SLURM_ARRAY_JOB_ID}" + element if group.is_array else "${SLURM_JOB_ID}",
        run="${SLURM_RESTART_COUNT:-0}",
        index='"${SLURM_ARRAY_TASK_ID}"',
        hosts='"${SLURM_JOB_NODELIST:-$HOSTNAME}"',
        start_directory='"${SLURM_SUBMIT_DIR:-$HOME}"',
        node_list=NODE_LIST,
    )
