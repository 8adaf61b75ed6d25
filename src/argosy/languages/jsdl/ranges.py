"""JSDL's range values (JSDL 1.0, RangeValue_Type): sets of numbers, and the least that satisfies one."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from lxml import etree

from ..contract import NotValid
from .names import line, local, path

#: What fits a signed integer of 64 bits; nothing that is counted here is more.
_MOST = 2**63 - 1
_DOUBLE = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers between two bounds, each included or not."""

    lower: float
    upper: float
    above: bool = False
    """The lower bound itself is not included."""
    below: bool = False
    """The upper bound itself is not included."""

    def has(self, value: float) -> bool:
        """Whether it includes the value."""
        return (self.lower < value if self.above else self.lower <= value) and (
            value < self.upper if self.below else value <= self.upper
        )


@dataclass(frozen=True, slots=True)
class Range:
    """A union of intervals. Without any, nothing is asked for."""

    intervals: tuple[Interval, ...]

    def least(self, minimum: int) -> int | None:
        """The smallest whole number from `minimum` in it; None where there is none."""
        found = [
            value
            for interval in self.intervals
            if (value := _least(interval, minimum)) is not None and interval.has(value) and value <= _MOST
        ]
        return min(found, default=None)


def _least(interval: Interval, minimum: int) -> int | None:
    if interval.lower > _MOST:
        return None
    if interval.lower < minimum:
        return minimum
    value = math.ceil(interval.lower)
    return value + 1 if interval.above and value == interval.lower else value


def read(element: etree._Element) -> Range:
    """The range that an element holds. Raises NotValid for what is no number."""
    intervals = []
    for child in element:
        kind = local(child)
        if kind == "Exact":
            value, epsilon = _number(child), _double(child, child.get("epsilon") or "0")
            intervals.append(Interval(value - abs(epsilon), value + abs(epsilon)))
        elif kind == "LowerBoundedRange":
            intervals.append(Interval(_number(child), math.inf, above=_exclusive(child)))
        elif kind == "UpperBoundedRange":
            intervals.append(Interval(-math.inf, _number(child), below=_exclusive(child)))
        elif kind == "Range":
            intervals.append(_between(child))
        else:
            raise NotValid(f"{kind} is no part of a range", element=path(child), line=line(child))
    return Range(tuple(intervals))


def _between(element: etree._Element) -> Interval:
    bounds = {local(child): child for child in element}
    if set(bounds) != {"LowerBound", "UpperBound"} or len(element) != 2:
        raise NotValid("a Range has a LowerBound and an UpperBound", element=path(element), line=line(element))
    lower, upper = bounds["LowerBound"], bounds["UpperBound"]
    return Interval(_number(lower), _number(upper), above=_exclusive(lower), below=_exclusive(upper))


def _number(element: etree._Element) -> float:
    return _double(element, element.text or "")


def _double(element: etree._Element, text: str) -> float:
    """A number as XML Schema writes them (xsd:double), NaN left out."""
    word = text.strip()
    if word in ("INF", "-INF"):
        return math.copysign(math.inf, -1 if word[0] == "-" else 1)
    if not _DOUBLE.fullmatch(word):
        raise NotValid(f"{text!r} is no number", element=path(element), line=line(element))
    return float(word)


def _exclusive(element: etree._Element) -> bool:
    return (element.get("exclusiveBound") or "").strip() in ("true", "1")
