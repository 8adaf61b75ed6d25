"""For those who run the service, over HTTP: drain it, see what it is doing, stop it gently; and everybody's counts."""

from __future__ import annotations

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler

from argosy.endpoints.limiting import Callers
from argosy.languages.documents import (
    DrainDocument,
    DrainedDocument,
    ErrorDocument,
    ReadyDocument,
    ResourceStatus,
    ServiceStatus,
    StopDocument,
    TroubleDocument,
    WorkerStatus,
    WorkStatus,
)
from argosy.model import Unavailable
from argosy.service.administration.figures import Overview, ResourceFigures
from argosy.service.caller import Caller
from argosy.service.contract import Operations

from . import bodies, render
from .parameter_types import ApiRequest

_drain = msgspec.json.Decoder(DrainDocument)
#: When to ask again whether it is ready, in seconds.
_AGAIN = 10.0
_stop = msgspec.json.Decoder(StopDocument)


def administration_routes(operations: Operations, callers: Callers) -> list[HTTPRouteHandler]:
    """The routes under ``/admin``, and the caller's counts."""

    async def status(caller: Caller) -> ServiceStatus:
        return _status(await operations.overview(caller), callers.streams())

    @get("/admin/status", operation_id="admin_status", summary="What the service is doing", opt={"problems": (503,)})
    async def look(request: ApiRequest) -> ServiceStatus:
        return await status(request.user)

    @get(
        "/ready",
        operation_id="ready",
        summary="Whether requests can be taken; nobody is asked who it is",
        opt={"problems": (503,)},
    )
    async def ready() -> ReadyDocument:
        if parts := operations.unready:
            raise Unavailable(f"no requests can be taken now: {', '.join(parts)}", retry_after=_AGAIN)
        return ReadyDocument(ready=True)

    @post(
        "/admin/drain",
        status_code=204,
        operation_id="admin_drain",
        summary="Take no new activities, across restarts too; everything else goes on",
        opt={"body": DrainDocument, "body_optional": True, "problems": (400, 415, 422, 503)},
    )
    async def drain(request: ApiRequest) -> None:
        bodies.check_type(request.headers.get("content-type", ""))
        asked = bodies.decode(await request.body() or b"{}", _drain)
        await operations.drain(request.user, message=asked.message, retry_after=asked.retry_after)

    @post(
        "/admin/resume",
        status_code=204,
        operation_id="admin_resume",
        summary="Take new activities again",
        opt={"problems": (503,)},
    )
    async def admit(request: ApiRequest) -> None:
        await operations.admit(request.user)

    @post(
        "/admin/stop",
        status_code=202,
        operation_id="admin_stop",
        summary="Finish what is being recorded, submitted and transferred, then stop; jobs go on",
        opt={"body": StopDocument, "body_optional": True, "problems": (400, 415, 422, 503)},
    )
    async def stop(request: ApiRequest) -> None:
        bodies.check_type(request.headers.get("content-type", ""))
        asked = bodies.decode(await request.body() or b"{}", _stop)
        await operations.stop(request.user, within=asked.within)

    @get(
        "/activities/counts",
        operation_id="count_activities",
        summary="How many activities the caller has in each state",
        opt={"problems": (503,)},
    )
    async def counts(request: ApiRequest) -> dict[str, int]:
        return await operations.counts(request.user)

    return [look, ready, drain, admit, stop, counts]


def _status(seen: Overview, streams: int) -> ServiceStatus:
    drain = seen.drain
    return ServiceStatus(
        worker=seen.worker,
        started=render.utc(seen.started),
        uptime=round(seen.now - seen.started, 3),
        drained=None
        if drain is None
        else DrainedDocument(
            by=drain.by, since=render.utc(drain.since), message=drain.message, retry_after=drain.retry_after
        ),
        stopping=seen.stopping,
        activities=seen.store.states,
        resources=[_resource(one) for one in seen.resources],
        unplaced=seen.unplaced,
        work=WorkStatus(
            waiting=seen.work.waiting,
            recording=seen.work.recording,
            performing=seen.work.performing,
            trying_again=seen.work.trying_again,
        ),
        chores=seen.store.chores,
        streams=streams,
        workers=[WorkerStatus(name=name, until=render.utc(until)) for name, until in seen.store.workers.items()],
        store_bytes=seen.store.bytes,
        troubles=[
            TroubleDocument(part=one.part, name=one.name, since=render.utc(one.since), words=one.words)
            for one in seen.troubles
        ],
    )


def _resource(one: ResourceFigures) -> ResourceStatus:
    error = one.last_error
    return ResourceStatus(
        resource=one.resource,
        system=one.system,
        opened=one.opened,
        why_unknown=one.why_unknown,
        unfinished=one.unfinished,
        last_error=None
        if error is None
        else ErrorDocument(time=render.utc(error.time), doing=error.doing, words=error.words),
    )
