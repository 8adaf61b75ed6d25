"""A job's wishes as options of ``flux submit`` and ``flux batch`` (flux-submit(1), flux-batch(1)).

Each is a line of the script, ``#argosy-flux: `` and one word of the command line as it stands; `submit` makes the
command line of them. They are no directives of Flux's own: those only ``flux batch`` reads.
"""

from __future__ import annotations

import json
import re

from argosy.batch.contract import Submission
from argosy.model import InvalidJobException, JobAttributes, ResourceSpecV1
from argosy.model.texts import abbreviates

PREFIX = "#argosy-flux: "
#: The line that says by which command a script is submitted.
KIND = "#argosy-flux-command: "

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\u0085\u2028\u2029]")
_LONGEST = 4000

#: Options that the script itself needs, or that would make Flux do something other than submit.
_RESERVED = frozenset(
    {
        *("job-name", "output", "error", "input", "cc", "bcc", "nodes", "ntasks", "nslots", "cores-per-task"),
        *("cores-per-slot", "quiet", "dry-run", "wait", "wait-event", "watch", "progress", "jps", "wrap", "log"),
        *("log-stderr", "help", "env", "env-file", "env-remove", "add-file", "cwd", "verbose", "broker-opts", "dump"),
        *("unbuffered", "label-io", "debug-emulate", "tasks-per-node", "tasks-per-core", "cores"),
    }
)


def directive(option: str, value: str | None, element: str) -> str:
    """One line, one word of the command line."""
    word = f"--{option}" if value is None else f"--{option}={value}"
    if odd := _CONTROL.search(word):
        raise InvalidJobException(
            f"Flux cannot be given {value!r:.100} as {option}: the character {odd[0]!r} cannot be written",
            element=element,
        )
    if len(word) > _LONGEST:
        raise InvalidJobException(f"{option} has at most {_LONGEST} characters for Flux", element=element)
    return PREFIX + word


def needs_instance(resources: ResourceSpecV1) -> bool:
    """Whether a job gets a Flux instance of its own, by ``flux batch``.

    Under ``flux submit`` the script is the only task, and so cannot use other nodes than its own; an instance of its
    own, which takes seconds to start, gives it all of them through ``flux run``.
    """
    return resources.computed_node_count > 1


def name(submission: Submission) -> str:
    """The name that was chosen, or one that keeps no job from running."""
    given = submission.spec.given_name
    if given is None:
        program = (submission.spec.executable or "").rstrip("/").rpartition("/")[2]
        return re.sub(r"[^A-Za-z0-9_.+-]", "_", program)[:200] or "argosy"
    return given


def directives(submission: Submission) -> tuple[str, ...]:
    """All lines of a job, apart from those about tag, array and spool."""
    spec = submission.spec
    resources = spec.effective_resources
    attributes = spec.attributes
    directive("job-name", name(submission), "name")
    # The name is in one word with the mark, which is added later.
    lines = [f"# name: {name(submission)}", f"{KIND}{'batch' if needs_instance(resources) else 'submit'}"]
    for option, value, field in (
        ("queue", attributes.queue_name, "queue_name"),
        ("setattr=system.bank", _json(attributes.account), "account"),
        ("time-limit", _wall_time(attributes), "duration"),
    ):
        if value is not None:
            lines.append(directive(option, value, f"attributes.{field}"))
    if attributes.reservation_id is not None:
        raise InvalidJobException("Flux has no reservations", element="attributes.reservation_id")
    lines += _resources(resources)
    if submission.rerunnable:
        lines.append(directive("setattr", "user.argosy_rerunnable=1", "rerunnable"))
    lines += _custom(attributes)
    return tuple(lines)


def _json(value: str | None) -> str | None:
    """A text as JSON: where it looks like a number it would be taken for one."""
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _wall_time(attributes: JobAttributes) -> str | None:
    if attributes.duration is None:
        return None
    return f"{max(1, -int(-attributes.duration.total_seconds() // 1))}s"


def _resources(resources: ResourceSpecV1) -> list[str]:
    processes = resources.computed_process_count
    cores = resources.cpu_cores_per_process or 1
    gpus = resources.gpu_cores_per_process or 0
    if needs_instance(resources):
        options: list[tuple[str, str | None]] = [
            ("nodes", str(resources.computed_node_count)),
            ("nslots", str(processes)),
            ("cores-per-slot", str(cores)),
        ]
        if gpus:
            options.append(("gpus-per-slot", str(gpus)))
    else:
        # One task, the script, that has what all the processes need.
        options = [("ntasks", "1"), ("cores-per-task", str(processes * cores))]
        if gpus:
            options.append(("gpus-per-task", str(processes * gpus)))
        if resources.exclusive_node_use:
            options.insert(0, ("nodes", "1"))
    if resources.exclusive_node_use:
        options.append(("exclusive", None))
    # Memory is not among what Flux allocates.
    return [directive(option, value, "resources") for option, value in options]


def _custom(attributes: JobAttributes) -> list[str]:
    lines = []
    for option, value in attributes.of_system("flux").items():
        element = f"attributes.custom_attributes.flux.{option}"
        if len(option) == 1 or abbreviates(option, _RESERVED):
            why = "give the option's long name" if len(option) == 1 else "Argosy sets it itself"
            raise InvalidJobException(f"flux.{option} cannot be set: {why}", element=element)
        if value is not False:
            lines.append(directive(option, None if value is True else str(value), element))
    return lines
