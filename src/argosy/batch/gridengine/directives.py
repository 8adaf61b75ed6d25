"""A job's wishes as ``#$`` lines (qsub(1), sge_request(5)).

qsub takes quotes out of a directive wherever they stand, and what follows a ``#`` as a comment, without a word about
it; so a value with any of these is refused here.
"""

from __future__ import annotations

import re

from argosy.batch.contract import Submission
from argosy.model import InvalidJobException, JobAttributes, ResourceSpecV1

#: Marks a job: this and its tag are its account (which accounting keeps), and its tag is in its context.
MARK = "argosy."
CONTEXT = "argosy"

#: The parallel environment for processes on one host, where none is named.
ONE_HOST = "smp"

_MIB = 1024 * 1024
_PLAIN = re.compile(r"[!-~]+\Z", re.ASCII)
_WORDS = re.compile(r"[ -~]*[!-~][ -~]*\Z", re.ASCII)
_LOST = re.compile(r"[\"'#\\]")
#: sge_types(1), object_name, without what a directive loses.
_NAME = re.compile(r"(?!\d)[\w!$%&()+,.;<=>\[\]^`{|}~-]{1,255}\Z", re.ASCII)
_OPTION = re.compile(r"[a-zA-Z_]{1,32}\Z", re.ASCII)

# Custom attributes that are not options, but say how others are written.
_OWN = frozenset({"pe", "memory_resource", "gpu_resource", "exclusive_resource"})
#: Options that the script itself needs, that would do something else than submit, or lose values between commas.
_RESERVED = frozenset((
    "ac", "b", "C", "clear", "cwd", "dc", "display", "e", "help", "i", "inherit", "j", "jsv", "N", "now", "o", "pty",
    "r", "S", "sc", "shell", "sync", "t", "terse", "V", "v", "verbose", "verify", "wd",
))  # fmt: skip


def directive(option: str, value: str | None, element: str) -> str:
    """One line. Raises InvalidJobException for a value that qsub would change."""
    if value is None:
        return f"#$ -{option}"
    if _WORDS.match(value) is None or _LOST.search(value):
        raise InvalidJobException(
            f"Grid Engine cannot be given {value!r} as -{option}: its directives take printable ASCII characters, "
            "and no quotes, backslash or #",
            element=element,
        )
    return f"#$ -{option} {value}" if _PLAIN.match(value) else f'#$ -{option} "{value}"'


def directives(submission: Submission) -> tuple[str, ...]:
    """All lines of a job, apart from those about tag, array and spool."""
    spec = submission.spec
    attributes = spec.attributes
    custom = custom_attributes(attributes)
    lines = [_name(submission)]
    for option, value, field in (
        ("q", attributes.queue_name, "queue_name"),
        ("P", attributes.account, "account"),
        ("ar", attributes.reservation_id, "reservation_id"),
    ):
        if value is not None:
            lines.append(_one_word(option, value, f"attributes.{field}"))
    if attributes.duration is not None:
        seconds = max(1, int(-(-attributes.duration.total_seconds() // 1)))
        lines.append(directive("l", f"h_rt={seconds}", "attributes.duration"))
    lines += _resources(spec.effective_resources, custom)
    if spec.inherit_environment:
        lines.append(directive("V", None, "inherit_environment"))
    lines.append(directive("r", "y" if submission.rerunnable else "n", "rerunnable"))
    lines += _custom(custom)
    return tuple(lines)


def custom_attributes(attributes: JobAttributes) -> dict[str, object]:
    """Those that are for Grid Engine, by either of its names."""
    return attributes.of_system("sge") | attributes.of_system("gridengine")


def _name(submission: Submission) -> str:
    given = submission.spec.given_name
    if given is not None:
        if _NAME.match(given) is None:
            raise InvalidJobException(
                f"Grid Engine cannot call a job {given!r}: names have at most 255 printable ASCII characters, do not "
                "begin with a digit, and have no space, quote, or any of / : @ \\ * ? #",
                element="name",
            )
        return directive("N", given, "name")
    # A name that nobody chose must not keep a job from running.
    program = (submission.spec.executable or "").rstrip("/").rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9._+=-]", "_", program)[:64]
    return directive("N", name if name and not name[0].isdigit() else f"j{name}", "executable")


def _one_word(option: str, value: str, element: str) -> str:
    if _PLAIN.match(value) is None:
        raise InvalidJobException(
            f"Grid Engine cannot be given {value!r} as -{option}: it takes printable ASCII characters without spaces",
            element=element,
        )
    return directive(option, value, element)


def _resources(resources: ResourceSpecV1, custom: dict[str, object]) -> list[str]:
    cores = resources.cpu_cores_per_process or 1
    slots = resources.computed_process_count * cores
    named = _text(custom, "pe")
    if resources.computed_node_count > 1 and named is None:
        raise InvalidJobException(
            f"Grid Engine does not take a number of nodes: how a job's {slots} slots are laid out over "
            f"{resources.computed_node_count} nodes is the rule of a parallel environment; name one that does it as "
            "the custom attribute gridengine.pe (qconf -spl lists them)",
            element="resources.node_count",
        )
    lines = []
    if slots > 1 or named is not None:
        environment = named or ONE_HOST
        if _PLAIN.match(environment) is None or _LOST.search(environment):
            raise InvalidJobException(
                f"{environment!r} is not the name of a parallel environment",
                element="attributes.custom_attributes.gridengine.pe",
            )
        lines.append(f"#$ -pe {environment} {slots}")
    wishes = []
    if resources.memory:
        # Grid Engine counts by slot.
        share = -(-resources.memory // (slots * _MIB))
        wishes.append((f"{_resource(custom, 'memory_resource', 'h_vmem')}={share}M", "memory"))
    if resources.gpu_cores_per_process:
        if resources.gpu_cores_per_process % cores:
            raise InvalidJobException(
                f"Grid Engine counts GPUs by slot, of which each process has {cores}: gpu_cores_per_process must be a "
                f"multiple of that, not {resources.gpu_cores_per_process}",
                element="resources.gpu_cores_per_process",
            )
        per_slot = resources.gpu_cores_per_process // cores
        wishes.append((f"{_resource(custom, 'gpu_resource', 'gpu')}={per_slot}", "gpu_cores_per_process"))
    if resources.exclusive_node_use:
        wishes.append((f"{_resource(custom, 'exclusive_resource', 'exclusive')}=true", "exclusive_node_use"))
    return lines + [_one_word("l", wish, f"resources.{field}") for wish, field in wishes]


def _text(custom: dict[str, object], name: str) -> str | None:
    value = custom.get(name)
    return None if value is None or value is False else str(value)


def _resource(custom: dict[str, object], name: str, default: str) -> str:
    """The site's name of a resource."""
    value = _text(custom, name)
    if value is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", value, re.ASCII):
        raise InvalidJobException(
            f"{value!r} is not the name of a resource (qconf -sc lists them)",
            element=f"attributes.custom_attributes.gridengine.{name}",
        )
    return value or default


def _custom(custom: dict[str, object]) -> list[str]:
    lines = []
    for option, value in custom.items():
        if option in _OWN:
            continue
        element = f"attributes.custom_attributes.gridengine.{option}"
        verifies = option == "w" and str(value) not in ("e", "w", "n")
        if option in _RESERVED or _OPTION.match(option) is None or verifies:
            raise InvalidJobException(
                f"gridengine.{option} cannot be set: it is no option of qsub's, or Argosy sets it itself",
                element=element,
            )
        if value is not False:
            lines.append(directive(option, None if value is True else str(value), element))
    return lines
