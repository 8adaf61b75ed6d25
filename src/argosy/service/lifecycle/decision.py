"""A decision: what an activity becomes, which the parts of the lifecycle put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from argosy.languages.native import Description
from argosy.model import ActivityDescription, ActivityState
from argosy.model.activity import RESTARTED, may_follow, may_restart
from argosy.store import Activity, Event

from .instructions import Instruction


@dataclass(frozen=True, slots=True)
class Needs:
    """What the description asks of the stages around the job, and whether a requeue may run the job again."""

    inputs: bool
    outputs: bool
    rerunnable: bool = False


def needs_of(description: ActivityDescription | Description) -> Needs:
    """What a description asks, as it was written or in the model's terms."""
    files = (*description.inputs, *description.outputs)
    return Needs(
        inputs=bool(description.inputs),
        outputs=any(not file.optional or file.targets for file in description.outputs)
        or any(file.delete_on_termination for file in files),
        rerunnable=description.rerunnable,
    )


@dataclass(slots=True)
class Decision:
    """The activity as it is to be, the events that tell of it, and what to do once they are recorded."""

    activity: Activity
    events: list[Event]
    instructions: list[Instruction]

    def move(self, state: ActivityState, now: float, message: str | None = None, **more: Any) -> None:
        """Go to a state, with an event."""
        old = self.activity
        kind = more.pop("kind", "state")
        if state is not old.state and not (may_restart if kind == RESTARTED else may_follow)(old.state, state):
            raise AssertionError(f"{old.id} cannot go from {old.state} to {state}; so far {self.events}")
        by = more.pop("by", None)
        time = max(more.pop("time", now), old.noted)
        detail = more.pop("detail", None)
        if state is ActivityState.FAILED:
            more.setdefault("failed_in", old.state)
        if old.waiting_for is not None:
            more.setdefault("waiting_for", None)
        self.activity = old.but(state=state, changed=now, reason=message, noted=time, **more)
        self.note(kind, time, message, by=by, detail=detail)

    def note(
        self,
        kind: str,
        time: float,
        message: str | None = None,
        *,
        by: str | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Tell of something."""
        # The clocks of job hosts differ, and reports come late; the history stays in order all the same.
        time = max(time, self.activity.noted)
        if time != self.activity.noted:
            self.activity = self.activity.but(noted=time)
        self.events.append(Event(self.activity.id, time, kind, self.activity.state, message, by, detail))
