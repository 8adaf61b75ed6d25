"""JSDL's Parameter Sweep (GFD.149): many jobs from one document, made one at a time.

The assignments of one Sweep advance together; a Sweep within another runs through for each step of the outer one;
Sweeps beside each other run one after the other. Values stand in the document while its job is read, and are taken out
again afterwards.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from lxml import etree

from ..sweeps import Axis, Chain, Plan, Product, Range, Value, Zip
from ..sweeps.plan import counted
from .names import local, path, tag
from .reading import Reading, wrong

_PREFIX = re.compile(r"[A-Za-z_][\w.-]*")
_NAME = r"(?:[\w.-]+:)?(?:[\w.-]+|\*)"
_PREDICATE = r"\[(?:\d{1,9}|@(?:[\w.-]+:)?[\w.-]+\s*=\s*(?:'[^']*'|\"[^\"]*\"))\]"
_STEP = rf"(?:{_NAME}(?:{_PREDICATE})*|text\(\)|@{_NAME})"
#: The XPath that a Match may be: steps downward, by name and number or attribute. Nothing that could take long.
_LOCATION = re.compile(rf"//?{_STEP}(?://?{_STEP})*")
_SUBSTRING = re.compile(r"\s*substring\(\s*(.+?)\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*\)\s*", re.DOTALL)
#: ``//`` at most so often in a path: each looks at everything below.
_MOST_DESCENTS = 2
#: So many elements may be looked at for the paths of one document; it is two or three seconds of work.
_MOST_LOOKED_AT = 20_000_000
#: The longest path, in characters.
_LONGEST = 2000
#: The most parameters in a document, and parts that one text may have.
_MOST_PARAMETERS = 1000
_MOST_PARTS = 100
#: The longest number that a loop counts with, in digits.
_MOST_DIGITS = 300


@dataclass(slots=True)
class Slot:
    """A place in the document: a text, or the attribute `attribute`; only a part of it where `start` is given."""

    element: etree._Element
    attribute: str | None
    start: int | None = None
    """The first character of the part, from 0."""
    length: int = 0

    @property
    def text(self) -> str:
        if self.attribute is not None:
            return self.element.get(self.attribute) or ""
        return self.element.text or ""

    @text.setter
    def text(self, value: str) -> None:
        if self.attribute is not None:
            self.element.set(self.attribute, value)
        else:
            self.element.text = value


@dataclass(slots=True)
class Assignment:
    """Places that get the same value, one after the other."""

    slots: list[Slot]
    values: Sequence[Value]


@dataclass(slots=True)
class Sweep:
    """Assignments that advance together, and the sweeps that run within each of their steps."""

    assignments: list[Assignment]
    inner: list[Sweep]


class Values:
    """The document's texts with the values of a job, and without any."""

    def __init__(self) -> None:
        self._originals: dict[tuple[int, str | None], tuple[Slot, str]] = {}
        self._parts: dict[tuple[int, str | None], list[tuple[Slot, str]]] = {}

    def put(self, slot: Slot, value: str) -> None:
        """Put a value into its place, beside the others that are in parts of the same text."""
        key = (id(slot.element), slot.attribute)
        _, original = self._originals.setdefault(key, (slot, slot.text))
        if slot.start is None:
            slot.text = value
            return
        parts = self._parts.setdefault(key, [])
        parts.append((slot, value))
        text = original
        for part, its in sorted(parts, key=lambda one: -(one[0].start or 0)):
            assert part.start is not None
            text = text[: part.start] + its + text[part.start + part.length :]
        slot.text = text

    def restore(self) -> None:
        """Take all values out again."""
        for slot, original in self._originals.values():
            slot.text = original
        self._originals.clear()
        self._parts.clear()


def planned(sweeps: Sequence[Sweep]) -> tuple[Plan, dict[str, list[Slot]]]:
    """The plan of a document's sweeps, and the places of each of its parameters.

    A parameter is named by what is at the end of its path: Argument, Argument.2, ...
    """
    places: dict[str, list[Slot]] = {}
    return _plan(sweeps, places), places


def _plan(sweeps: Sequence[Sweep], places: dict[str, list[Slot]]) -> Plan:
    parts = [_one(sweep, places) for sweep in sweeps]
    return parts[0] if len(parts) == 1 else Chain(tuple(parts))


def _one(sweep: Sweep, places: dict[str, list[Slot]]) -> Plan:
    axes = tuple(Axis(_named(one.slots, places), one.values) for one in sweep.assignments)
    together: Plan = axes[0] if len(axes) == 1 else Zip(axes)
    return Product((together, _plan(sweep.inner, places))) if sweep.inner else together


def _named(slots: list[Slot], places: dict[str, list[Slot]]) -> str:
    first = slots[0]
    base = name = first.attribute.rpartition("}")[2] if first.attribute is not None else local(first.element)
    number = 1
    while name in places:
        number += 1
        name = f"{base}.{number}"
    places[name] = slots
    return name


def read(reading: Reading, element: etree._Element, outer: Sequence[Slot] = ()) -> Sweep | None:
    """A Sweep element. None where it has a parameter or function that is not understood, which is noted."""
    assignments: list[etree._Element] = []
    inner: list[etree._Element] = []
    reading.children(element, {"sweep:Assignment": assignments.append, "sweep:Sweep": inner.append})
    if not assignments:
        raise wrong(element, "a Sweep has an Assignment")
    made = [_assignment(reading, one) for one in assignments]
    whole = [one for one in made if one is not None]
    slots = [*outer, *(slot for one in whole for slot in one.slots)]
    _check_apart(element, slots)
    within = [read(reading, one, slots) for one in inner]
    if len(whole) != len(made) or None in within:
        return None
    lengths = {len(one.values) for one in whole}
    if len(lengths) > 1:
        raise wrong(
            element,
            "the assignments of a Sweep advance together; these have "
            + " and ".join(map(str, sorted(lengths)))
            + " values",
        )
    if lengths == {0}:
        raise wrong(element, "the Sweep has no values")
    return Sweep(whole, [one for one in within if one is not None])


def _assignment(reading: Reading, element: etree._Element) -> Assignment | None:
    slots: list[Slot] = []
    values: list[Sequence[Value]] = []
    before = len(reading.notes)

    def function(child: etree._Element) -> None:
        if values:
            raise wrong(child, "an Assignment has one function")
        values.append(_values(child) if local(child) == "Values" else _loop(child))
        reading.attributes(child)

    reading.children(
        element,
        {
            "sweep:DocumentNode": lambda child: slots.extend(_slots(reading, child)),
            "sweepfunc:Values": function,
            "sweepfunc:LoopInteger": function,
            "sweepfunc:LoopDouble": function,
        },
    )
    if len(reading.notes) > before:
        return None
    if not slots or not values:
        raise wrong(element, "an Assignment has a parameter and a function")
    return Assignment(slots, values[0])


def _slots(reading: Reading, element: etree._Element) -> list[Slot]:
    reading.parameters += 1
    if reading.parameters > _MOST_PARAMETERS:
        raise wrong(element, f"the sweeps of a document have {_MOST_PARAMETERS} parameters at most")
    prefixes: dict[str, str] = {}
    match: list[etree._Element] = []
    for child in element:
        if child.tag == tag("sweep:NamespaceBinding"):
            prefix, uri = (child.get("prefix") or "").strip(), (child.get("ns") or "").strip()
            if prefix and not (_PREFIX.fullmatch(prefix) and uri):
                raise wrong(child, f"{prefix!r} for {uri!r} is no prefix for a namespace")
            prefixes[prefix] = uri
        elif child.tag == tag("sweep:Match"):
            match.append(child)
        else:
            raise wrong(child, f"{local(child)} has no place in a DocumentNode")
    if len(match) != 1:
        raise wrong(element, "a DocumentNode has one Match")
    text = reading.text(match[0]).strip()
    part = _SUBSTRING.fullmatch(text)
    slots = [_slot(match[0], node) for node in _nodes(reading, match[0], part[1] if part else text, prefixes)]
    if part:
        first, length = int(part[2]), int(part[3])
        for slot in slots:
            if first < 1 or first - 1 + length > len(slot.text):
                raise wrong(match[0], f"{slot.text!r} has no characters {first} to {first - 1 + length}")
            slot.start, slot.length = first - 1, length
    return slots


def _nodes(reading: Reading, match: etree._Element, location: str, prefixes: dict[str, str]) -> list[object]:
    if len(location) > _LONGEST:
        raise wrong(match, f"a location path has {_LONGEST} characters at most")
    if not _LOCATION.fullmatch(location):
        raise wrong(match, f"{location!r} is no location path of the kind /a:B/a:C[2], //a:C/@name or //a:C/text()")
    if location.count("//") > _MOST_DESCENTS:
        raise wrong(match, f"// may be in a path {_MOST_DESCENTS} times at most")
    root = match.getroottree().getroot()
    if not reading.elements:
        reading.elements = sum(1 for _ in root.iter())
    elements = reading.elements
    # What two descents find is compared with what was found before.
    reading.looked_at += elements * elements // 4 if location.count("//") > 1 else elements
    if reading.looked_at > _MOST_LOOKED_AT:
        raise wrong(match, "the paths look at too much of a large document; write them from its root, // once at most")
    try:
        # From the document itself, as the path is written.
        found = etree.XPath(location, namespaces={k: v for k, v in prefixes.items() if k})(root.getroottree())
    except etree.XPathError as error:
        raise wrong(match, f"{location!r}: {error}") from None
    if not isinstance(found, list) or not found:
        raise wrong(match, f"{location!r} is not in the document")
    return list(found)


def _slot(match: etree._Element, node: object) -> Slot:
    if isinstance(node, etree._Element):
        if len(node):
            raise wrong(match, f"{path(node)} is no text, but holds elements")
        return Slot(node, None)
    parent = node.getparent()  # type: ignore[attr-defined]
    if getattr(node, "is_attribute", False):
        return Slot(parent, str(node.attrname))  # type: ignore[attr-defined]
    if len(parent):
        raise wrong(match, f"{path(parent)} is no text, but holds elements")
    return Slot(parent, None)


def _check_apart(element: etree._Element, slots: Sequence[Slot]) -> None:
    """No two parameters may change the same characters."""
    taken: dict[tuple[int, str | None], list[Slot]] = {}
    for slot in slots:
        others = taken.setdefault((id(slot.element), slot.attribute), [])
        for other in others:
            if slot is other:
                continue
            if (
                slot.start is None
                or other.start is None
                or (slot.start < other.start + max(other.length, 1) and other.start < slot.start + max(slot.length, 1))
            ):
                raise wrong(element, f"two parameters change the same text, of {path(slot.element)}")
        others.append(slot)
        if len(others) > _MOST_PARTS:
            raise wrong(element, f"a text has {_MOST_PARTS} parts that change at most")


def _values(element: etree._Element) -> list[Value]:
    values: list[Value] = []
    for child in element:
        if child.tag != tag("sweepfunc:Value"):
            raise wrong(child, f"{local(child)} has no place in Values")
        if len(child):
            raise wrong(child, "a Value is a text; elements cannot be put in")
        values.append(child.text or "")
    return values


def _loop(element: etree._Element) -> Range:
    integer = local(element) == "LoopInteger"
    numbers = {}
    for name in ("start", "end", "step"):
        text = element.get(name)
        if text is None and not (integer and name == "step"):
            raise wrong(element, f"{local(element)} has the attribute {name}")
        numbers[name] = Decimal(1) if text is None else _number(element, text, integer=integer)
    start, end, step = numbers["start"], numbers["end"], numbers["step"]
    if step == 0:
        raise wrong(element, "the step of a loop is not 0")
    count = counted(start, end, step)
    left_out = set()
    for child in element:
        if child.tag != tag("sweepfunc:Exception"):
            raise wrong(child, f"{local(child)} has no place in {local(element)}")
        value = _number(child, child.text or "", integer=integer)
        index = (value - start) / step
        if index == index.to_integral_value() and 0 <= index < count:
            left_out.add(int(index))
    found = Range(start, step, count, tuple(sorted(left_out)), texts=True)
    if count > sys.maxsize:
        raise wrong(element, f"{count} values are too many")
    return found


def _number(element: etree._Element, text: str, *, integer: bool) -> Decimal:
    word = text.strip()
    try:
        number = Decimal(word)
    except InvalidOperation:
        number = Decimal("NaN")
    ordinary = number.is_finite() and abs(number.adjusted()) <= _MOST_DIGITS and len(word) <= _MOST_DIGITS
    if not ordinary or "_" in word or not word.isascii() or (integer and not re.fullmatch(r"[+-]?\d{1,18}", word)):
        raise wrong(element, f"{text!r} is no {'whole ' if integer else ''}number that can be counted with")
    return number
