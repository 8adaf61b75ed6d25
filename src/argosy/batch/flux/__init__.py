"""Flux (flux-core), from 0.55 on; tested with what 0.88 printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from argosy.batch.contract import BatchSystem, Control, Group, Submission
from argosy.batch.runs import count_runs
from argosy.batch.script import body, protect_line_ends
from argosy.model import Command, Completed, InvalidInput, InvalidJobException, Share, Snapshot

from . import control, queue, shares
from .directives import directive, directives, name, needs_instance
from .ids import TO_DECIMAL
from .submit import MARK, parse_ids
from .submit import submit as submission_command

_NODE_LIST = """\
local argosy_one argosy_count
builtin set -f
for argosy_one in $(flux hostlist -e "$argosy_hosts"); do
    for ((argosy_count = 0; argosy_count < argosy_per_node; argosy_count++)); do builtin echo "$argosy_one"; done
done
builtin return 0"""


class Flux(BatchSystem):
    """Flux's commands: flux submit, batch, jobs, cancel, job urgency, queue, resource and config.

    Jobs are marked by their name, ``NAME@argosy:TAG``: of what can be chosen nothing else is listed. The
    environment of whoever submits goes to the job. What the script itself prints is in the spool, as ``out/ID.out``.
    """

    name: ClassVar[str] = "flux"
    #: None: there is another program of the name ``flux``, and this one needs an instance to speak to.
    signs: ClassVar[tuple[str, ...]] = ()
    max_array: ClassVar[int] = 1000
    controls: ClassVar[frozenset[Control]] = frozenset({Control.CANCEL, Control.HOLD, Control.RELEASE})

    # -- submitting -------------------------------------------------------------------------------

    def directives(self, submission: Submission) -> tuple[str, ...]:
        return directives(submission)

    def script(self, group: Group, spool: str) -> str:
        if "{" in spool or "}" in spool:
            raise InvalidInput(f"a spool for Flux cannot have braces in its path: {spool!r}", element="spool")
        first = group.members[0]
        lines = ["#!/bin/bash", *self.directives(first)]
        mark = f"{name(first)}{MARK}{group.tag}"
        batch = needs_instance(first.spec.effective_resources)
        if group.is_array:
            if batch or any(sign in line for line in lines for sign in "{}"):
                # Refused as an array only: each is then submitted by itself.
                raise InvalidJobException(
                    "Flux cannot submit jobs of several nodes, or with braces, as one", element="name"
                )
            lines.append(directive("cc", f"0-{len(group.members) - 1}", "tag"))
            mark += "[{cc}]"
        lines.append(directive("job-name", mark, "name"))
        lines.append(directive("output", f"{spool}/out/{{{{id.dec}}}}.out", "spool"))
        # A job is in an instance of its own, which knows its outer id by another name, or a task of the instance.
        variable = "FLUX_ENCLOSING_ID" if batch else "FLUX_JOB_ID"
        index = '"${FLUX_JOB_CC}"'
        # Flux requeues nothing, but an instance that was restarted may start a job again.
        counting, run = count_runs(group, spool, index)
        lines.append(TO_DECIMAL + counting)
        lines.append(
            body(
                group,
                spool,
                native_id=f'"$(argosy_flux_id "${{{variable}:?}}")"',
                run=run,
                index=index,
                hosts='"$(flux getattr hostlist || builtin echo "$HOSTNAME")"' if batch else '"$HOSTNAME"',
                start_directory='"$PWD"',
                node_list=_NODE_LIST if batch else None,
            )
        )
        return protect_line_ends("\n".join(lines))

    def submit(self, script: str) -> Command:
        return submission_command(script)

    def parse_submit(self, done: Completed, group: Group) -> list[str]:
        return parse_ids(done, group)

    def element_id(self, array_id: str, index: int) -> str:
        return queue.element_id(array_id, index)

    # -- watching ---------------------------------------------------------------------------------

    def status(self, ids: Sequence[str]) -> Command:
        return queue.status(ids)

    def parse_status(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        return queue.parse_status(done, ids)

    def find(self, tags: Sequence[str]) -> tuple[Command, ...]:
        del tags
        return (queue.find(),)

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
