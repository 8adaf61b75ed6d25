"""HTCondor, from 9.0 on, written against its manual."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from argosy.batch.contract import BatchSystem, Control, Group, Submission
from argosy.batch.runs import count_runs
from argosy.batch.script import body, protect_line_ends
from argosy.model import Command, Completed, Share, Snapshot

from . import control, queue, shares
from .directives import PREFIX, directives, text
from .submit import parse_ids
from .submit import submit as submission_command


class HTCondor(BatchSystem):
    """HTCondor's commands, of which it uses condor_submit, q, history, rm, hold, release, suspend, continue and status.

    Jobs are marked by the attribute ``ArgosyTag``. What the script itself prints is in the spool, as ``out/ID.out``.
    The machines must see the spool, as they must see the directories of the jobs.
    """

    name: ClassVar[str] = "htcondor"
    signs: ClassVar[tuple[str, ...]] = ("condor_submit", "condor_q")
    max_array: ClassVar[int] = 1000
    controls: ClassVar[frozenset[Control]] = frozenset(Control)

    # -- submitting -------------------------------------------------------------------------------

    def directives(self, submission: Submission) -> tuple[str, ...]:
        return directives(submission)

    def script(self, group: Group, spool: str) -> str:
        output = text(f"{spool}/out/", "the spool", "spool") + "$(ClusterId).$(ProcId).out"
        index = '"${ARGOSY_CONDOR_INDEX}"'
        counting, run = count_runs(group, spool, index)
        # An array is known by the bar at its mark's end: letters, digits and ._- are all that tags have.
        tag = group.tag + ("/" if group.is_array else "")
        settings = (
            f'+ArgosyTag = "{tag}"',
            'environment = "ARGOSY_CONDOR_ID=$(ClusterId).$(ProcId) ARGOSY_CONDOR_INDEX=$(ProcId)"',
            f"output = {output}",
            f"error = {output}",
            # Nothing is to be copied; a pool may insist on the way of one that copies.
            "should_transfer_files = IF_NEEDED",
            "when_to_transfer_output = ON_EXIT",
            'transfer_output_files = ""',
            "notification = Never",
        )
        lines = [
            "#!/bin/bash",
            *self.directives(group.members[0]),
            *(PREFIX + setting for setting in settings),
            f"#CONDOR-QUEUE {len(group.members)}",
            counting,
            body(
                group,
                spool,
                native_id='"${ARGOSY_CONDOR_ID:?}"',
                run=run,
                index=index,
                hosts='"$HOSTNAME"',
                start_directory='"$PWD"',
            ),
        ]
        return protect_line_ends("\n".join(lines))

    def submit(self, script: str) -> Command:
        return submission_command(script)

    def parse_submit(self, done: Completed, group: Group) -> list[str]:
        return parse_ids(done, group)

    def element_id(self, array_id: str, index: int) -> str:
        return f"{array_id}.{index}"

    # -- watching ---------------------------------------------------------------------------------

    def status(self, ids: Sequence[str]) -> Command:
        return queue.status(ids)

    def parse_status(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        return queue.parse_jobs(done, ids)

    def accounting(self, ids: Sequence[str]) -> Command:
        return queue.accounting(ids)

    def parse_accounting(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        return queue.parse_jobs(done, ids)

    def find(self, tags: Sequence[str]) -> tuple[Command, ...]:
        del tags
        return queue.find()

    def parse_find(self, done: Completed, tags: Sequence[str]) -> dict[str, str]:
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
