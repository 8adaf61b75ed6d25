"""Scripts with the directives of a batch system, to descriptions and back.

The script goes along as an input file and is what is run, by the interpreter that it names itself. An array becomes one
job for each of its elements.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from argosy.model import InvalidInput

from .. import native
from ..contract import Element, Language, NotValid, Parsed, Place, Written
from ..native import Description, Input
from ..sweeps import Axis, Chain, Expansion, Options, Range, Value
from . import gridengine, lsf, pbs, slurm, writing
from .asked import Asked, Dialect, describe

DIALECTS = (slurm.DIALECT, pbs.DIALECT, gridengine.DIALECT, lsf.DIALECT)
#: What the script is called in the session directory.
FILE = "script"

#: Elements of the description, and the fields of `Asked` that they are made of, where these have other names.
_FIELDS = {
    "share": ("queue",),
    "resources": ("nodes", "tasks", "tasks_per_node", "cpus_per_task", "memory", "gpus"),
    "resources.processes": ("tasks", "tasks_per_node", "nodes"),
    "resources.processes_per_node": ("tasks_per_node",),
    "resources.cores_per_process": ("cpus_per_task",),
    "resources.nodes": ("nodes",),
    "resources.memory": ("memory", "memory_per_node", "memory_per_task", "memory_per_cpu"),
    "resources.gpus_per_process": ("gpus_per_task", "gpus_per_node", "gpus"),
    "resources.exclusive": ("exclusive",),
    "inherit_environment": ("inherit",),
}
_MOST = 1_048_576
#: Directives are read word by word, and lists in them value by value.
_MOST_DIRECTIVES = 1000
_LONGEST_DIRECTIVE = 16_384
_DIRECTIVE = re.compile(rb"^(?:#SBATCH|#PBS|#BSUB|#\$)[ \t]+-", re.MULTILINE)


class Script(Language):
    """A shell script with ``#SBATCH``, ``#PBS``, ``#$`` or ``#BSUB`` lines, or with none."""

    name = "script"
    media_types = ("text/x-shellscript", "application/x-sh", "text/x-sh", "application/x-shellscript")

    def recognises(self, data: bytes) -> bool:
        return data.startswith(b"#!") or _DIRECTIVE.search(data[:65_536]) is not None

    def parse(self, data: bytes, *, strict: bool = False) -> Parsed:
        """Read a script. There is nothing that `strict` would add: what is not known is refused always, unless its
        directive ends with ``# optional``."""
        del strict
        if len(data) > _MOST:
            raise NotValid(f"the script has {len(data)} bytes; the most are {_MOST}")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise NotValid(f"the script is no UTF-8: {error}") from None
        asked = _gather(text)
        try:
            description = describe(asked)
        except InvalidInput as error:
            raise _not_valid(error, asked) from None
        shell = asked.shell.split()[0] if asked.shell else None
        if shell is not None and not shell.startswith("/"):
            raise NotValid(
                f"{shell!r} cannot run a script: write the path of a shell", element=f"{asked.system}: shell"
            )
        if shell is not None or not text.startswith("#!"):
            text = f"#!{shell or '/bin/sh'}\n{text}"
        description.executable = f"./{FILE}"
        description.inputs = [Input(path=FILE, content=text, executable=True)]
        try:
            native.checked(description)
        except InvalidInput as error:
            raise _not_valid(error, asked) from None
        if not asked.array:
            return Parsed(iter((description,)), 1, asked.notes)
        return Parsed.of(_Array(description, asked), asked.notes)

    def write(self, description: Description) -> Written:
        return writing.write(description)

    def place(self, data: bytes, element: str, description: Description) -> Place | None:
        del description
        return _place(_gather(data.decode(errors="replace")), element)

    def elements(self) -> Sequence[Element]:
        return [
            Element(f"{dialect.mark} {name}", option.support, option.meaning)
            for dialect in DIALECTS
            for option in dialect.options
            for name in option.names
        ]


def _place(asked: Asked, element: str) -> Place | None:
    """The directive that said it; None where none did."""
    plain = element.partition("[")[0]
    for name in _FIELDS.get(plain) or _FIELDS.get(plain.partition(".")[0]) or (plain.partition(".")[0],):
        if name in asked.origins:
            return Place(*asked.origins[name])
    return None


def _not_valid(error: InvalidInput, asked: Asked) -> NotValid:
    if isinstance(error, NotValid):
        return error
    place = None if error.element is None else _place(asked, error.element)
    return (
        NotValid(error.message, element=error.element)
        if place is None
        else NotValid(error.message, element=place.element, line=place.line)
    )


def _gather(text: str) -> Asked:
    """All directives of the script, of the batch system whose come first."""
    chosen: Dialect | None = None
    asked = Asked("")
    commands = False
    directives = 0
    others: set[str] = set()
    # Lines as shells and batch systems have them: what else Unicode takes for a line's end may be within a value.
    for number, line in enumerate(text.split("\n"), 1):
        dialect = next((one for one in DIALECTS if re.match(re.escape(one.mark) + r"[ \t]+\S", line)), None)
        if line.endswith("\r") and (number == 1 or dialect is not None):
            raise NotValid("the script has line ends of Windows, with which no shell runs it; convert it (dos2unix)")
        if dialect is None:
            commands = commands or bool(line.strip() and not line.lstrip().startswith("#"))
            continue
        asked.line, asked.at = number, dialect.mark
        directives += 1
        if directives > _MOST_DIRECTIVES or len(line) > _LONGEST_DIRECTIVE:
            raise NotValid(
                f"a script has {_MOST_DIRECTIVES} directives at most, each of {_LONGEST_DIRECTIVE} characters at most",
                line=number,
                element=dialect.mark,
            )
        if chosen is None:
            chosen = dialect
            asked.system = dialect.system
        if dialect is not chosen:
            if dialect.mark not in others:
                others.add(dialect.mark)
                asked.note(f"these are not taken: the script's directives are {chosen.mark}")
        elif commands and dialect is not gridengine.DIALECT:
            asked.note("a directive after the first command has no effect")
        else:
            dialect.take(asked, line[len(dialect.mark) :])
    return asked


class _Array(Expansion):
    """The elements of an array: the same script, each with its number in the variable that tells it."""

    def __init__(self, description: Description, asked: Asked) -> None:
        spans = tuple(Axis(asked.index, Range(Decimal(one.start), Decimal(one.step), len(one))) for one in asked.array)
        super().__init__(
            spans[0] if len(spans) == 1 else Chain(spans), Options(description.name, asked.at_a_time, None, asked.held)
        )
        self._description = msgspec.structs.replace(description, held=False)

    def make(self, index: int, values: Mapping[str, Value]) -> Description:
        own = {name: str(value) for name, value in values.items()}
        return msgspec.structs.replace(self._description, environment=self._description.environment | own)
