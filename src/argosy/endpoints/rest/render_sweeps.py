"""Sweeps as they are shown: from the service's records to the documents of the interface."""

from __future__ import annotations

from argosy.languages.sweeps.answers import SweepDocument, SweepEventDocument
from argosy.service.contract import Sweep, SweepEvent
from argosy.service.sweeps.contract import SweepStatus

from . import render

ROOT = "/v1/sweeps/"


def sweep(record: Sweep) -> SweepDocument:
    """A sweep as its owner sees it, its open activities counted together."""
    return _rendered(record, {"open": record.open} if record.open > 0 else {})


def status(found: SweepStatus) -> SweepDocument:
    """A sweep as its owner sees it, its open activities counted by their states."""
    return _rendered(found.sweep, dict(found.states))


def _rendered(sweep: Sweep, open_ones: dict[str, int]) -> SweepDocument:
    here = ROOT + sweep.id
    ended = sweep.finished + sweep.failed + sweep.terminated
    activities = f"{render.ROOT.rstrip('/')}?sweep={sweep.id}"
    counts = {
        "not-made": sweep.total - sweep.next,
        **open_ones,
        "finished": sweep.finished,
        "failed": sweep.failed,
        "terminated": sweep.terminated,
    }
    return SweepDocument(
        id=sweep.id,
        state=sweep.state.value,
        final=sweep.state.final,
        owner=sweep.owner,
        created=render.utc(sweep.created),
        changed=render.utc(sweep.changed),
        version=sweep.version,
        total=sweep.total,
        made=sweep.made,
        ended=ended,
        progress=round((ended + sweep.refused) / sweep.total, 6),
        counts={state: count for state, count in counts.items() if count},
        failures=sweep.failures,
        nonzero=sweep.nonzero,
        refused=sweep.refused,
        name=sweep.name,
        window=sweep.window,
        stop_after_failures=sweep.stop_after,
        share=sweep.share,
        reason=sweep.reason,
        ended_by=sweep.by,
        ended_at=None if sweep.final_at is None else render.utc(sweep.final_at),
        expires=None if sweep.expires is None else render.utc(sweep.expires),
        purging=sweep.purging,
        links={
            "self": here,
            "events": here + "/events",
            "stream": here + "/stream",
            "description": here + "/description",
            "activities": activities,
            "failed": activities + "&state=failed",
        },
    )


def event(recorded: SweepEvent) -> SweepEventDocument:
    """What has happened to a sweep."""
    return SweepEventDocument(
        seq=recorded.seq,
        sweep=recorded.sweep,
        time=render.utc(recorded.time),
        kind=recorded.kind,
        state=recorded.state.value,
        message=recorded.message,
        by=recorded.by,
        index=recorded.index,
    )
