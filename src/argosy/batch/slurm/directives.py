"""A job's wishes as options of sbatch, and these as ``#SBATCH`` lines (sbatch(1))."""

from __future__ import annotations

import re
from dataclasses import dataclass

from argosy.batch.contract import Group, Submission
from argosy.model import InvalidInput, InvalidJobException, JobAttributes, ResourceSpecV1
from argosy.model.texts import abbreviates

from .queue import MARK

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*\Z", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MIB = 1024 * 1024

#: Options that the script itself needs, or that would make sbatch do something other than submit. No other
#: option of sbatch is the beginning of one of these.
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


@dataclass(frozen=True, slots=True)
class Option:
    """One option of sbatch: its long name, and its value where it takes one. `element` is what asked for it.

    Raises InvalidJobException for control characters.
    """

    name: str
    value: str | None
    element: str

    def __post_init__(self) -> None:
        if odd := _CONTROL.search(self._word):
            raise InvalidJobException(
                f"Slurm cannot be given {self.value!r} as {self.name}: its options cannot carry the character "
                f"{odd[0]!r}",
                element=self.element,
            )

    @property
    def _word(self) -> str:
        return f"--{self.name}" if self.value is None else f"--{self.name}={self.value}"

    @property
    def line(self) -> str:
        """The directive. sbatch takes it between double quotes as one word, with ``\\`` before ``\\`` and ``"``."""
        if _PLAIN.match(self._word):
            return f"#SBATCH {self._word}"
        escaped = re.sub(r'(["\\])', r"\\\1", self._word)
        return f'#SBATCH "{escaped}"'


def directives(submission: Submission) -> tuple[str, ...]:
    """All lines of a job, apart from those about tag, array and spool."""
    return tuple(option.line for option in options(submission))


def placing(group: Group, spool: str) -> list[Option]:
    """The options about tag, array and spool. Raises InvalidInput for a spool that Slurm cannot be told."""
    if "\\" in spool:
        # A backslash makes Slurm take every % of a file's name as it stands.
        raise InvalidInput(f"a spool for Slurm cannot have a backslash in its path: {spool!r}", element="spool")
    output = f"{spool.replace('%', '%%')}/out/{'%A_%a' if group.is_array else '%j'}.out"
    found = [
        Option("comment", MARK + group.tag, "tag"),
        Option("chdir", spool, "spool"),
        Option("output", output, "spool"),
        Option("open-mode", "append", "spool"),
    ]
    if group.is_array:
        found.append(Option("array", f"0-{len(group.members) - 1}", "tag"))
    return found


def options(submission: Submission) -> list[Option]:
    """All options of a job, apart from those about tag, array and spool."""
    spec = submission.spec
    found = [_name(submission)]
    attributes = spec.attributes
    for option, value, field in (
        ("partition", attributes.queue_name, "queue_name"),
        ("account", attributes.account, "account"),
        ("reservation", attributes.reservation_id, "reservation_id"),
        ("time", _wall_time(attributes), "duration"),
    ):
        if value is not None:
            found.append(Option(option, value, f"attributes.{field}"))
    if spec.resources is not None:
        found += _resources(spec.effective_resources)
    found.append(Option("requeue" if submission.rerunnable else "no-requeue", None, "rerunnable"))
    found += _custom(attributes)
    return found


def _name(submission: Submission) -> Option:
    given = submission.spec.given_name
    if given is not None:
        return Option("job-name", given, "name")
    # A name that nobody chose must not keep a job from running.
    program = (submission.spec.executable or "").rstrip("/").rpartition("/")[2]
    return Option("job-name", _CONTROL.sub("_", program) or "argosy", "executable")


def _wall_time(attributes: JobAttributes) -> str | None:
    """``[D-]HH:MM:SS``, in whole minutes: Slurm rounds up to them itself."""
    if attributes.duration is None:
        return None
    minutes = max(1, -(-int(-(-attributes.duration.total_seconds() // 1)) // 60))
    days, minutes = divmod(minutes, 24 * 60)
    clock = f"{minutes // 60:02}:{minutes % 60:02}:00"
    return f"{days}-{clock}" if days else clock


def _resources(resources: ResourceSpecV1) -> list[Option]:
    processes = resources.computed_process_count
    # Whether it is settled how many processes go to a node; else Slurm spreads them as it sees fit.
    settled = bool(resources.node_count or resources.processes_per_node) or processes == 1
    asked: list[tuple[str, str | None]] = []
    if resources.node_count or resources.processes_per_node:
        asked.append(("nodes", str(resources.computed_node_count)))
    asked.append(("ntasks", str(processes)))
    if resources.node_count or resources.processes_per_node:
        asked.append(("ntasks-per-node", str(resources.computed_processes_per_node)))
    if resources.cpu_cores_per_process:
        asked.append(("cpus-per-task", str(resources.cpu_cores_per_process)))
    if resources.gpu_cores_per_process:
        if settled:
            asked.append(("gres", f"gpu:{resources.gpu_cores_per_process * resources.computed_processes_per_node}"))
        else:
            asked.append(("gpus-per-task", str(resources.gpu_cores_per_process)))
    if resources.memory:
        # `memory` is the whole job's; Slurm counts by node, or where those are not settled by core.
        share = resources.computed_node_count if settled else resources.computed_core_count
        option = "mem" if settled else "mem-per-cpu"
        asked.append((option, f"{-(-resources.memory // (share * _MIB))}M"))
    if resources.exclusive_node_use:
        asked.append(("exclusive", None))
    return [Option(option, value, "resources") for option, value in asked]


def _custom(attributes: JobAttributes) -> list[Option]:
    found = []
    for option, value in attributes.of_system("slurm").items():
        element = f"attributes.custom_attributes.slurm.{option}"
        if len(option) == 1 or abbreviates(option, _RESERVED):
            why = "give the option's long name" if len(option) == 1 else "Argosy sets it itself"
            raise InvalidJobException(f"slurm.{option} cannot be set: {why}", element=element)
        if value is not False:
            found.append(Option(option, None if value is True else str(value), element))
    return found
