"""A job's wishes as Torque's ``#PBS`` lines (qsub(1B), pbs_resources(7B) of Torque 4 to 6)."""

from __future__ import annotations

from argosy.batch.contract import Submission
from argosy.batch.pbs import values
from argosy.batch.pbs.directives import custom, directive, job_name
from argosy.model import InvalidJobException, ResourceSpecV1

#: Longer names are refused by Torque before version 4.
_LONGEST_NAME = 15

#: Options that the script itself needs or Argosy sets, or that would make qsub do something other than submit.
_RESERVED = frozenset("CIJNTVXdefjkoqrtvwxz")


def directives(submission: Submission) -> tuple[str, ...]:
    """All lines of a job, apart from those about tag, array and spool."""
    spec, attributes = submission.spec, submission.spec.attributes
    if attributes.reservation_id is not None:
        raise InvalidJobException(
            "Torque leaves reservations to its scheduler; with Moab or Maui set the custom attribute torque.W to "
            f"x=FLAGS:ADVRES:{attributes.reservation_id} instead",
            element="attributes.reservation_id",
        )
    lines = [directive("N", job_name(submission, _LONGEST_NAME), "name", system="Torque")]
    for option, value, where in (
        ("q", attributes.queue_name, "attributes.queue_name"),
        ("A", attributes.account, "attributes.account"),
    ):
        if value is not None:
            lines.append(directive(option, value, where, system="Torque"))
    if attributes.duration is not None:
        lines.append(
            directive("l", f"walltime={values.clock(attributes.duration.total_seconds())}", "attributes.duration")
        )
    if spec.resources is not None:
        lines += _resources(spec.effective_resources)
    lines.append(directive("r", "y" if submission.rerunnable else "n", "rerunnable"))
    lines += custom(
        attributes, ("pbs_classic", "pbs", "torque"), selects=spec.resources is not None, reserved=_RESERVED
    )
    return tuple(lines)


def _resources(resources: ResourceSpecV1) -> list[str]:
    """``nodes=2:ppn=4+1:ppn=2``, ppn being cores. Where nodes are not settled the job has one."""
    cores, each = resources.cpu_cores_per_process or 1, resources.computed_processes_per_node
    full, rest = divmod(resources.computed_process_count, each)
    parts = []
    for count, processes in ((full, each), (1, rest)):
        if count and processes:
            gpus = (resources.gpu_cores_per_process or 0) * processes
            parts.append(f"{count}:ppn={processes * cores}" + (f":gpus={gpus}" if gpus else ""))
    lines = [directive("l", f"nodes={'+'.join(parts)}", "resources")]
    if resources.memory_kb is not None:
        lines.append(directive("l", f"mem={resources.memory_kb}kb", "resources"))
    if resources.exclusive_node_use:
        lines.append(directive("n", None, "resources"))
    return lines
