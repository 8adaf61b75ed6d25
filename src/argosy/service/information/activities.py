"""An activity as GLUE 2's ComputingActivity."""

from __future__ import annotations

from datetime import UTC, datetime

from argosy.languages.glue2 import Entity
from argosy.languages.native import Description, to_model
from argosy.model.projections import ARC_REST, EMI_ES, GES, GLUE2
from argosy.store import Activity

from .about import About
from .monitoring import facts

#: The description's language, as GLUE 2 names languages.
LANGUAGE = "argosy:json"


def utc(seconds: float | None) -> str | None:
    """A time as GLUE 2's DateTime_t, in whole seconds."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def activity_id(about: About, id: str) -> str:
    """The ComputingActivity's ID."""
    return about.urn("ComputingActivity", id)


def share_id(about: About, resource: str, queue: str | None) -> str:
    """The ComputingShare's ID; an activity without a queue is in the share of the resource as a whole."""
    return about.urn("ComputingShare", resource, *([queue] if queue else []))


def states(activity: Activity) -> list[str]:
    """Its state in every vocabulary that has a name in GLUE 2's states: BES's first."""
    known = facts(activity)
    glue2, emi, arc = GLUE2.project(known), EMI_ES.project(known), ARC_REST.project(known)
    return [
        glue2.state,
        *glue2.attributes,
        f"emies:{emi.state}",
        *(f"emiesattr:{attribute}" for attribute in emi.attributes),
        f"arcrest:{arc.state}",
        f"ges:{GES.project(known).state}",
    ]


def computing_activity(activity: Activity, about: About, description: Description | None = None) -> Entity:
    """The entity. `description` adds what was asked for, where it is to be told."""
    usage = activity.usage
    asked = {} if description is None else _asked(description)
    entity = Entity(
        "ComputingActivity",
        activity_id(about, activity.id),
        {
            "Type": "single" if activity.sweep is None else "collectionelement",
            "IDFromEndpoint": f"urn:argosy:activity:{activity.id}",
            "LocalIDFromManager": activity.native_id,
            "JobDescription": LANGUAGE,
            "State": states(activity),
            "ExitCode": activity.exit_code,
            "Error": [activity.reason] if activity.reason and activity.state == "failed" else [],
            "Owner": activity.owner,
            "RequestedApplicationEnvironment": list(activity.environments),
            "ExecutionNode": list(activity.hosts),
            "Queue": activity.queue,
            "UsedTotalWallTime": None if usage is None else _whole(usage.wall_seconds),
            "UsedTotalCPUTime": None if usage is None else _whole(usage.cpu_seconds),
            "UsedMainMemory": None if usage is None or usage.max_rss is None else usage.max_rss // 1_000_000,
            "SubmissionTime": utc(activity.created),
            "ComputingManagerSubmissionTime": utc(activity.submitted),
            "StartTime": utc(activity.started),
            "ComputingManagerEndTime": utc(activity.ended),
            "EndTime": utc(activity.final_at),
            "WorkingAreaEraseTime": utc(activity.expires),
            "OtherMessages": [activity.reason] if activity.reason and activity.state != "failed" else [],
            **asked,
        },
        {"EndpointID": [about.urn("ComputingEndpoint", "rest")]},
        name=activity.name,
        created=utc(activity.created),
        other_info=[] if activity.sweep is None else [f"sweep={activity.sweep}"],
    )
    if activity.resource is not None:
        entity.associations["ShareID"] = [share_id(about, activity.resource, activity.queue)]
    return entity


def _asked(description: Description) -> dict[str, str | int | list[str] | None]:
    spec = to_model(description).spec
    slots = spec.effective_resources.computed_core_count
    duration = spec.attributes.duration
    return {
        "RequestedSlots": slots,
        "RequestedTotalWallTime": None if duration is None else int(duration.total_seconds()) * slots,
        "StdIn": description.stdin,
        "StdOut": description.stdout,
        "StdErr": description.stderr,
    }


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)
