"""IBM Spectrum LSF, from 10.1 on, and systems compatible with it; tested with what a volclava 2.2 printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from argosy.batch.contract import BatchSystem, Control, Group, Submission
from argosy.batch.runs import count_runs
from argosy.batch.script import body, protect_line_ends
from argosy.model import Command, Completed, InvalidInput, Share, Snapshot

from . import control, history, queue, shares
from .directives import directive, directives, name, protect
from .submit import parse_id
from .submit import submit as submission_command

# The hosts, with commas, each once; and a host for each process of the job. LSF counts slots, which are cores here.
_FUNCTIONS = """\
argosy_lsf_hosts() {
    local argosy_list=
    builtin set -f
    builtin set -- ${LSB_MCPU_HOSTS:-"$HOSTNAME" 1}
    while (($# > 1)); do
        [[ ,$argosy_list, == *",$1,"* ]] || argosy_list+=${argosy_list:+,}$1
        builtin shift 2
    done
    builtin echo "$argosy_list"
}
"""
_NODE_LIST = """\
local argosy_slots=0 argosy_each argosy_one
builtin set -f
builtin set -- ${LSB_MCPU_HOSTS:-"$HOSTNAME" "$argosy_processes"}
for argosy_one in "${@:1}"; do [[ $argosy_one =~ ^[0-9]+$ ]] && argosy_slots=$((argosy_slots + argosy_one)); done
argosy_each=$((argosy_slots / argosy_processes))
((argosy_each > 0)) || argosy_each=1
while (($# > 1)); do
    for ((argosy_one = 0; argosy_one < $2 / argosy_each; argosy_one++)); do builtin echo "$1"; done
    builtin shift 2
done
builtin return 0"""


class LSF(BatchSystem):
    """LSF's commands bsub, bjobs, bhist, bkill, bstop, bresume, bqueues, bhosts and lshosts.

    Jobs are marked by their description, ``argosy:TAG``. The environment of whoever submits goes to the job. What the
    script itself prints is in the spool, as ``out/ID.out``, behind LSF's own report of the job.
    """

    name: ClassVar[str] = "lsf"
    signs: ClassVar[tuple[str, ...]] = ("bsub", "bjobs")
    #: LSF's default MAX_JOB_ARRAY_SIZE.
    max_array: ClassVar[int] = 1000
    controls: ClassVar[frozenset[Control]] = frozenset(Control)

    # -- submitting -------------------------------------------------------------------------------

    def directives(self, submission: Submission) -> tuple[str, ...]:
        return directives(submission)

    def script(self, group: Group, spool: str) -> str:
        if "%" in spool:
            raise InvalidInput(f"a spool for LSF cannot have a % in its path: {spool!r}", element="spool")
        job_name = name(group.members[0])
        if group.is_array:
            job_name += f"[1-{len(group.members)}]"
        # LSF writes %J for the job and %I for the element: as `argosy.batch.records.safe_id` writes 12 and 12[3].
        output = f"{spool}/out/{'%J_%I_' if group.is_array else '%J'}.out"
        index = '"$((LSB_JOBINDEX - 1))"'
        counting, run = count_runs(group, spool, index)
        text = body(
            group,
            spool,
            native_id='"${LSB_JOBID}[${LSB_JOBINDEX}]"' if group.is_array else '"${LSB_JOBID}"',
            run=run,
            index=index,
            hosts='"$(argosy_lsf_hosts)"',
            start_directory='"${LS_SUBCWD:-$HOME}"',
            node_list=_NODE_LIST,
        )
        lines = [
            "#!/bin/bash",
            *self.directives(group.members[0]),
            directive("J", job_name, "name"),
            directive("Jd", queue.MARK + group.tag, "tag"),
            directive("o", output, "spool"),
            "unset -v LSB_NTRIES",
            protect(_FUNCTIONS + counting + text),
        ]
        return protect_line_ends("\n".join(lines))

    def submit(self, script: str) -> Command:
        return submission_command(script)

    def parse_submit(self, done: Completed, group: Group) -> list[str]:
        native_id = parse_id(done)
        if group.is_array:
            return [self.element_id(native_id, index) for index in range(len(group.members))]
        return [native_id]

    def element_id(self, array_id: str, index: int) -> str:
        return f"{array_id}[{index + 1}]"

    # -- watching ---------------------------------------------------------------------------------

    def status(self, ids: Sequence[str]) -> Command:
        return queue.status(ids)

    def parse_status(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        return queue.parse_status(done, ids)

    def accounting(self, ids: Sequence[str]) -> Command:
        return history.accounting(ids)

    def parse_accounting(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        return history.parse_accounting(done, ids)

    def find(self, tags: Sequence[str]) -> tuple[Command, ...]:
        del tags
        return (history.find(),)

    def parse_find(self, done: Completed, tags: Sequence[str]) -> dict[str, str]:
        return history.parse_find(done, tags)

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
