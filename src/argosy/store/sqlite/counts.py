"""The counts of a sweep's ended activities, moved in the transaction that ends one."""

from __future__ import annotations

from argosy.model import ActivityState
from argosy.store.records import Activity

from .queries import SQL
from .writer import Written


def count_ended(tx: Written, sweep: str, before: Activity | None, after: Activity) -> None:
    """Count an activity of a sweep that has ended; `before` is its record where it had ended before."""
    added, taken = _counts(after), _counts(before)
    change = tuple(a - b for a, b in zip(added, taken, strict=True))
    if any(change):
        tx.db.execute(SQL["count_ended"], (*change, sweep))


def _counts(activity: Activity | None) -> tuple[int, int, int, int]:
    """What it adds to finished, nonzero, failed and terminated."""
    state = None if activity is None else activity.state
    if activity is None or state is None or not state.final:
        return 0, 0, 0, 0
    finished = state is ActivityState.FINISHED
    nonzero = finished and (activity.exit_code != 0 or activity.signal is not None)
    return int(finished), int(nonzero), int(state is ActivityState.FAILED), int(state is ActivityState.TERMINATED)
