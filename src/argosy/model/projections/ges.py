"""GES's own states, which the service has."""

from __future__ import annotations

from argosy.model.activity import TRANSITIONS, ActivityState

from .contract import InformationModel, Projected

GES = InformationModel(
    "ges",
    "GES requirements, section 5.1",
    {state: Projected(state.value) for state in ActivityState},
    {state.value: frozenset(after.value for after in following) for state, following in TRANSITIONS.items()},
)
