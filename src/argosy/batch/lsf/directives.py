"""A job's wishes as ``#BSUB`` lines (bsub(1)).

bsub reads them in the whole of a script, not only at its beginning: `protect` sees to it that nothing else in the
script looks like one.
"""

from __future__ import annotations

import re

from argosy.batch.contract import Submission
from argosy.model import InvalidJobException, JobAttributes, ResourceSpecV1

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./][A-Za-z0-9_@%+=:,./-]*\Z", re.ASCII)
_ODD = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_@+=:,.-]", re.ASCII)
_MIB = 1024 * 1024
#: Some bsubs cut lines into pieces of 5 KB, and names at 512 characters.
_LONGEST_LINE = 2000
_LONGEST_NAME = 400

#: Options that the script itself needs, that Argosy's look-up needs, or that make bsub do something else than submit.
_RESERVED = frozenset(
    {
        *("J", "Jd", "o", "oo", "e", "eo", "i", "is", "I", "Ip", "Is", "IS", "ISp", "ISs", "IX", "K", "r", "rn"),
        *("pack", "json", "jsdl", "jsdl_strict", "yaml", "env", "Zs", "h", "V", "cwd", "outdir", "tty", "f", "L"),
    }
)


def directive(option: str, value: str | None, element: str) -> str:
    """One line. What is between quotes of one kind is taken as it stands; that quote itself cannot be written there."""
    if value is None:
        return f"#BSUB -{option}"
    why = None
    if odd := _ODD.search(value):
        why = f"its directives cannot carry the character {odd[0]!r}"
    elif '"' in value and "'" in value:
        why = "its directives cannot carry both kinds of quotes"
    elif value != value.strip() or value[:1] in ("", "#", "-"):
        why = "a directive's value cannot be empty, nor begin with #, - or a blank, nor end with a blank"
    elif len(value.encode("utf-8", "surrogateescape")) > _LONGEST_LINE:
        why = f"a directive has at most {_LONGEST_LINE} bytes"
    if why is not None:
        raise InvalidJobException(f"LSF cannot be given {value[:100]!r} as -{option}: {why}", element=element)
    if _PLAIN.match(value):
        return f"#BSUB -{option} {value}"
    mark = "'" if '"' in value else '"'
    return f"#BSUB -{option} {mark}{value}{mark}"


def name(submission: Submission) -> str:
    """The job's name. One that nobody chose must not keep a job from running."""
    given = submission.spec.given_name
    if given is None:
        program = (submission.spec.executable or "").rstrip("/").rpartition("/")[2]
        return _NOT_IN_NAMES.sub("_", program).lstrip("-")[:_LONGEST_NAME] or "argosy"
    if odd := re.search(r"[\[\]/*]", given):
        raise InvalidJobException(
            f"LSF cannot be given {given[:100]!r} as a job's name: {odd[0]!r} means something else there",
            element="name",
        )
    if len(given.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        raise InvalidJobException(f"a job's name has at most {_LONGEST_NAME} bytes in LSF", element="name")
    directive("J", given, "name")
    return given


def directives(submission: Submission) -> tuple[str, ...]:
    """All lines of a job, apart from those about tag, array and spool.

    The name stands in one directive with the array, which `argosy.batch.lsf` writes; it is a comment here, so that jobs
    of different names are no array.
    """
    spec = submission.spec
    lines = [f"# name: {name(submission)}"]
    attributes = spec.attributes
    for option, value, field in (
        ("q", attributes.queue_name, "queue_name"),
        ("P", attributes.account, "account"),
        ("U", attributes.reservation_id, "reservation_id"),
        ("W", _wall_time(attributes), "duration"),
    ):
        if value is not None:
            lines.append(directive(option, value, f"attributes.{field}"))
    if spec.resources is not None:
        lines += _resources(spec.effective_resources)
    if submission.rerunnable:
        lines.append(directive("r", None, "rerunnable"))
    lines += _custom(attributes)
    return tuple(lines)


def _wall_time(attributes: JobAttributes) -> str | None:
    """Minutes, rounded up."""
    if attributes.duration is None:
        return None
    return str(max(1, -(-int(-(-attributes.duration.total_seconds() // 1)) // 60)))


def _resources(resources: ResourceSpecV1) -> list[str]:
    processes = resources.computed_process_count
    cores = resources.cpu_cores_per_process or 1
    # Whether it is settled how many processes go to a host; else LSF spreads them as it sees fit.
    settled = bool(resources.node_count or resources.processes_per_node)
    lines = [directive("n", str(processes * cores), "resources")]
    if settled and resources.computed_node_count > 1:
        lines.append(_requirement(f"span[ptile={resources.computed_processes_per_node * cores}]"))
    elif settled or (processes == 1 and cores > 1):
        lines.append(_requirement("span[hosts=1]"))
    elif cores > 1:
        lines.append(_requirement(f"span[block={cores}]"))
    if resources.memory:
        # `memory` is the whole job's; LSF reserves on each host. The unit is put in on submission, see `submit`.
        share = resources.computed_node_count if settled or processes == 1 else 1
        lines.append(_requirement(f"rusage[mem={-(-resources.memory // (share * _MIB))}]"))
    if resources.gpu_cores_per_process:
        if not settled and processes > 1 and cores > 1:
            raise InvalidJobException(
                "LSF counts GPUs by host or by slot: with more than one core a process, say how many nodes",
                element="resources.gpu_cores_per_process",
            )
        gpus = resources.gpu_cores_per_process
        by_host = f"num={gpus * resources.computed_processes_per_node}"
        lines.append(directive("gpu", by_host if settled or processes == 1 else f"num={gpus}/task", "resources"))
    if resources.exclusive_node_use:
        lines.append(directive("x", None, "resources"))
    return lines


def _requirement(text: str) -> str:
    return directive("R", text, "resources")


def _custom(attributes: JobAttributes) -> list[str]:
    lines = []
    for option, value in attributes.of_system("lsf").items():
        element = f"attributes.custom_attributes.lsf.{option}"
        if option in _RESERVED:
            raise InvalidJobException(f"lsf.{option} cannot be set: Argosy sets it itself", element=element)
        if value is not False:
            lines.append(directive(option, None if value is True else str(value), element))
    return lines


def protect(body: str) -> str:
    """The script's body with the same meaning, in which bsub sees no directive and no end of the script.

    What looks like one can only come from a value, and so stands between single quotes: they are closed and opened
    again. bsub looks for ``#``, blanks and ``BSUB`` where a line begins, or where a long line was cut; it joins lines
    that begin with ``#``, have ``BSUB`` in them and end with a backslash; and it hands the script on in a
    here-document.
    """
    body = re.sub(r"#(?=[ \t\v\f\r]*BSUB)", "#''", body)
    body = re.sub(r"(?m)^([ \t\v\f\r]*)(?=#.*BSUB)", r"\1''", body)
    return re.sub(r"(?m)^(?=_USER_)", "''", body)
