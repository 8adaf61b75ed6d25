"""sbatch's options as a job's properties in slurmrestd, which reads no ``#SBATCH`` lines.

Up to v0.0.38 a property takes sbatch's own text; from v0.0.39 on it has a type of its own. Options that have no
property are refused; a custom attribute ``slurmrestd.PROPERTY`` sets a property as it stands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from argosy.batch.contract import Submission
from argosy.batch.slurm import fields
from argosy.batch.slurm.directives import Option, options
from argosy.model import InvalidJobException

_MIB = 1024 * 1024


def _number(value: int) -> dict[str, Any]:
    return {"set": True, "infinite": False, "number": value}


def _minutes(text: str) -> Any:
    return _number(int(text) if text.isdecimal() else -(-(fields.duration(text) or 0) // 60))


def _mebibytes(text: str) -> Any:
    return _number(int(text) if text.isdecimal() else -(-(fields.size(text) or 0) // _MIB))


def _epoch(text: str) -> Any:
    return _number(int(text))


def _list(text: str) -> Any:
    return text.split(",")


def _upper(text: str) -> Any:
    return text.upper().split(",")


def _resources(text: str) -> Any:
    return ",".join(f"gres/{part}" for part in text.split(","))


def _gpus(text: str) -> Any:
    return f"gres/gpu:{text}"


def _shared(text: str) -> Any:
    return ["none" if text in ("", "exclusive") else text]


_Form = Callable[[str], Any]
# Option: the property up to v0.0.38; from v0.0.39 on, and its form. None: it has none.
_TABLE: Mapping[str, tuple[str | None, str | None, _Form]] = {
    "account": ("account", "account", str),
    "acctg-freq": ("account_gather_frequency", "account_gather_frequency", str),
    "array": ("array", "array", str),
    "batch": ("batch_features", "batch_features", str),
    "bb": ("burst_buffer", "burst_buffer", str),
    "begin": ("begin_time", "begin_time", _epoch),
    "chdir": ("current_working_directory", "current_working_directory", str),
    "comment": ("comment", "comment", str),
    "constraint": ("constraints", "constraints", str),
    "container": ("container", "container", str),
    "core-spec": ("core_specification", "core_specification", int),
    "cores-per-socket": ("cores_per_socket", "cores_per_socket", int),
    "cpu-freq": ("cpu_frequency", "cpu_frequency", str),
    "cpus-per-gpu": ("cpus_per_gpu", None, str),
    "cpus-per-task": ("cpus_per_task", "cpus_per_task", int),
    "deadline": ("deadline", "deadline", int),
    "dependency": ("dependency", "dependency", str),
    "distribution": ("distribution", "distribution", str),
    "exclude": (None, "excluded_nodes", _list),
    "exclusive": ("exclusive", "shared", _shared),
    "gpus": ("gpus", "tres_per_job", _gpus),
    "gpus-per-node": ("gpus_per_node", "tres_per_node", _gpus),
    "gpus-per-socket": ("gpus_per_socket", "tres_per_socket", _gpus),
    "gpus-per-task": ("gpus_per_task", "tres_per_task", _gpus),
    "gres": ("gres", "tres_per_node", _resources),
    "hold": ("hold", "hold", bool),
    "job-name": ("name", "name", str),
    "kill-on-invalid-dep": ("kill_on_invalid_dependency", None, str),
    "licenses": ("licenses", "licenses", str),
    "mail-type": ("mail_type", "mail_type", _upper),
    "mail-user": ("mail_user", "mail_user", str),
    "mcs-label": ("mcs_label", "mcs_label", str),
    "mem": ("memory_per_node", "memory_per_node", _mebibytes),
    "mem-bind": ("memory_binding", "memory_binding", str),
    "mem-per-cpu": ("memory_per_cpu", "memory_per_cpu", _mebibytes),
    "mem-per-gpu": ("memory_per_gpu", None, str),
    "mincpus": ("minimum_cpus_per_node", "minimum_cpus_per_node", int),
    "nice": ("nice", "nice", int),
    "nodelist": ("nodelist", "required_nodes", _list),
    "nodes": ("nodes", "nodes", str),
    "ntasks": ("tasks", "tasks", int),
    "ntasks-per-core": ("tasks_per_core", "tasks_per_core", int),
    "ntasks-per-node": ("tasks_per_node", "tasks_per_node", int),
    "ntasks-per-socket": ("tasks_per_socket", "tasks_per_socket", int),
    "open-mode": ("open_mode", "open_mode", _upper),
    "output": ("standard_output", "standard_output", str),
    "oversubscribe": ("oversubscribe", "oversubscribe", bool),
    "partition": ("partition", "partition", str),
    "prefer": ("prefer", "prefer", str),
    "priority": ("priority", "priority", _epoch),
    "qos": ("qos", "qos", str),
    "requeue": ("requeue", "requeue", bool),
    "reservation": ("reservation", "reservation", str),
    "signal": ("signal", None, str),
    "sockets-per-node": ("sockets_per_node", "sockets_per_node", int),
    "spread-job": ("spread_job", None, bool),
    "thread-spec": ("thread_specification", "thread_specification", int),
    "threads-per-core": ("threads_per_core", "threads_per_core", int),
    "time": ("time_limit", "time_limit", _minutes),
    "time-min": ("time_minimum", "time_minimum", _minutes),
    "wait-all-nodes": ("wait_all_nodes", "wait_all_nodes", bool),
    "wckey": ("wckey", "wckey", str),
}
#: Properties that Argosy sets itself, by options of sbatch or without.
_OWN = frozenset({"environment", "script", "argv", "job_id", "user_id", "group_id"}) | {
    name
    for option in ("array", "chdir", "comment", "output", "open-mode", "requeue")
    for name in _TABLE[option][:2]
    if name is not None
} | {"standard_error", "standard_input"}  # fmt: skip


def translate(given: Iterable[Option], version: int) -> dict[str, Any]:
    """The properties. Raises InvalidJobException for an option that has none, or a value that it cannot have."""
    found: dict[str, Any] = {}
    for option in given:
        name, value = ("requeue", False) if option.name == "no-requeue" else _property(option, version)
        # Several options may ask for generic resources of one kind.
        found[name] = f"{found[name]},{value}" if name in found and name.startswith("tres_") else value
    return found


def _property(option: Option, version: int) -> tuple[str, Any]:
    old, new, form = _TABLE.get(option.name, (None, None, str))
    name = old if version < 39 else new
    if name is None:
        raise InvalidJobException(
            f"slurmrestd v0.0.{version} has no property for sbatch's --{option.name}; what it has can be set by "
            "a custom attribute slurmrestd.PROPERTY",
            element=option.element,
        )
    if form is bool:
        if option.value in (None, "yes", "true", "1"):
            return name, True
        if option.value in ("no", "false", "0"):
            return name, False
    elif version < 39:
        # That is what `exclusive` is called without a value; the others have one.
        return name, option.value if option.value is not None else option.name
    else:
        try:
            return name, form(option.value or "")
        except ValueError:
            pass
    raise InvalidJobException(f"slurmrestd cannot be given {option.value!r} as {name}", element=option.element)


def properties(submission: Submission, version: int) -> dict[str, Any]:
    """What one job asks for, apart from what is about tag, array and spool."""
    found = translate(options(submission), version)
    for name, value in submission.spec.attributes.of_system("slurmrestd").items():
        element = f"attributes.custom_attributes.slurmrestd.{name}"
        if name in _OWN:
            raise InvalidJobException(f"slurmrestd.{name} cannot be set: Argosy sets it itself", element=element)
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InvalidJobException(f"slurmrestd.{name} has no form in JSON: {error}", element=element) from error
        found[name] = value
    return found
