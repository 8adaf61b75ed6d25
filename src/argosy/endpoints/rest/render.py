"""Records as documents. Nothing here decides anything."""

from __future__ import annotations

import functools
import math
import os
from urllib.parse import quote, unquote

from argosy.languages.documents import (
    ActivityDocument,
    EnvironmentDocument,
    EventDocument,
    FileDocument,
    ParameterDocument,
    Result,
    ShareDocument,
    TransferDocument,
    UsageDocument,
)
from argosy.model import ActivityState, ArgosyError, RuntimeEnvironment
from argosy.model.actions import Action
from argosy.model.projections import psij
from argosy.service.contract import Activity, Event, FileInfo, ResourceShare
from argosy.service.files.progress import Transfer

from .problems import problem
from .ranges import as_date

ROOT = "/v1/activities/"
#: Times before this one, which is in the year 9999, are written the short way.
_FAR = 253_402_300_000.0


def utc(seconds: float) -> str:
    """RFC 3339, to the millisecond. Years that it has no form for are taken for the nearest that it has."""
    if not 0 <= seconds < _FAR:
        return as_date(seconds).isoformat(timespec="milliseconds")[:-6] + "Z"
    fraction, whole = math.modf(seconds)
    micros = round(fraction * 1e6)  # as datetime rounds it
    return f"{_second(int(whole) + micros // 1_000_000)}.{micros % 1_000_000 // 1000:03d}Z"


@functools.lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return as_date(seconds).isoformat()[:-6]


def _utc(seconds: float | None) -> str | None:
    return None if seconds is None else utc(seconds)


def activity(record: Activity) -> ActivityDocument:
    """An activity as its owner sees it."""
    here = ROOT + record.id
    share = record.resource
    if share is not None and record.queue is not None:
        share += "/" + record.queue
    return ActivityDocument(
        id=record.id,
        state=record.state.value,
        psij_state=psij(record.state, record.exit_code).name,
        final=record.state.final,
        owner=record.owner,
        created=utc(record.created),
        changed=utc(record.changed),
        version=record.version,
        name=record.name,
        share=share,
        native_id=record.native_id,
        submitted=_utc(record.submitted),
        started=_utc(record.started),
        ended=_utc(record.ended),
        exit_code=record.exit_code,
        signal=record.signal,
        reason=record.reason,
        waiting_for=record.waiting_for,
        hosts=list(record.hosts),
        start_estimate=_utc(record.start_estimate),
        usage=None
        if record.usage is None
        else UsageDocument(
            cpu_seconds=record.usage.cpu_seconds,
            wall_seconds=record.usage.wall_seconds,
            max_rss=record.usage.max_rss,
        ),
        expires=_utc(record.expires),
        asked=None if record.wish is None or record.wish.done else record.wish.action.value,
        held=_held(record),
        waiting_since=_utc(record.waiting_since),
        environments=list(record.environments),
        tags=record.tags,
        sweep=record.sweep,
        parameters=record.parameters or {},
        links={
            "self": here,
            "description": here + "/description",
            "events": here + "/events",
            "files": here + "/files",
            "transfers": here + "/transfers",
        },
    )


def _held(record: Activity) -> bool:
    if record.state in (ActivityState.HELD, ActivityState.LRMS_HOLD):
        return True
    return record.wish is not None and record.wish.done and record.wish.action is Action.HOLD


def result(element: Activity | ArgosyError) -> Result:
    """One element of a vector's answer."""
    if isinstance(element, ArgosyError):
        return Result(problem=problem(element))
    return Result(activity=activity(element))


def event(record: Event) -> EventDocument:
    """One event."""
    return EventDocument(
        seq=record.seq,
        activity=record.activity,
        time=utc(record.time),
        kind=record.kind,
        state=record.state.value,
        message=record.message,
        by=record.by,
        detail=record.detail,
    )


def transfer(moved: Transfer) -> TransferDocument:
    """One file that is being moved, or was."""
    return TransferDocument(
        direction=moved.direction,
        path=moved.path,
        place=moved.place,
        moved=moved.moved,
        total=moved.total,
        seconds=round(moved.seconds, 3),
        rate=round(moved.rate),
        began=utc(moved.began),
        ended=_utc(moved.ended),
        error=moved.error,
    )


def share(offered: ResourceShare) -> ShareDocument:
    """One queue of one resource. A resource without queues has a share without a name."""
    of = offered.share
    return ShareDocument(
        share=f"{offered.resource}/{of.name}" if of.name else offered.resource,
        resource=offered.resource,
        queue=of.name or None,
        system=offered.system,
        available=of.available,
        default=of.default,
        why_not=of.why_not,
        nodes=of.nodes,
        cores=of.cores,
        cores_per_node=of.cores_per_node,
        free_cores=of.free_cores,
        memory_per_node=of.memory_per_node,
        gpus_per_node=of.gpus_per_node,
        max_nodes=of.max_nodes,
        max_wall=of.max_wall,
        max_cores=of.max_cores,
        nodes_up=of.nodes_up,
        jobs_running=of.jobs_running,
        jobs_waiting=of.jobs_waiting,
        expected_wait=of.expected_wait,
        architectures=list(of.architectures),
        operating_systems=list(of.operating_systems),
        features=list(of.features),
        labels=list(of.labels),
        restricted=of.restricted,
    )


def environment(offered: RuntimeEnvironment) -> EnvironmentDocument:
    """One runtime environment. How it is prepared is its administrator's affair."""
    return EnvironmentDocument(
        name=offered.name,
        version=offered.version,
        description=offered.description,
        container=offered.container is not None,
        parameters=[
            ParameterDocument(
                name=one.name,
                variable=one.variable,
                description=one.description,
                default=one.default,
                allowed=list(one.allowed),
            )
            for one in offered.parameters
        ],
        shares=list(offered.shares),
    )


def file(id: str, info: FileInfo) -> FileDocument:
    """One entry of a session directory."""
    return FileDocument(
        path=os.fsencode(info.path).decode(errors="replace"),
        type=info.type,
        size=info.size,
        modified=utc(info.modified),
        executable=info.executable,
        etag=info.etag,
        href=f"{ROOT}{id}/files/{quote_path(info.path)}",
    )


def quote_path(path: str) -> str:
    """A path as a part of a URL; names that are no UTF-8 keep their bytes."""
    return quote(os.fsencode(path))


def unquote_path(text: str) -> str:
    """The path that `quote_path` was given."""
    return unquote(text, errors="surrogateescape")
