"""A job's wishes as ``#PBS`` lines (qsub(1B), pbs_resources(7B))."""

from __future__ import annotations

import re

from argosy.batch.contract import Submission
from argosy.model import InvalidJobException, JobAttributes, ResourceSpecV1

from . import values
from .environment import TAG

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./^-]*\Z", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
#: qsub reads a script's lines into a place of so many bytes.
_LONGEST = 4000
#: The longest job name (15 before PBS Professional 13).
_LONGEST_NAME = 230

#: Options that the script itself needs or Argosy sets, or that would make qsub do something other than submit.
_RESERVED = frozenset("CGIJNRVXefjkoqrvz")
_BLOCK = re.compile(r"(?:\A|,)\s*block\s*=", re.ASCII)


def directive(option: str, value: str | None, element: str, *, prefix: str = "#PBS", system: str = "PBS") -> str:
    """One line. qsub takes what is between quotes of either kind as one word; there is no character to escape one."""
    if value is None:
        return f"{prefix} -{option}"
    if odd := _CONTROL.search(value):
        raise InvalidJobException(
            f"{system} cannot be given {value!r} as -{option}: its directives cannot carry the character {odd[0]!r}",
            element=element,
        )
    if len(value.encode()) > _LONGEST:
        raise InvalidJobException(
            f"{system} cannot be given {len(value)} characters as -{option}; shorten it", element=element
        )
    if value and _PLAIN.match(value):
        return f"{prefix} -{option} {value}"
    mark = next((mark for mark in "\"'" if mark not in value), None)
    if mark is None or "\\" in value or not value.strip():
        raise InvalidJobException(
            f"{system} cannot be given {value!r} as -{option}: its directives cannot carry a backslash, or quotes of "
            "both kinds",
            element=element,
        )
    return f"{prefix} -{option} {mark}{value}{mark}"


def directives(submission: Submission) -> tuple[str, ...]:
    """All lines of a job, apart from those about tag, array and spool."""
    spec = submission.spec
    lines = [directive("N", job_name(submission, _LONGEST_NAME), "name")]
    attributes = spec.attributes
    # A reservation is a queue of its own, and takes the other's place.
    queue, element = attributes.queue_name, "attributes.queue_name"
    if attributes.reservation_id is not None:
        if queue is not None:
            directive("q", queue, element)  # it is not needed, but must not be nonsense
        queue, element = attributes.reservation_id.partition(".")[0], "attributes.reservation_id"
    for option, value, where in (("q", queue, element), ("A", attributes.account, "attributes.account")):
        if value is not None:
            lines.append(directive(option, value, where))
    if attributes.duration is not None:
        lines.append(
            directive("l", f"walltime={values.clock(attributes.duration.total_seconds())}", "attributes.duration")
        )
    if spec.resources is not None:
        lines += [directive("l", text, "resources") for text in _resources(spec.effective_resources)]
    if submission.rerunnable:
        lines.append(directive("r", "y", "rerunnable"))
    lines += custom(attributes, ("pbs", "pbspro"), selects=spec.resources is not None)
    return tuple(lines)


def own_lines(tag: str) -> list[str]:
    """The lines that every script has: what marks the job, and where PBS puts what the script prints.

    What PBS itself would keep of the script's output is not wanted, as the script writes it into the spool; a place
    that it cannot be brought to would keep the job in the state E for a long time.
    """
    return [
        directive("v", f"{TAG}={tag}", "tag"),
        directive("j", "oe", "spool"),
        directive("o", "/dev/null", "spool"),
    ]


def job_name(submission: Submission, longest: int) -> str:
    """The name, as qsub takes it: letters, digits and ``_-+.``, a letter first; other characters become ``_``."""
    name = submission.spec.given_name
    if name is None:
        name = (submission.spec.executable or "").rstrip("/").rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9_.+-]", "_", name) or "argosy"
    return (name if name[0].isalpha() else f"j{name}")[:longest]


def _resources(resources: ResourceSpecV1) -> list[str]:
    """``select`` and ``place``. A chunk is a node's share where nodes are settled, otherwise a process's."""
    processes, cores = resources.computed_process_count, resources.cpu_cores_per_process or 1
    memory = None if resources.memory is None else -(-resources.memory // processes)

    def chunks(count: int, each: int) -> str:
        parts = [f"{count}:ncpus={each * cores}:mpiprocs={each}:ompthreads={cores}"]
        if resources.gpu_cores_per_process:
            parts.append(f"ngpus={resources.gpu_cores_per_process * each}")
        if memory is not None:
            parts.append(f"mem={-(-memory * each // 1024)}kb")
        return ":".join(parts)

    if resources.node_count or resources.processes_per_node:
        each = resources.computed_processes_per_node
        select = [
            chunks(count, size) for count, size in ((processes // each, each), (1, processes % each)) if size * count
        ]
        place = ["scatter"] if resources.computed_node_count > 1 else []
    else:
        select, place = [chunks(processes, 1)], ["free"] if processes > 1 else []
    if resources.exclusive_node_use:
        place = [*(place or ["pack"]), "exclhost"]
    return [f"select={'+'.join(select)}", *([f"place={':'.join(place)}"] if place else [])]


def custom(
    attributes: JobAttributes, systems: tuple[str, ...], *, selects: bool, reserved: frozenset[str] = _RESERVED
) -> list[str]:
    """The lines of the custom attributes of these systems; and that PBS sends no mail, unless they speak of it."""
    lines, options = [], set()
    for system in systems:
        for option, value in attributes.of_system(system).items():
            element = f"attributes.custom_attributes.{system}.{option}"
            if len(option) != 1:
                raise InvalidJobException(
                    f"{system}.{option} cannot be set: qsub's options have one letter; a resource is given as "
                    f"{system}.l = {option}=VALUE, another attribute as {system}.W = {option}=VALUE",
                    element=element,
                )
            if option in reserved:
                raise InvalidJobException(f"{system}.{option} cannot be set: Argosy sets it itself", element=element)
            text = None if isinstance(value, bool) else str(value)
            if option == "W" and text is not None and _BLOCK.search(text):
                raise InvalidJobException(f"{system}.W cannot have block: qsub would wait", element=element)
            if option == "l" and selects and re.search(r"(?:\A|,)\s*(?:select|nodes|ncpus|place)\s*=", text or ""):
                raise InvalidJobException(
                    f"{system}.l cannot say what resources say already: leave one of them out", element=element
                )
            if value is not False:
                lines.append(directive(option, text, element))
                options.add(option)
    return [*lines, *([] if "m" in options else [directive("m", "n", "mail")])]
