"""PBS: OpenPBS and PBS Professional, from 18 on; written from the output of OpenPBS 23.06."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from argosy.batch.contract import BatchSystem, Control, Group, Submission
from argosy.batch.runs import count_runs
from argosy.batch.script import body, protect_line_ends
from argosy.model import Command, Completed, Share, Snapshot

from . import control, ids, jobs, shares
from .directives import directive, directives, own_lines
from .environment import submission as submission_command
from .nodes import NODE_LIST, prologue
from .submit import parse_id


class PBS(BatchSystem):
    """PBS's commands qsub, qstat, qselect, qdel, qhold, qrls, qsig and pbsnodes.

    Jobs are marked by a variable in their environment, ``ARGOSY_TAG``. What the script itself prints it writes into the
    spool, as ``out/ID.out``; PBS's own output files are ``/dev/null``, for which nothing has to be copied.
    """

    name: ClassVar[str] = "pbs"
    #: Torque has the first two as well.
    signs: ClassVar[tuple[str, ...]] = ("qsub", "qselect", "pbs_rsub")
    #: PBS's default max_array_size is 10000.
    max_array: ClassVar[int] = 1000
    controls: ClassVar[frozenset[Control]] = frozenset(Control)

    # -- submitting -------------------------------------------------------------------------------

    def directives(self, submission: Submission) -> tuple[str, ...]:
        return directives(submission)

    def script(self, group: Group, spool: str) -> str:
        first = group.members[0]
        lines = ["#!/bin/bash", *self.directives(first), *own_lines(group.tag)]
        if any(member.spec.inherit_environment for member in group.members):
            lines.append(directive("V", None, "inherit_environment"))
        if group.is_array:
            lines.append(directive("J", f"0-{len(group.members) - 1}", "tag"))
        if not first.rerunnable:
            # An array must be rerunnable for PBS; the script itself lets no job run twice that may not.
            lines.append(directive("r", "y" if group.is_array else "n", "rerunnable"))
        index = '"${PBS_ARRAY_INDEX}"'
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
                hosts='"$(argosy_pbs_hosts)"',
                start_directory='"${PBS_O_WORKDIR:-$HOME}"',
                node_list=NODE_LIST,
            ),
        ]
        return protect_line_ends("\n".join(lines))

    def submit(self, script: str) -> Command:
        return submission_command("qsub", stdin=script)

    def parse_submit(self, done: Completed, group: Group) -> list[str]:
        native_id = parse_id(done, array=group.is_array)
        if group.is_array:
            return [self.element_id(native_id, index) for index in range(len(group.members))]
        return [native_id]

    def element_id(self, array_id: str, index: int) -> str:
        return ids.element_id(array_id, index)

    # -- watching ---------------------------------------------------------------------------------

    def status(self, ids: Sequence[str]) -> Command:
        return jobs.status(ids)

    def parse_status(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        return jobs.parse(done, ids, jobs.observation)

    def accounting(self, ids: Sequence[str]) -> Command:
        """The server's history, where it keeps one (``job_history_enable``)."""
        return jobs.history(ids)

    def parse_accounting(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        return jobs.parse(done, ids, jobs.observation)

    def find(self, tags: Sequence[str]) -> tuple[Command, ...]:
        del tags
        return (jobs.mine("", "-f -w"), jobs.mine("-x", "-x -f -w"))

    def parse_find(self, done: Completed, tags: Sequence[str]) -> dict[str, str]:
        return jobs.parse_find(done, tags)

    def list_jobs(self) -> Command:
        return jobs.mine("", "-t -f -w")

    def parse_list(self, done: Completed) -> list[str]:
        return jobs.parse_list(done, ended=("X", "F", "M"))

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
