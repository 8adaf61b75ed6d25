"""A job's wishes as lines of a submit description (condor_submit(1)).

They stand in the script behind ``#CONDOR ``; `submit` makes the description of them.
"""

from __future__ import annotations

import re

from argosy.batch.contract import Submission
from argosy.model import InvalidJobException, JobAttributes, ResourceSpecV1

PREFIX = "#CONDOR "

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\u0085\u2028\u2029]")
_LONGEST = 4000
_MIB = 1024 * 1024

#: Commands that the script itself needs, or that would make condor_submit do something other than submit this job.
_RESERVED = frozenset(
    {
        *("universe", "executable", "arguments", "args", "environment", "env", "getenv", "input", "output", "error"),
        *(
            "stdin",
            "stdout",
            "stderr",
            "log",
            "queue",
            "initialdir",
            "initial_dir",
            "iwd",
            "jobbatchname",
            "batch_name",
        ),
        *("should_transfer_files", "when_to_transfer_output", "transfer_executable", "transfer_input_files"),
        *("transfer_output_files", "copy_to_spool", "notification", "include", "if", "else", "elif", "endif"),
        *("max_materialize", "shell", "periodic_remove", "argosytag", "argosyindex", "notify_user", "allow_getenv"),
    }
)


def text(value: str, what: str, element: str) -> str:
    """A value that means itself: ``$`` begins a macro in a description, and blanks around a value are lost."""
    why = None
    if odd := _CONTROL.search(value):
        why = f"the character {odd[0]!r} cannot be written in a submit description"
    elif not value or value != value.strip():
        why = "a value cannot be empty, nor begin or end with a blank"
    elif value.endswith("\\"):
        why = "a line that ends with a backslash goes on in the next"
    elif len(value) > _LONGEST:
        why = f"a value has at most {_LONGEST} characters"
    if why is not None:
        raise InvalidJobException(f"HTCondor cannot be given {value[:100]!r} as {what}: {why}", element=element)
    return value.replace("$", "$(DOLLAR)")


def literal(value: str, what: str, element: str) -> str:
    """A text as a ClassAd string."""
    if odd := _CONTROL.search(value):
        raise InvalidJobException(
            f"HTCondor cannot be given {value[:100]!r} as {what}: it cannot carry {odd[0]!r}", element=element
        )
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return text(f'"{escaped}"', what, element)


def directives(submission: Submission) -> tuple[str, ...]:
    """All lines of a job, apart from those about tag, array and spool."""
    spec = submission.spec
    attributes = spec.attributes
    lines = [f"+JobBatchName = {_name(submission)}"]
    for field, why in (
        ("queue_name", "HTCondor has one queue; say what the machine must have by htcondor.requirements"),
        ("reservation_id", "HTCondor has no reservations"),
    ):
        if getattr(attributes, field) is not None:
            raise InvalidJobException(why, element=f"attributes.{field}")
    if attributes.account is not None:
        lines.append(f"accounting_group = {_account(attributes.account)}")
    if attributes.duration is not None:
        seconds = max(1, -int(-attributes.duration.total_seconds() // 1))
        lines.append(f"periodic_remove = (JobStatus == 2) && (time() - JobCurrentStartDate > {seconds})")
    lines += _resources(spec.effective_resources)
    lines.append(f"getenv = {spec.inherit_environment}")
    lines.append(f"+ArgosyRerunnable = {submission.rerunnable}")
    lines += _custom(attributes)
    return tuple(PREFIX + line for line in lines)


def _name(submission: Submission) -> str:
    given = submission.spec.given_name
    if given is not None:
        return literal(given, "a job's name", "name")
    program = (submission.spec.executable or "").rstrip("/").rpartition("/")[2]
    return literal(re.sub(r"[^A-Za-z0-9_.+-]", "_", program)[:200] or "argosy", "a job's name", "executable")


def _account(account: str) -> str:
    if not re.match(r"[A-Za-z0-9_.@-]+\Z", account, re.ASCII):
        raise InvalidJobException(
            f"HTCondor's accounting groups have letters, digits and ._@- in their names, unlike {account!r}",
            element="attributes.account",
        )
    return account


def _resources(resources: ResourceSpecV1) -> list[str]:
    if resources.computed_node_count > 1:
        raise InvalidJobException(
            "HTCondor runs a job on one machine (its vanilla universe); ask for one node",
            element="resources.node_count",
        )
    if resources.exclusive_node_use:
        raise InvalidJobException(
            "HTCondor has no word for a whole machine; ask for as many cores as it has",
            element="resources.exclusive_node_use",
        )
    lines = [f"request_cpus = {resources.computed_core_count}"]
    if resources.memory:
        lines.append(f"request_memory = {-(-resources.memory // _MIB)}")
    if resources.gpu_cores_per_process:
        lines.append(f"request_gpus = {resources.gpu_cores_per_process * resources.computed_process_count}")
    return lines


def _custom(attributes: JobAttributes) -> list[str]:
    lines = []
    for option, value in attributes.of_system("htcondor").items():
        element = f"attributes.custom_attributes.htcondor.{option}"
        if option.lower() in _RESERVED or "-" in option:
            raise InvalidJobException(f"htcondor.{option} cannot be set: Argosy sets it itself", element=element)
        written = str(value) if isinstance(value, bool) else text(str(value), option, element)
        lines.append(f"{option} = {written}")
    return lines
