"""A document's jobs by their numbers: what every language gives of a sweep, an array or a list."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..native import Description
from .plan import Plan, Value, probes, values


@dataclass(frozen=True, slots=True)
class Options:
    """What a document says of its sweep as a whole. None: what the service usually does."""

    name: str | None = None
    window: int | None = None
    """The most jobs of it that are unfinished at a time."""
    stop_after_failures: int | None = None
    """After so many failed jobs no more are made, and those that are there are ended."""
    held: bool = False
    """Make its first job only when told."""
    share: str | None = None
    """Where its jobs go, whatever their description says."""


class Expansion(ABC):
    """The jobs of a document. It belongs to one thread at a time; the same number gives the same job always."""

    def __init__(self, plan: Plan, options: Options | None = None) -> None:
        self.plan = plan
        self.options = options or Options()

    @property
    def count(self) -> int:
        """How many jobs there are."""
        return self.plan.count

    def values(self, index: int) -> dict[str, Value]:
        """The parameters of one job. Raises IndexError."""
        return values(self.plan, index)

    @abstractmethod
    def make(self, index: int, values: Mapping[str, Value]) -> Description:
        """The description of the job with these values. Raises InvalidInput."""

    def description(self, index: int) -> Description:
        """The description of one job. Raises InvalidInput, IndexError."""
        return self.make(index, self.values(index))

    def check(self) -> None:  # noqa: B027  # most languages have texts only, which fit anywhere
        """Raise InvalidInput for a value that fits nowhere it is put, without making all jobs."""

    def probes(self) -> Iterator[int]:
        """Jobs in which each value is seen at least once, the first job first."""
        return probes(self.plan)


def listed(expansion: Expansion) -> Iterator[Description]:
    """All jobs as jobs of their own, each made when it is asked for."""
    for index in range(expansion.count):
        made = expansion.description(index)
        made.held = made.held or expansion.options.held
        yield made
