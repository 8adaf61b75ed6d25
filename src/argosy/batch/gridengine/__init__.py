"""Grid Engine: Sun's 6.2 and what came of it (Son of Grid Engine, Open, Univa, Altair); tried with 8.1.9."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from argosy.batch.contract import BatchSystem, Control, Group, Submission
from argosy.batch.script import protect_line_ends
from argosy.model import Command, Completed, Share, Snapshot

from . import accounting, control, queue, shares
from .directives import CONTEXT, MARK, custom_attributes, directives
from .environment import submission as submission_command
from .script import whole_body
from .submit import parse_id


class GridEngine(BatchSystem):
    """Grid Engine's commands qsub, qstat, qacct, qdel, qhold, qrls, qmod and qconf.

    Jobs are marked by their account, ``argosy.TAG``, and their context, ``argosy=TAG``. Tasks of an array count from 1;
    the native id of a task is ``ID.TASK``.
    """

    name: ClassVar[str] = "gridengine"
    signs: ClassVar[tuple[str, ...]] = ("qsub", "qstat", "qconf", "qacct")
    #: Sites have 75,000 (max_aj_tasks) unless they say otherwise; the script tells of every one.
    max_array: ClassVar[int] = 1000
    controls: ClassVar[frozenset[Control]] = frozenset(Control)

    # -- submitting -------------------------------------------------------------------------------

    def directives(self, submission: Submission) -> tuple[str, ...]:
        return directives(submission)

    def script(self, group: Group, spool: str) -> str:
        first = group.members[0]
        lines = [
            "#!/bin/bash",
            *self.directives(first),
            "#$ -S /bin/bash",
            # No path goes into a directive: qsub would change some, and a job whose output cannot be opened stays.
            "#$ -wd /",
            "#$ -o /dev/null",
            "#$ -j y",
            f"#$ -ac {CONTEXT}={group.tag}",
        ]
        if not {"A"} & custom_attributes(first.spec.attributes).keys():
            lines.append(f"#$ -A {MARK}{group.tag}")
        if group.is_array:
            lines.append(f"#$ -t 1-{len(group.members)}")
        lines.append(whole_body(group, spool))
        return protect_line_ends("\n".join(lines))

    def submit(self, script: str) -> Command:
        # Whatever ~/.sge_request says, this is a script with directives, and nobody waits for its end.
        return submission_command("qsub", "-terse", "-C", "#$", "-b", "n", "-sync", "n", "-now", "n", stdin=script)

    def parse_submit(self, done: Completed, group: Group) -> list[str]:
        native_id = parse_id(done)
        if group.is_array:
            return [self.element_id(native_id, index) for index in range(len(group.members))]
        return [native_id]

    def element_id(self, array_id: str, index: int) -> str:
        return f"{array_id}.{index + 1}"

    # -- watching ---------------------------------------------------------------------------------

    def status(self, ids: Sequence[str]) -> Command:
        del ids
        return queue.status()

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
        if "find-accounting" in done.argv:
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
