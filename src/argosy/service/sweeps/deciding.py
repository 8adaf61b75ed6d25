"""What a sweep needs next, as a pure function of its record."""

from __future__ import annotations

from dataclasses import dataclass

from argosy.model.sweep import SweepState
from argosy.store import Sweep, SweepEvent

_S = SweepState


@dataclass(frozen=True, slots=True)
class Expand:
    """Make so many activities at most, from `Sweep.next` on."""

    most: int


@dataclass(frozen=True, slots=True)
class Become:
    """Go to a state."""

    state: SweepState
    reason: str | None = None


class EndActivities:
    """See to it that each of its activities is being ended."""


class Remove:
    """Remove its activities, those that have not ended once they have, and then itself."""


class Wait:
    """Nothing, until one of its activities ends or somebody asks for something."""


Step = Expand | Become | EndActivities | Remove | Wait


def next_step(sweep: Sweep) -> Step:
    """What to do next. Each step may be done again after a crash."""
    match sweep.state:
        case _S.RUNNING | _S.HELD if sweep.stop_after is not None and sweep.failures >= sweep.stop_after:
            return Become(
                _S.TERMINATING, f"{sweep.failures} of its jobs failed; it was to stop after {sweep.stop_after}"
            )
        case _S.RUNNING if sweep.next < sweep.total:
            room = min(sweep.window - sweep.open, sweep.total - sweep.next)
            return Expand(room) if room > 0 else Wait()
        case _S.RUNNING if sweep.open <= 0:
            return Become(_S.FINISHED, _how_it_ended(sweep))
        case _S.TERMINATING if sweep.open <= 0:
            # What nobody asked for was decided by its own rule.
            return Become(_S.FAILED if sweep.by is None else _S.TERMINATED, sweep.reason)
        case _S.TERMINATING:
            return EndActivities()
        case _ if sweep.state.final and sweep.purging:
            return Remove()
    return Wait()


def _how_it_ended(sweep: Sweep) -> str | None:
    told = [
        f"{count} {what}"
        for count, what in (
            (sweep.failed, "failed"),
            (sweep.nonzero, "ended with another exit code than 0"),
            (sweep.terminated, "were terminated"),
            (sweep.refused, "could not be made"),
        )
        if count
    ]
    return f"of {sweep.total} jobs " + ", ".join(told) if told else None


def become(
    sweep: Sweep, state: SweepState, now: float, retention: float, *, reason: str | None = None, by: str | None = None
) -> tuple[Sweep, SweepEvent]:
    """The record in another state, and the event that tells of it."""
    changed = sweep.but(state=state, changed=now, reason=reason)
    if state is _S.TERMINATING and by is not None:
        changed = changed.but(by=by)
    if state.final:
        changed = changed.but(final_at=now, expires=now + retention, worker=sweep.worker if sweep.purging else None)
    return changed, SweepEvent(sweep.id, now, "state", state, reason, by)
