"""A sweep in our own JSON: a description with places for parameters, and the values that go there.

{"description": {"executable": "simulate", "arguments": ["--alpha={{alpha}}", "{{seed}}"]},
 "sweep": {"product": [{"parameter": "alpha", "values": [0.1, 0.2]},
                       {"parameter": "seed", "from": 1, "to": 100}]}}
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from argosy.model import InvalidInput

from .plan import Axis, Chain, Plan, Product, Range, Value, counted, zipped

#: The most jobs that a sweep can have at all, whatever a service allows: its counters are 64 bits wide.
MOST = 2**62
#: The most nodes of a plan, and how deep they may be in each other.
_MOST_NODES = 1000
_DEEPEST = 32
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}", re.ASCII)
#: What every job has: its number in the sweep, from 0.
INDEX = "index"
#: A number of a range, as far as one can count with it exactly.
_LARGEST = Decimal(10) ** 18

Number = int | float


class SweepNode(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Values of one parameter (`parameter` with `values`, or with `from` and `to`), or a combination of other nodes."""

    parameter: Annotated[str, Meta(description="A name, to be used as {{name}}.")] | None = None
    values: Annotated[list[Value], Meta(min_length=1, description="Its values, one after the other.")] | None = None
    from_: Annotated[Number, Meta(description="The first number of a range.")] | None = msgspec.field(
        name="from", default=None
    )
    to: Annotated[Number, Meta(description="The last number; included where a step comes to it.")] | None = None
    step: Annotated[Number, Meta(description="Default: 1, or -1 where the range goes down.")] | None = None
    product: (
        Annotated[list[SweepNode], Meta(min_length=1, description="Each combination; the last changes fastest.")] | None
    ) = None
    zip: (
        Annotated[list[SweepNode], Meta(min_length=1, description="They advance together and are equally long.")] | None
    ) = None
    chain: Annotated[list[SweepNode], Meta(min_length=1, description="One after the other.")] | None = None


class SweepDescription(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Many jobs in one request: a description with ``{{NAME}}`` in its texts, and the values of the parameters."""

    description: Annotated[dict[str, Any], Meta(description="A Description; {{NAME}} may be in any text of it.")]
    sweep: SweepNode
    name: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    window: Annotated[int, Meta(ge=1, description="The most jobs of it that are unfinished at a time.")] | None = None
    stop_after_failures: (
        Annotated[int, Meta(ge=1, description="After so many failed jobs no more are made, and the others are ended.")]
        | None
    ) = None
    held: Annotated[bool, Meta(description="Make its first job only when told.")] = False


def plan(node: SweepNode) -> Plan:
    """The plan that a node describes. Raises InvalidInput naming the element."""
    made = _Planner().plan(node, "sweep", 1)
    if made.count > MOST:
        raise InvalidInput(f"{made.count} jobs are too many", element="sweep")
    return made


class _Planner:
    def __init__(self) -> None:
        self._nodes = 0

    def plan(self, node: SweepNode, at: str, depth: int) -> Plan:
        self._nodes += 1
        if self._nodes > _MOST_NODES or depth > _DEEPEST:
            raise InvalidInput(
                f"a sweep has {_MOST_NODES} nodes at most, {_DEEPEST} of them within each other", element=at
            )
        kinds = [name for name in ("parameter", "product", "zip", "chain") if getattr(node, name) is not None]
        if len(kinds) != 1:
            raise InvalidInput("a node has one of parameter, product, zip and chain", element=at)
        (kind,) = kinds
        if kind == "parameter":
            return _axis(node, at)
        for name in ("values", "from_", "to", "step"):
            if getattr(node, name) is not None:
                raise InvalidInput(f"{name.rstrip('_')} goes with a parameter", element=f"{at}.{name.rstrip('_')}")
        inner = [self.plan(part, f"{at}.{kind}[{index}]", depth + 1) for index, part in enumerate(getattr(node, kind))]
        if kind != "chain":
            _check_names(inner, f"{at}.{kind}")
        if kind == "product":
            return Product(tuple(inner))
        if kind == "zip":
            return zipped(inner, f"{at}.zip")
        _check_alike(inner, f"{at}.chain")
        return Chain(tuple(inner))


def _check_names(parts: list[Plan], at: str) -> None:
    seen: set[str] = set()
    for index, part in enumerate(parts):
        for name in part.names():
            if name in seen:
                raise InvalidInput(f"the parameter {name} is here twice", element=f"{at}[{index}]")
            seen.add(name)


def _check_alike(parts: list[Plan], at: str) -> None:
    names = set(parts[0].names())
    for index, part in enumerate(parts[1:], 1):
        if set(part.names()) != names:
            raise InvalidInput(
                f"what comes one after the other has the same parameters: {', '.join(sorted(names))}",
                element=f"{at}[{index}]",
            )


def _axis(node: SweepNode, at: str) -> Axis:
    name = node.parameter or ""
    if not _NAME.fullmatch(name) or name == INDEX:
        raise InvalidInput(
            f"{name!r} cannot be a parameter's name: write letters, digits, _, . and -, beginning with a letter or _; "
            f"{INDEX} is the number of a job",
            element=f"{at}.parameter",
        )
    if node.values is not None:
        if (node.from_, node.to, node.step) != (None, None, None):
            raise InvalidInput("a parameter has either values, or from and to", element=f"{at}.values")
        return Axis(name, node.values)
    if node.from_ is None or node.to is None:
        raise InvalidInput("a parameter has either values, or from and to", element=at)
    return Axis(name, number_range(node.from_, node.to, node.step, at))


def number_range(first: Number, last: Number, step: Number | None, at: str) -> Range:
    """The numbers of a range. Decimals are counted exactly: 0.1 to 0.3 in steps of 0.1 are three."""
    start, end = _decimal(first, f"{at}.from"), _decimal(last, f"{at}.to")
    by = Decimal(1 if end >= start else -1) if step is None else _decimal(step, f"{at}.step")
    if by == 0:
        raise InvalidInput("the step of a range is not 0", element=f"{at}.step")
    count = counted(start, end, by)
    if not count:
        raise InvalidInput(f"no step of {by} leads from {start} to {end}", element=f"{at}.step")
    if count > MOST:
        raise InvalidInput(f"{count} numbers are too many", element=at)
    return Range(start, by, count)


def _decimal(number: Number, element: str) -> Decimal:
    found = Decimal(repr(number))
    if not found.is_finite() or abs(found) > _LARGEST:
        raise InvalidInput(f"a range has numbers up to {_LARGEST:.0E}", element=element)
    return found
