"""Torque, from 4 on; written from its manuals, and from what it has in common with OpenPBS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from argosy.batch.contract import BatchSystem, Control, Group, Submission
from argosy.batch.pbs import control, ids, jobs, shares
from argosy.batch.pbs.directives import directive, own_lines
from argosy.batch.pbs.environment import submission as submission_command
from argosy.batch.pbs.nodes import prologue
from argosy.batch.pbs.submit import parse_id
from argosy.batch.runs import count_runs
from argosy.batch.script import body, protect_line_ends
from argosy.model import Command, Completed, Share, Snapshot

from .directives import directives
from .states import observation


class Torque(BatchSystem):
    """Torque's commands qsub, qstat, qselect, qdel, qhold, qrls, qsig and pbsnodes.

    Jobs are marked by a variable in their environment, ``ARGOSY_TAG``. What the script itself prints it writes into the
    spool, as ``out/ID.out``. Of jobs that have ended the server tells for ``keep_completed`` seconds.
    """

    name: ClassVar[str] = "pbs_classic"
    signs: ClassVar[tuple[str, ...]] = ("qsub", "qselect", "pbsdsh", "qgpumode")
    #: Torque's max_job_array_size has no default; its arrays grow slow beyond this.
    max_array: ClassVar[int] = 500
    controls: ClassVar[frozenset[Control]] = frozenset(Control)

    # -- submitting -------------------------------------------------------------------------------

    def directives(self, submission: Submission) -> tuple[str, ...]:
        return directives(submission)

    def script(self, group: Group, spool: str) -> str:
        lines = ["#!/bin/bash", *self.directives(group.members[0]), *own_lines(group.tag)]
        if any(member.spec.inherit_environment for member in group.members):
            lines.append(directive("V", None, "inherit_environment"))
        if group.is_array:
            lines.append(directive("t", f"0-{len(group.members) - 1}", "tag"))
        index = '"${PBS_ARRAYID}"'
        counting, run = count_runs(group, spool, index)
        lines += [
            prologue(spool),
            counting,
            body(
                group,
                spool,
                native_id='"${PBS_JOBID}"',
                run=run,
                index=index,
                # The file of hosts has a line for each core; the processes are in blocks over its hosts.
                hosts='"$(argosy_pbs_hosts)"',
                start_directory='"${PBS_O_WORKDIR:-$HOME}"',
            ),
        ]
        return protect_line_ends("\n".join(lines))

    def submit(self, script: str) -> Command:
        return submission_command("qsub", stdin=script)

    def parse_submit(self, done: Completed, group: Group) -> list[str]:
        native_id = parse_id(done, array=group.is_array, name="Torque")
        if group.is_array:
            return [self.element_id(native_id, index) for index in range(len(group.members))]
        return [native_id]

    def element_id(self, array_id: str, index: int) -> str:
        return ids.element_id(array_id, index)

    # -- watching ---------------------------------------------------------------------------------

    def status(self, ids: Sequence[str]) -> Command:
        return jobs.ask(("-t", "-f", "-1"), ids)

    def parse_status(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        return jobs.parse(done, ids, observation, "Torque")

    def find(self, tags: Sequence[str]) -> tuple[Command, ...]:
        del tags
        return (jobs.mine("", "-f -1"),)

    def parse_find(self, done: Completed, tags: Sequence[str]) -> dict[str, str]:
        return jobs.parse_find(done, tags, "Torque")

    def list_jobs(self) -> Command:
        return jobs.mine("", "-t -f -1")

    def parse_list(self, done: Completed) -> list[str]:
        return jobs.parse_list(done, ("C",), "Torque")

    # -- acting -----------------------------------------------------------------------------------

    def control(self, verb: Control, ids: Sequence[str]) -> Command:
        return control.control(verb, ids, ranged=False)

    def parse_control(self, verb: Control, done: Completed, ids: Sequence[str]) -> dict[str, str]:
        return control.parse_control(verb, done, ids, "Torque")

    # -- what there is ----------------------------------------------------------------------------

    def shares(self) -> tuple[Command, ...]:
        return shares.shares()

    def parse_shares(self, done: Sequence[Completed]) -> list[Share]:
        return shares.parse_shares(done, "Torque")
