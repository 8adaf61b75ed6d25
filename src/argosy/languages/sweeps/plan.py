"""Which values the jobs of a sweep have: a tree of axes, asked for the values of any job by its number.

Nothing is counted through: the values of job 999,999 cost what those of job 0 do, and a range of a million numbers is
three numbers. Numbers of jobs count from 0; the last part of a product changes fastest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import accumulate
from math import prod

from argosy.model import InvalidInput

#: What a parameter may be.
Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Range(Sequence[Value]):
    """Numbers from `start` in steps of `step`, counted when they are wanted.

    `left_out` are the places of those that are not among them, in order, from 0. `texts`: the numbers as texts, in
    full.
    """

    start: Decimal
    step: Decimal
    steps: int
    left_out: tuple[int, ...] = ()
    texts: bool = False
    #: For each place left out, how many that are not left out come before it.
    _before: tuple[int, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        before = tuple(place - index for index, place in enumerate(self.left_out))
        object.__setattr__(self, "_before", before)

    def __len__(self) -> int:
        return self.steps - len(self.left_out)

    def __getitem__(self, index: int) -> Value:  # type: ignore[override]  # a slice of it is of no use
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = self.start + (index + bisect_right(self._before, index)) * self.step
        if self.texts:
            return plain(number)
        return int(number) if number == number.to_integral_value() and _whole(self) else float(number)


def _whole(of: Range) -> bool:
    """Whether all of its numbers are whole."""
    return all(number == number.to_integral_value() for number in (of.start, of.step))


def counted(start: Decimal, end: Decimal, step: Decimal) -> int:
    """How many numbers a range has, both ends included; `step` is not 0."""
    steps = (end - start) / step
    return int(steps) + 1 if steps >= 0 else 0


def plain(number: Decimal) -> str:
    """A number without an exponent and without zeros that say nothing."""
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter and its values."""

    name: str
    values: Sequence[Value]

    @property
    def count(self) -> int:
        return len(self.values)

    def names(self) -> list[str]:
        return [self.name]

    def put(self, index: int, into: dict[str, Value]) -> None:
        into[self.name] = self.values[index]


@dataclass(frozen=True, slots=True)
class Product:
    """Each combination of its parts' values."""

    parts: tuple[Plan, ...]
    count: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", prod(part.count for part in self.parts))

    def names(self) -> list[str]:
        return [name for part in self.parts for name in part.names()]

    def put(self, index: int, into: dict[str, Value]) -> None:
        places = []
        for part in reversed(self.parts):
            index, place = divmod(index, part.count)
            places.append(place)
        for part, place in zip(self.parts, reversed(places), strict=True):
            part.put(place, into)


@dataclass(frozen=True, slots=True)
class Zip:
    """Parts that advance together. They are equally long."""

    parts: tuple[Plan, ...]

    @property
    def count(self) -> int:
        return self.parts[0].count

    def names(self) -> list[str]:
        return [name for part in self.parts for name in part.names()]

    def put(self, index: int, into: dict[str, Value]) -> None:
        for part in self.parts:
            part.put(index, into)


@dataclass(frozen=True, slots=True)
class Chain:
    """Parts that come one after the other."""

    parts: tuple[Plan, ...]
    ends: tuple[int, ...] = field(init=False)
    """How many jobs there are up to the end of each part."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ends", tuple(accumulate(part.count for part in self.parts)))

    @property
    def count(self) -> int:
        return self.ends[-1]

    def names(self) -> list[str]:
        return list(dict.fromkeys(name for part in self.parts for name in part.names()))

    def put(self, index: int, into: dict[str, Value]) -> None:
        which = bisect_right(self.ends, index)
        self.parts[which].put(index - (self.ends[which - 1] if which else 0), into)


Plan = Axis | Product | Zip | Chain


def values(plan: Plan, index: int) -> dict[str, Value]:
    """The parameters of one job. Raises IndexError."""
    if not 0 <= index < plan.count:
        raise IndexError(index)
    into: dict[str, Value] = {}
    plan.put(index, into)
    return into


def probes(plan: Plan) -> Iterator[int]:
    """Numbers of jobs in which, taken together, each value of each parameter is seen at least once.

    Values whose parts are independent are seen one at a time, so there are as many probes as values, not as jobs.
    """
    match plan:
        case Product(parts):
            below = plan.count
            yield 0
            for part in parts:
                below //= part.count
                yield from (below * place for place in probes(part) if place)
        case Chain(parts):
            for part, end in zip(parts, plan.ends, strict=True):
                yield from (end - part.count + place for place in probes(part))
        case Axis() | Zip():
            yield from range(plan.count)


def zipped(parts: Sequence[Plan], element: str) -> Zip:
    """Parts that advance together. Raises InvalidInput where they are not equally long."""
    counts = sorted({part.count for part in parts})
    if len(counts) > 1:
        lengths = " and ".join(map(str, counts))
        raise InvalidInput(f"what advances together is equally long; these have {lengths} values", element=element)
    return Zip(tuple(parts))
