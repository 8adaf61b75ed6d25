"""An activity as what one look at a batch system shows of a job, for `JobExecutor.info`."""

from __future__ import annotations

from datetime import datetime

from argosy.languages.documents import ActivityDocument
from argosy.model import ActivityState, Observation, Outcome, Phase, Usage

_S = ActivityState
_PHASES = {
    _S.HELD: Phase.HELD,
    _S.LRMS_HOLD: Phase.HELD,
    _S.LRMS_RUNNING: Phase.RUNNING,
    _S.SUSPENDED: Phase.SUSPENDED,
    _S.LRMS_OTHER: Phase.OTHER,
    _S.LRMS_FINISHED: Phase.ENDING,
    _S.STAGING_OUT: Phase.ENDING,
    _S.STAGED_OUT: Phase.ENDING,
    _S.TERMINATING: Phase.ENDING,
}
#: What kept a failed one from running to its end only its reason tells.
_OUTCOMES = {_S.FINISHED: Outcome.EXITED, _S.TERMINATED: Outcome.CANCELLED}


def observed(activity: ActivityDocument) -> Observation:
    """What the service tells of an activity, in a batch system's terms."""
    state = ActivityState(activity.state)
    used = activity.usage
    return Observation(
        activity.id,
        Phase.ENDED if state.final else _PHASES.get(state, Phase.QUEUED),
        activity.state,
        outcome=_OUTCOMES.get(state),
        reason=activity.reason,
        exit_code=activity.exit_code,
        signal=activity.signal,
        name=activity.name,
        queue=activity.share,
        hosts=tuple(activity.hosts),
        submitted=_seconds(activity.submitted or activity.created),
        started=_seconds(activity.started),
        ended=_seconds(activity.ended),
        start_estimate=_seconds(activity.start_estimate),
        usage=None if used is None else Usage(used.cpu_seconds, used.wall_seconds, used.max_rss),
    )


def _seconds(time: str | None) -> float | None:
    return None if time is None else datetime.fromisoformat(time).timestamp()
