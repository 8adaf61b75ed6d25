"""What the directives of a script ask for, gathered from them one by one, and the description that it comes to."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from argosy.model import InvalidInput
from argosy.model.choices import meant
from argosy.model.shell import escape_references, is_variable_name

from ..contract import Note, NotValid, Support
from ..native import Description, Resources

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
#: What is said of a directive that nobody knows.
UNKNOWN = "is not known"
#: How the author of a script marks the options of a directive as optional.
_MARK = re.compile(r"#\s*optional\s*\Z")
_SPAN = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?", re.ASCII)


#: Fields of `Asked` that are not of what is asked for.
_ABOUT = ("notes", "at", "line", "origins", "optional")


@dataclass(slots=True)
class Asked:
    """What a script's directives ask for. Sizes are bytes, times seconds."""

    system: str
    name: str | None = None
    queue: str | None = None
    account: str | None = None
    reservation: str | None = None
    duration: float | None = None
    nodes: int | None = None
    tasks: int | None = None
    tasks_per_node: int | None = None
    cpus_per_task: int | None = None
    memory: int | None = None
    memory_per_node: int | None = None
    memory_per_task: int | None = None
    memory_per_cpu: int | None = None
    gpus: int | None = None
    gpus_per_node: int | None = None
    gpus_per_task: int | None = None
    exclusive: bool = False
    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    joined: bool = False
    directory: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    inherit: bool = True
    held: bool = False
    rerunnable: bool = False
    shell: str | None = None
    custom: dict[str, str | int | float | bool] = field(default_factory=dict)
    #: The elements of an array, and the variable that tells each its number.
    array: list[range] = field(default_factory=list)
    index: str = ""
    #: How many elements may be unfinished at a time.
    at_a_time: int | None = None
    notes: list[Note] = field(default_factory=list)
    #: The directive at hand: its text and its line.
    at: str = ""
    line: int = 0
    #: The directive, and its line, that each field was set by last.
    origins: dict[str, tuple[str, int]] = field(default_factory=dict)
    optional: bool = False
    """Its author has marked it so: what of it is not understood is skipped."""

    def said(self) -> dict[str, object]:
        """What the directives have said so far, without where they did."""
        found = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _ABOUT}
        return found | {"environment": dict(self.environment), "custom": dict(self.custom), "array": list(self.array)}

    def note(self, message: str, *, refused: bool = False) -> None:
        """Note something about the directive at hand."""
        if refused and self.optional:
            refused, message = False, f"skipped, as it is marked as optional: {message}"
        self.notes.append(Note(self.at, message, self.line, refused))

    def wrong(self, message: str) -> NotValid:
        """A fault in the directive at hand."""
        return NotValid(f"{self.at}: {message}", element=self.at, line=self.line)

    def count(self, text: str, minimum: int = 1) -> int:
        """A number."""
        if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < minimum:
            raise self.wrong(f"{text!r} is no number from {minimum}")
        return int(text)

    def size(self, text: str, unit: str = "") -> int:
        """An amount of memory; `unit` is what a number alone counts. Units are powers of 1024."""
        match = _SIZE.fullmatch(text.strip())
        if match is None:
            raise self.wrong(f"{text!r} is no amount of memory; write e.g. 4G")
        power = " kmgtp".index((match[2] or unit or " ").lower())
        size = int(float(match[1]) * 1024**power)
        if size < 1:
            raise self.wrong(f"{text!r} is no amount of memory")
        return size

    def path(self, text: str) -> str | None:
        """A file for a stream. One with a pattern in it, which only the batch system could fill in, is not taken."""
        if re.search(r"%|\$[A-Z{(]|\^", text):
            self.note(f"{text!r} depends on what is not known yet; the output is in the usual file")
            return None
        return text

    def variables(self, pairs: Sequence[str]) -> None:
        """Variables as ``NAME=VALUE``; a name alone is a variable of whoever submits, which is not taken along."""
        for pair in pairs:
            name, equals, value = pair.strip().partition("=")
            if not is_variable_name(name):
                raise self.wrong(f"{pair!r} is no variable")
            if equals:
                self.environment[name] = escape_references(value.strip("'\""))
            else:
                self.note(f"the value of {name} where you submit is not taken along")

    def elements(self, text: str, index: str) -> None:
        """The elements of an array, as ``1-10:2,15``."""
        spans, percent, most = text.partition("%")
        if percent:
            self.at_a_time = self.count(most)
        for word in spans.split(","):
            match = _SPAN.fullmatch(word.strip())
            first, last, step = (int(part) if part else None for part in (match.groups() if match else (None,) * 3))
            if first is None or step == 0 or (last is not None and last < first):
                raise self.wrong(f"{text!r} are no elements of an array; write e.g. 1-10:2,15")
            self.array.append(range(first, (first if last is None else last) + 1, step or 1))
        self.index = index


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a batch system's submit command: how it is written, how many words follow it, what it does."""

    names: tuple[str, ...]
    words: int
    meaning: str
    act: Callable[[Asked, str], None] | None = None
    support: Support = Support.OPTIONAL


def sets(name: str, *names: str) -> Option:
    """An option whose value goes into the field `name` as it is."""

    def act(asked: Asked, value: str) -> None:
        setattr(asked, name, value)

    return Option(names, 1, name, act)


def directory(beginnings: tuple[str, ...], *names: str) -> Option:
    """An option whose value is the working directory, which begins with one of `beginnings`."""

    def act(asked: Asked, value: str) -> None:
        if value.startswith(beginnings):
            asked.directory = value
        else:
            asked.note(f"{value!r}: a working directory is absolute", refused=True)

    return Option(names, 1, "directory", act)


def counts(name: str, *names: str) -> Option:
    """An option whose value is a number."""

    def act(asked: Asked, value: str) -> None:
        setattr(asked, name, asked.count(value))

    return Option(names, 1, name, act)


def flags(name: str, value: bool, *names: str) -> Option:
    """An option without a value."""

    def act(asked: Asked, word: str) -> None:
        del word
        setattr(asked, name, value)

    return Option(names, 0, name, act)


def passes(custom: str, words: int, *names: str) -> Option:
    """An option that its own batch system gets as it is, and no other one does."""

    def act(asked: Asked, value: str) -> None:
        asked.custom[custom] = value if words else True

    return Option(names, words, f"custom, as {custom}", act)


def skips(why: str, words: int, *names: str) -> Option:
    """An option without effect, which is told."""

    def act(asked: Asked, value: str) -> None:
        del value
        asked.note(why)

    return Option(names, words, f"no effect: {why}", act)


def refuses(why: str, words: int, *names: str) -> Option:
    """An option without which the script would run otherwise than its author wants."""

    def act(asked: Asked, value: str) -> None:
        del value
        asked.note(why, refused=True)

    return Option(names, words, why, act, Support.UNSUPPORTED)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The directives of one batch system. `style`: how its options are told from their values.

    ``gnu``: ``--long=value`` and ``-s value``; ``letters``: ``-s value`` or ``-svalue``; ``words``: ``-word value``.
    """

    system: str
    mark: str
    style: str
    options: tuple[Option, ...]

    def by_name(self) -> Mapping[str, Option]:
        """The options by each way to write them."""
        return {name: option for option in self.options for name in option.names}

    def take(self, asked: Asked, text: str) -> None:
        """Take in the options of one directive."""
        try:
            words = shlex.split(text, comments=True)
        except ValueError as error:
            raise asked.wrong(f"{text!r} has an odd quote: {error}") from None
        asked.optional = _MARK.search(text) is not None
        known = self.by_name()
        position = 0
        while position < len(words):
            name, value = self._split(words[position])
            position += 1
            asked.at = f"{self.mark} {name}"
            option = known.get(name)
            if option is None:
                # Of words only: any two letters are alike.
                words_known = [one for one in known if len(one) > 2] if len(name) > 2 else []
                asked.note(UNKNOWN + meant(name, words_known), refused=True)
                while position < len(words) and not words[position].startswith("-"):
                    position += 1  # what follows is its value
                continue
            if option.words and value is None:
                taken = words[position : position + option.words]
                position += option.words
                if len(taken) < option.words:
                    raise asked.wrong("a value is missing")
                value = " ".join(taken)
            assert option.act is not None
            before = asked.said()
            option.act(asked, value or "")
            now = asked.said()
            asked.origins |= {name: (asked.at, asked.line) for name in now if now[name] != before[name]}

    def _split(self, word: str) -> tuple[str, str | None]:
        if self.style == "gnu" and word.startswith("--"):
            name, equals, value = word.partition("=")
            return name, value if equals else None
        if self.style in ("gnu", "letters") and word.startswith("-") and len(word) > 2:
            return word[:2], word[2:].removeprefix("=")
        return word, None


def clock(asked: Asked, text: str, *, units: Sequence[int]) -> float:
    """A time of parts with colons between them; `units` are the seconds of the last part, of the one before, ..."""
    parts = text.split(":")
    if len(parts) > len(units) or not all(re.fullmatch(r"\d{1,9}(?:\.\d+)?", part) for part in parts):
        raise asked.wrong(f"{text!r} is no time")
    return sum(float(part) * unit for part, unit in zip(reversed(parts), units, strict=False))


def describe(asked: Asked) -> Description:
    """The description of the script's job, without the script itself."""
    stderr = asked.stderr or "stderr"
    stdout = asked.stdout or "stdout"
    return Description(
        executable="-",
        name=asked.name,
        directory=asked.directory,
        environment=asked.environment,
        inherit_environment=asked.inherit,
        stdin=asked.stdin,
        stdout=stdout,
        stderr=stdout if asked.joined and asked.stderr is None else stderr,
        resources=_resources(asked),
        duration=asked.duration or None,
        account=asked.account,
        reservation=asked.reservation,
        custom=asked.custom,
        share=f"{asked.system}/{asked.queue}" if asked.queue else None,
        rerunnable=asked.rerunnable,
        held=asked.held,
    )


def _resources(asked: Asked) -> Resources | None:
    nodes, tasks, per_node = asked.nodes, asked.tasks, asked.tasks_per_node
    if nodes and tasks and tasks % nodes and per_node is None:
        asked.note(f"{tasks} tasks are not spread evenly over {nodes} nodes; the batch system chooses the nodes")
        nodes = None
    processes = tasks or (nodes or 1) * (per_node or 1)
    cpus = processes * (asked.cpus_per_task or 1)
    sizes = (
        (asked.memory, 1),
        (asked.memory_per_node, nodes or 1),
        (asked.memory_per_task, processes),
        (asked.memory_per_cpu, cpus),
    )
    needs = Resources(
        nodes=nodes,
        processes=tasks,
        processes_per_node=per_node,
        cores_per_process=asked.cpus_per_task,
        gpus_per_process=_gpus(asked, processes, per_node or -(-processes // (nodes or 1))),
        memory=next((size * times for size, times in sizes if size is not None), None),
        exclusive=asked.exclusive,
    )
    return None if needs == Resources() else needs


def _gpus(asked: Asked, processes: int, per_node: int) -> int | None:
    if asked.gpus_per_task is not None:
        return asked.gpus_per_task
    for count, among in ((asked.gpus_per_node, per_node), (asked.gpus, processes)):
        if count is not None:
            if count % among:
                raise InvalidInput(
                    f"{count} GPUs cannot be shared out evenly among {among} processes; ask for GPUs by the task",
                    element="resources.gpus_per_process",
                )
            return count // among
    return None
