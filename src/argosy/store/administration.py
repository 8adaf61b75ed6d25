"""The part of the store's contract that those who run the service, and its limits, need."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from argosy.model import Unavailable


class Damaged(Unavailable):
    """What the database holds is damaged where something is to be recorded; elsewhere it may be whole."""


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """How much there is. `bytes` is what the database has on disk; `workers` are alive until these times."""

    states: dict[str, int]
    chores: int
    workers: dict[str, float]
    bytes: int


@dataclass(frozen=True, slots=True)
class StoreTrouble:
    """That the store does not do its work: since when (seconds since the epoch), and in which words."""

    since: float
    words: str


class AdministrationStore(ABC):
    """Settings, counts and figures."""

    @property
    @abstractmethod
    def trouble(self) -> StoreTrouble | None:
        """What kept the last transaction from being recorded, or what is recorded from being read; None where nothing
        did. Asks nobody."""

    @abstractmethod
    async def sealed_credentials_out(self) -> int:
        """How many credentials there are that are sealed with a key that is not there."""

    @abstractmethod
    async def setting(self, name: str) -> dict[str, Any] | None:
        """What was set under that name."""

    @abstractmethod
    async def set_setting(self, name: str, value: dict[str, Any] | None) -> None:
        """Set it for good; None removes it."""

    @abstractmethod
    async def owned(self, owner: str, *, unfinished: bool, most: int) -> int:
        """How many activities an owner has, those only that have not ended where `unfinished`. Counts to `most`."""

    @abstractmethod
    async def states(self, owner: str | None) -> dict[str, int]:
        """How many activities an owner has (None: everybody) in each state; states without any are left out."""

    @abstractmethod
    async def known_keys(self, owner: str, keys: Collection[str], now: float) -> set[str]:
        """Those of these keys that the owner has used and that have not expired."""

    @abstractmethod
    async def figures(self) -> StoreFigures:
        """How much there is. Takes time that grows with the number of activities."""
