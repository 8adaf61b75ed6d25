"""The time as the service goes by it: that of the machine's clock, but for jumps of it that are soon taken back.

Clocks are set wrong, by hours or years, and set right again; what has been deleted or given up by then stays so. Here
a jump counts only once it has lasted: until then time goes on as it did before. Between jumps it is the machine's clock
to within a second or two, and never goes back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

#: How long the clock must have been another one before that counts, in seconds.
PATIENCE = 600.0
#: What differs by less, in seconds, is no jump: it is made up for a little at a time.
_SLACK = 2.0
#: How much of the time that passes goes into that.
_SLEW = 0.05


def _boottime() -> float:
    """Seconds that nobody sets, and that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """`wall` is the machine's clock, `steady` one that only goes forward."""

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _boottime) -> None:
        self._wall = wall
        self._steady = steady
        self._last = steady()
        self._offset = wall() - self._last
        self._jumped: tuple[float, float] | None = None
        self.shifted = 0.0
        """By how much it has been set in all, in seconds: what was compared with it before is shifted by as much."""

    def now(self) -> float:
        """Seconds since the epoch."""
        steady = self._steady()
        passed, self._last = max(0.0, steady - self._last), steady
        off = self._wall() - (steady + self._offset)
        if abs(off) < _SLACK:
            self._jumped = None
            self._offset += min(max(off, -_SLEW * passed), _SLEW * passed)
        else:
            self._wait(off, steady)
        return steady + self._offset

    def _wait(self, off: float, steady: float) -> None:
        if self._jumped is None or abs(self._jumped[1] - off) > _SLACK:
            self._jumped = (steady, off)
            log.warning("the machine's clock has been set by %+.0f s; that counts if it lasts for %g s", off, PATIENCE)
        elif steady - self._jumped[0] >= PATIENCE:
            log.warning("the machine's clock stays set by %+.0f s, and is followed", off)
            self._jumped = None
            self._offset += off
            self.shifted += off


#: The one of this process.
CLOCK = Clock()


def now() -> float:
    """The time of this process's clock, in seconds since the epoch."""
    return CLOCK.now()


def shifted() -> float:
    """By how much this process's clock has been set in all; see `Clock`."""
    return CLOCK.shifted
