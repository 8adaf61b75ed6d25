"""The requests of Rimrock's clients, and their answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Self
from urllib.parse import parse_qs, unquote

import msgspec
from litestar.types import HTTPScope, Receive, Send
from msgspec import Meta, Struct

from argosy.endpoints.contract import Endpoint, Surroundings
from argosy.endpoints.rest.bodies import check_key, decode
from argosy.endpoints.rest.streaming import request_body
from argosy.identity import Refused
from argosy.model import (
    ArgosyError,
    Conflict,
    InvalidInput,
    LimitExceeded,
    NotAllowed,
    NotFound,
    SubmitException,
    Unavailable,
)
from argosy.service.caller import Caller
from argosy.service.contract import Activity, Created, CreateRequest, Query

from . import documents, jobs
from .documents import Fault, Job, Printed, fault

log = logging.getLogger(__name__)

_STATUS: dict[type[ArgosyError], HTTPStatus] = {
    InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    Refused: HTTPStatus.FORBIDDEN,
    NotAllowed: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    LimitExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    ArgosyError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
_BODY = 2 * 1024 * 1024
_PAGE = 1000
_AUTHORITY = re.compile(r"[A-Za-z0-9._~\[\]:-]+", re.ASCII)


class _Options(Struct, forbid_unknown_fields=True, kw_only=True):
    hosts: dict[str, str]
    timeout: Annotated[float, Meta(gt=0, le=300)] = 20.0
    process_timeout: Annotated[float, Meta(gt=0, le=300)] = 10.0
    url: str | None = None


class _TimedOut(Exception):
    """What was asked for takes longer than a client waits."""

    def __init__(self, message: str, printed: str = "", complained: str = "") -> None:
        super().__init__(message)
        self.fault = fault(message, printed=printed, complained=complained)


class Rimrock(Endpoint):
    """``/api/jobs`` and ``/api/process``.

    `hosts` has the resource that each host's name means; no other host is reached. `timeout` is how long a request
    waits for the batch system, `process_timeout` how long a command may run, in seconds; `url` is the address
    by which clients reach this service, where that is not the one they send as Host.
    """

    prefix = "/api/"

    def __init__(self, surroundings: Surroundings, options: _Options) -> None:
        self._operations = surroundings.operations
        self._identify = surroundings.identify
        self._callers = surroundings.callers
        self._hosts = options.hosts
        self._timeout = options.timeout
        self._limit = options.process_timeout
        self._url = options.url.rstrip("/") if options.url else None

    @classmethod
    def from_config(cls, options: Mapping[str, Any], surroundings: Surroundings) -> Self:
        try:
            read = msgspec.convert(dict(options), type=_Options)
        except msgspec.ValidationError as error:
            message, _, at = str(error).partition(" - at `$.")
            raise InvalidInput(message, element=".".join(filter(None, ("endpoints.rimrock", at.rstrip("`"))))) from None
        for host, resource in read.hosts.items():
            if resource not in surroundings.resources:
                known = ", ".join(surroundings.resources)
                raise InvalidInput(
                    f"there is no resource {resource!r}; there are {known}", element=f"endpoints.rimrock.hosts.{host}"
                )
        return cls(surroundings, read)

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        headers: dict[str, str] = {}
        status, body = await self._answered(scope, receive, headers)
        if status == HTTPStatus.UNAUTHORIZED:
            headers["www-authenticate"] = "PROXY"
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.setdefault("retry-after", "5")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["allow"] = _allowed(_path(scope))
        content = b"" if body is None else msgspec.json.encode(body)
        if status != HTTPStatus.NO_CONTENT:
            headers |= {"content-type": "application/json", "content-length": str(len(content))}
        headers["cache-control"] = "no-store"
        fields = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": int(status), "headers": fields})
        await send({"type": "http.response.body", "body": content, "more_body": False})

    async def _answered(self, scope: HTTPScope, receive: Receive, headers: dict[str, str]) -> tuple[HTTPStatus, object]:
        """The status and the document; `headers` get what there is to say besides."""
        try:
            caller = await self._identify(scope)
            if caller is None:
                message = "send your proxy certificate, in base64 on one line, as the header PROXY"
                return HTTPStatus.UNAUTHORIZED, fault(message)
            return await self._limited(caller, scope, receive, headers)
        except _TimedOut as error:
            return HTTPStatus.REQUEST_TIMEOUT, error.fault
        except ArgosyError as error:
            if error.retry_after is not None:
                headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
            return _status(error), fault(_words(error))
        except Exception:  # logged, and answered without a word of it
            log.exception("unexpected error in a request to %s", scope["path"])
            return HTTPStatus.INTERNAL_SERVER_ERROR, fault("the service failed unexpectedly; its log says more")

    async def _limited(
        self, caller: Caller, scope: HTTPScope, receive: Receive, headers: dict[str, str]
    ) -> tuple[HTTPStatus, object]:
        try:
            self._callers.enter(caller.name, stream=False)
        finally:
            told = self._callers.headers(caller.name)
            headers |= {name.decode("latin-1"): value.decode("latin-1") for name, value in told}
        try:
            return await self._route(caller, scope, receive)
        finally:
            self._callers.leave(caller.name, stream=False)

    async def _route(self, caller: Caller, scope: HTTPScope, receive: Receive) -> tuple[HTTPStatus, object]:
        method, path = scope["method"], _path(scope)
        base = self._url or _base(scope)
        match method, path:
            case "POST", ["jobs"]:
                return HTTPStatus.CREATED, await self._submit(caller, await _body(receive), base, _key(scope))
            case "GET", ["jobs"]:
                query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
                return HTTPStatus.OK, await self._list(caller, query.get("tag", [None])[0], base)
            case "GET", ["jobs", id]:
                return HTTPStatus.OK, jobs.job(await self._find(caller, id), base)
            case "PUT", ["jobs", id]:
                await self._act(caller, id, await _body(receive))
                return HTTPStatus.NO_CONTENT, None
            case "DELETE", ["jobs", id]:
                await self._delete(caller, id)
                return HTTPStatus.NO_CONTENT, None
            case "POST", ["process"]:
                return HTTPStatus.OK, await self._process(caller, await _body(receive))
        if _allowed(path):
            return HTTPStatus.METHOD_NOT_ALLOWED, fault(f"{method} is not for this address: {_allowed(path)}")
        return HTTPStatus.NOT_FOUND, fault("there is nothing at this address; there are /api/jobs and /api/process")

    # -- jobs -------------------------------------------------------------------------------------

    async def _submit(self, caller: Caller, body: bytes, base: str, key: str | None) -> Job:
        asked = decode(body, documents.submissions)
        description = jobs.described(asked, self._hosts)
        (made,) = await self._operations.create(caller, [CreateRequest(description, key)])
        if isinstance(made, ArgosyError):
            raise jobs.refused(made, asked, description)
        activity = await self._submitted(caller, made)
        if activity.state.final and activity.native_id is None and not made.existed:
            # It never was the batch system's: its words are the answer, and nothing is left of it.
            await self._operations.purge(caller, [activity.id])
            raise SubmitException(activity.reason or f"{asked.host} did not take the job")
        return jobs.job(activity, base)

    async def _submitted(self, caller: Caller, made: Created) -> Activity:
        """The activity once the batch system has it, has refused it, or the client has waited for long enough.

        In the last case it goes on all the same: it is recorded, and known by its own id.
        """
        id = made.activity.id
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                events: AsyncIterator[object] = self._operations.stream(caller, [id], after=0)
                async for _ in events:
                    activity = await self._status(caller, id)
                    if activity.native_id is not None or activity.state.final:
                        return activity
        return await self._status(caller, id)

    async def _status(self, caller: Caller, id: str) -> Activity:
        (found,) = await self._operations.status(caller, [id])
        if isinstance(found, ArgosyError):
            raise found
        return found

    async def _list(self, caller: Caller, tag: str | None, base: str) -> list[Job]:
        found: list[Job] = []
        for host in self._hosts:
            tags = ((jobs.HOST, host),) + (() if tag is None else ((jobs.TAG, tag),))
            after: str | None = None
            while True:
                page, after = await self._operations.page(caller, Query(tags=tags, after=after, limit=_PAGE))
                found += [jobs.job(one, base) for one in page]
                if after is None:
                    break
        return found

    async def _find(self, caller: Caller, job_id: str) -> Activity:
        """The caller's job of that id. Somebody else's answers as one that there is not."""
        head, _, host = job_id.partition(".")
        asked = [Query(native_id=job_id, limit=10)]
        if host in self._hosts:
            asked.append(Query(native_id=head, resource=self._hosts[host], limit=10))
        for query in asked:
            page, _ = await self._operations.page(caller, query)
            for activity in page:  # the newest first: a batch system may count from one again
                if activity.tags.get(jobs.HOST) in self._hosts:
                    return activity
        with contextlib.suppress(NotFound):
            activity = await self._status(caller, head)
            if activity.owner == caller.name and activity.tags.get(jobs.HOST) == host:
                return activity
        raise NotFound(f"Job with {job_id} not found")

    async def _act(self, caller: Caller, job_id: str, body: bytes) -> None:
        asked = decode(body, documents.actions)
        if asked.action.lower() != "abort":
            raise InvalidInput(f"action: {asked.action!r} is not known; there is abort", element="action")
        activity = await self._find(caller, job_id)
        (done,) = await self._operations.terminate(caller, [activity.id])
        if isinstance(done, ArgosyError):
            raise done

    async def _delete(self, caller: Caller, job_id: str) -> None:
        activity = await self._find(caller, job_id)
        try:
            async with asyncio.timeout(self._timeout):
                (refused,) = await self._operations.purge(caller, [activity.id], terminate=True)
        except TimeoutError:
            raise _TimedOut(
                f"{job_id} is being cancelled, and has not ended within {self._timeout:g} s; delete it once more"
            ) from None
        if refused is not None and not isinstance(refused, NotFound):
            raise refused

    # -- commands ---------------------------------------------------------------------------------

    async def _process(self, caller: Caller, body: bytes) -> Printed:
        asked = decode(body, documents.processes)
        resource = jobs.resource_of(asked.host, self._hosts)
        done = await self._operations.run_command(
            caller, resource, asked.command, directory=jobs.directory(asked.working_directory), limit=self._limit
        )
        if done.exit_code is None:
            raise _TimedOut(
                f"timeout occurred: the command was ended after {self._limit:g} s", done.stdout, done.stderr
            )
        return Printed(status="OK", exit_code=done.exit_code, standard_output=done.stdout, error_output=done.stderr)


def _status(error: ArgosyError) -> HTTPStatus:
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def _words(error: ArgosyError) -> str:
    """Rimrock has no place for the element at fault but its message."""
    element = error.element if isinstance(error, InvalidInput) else None
    return error.message if element is None or element in error.message else f"{element}: {error.message}"


def _path(scope: HTTPScope) -> list[str]:
    # Not scope["path"], in which a %2F has become a slash already.
    raw = scope["raw_path"].partition(b"?")[0].decode("latin-1")
    return [unquote(part) for part in raw.removeprefix(Rimrock.prefix).rstrip("/").split("/")]


def _allowed(path: list[str]) -> str:
    match path:
        case ["jobs"]:
            return "GET, POST"
        case ["jobs", _]:
            return "DELETE, GET, PUT"
        case ["process"]:
            return "POST"
    return ""


def _header(scope: HTTPScope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def _base(scope: HTTPScope) -> str:
    host = _header(scope, b"host") or ""
    if not _AUTHORITY.fullmatch(host):
        raise InvalidInput("the header Host is missing, or is no host", element="Host")
    return f"{scope['scheme']}://{host}"


def _key(scope: HTTPScope) -> str | None:
    return check_key(_header(scope, b"idempotency-key"), "Idempotency-Key")


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    async for piece in request_body(receive):
        body += piece
        if len(body) > _BODY:
            raise InvalidInput(f"the body has more than {_BODY} bytes")
    return bytes(body)


__all__ = ["Fault", "Rimrock"]
