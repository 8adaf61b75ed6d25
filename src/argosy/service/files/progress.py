"""What is being moved just now, and how fast. It is kept in memory, with the activity in hand: no record a chunk."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from argosy.model.clock import now

Direction = Literal["fetch", "push"]


@dataclass(slots=True)
class Transfer:
    """One file that is moved, or was in the stage under way. Sizes in bytes, times in seconds.

    `place` is the source that was used or the target, as it may be shown; None while that is not known. `ended` is
    None while it goes on; `error` says why it did not work.
    """

    direction: Direction
    path: str
    place: str | None = None
    moved: int = 0
    total: int | None = None
    began: float = field(default_factory=time.time)
    ended: float | None = None
    error: str | None = None
    _clock: float = field(default_factory=time.monotonic)
    _took: float | None = None

    @property
    def seconds(self) -> float:
        """For how long it has gone on, or took."""
        return self._took if self._took is not None else time.monotonic() - self._clock

    @property
    def rate(self) -> float:
        """Bytes a second, on the whole."""
        seconds = self.seconds
        return self.moved / seconds if seconds > 0 else 0.0

    def done(self, place: str, size: int) -> None:
        """It worked."""
        self.place, self.moved, self.total = place, size, size
        self.stop()

    def stop(self, error: str | None = None) -> None:
        """It is over."""
        self._took = time.monotonic() - self._clock
        self.ended, self.error = now(), error


class Moving:
    """The transfers of one activity's stage. What is over is kept as far as `most` goes, the latest."""

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._transfers: list[Transfer] = []

    def begun(self, direction: Direction, path: str, *, total: int | None = None) -> Transfer:
        """One begins."""
        transfer = Transfer(direction, path, total=total)
        self._transfers.append(transfer)
        if len(self._transfers) > 2 * self._most:
            over = [one for one in self._transfers if one.ended is not None]
            gone = {id(one) for one in over[: len(self._transfers) - self._most]}
            self._transfers = [one for one in self._transfers if id(one) not in gone]
        return transfer

    def failed(self, direction: Direction, path: str, error: str) -> None:
        """The latest one of this file did not work."""
        for transfer in reversed(self._transfers):
            if transfer.direction == direction and transfer.path == path and transfer.ended is None:
                transfer.stop(error)
                return

    def all(self) -> list[Transfer]:
        """The transfers, in the order in which they began."""
        return list(self._transfers)
