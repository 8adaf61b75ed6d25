"""A job's wishes as ``#COBALT`` lines (Cobalt's qsub(1)): its long options, as qsub takes them in script mode."""

from __future__ import annotations

import re

from argosy.batch.contract import Submission
from argosy.model import InvalidJobException
from argosy.model.texts import abbreviates

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+\Z", re.ASCII)
_LONGEST = 1000
#: Options that the script itself needs or Argosy sets, or that would make qsub do something other than submit.
_RESERVED = frozenset(
    {
        *("cwd", "debuglog", "env", "error", "held", "help", "inputfile", "interactive", "mode", "output"),
        *("outputprefix", "version", "jobname", "nodecount", "proccount", "time", "walltime", "debug"),
    }
)


def directive(option: str, value: str | None, element: str) -> str:
    """One line. How quotes in it are read is nowhere said, so that a value which would need them is refused."""
    if value is None:
        return f"#COBALT --{option}"
    if not _PLAIN.match(value) or len(value) > _LONGEST:
        raise InvalidJobException(
            f"Cobalt cannot be given {value!r} as --{option}: its directives carry letters, digits and _@%+=:,./- only",
            element=element,
        )
    return f"#COBALT --{option}={value}"


def directives(submission: Submission) -> tuple[str, ...]:
    """All lines of a job, apart from those about tag and spool. Nodes are always the job's alone, and whole."""
    spec, attributes = submission.spec, submission.spec.attributes
    if attributes.reservation_id is not None:
        raise InvalidJobException(
            "a reservation of Cobalt has a queue of its own: give that as queue_name",
            element="attributes.reservation_id",
        )
    resources = spec.effective_resources
    lines = [
        directive("jobname", _name(submission), "name"),
        directive("nodecount", str(resources.computed_node_count), "resources"),
        directive("proccount", str(resources.computed_process_count), "resources"),
    ]
    if attributes.duration is not None:
        minutes = max(1, int(-(-attributes.duration.total_seconds() // 60)))
        lines.append(directive("time", str(minutes), "attributes.duration"))
    for option, value, where in (
        ("queue", attributes.queue_name, "attributes.queue_name"),
        ("project", attributes.account, "attributes.account"),
    ):
        if value is not None:
            lines.append(directive(option, value, where))
    if submission.rerunnable:
        lines.append(directive("env", "ARGOSY_RERUNNABLE=1", "rerunnable"))
    for option, given in attributes.of_system("cobalt").items():
        element = f"attributes.custom_attributes.cobalt.{option}"
        if len(option) == 1 or abbreviates(option, _RESERVED):
            why = "give the option's long name" if len(option) == 1 else "Argosy sets it itself"
            raise InvalidJobException(f"cobalt.{option} cannot be set: {why}", element=element)
        if given is not False:
            lines.append(directive(option, None if given is True else str(given), element))
    return tuple(lines)


def _name(submission: Submission) -> str:
    name = submission.spec.given_name
    if name is None:
        name = (submission.spec.executable or "").rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", name)[:100] or "argosy"
