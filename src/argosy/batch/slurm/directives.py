"""A job's wishes as ``#SBATCH`` lines (sbatch(1))."""

from __future__ import annotations

import re

from argosy.batch.contract import Submission
from argosy.model import InvalidJobException, JobAttributes, ResourceSpecV1

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*\Z", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MIB = 1024 * 1024

#: Options that the script itself needs, or that would make sbatch do something other than submit.
_RESERVED = frozenset(
    {
        *(
            "array",
            "chdir",
            "comment",
            "error",
            "input",
            "output",
            "parsable",
            "quiet",
            "wrap",
            "requeue",
            "no-requeue",
        ),
        *("test-only", "help", "usage", "version", "wait", "clusters", "cluster", "uid", "gid", "verbose"),
    }
)


def directive(option: str, value: str | None, element: str) -> str:
    """One line. sbatch takes an option between double quotes as one word, with ``\\`` before ``\\`` and ``"``."""
    word = f"--{option}" if value is None else f"--{option}={value}"
    if odd := _CONTROL.search(word):
        raise InvalidJobException(
            f"Slurm cannot be given {value!r} as {option}: its directives cannot carry the character {odd[0]!r}",
            element=element,
        )
    if _PLAIN.match(word):
        return f"#SBATCH {word}"
    escaped = re.sub(r'(["\\])', r"\\\1", word)
    return f'#SBATCH "{escaped}"'


def directives(submission: Submission) -> tuple[str, ...]:
    """All lines of a job, apart from those about tag, array and spool."""
    spec = submission.spec
    lines = [_name(submission)]
    attributes = spec.attributes
    for option, value, field in (
        ("partition", attributes.queue_name, "queue_name"),
        ("account", attributes.account, "account"),
        ("reservation", attributes.reservation_id, "reservation_id"),
        ("time", _wall_time(attributes), "duration"),
    ):
        if value is not None:
            lines.append(directive(option, value, f"attributes.{field}"))
    if spec.resources is not None:
        lines += _resources(spec.effective_resources)
    lines.append(directive("requeue" if submission.rerunnable else "no-requeue", None, "rerunnable"))
    lines += _custom(attributes)
    return tuple(lines)


def _name(submission: Submission) -> str:
    given = submission.spec.given_name
    if given is not None:
        return directive("job-name", given, "name")
    # A name that nobody chose must not keep a job from running.
    program = (submission.spec.executable or "").rstrip("/").rpartition("/")[2]
    return directive("job-name", _CONTROL.sub("_", program) or "argosy", "executable")


def _wall_time(attributes: JobAttributes) -> str | None:
    """``[D-]HH:MM:SS``, in whole minutes: Slurm rounds up to them itself."""
    if attributes.duration is None:
        return None
    minutes = max(1, -(-int(-(-attributes.duration.total_seconds() // 1)) // 60))
    days, minutes = divmod(minutes, 24 * 60)
    clock = f"{minutes // 60:02}:{minutes % 60:02}:00"
    return f"{days}-{clock}" if days else clock


def _resources(resources: ResourceSpecV1) -> list[str]:
    processes = resources.computed_process_count
    # Whether it is settled how many processes go to a node; else Slurm spreads them as it sees fit.
    settled = bool(resources.node_count or resources.processes_per_node) or processes == 1
    options: list[tuple[str, str | None]] = []
    if resources.node_count or resources.processes_per_node:
        options.append(("nodes", str(resources.computed_node_count)))
    options.append(("ntasks", str(processes)))
    if resources.node_count or resources.processes_per_node:
        options.append(("ntasks-per-node", str(resources.computed_processes_per_node)))
    if resources.cpu_cores_per_process:
        options.append(("cpus-per-task", str(resources.cpu_cores_per_process)))
    if resources.gpu_cores_per_process:
        if settled:
            options.append(("gres", f"gpu:{resources.gpu_cores_per_process * resources.computed_processes_per_node}"))
        else:
            options.append(("gpus-per-task", str(resources.gpu_cores_per_process)))
    if resources.memory:
        # `memory` is the whole job's; Slurm counts by node, or where those are not settled by core.
        share = resources.computed_node_count if settled else resources.computed_core_count
        option = "mem" if settled else "mem-per-cpu"
        options.append((option, f"{-(-resources.memory // (share * _MIB))}M"))
    if resources.exclusive_node_use:
        options.append(("exclusive", None))
    return [directive(option, value, "resources") for option, value in options]


def _custom(attributes: JobAttributes) -> list[str]:
    lines = []
    for option, value in attributes.of_system("slurm").items():
        element = f"attributes.custom_attributes.slurm.{option}"
        if option.lower() in _RESERVED or len(option) == 1:
            why = "give the option's long name" if len(option) == 1 else "Argosy sets it itself"
            raise InvalidJobException(f"slurm.{option} cannot be set: {why}", element=element)
        if value is not False:
            lines.append(directive(option, None if value is True else str(value), element))
    return lines
