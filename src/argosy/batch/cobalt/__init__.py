"""Cobalt; written from its manuals. What became of a job only its own record tells: Cobalt forgets it at its end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from argosy.batch.contract import BatchSystem, Control, Group, Submission
from argosy.batch.runs import count_runs
from argosy.batch.script import body, protect_line_ends
from argosy.model import Command, Completed, InvalidInput, Share, Snapshot, SubmitException, Unavailable
from argosy.model.shell import quote

from . import queue
from .directives import directive, directives

#: The comment in which a script says where it is to be put.
_FILE = "# file: "
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# qsub takes no script from its standard input, and runs the file itself later. Cobalt carries no environment over, so
# that what a job inherits is put beside it. $1 is the file, $2 whether it inherits.
_SUBMIT = """\
umask 077
cat >"$1" && chmod 700 "$1" || exit 98
if [ "$2" = 1 ]; then export -p >"$1.env" || exit 98; fi
exec qsub "$1"
"""
_PROLOGUE = r"""
argosy_file=FILE
[[ -r $argosy_file.env ]] && builtin . "$argosy_file.env" 2>/dev/null
[[ KEEP == 1 ]] || command -p rm -f -- "$argosy_file" "$argosy_file.env"
argosy_out=SPOOL/out/${COBALT_JOBID//[^A-Za-z0-9._-]/_}.out
if { : >>"$argosy_out"; } 2>/dev/null; then
    builtin exec >>"$argosy_out" 2>&1
fi
argosy_cobalt_hosts() {
    local argosy_line argosy_list=
    if [[ -r ${COBALT_NODEFILE-} ]]; then
        while IFS= builtin read -r argosy_line || [[ -n $argosy_line ]]; do
            [[ -z $argosy_line || ,$argosy_list, == *,"$argosy_line",* ]] || argosy_list+=${argosy_list:+,}$argosy_line
        done <"$COBALT_NODEFILE"
    fi
    builtin printf '%s' "${argosy_list:-$HOSTNAME}"
}
"""
# What an enclosing job would leave in the new one. Variables are removed only: the rest goes on into the job.
_ENVIRONMENT: dict[str, str | None] = dict.fromkeys(
    (
        *("COBALT_JOBID", "COBALT_NODEFILE", "COBALT_PARTNAME", "COBALT_PARTSIZE", "COBALT_JOBSIZE", "COBALT_PROJ"),
        *("COBALT_QUEUE", "ARGOSY_RERUNNABLE", "ARGOSY_JOB_TAG", "ARGOSY_NATIVE_ID", "PSIJ_NODEFILE"),
    )
)


class Cobalt(BatchSystem):
    """Cobalt's commands qsub, qstat, qdel, qhold and qrls.

    A job's script is a file in the spool, whose name has the job's tag; the script removes it when it begins.
    """

    name: ClassVar[str] = "cobalt"
    signs: ClassVar[tuple[str, ...]] = ("qsub", "cqwait", "partlist")
    controls: ClassVar[frozenset[Control]] = frozenset({Control.CANCEL, Control.HOLD, Control.RELEASE})

    def directives(self, submission: Submission) -> tuple[str, ...]:
        return directives(submission)

    def script(self, group: Group, spool: str) -> str:
        if group.is_array:
            raise InvalidInput("Cobalt has no arrays", element="group")
        if _CONTROL.search(spool):
            raise InvalidInput(f"a spool for Cobalt cannot have such a path: {spool!r}", element="spool")
        (member,) = group.members
        path = queue.script_path(spool, group.tag)
        counting, run = count_runs(group, spool, "0")
        before = _PROLOGUE.replace("KEEP", str(int(member.rerunnable)))
        lines = [
            "#!/bin/bash",
            *self.directives(member),
            directive("output", "/dev/null", "spool"),
            directive("error", "/dev/null", "spool"),
            directive("debuglog", "/dev/null", "spool"),
            f"{_FILE}{int(member.spec.inherit_environment)} {path}",
            before.replace("SPOOL", quote(spool)).replace("FILE", quote(path), 1),
            counting,
            body(
                group,
                spool,
                native_id='"${COBALT_JOBID}"',
                run=run,
                index="0",
                hosts='"$(argosy_cobalt_hosts)"',
            ),
        ]
        return protect_line_ends("\n".join(lines))

    def submit(self, script: str) -> Command:
        where = next((line for line in script.split("\n") if line.startswith(_FILE)), _FILE + "0 ")
        inherits, _, path = where.removeprefix(_FILE).partition(" ")
        return Command(("sh", "-c", _SUBMIT, "sh", path, inherits), stdin=script, environment=_ENVIRONMENT)

    def parse_submit(self, done: Completed, group: Group) -> list[str]:
        del group
        if done.returncode == 0:
            for line in reversed(done.stdout.splitlines()):
                if re.match(r"\d{1,18}\Z", line.strip(), re.ASCII):
                    return [line.strip()]
            raise Unavailable(f"qsub did not say which job it submitted: {done.words}")
        if done.returncode < 0 or not done.words or not (done.stderr + done.stdout).strip():
            raise Unavailable(f"Cobalt did not answer: {done.words}")
        if "timed out" in done.words.lower():
            raise Unavailable(f"Cobalt did not answer: {done.words}")
        if queue.away(done.words):
            raise SubmitException(f"Cobalt could not be reached: {done.words}", transient=True)
        raise SubmitException(f"Cobalt refused the job: {done.words}")

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

    def control(self, verb: Control, ids: Sequence[str]) -> Command:
        return queue.control(verb, ids)

    def parse_control(self, verb: Control, done: Completed, ids: Sequence[str]) -> dict[str, str]:
        return queue.parse_control(verb, done, ids)

    def shares(self) -> tuple[Command, ...]:
        return queue.shares()

    def parse_shares(self, done: Sequence[Completed]) -> list[Share]:
        return queue.parse_shares(done)
