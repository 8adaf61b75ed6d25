"""Trying again what may work a little later: with a bound, and a wait that grows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from argosy.model import ArgosyError, NotAllowed, Unavailable

from .errors import Fault, TransferFailed
from .pace import Meter, Pace

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a transfer is begun, and the wait before the second time, which doubles up to `most`. Seconds."""

    attempts: int
    first: float
    most: float

    def wait(self, failures: int, asked: float | None = None) -> float:
        """For how long to wait after so many failures. What the other side asks for is honoured up to `most`."""
        wait: float = min(self.first * 2 ** (failures - 1), self.most)
        if asked is not None:
            return min(max(asked, 0.0), self.most)
        # Spread: many files fail at the same time.
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def as_failure(error: BaseException) -> TransferFailed | None:
    """What a failure means for the transfer; None for what is no failure of it."""
    if isinstance(error, TransferFailed):
        return error
    if isinstance(error, Unavailable):
        return TransferFailed(error.message, Fault.TRANSIENT)
    if isinstance(error, NotAllowed):
        return TransferFailed(error.message, Fault.REFUSED)
    if isinstance(error, ArgosyError):
        return TransferFailed(error.message, Fault.REFUSED, element=error.element)
    return None


async def with_patience(
    patience: Patience,
    attempt: Callable[[], Awaitable[_T]],
    before_next: Callable[[TransferFailed], Awaitable[None]] | None = None,
) -> tuple[_T, int]:
    """The attempt's answer, and how many there were. `before_next` prepares another one, without holding a turn."""
    for count in range(1, patience.attempts + 1):
        try:
            return await attempt(), count
        except UnicodeEncodeError as error:
            raise TransferFailed(
                f"{error.object!r} is no text in UTF-8, and has no other form in what is spoken with the other side",
                Fault.REFUSED,
            ) from error
        except ArgosyError as error:
            failure = as_failure(error)
            if failure is None:
                raise
            if not failure.transient or count == patience.attempts:
                if count > 1:
                    raise TransferFailed(
                        f"{failure.message} (tried {count} times)", failure.fault, element=failure.element
                    ) from error
                raise failure from error
            if before_next is not None:
                await before_next(failure)
            await asyncio.sleep(patience.wait(count, failure.retry_after))
    raise AssertionError("there is at least one attempt")


async def paced(work: Awaitable[_T], pace: Pace, meter: Meter, what: object) -> _T:
    """The work's answer, unless it goes too slowly: then it is cancelled and TransferFailed says so."""
    async with pace.hold(meter, what):
        return await work
