"""Session directories over HTTP: listings, whole files and parts of them, uploads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar import Response, delete, put, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.types import ASGIApp, OperationIDCreator, Scope

from argosy.languages.documents import FileDocument, FilePage
from argosy.model import InvalidInput, NotAllowed, NotFound
from argosy.service.caller import Caller
from argosy.service.contract import FileInfo, OpenFile, Operations

from . import render
from .bodies import MAX_NUMBER
from .following import Following
from .parameter_types import ApiRequest, Cursor
from .problems import HttpError
from .ranges import Part, conditions, decide, http_date
from .streaming import Answer, request_body

#: How much is read at a time, in bytes.
CHUNK = 512 * 1024
#: Up to this much is read without the help of a thread, in bytes.
_SMALL = 64 * 1024

#: The headers of `ranges.conditions`.
CHANGED = ("If-Match", "If-None-Match", "If-Unmodified-Since")

#: What a job wrote is never to be run by a browser that shows it.
_PLAIN = {"content-type": "application/octet-stream", "x-content-type-options": "nosniff"}

Limit = Annotated[int, QueryParameter(ge=1, le=10_000, description="Entries on a page.")]


def file_routes(operations: Operations, closing: asyncio.Event) -> list[HTTPRouteHandler]:
    """The routes under an activity's ``files``."""

    async def read(
        request: ApiRequest, id: str, cursor: str | None, limit: int, *, follow: bool = False, start: int = 0
    ) -> ASGIApp:
        path = path_of(request.scope)
        opened = await operations.open_file(request.user, id, path)
        if isinstance(opened, OpenFile):
            if follow:
                growing = Following(operations, request.user, id, opened, start, closing)
                return Answer(HTTPStatus.OK, {**_PLAIN, "cache-control": "no-store"}, growing)
            return _file(request, opened)
        if opened.type != "directory":
            raise InvalidInput(f"{path!r} is neither a file nor a directory, and cannot be read", element="path")
        after = None if not cursor else render.unquote_path(cursor)
        entries, following = await operations.list_files(request.user, id, path, after=after, limit=limit)
        page = FilePage(
            items=[render.file(id, entry) for entry in entries],
            next=None if following is None else render.quote_path(following),
        )
        body = msgspec.json.encode(page)
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        return Answer(HTTPStatus.OK, headers, _one(body))

    @route(
        "/activities/{id:str}/files",
        http_method=["GET", "HEAD"],
        operation_id=_named("list_files"),
        summary="List the session directory",
        opt={"answers": {200: FilePage}, "problems": (404, 422, 503)},
    )
    async def root(request: ApiRequest, id: FromPath[str], cursor: Cursor = None, limit: Limit = 1000) -> ASGIApp:
        return await read(request, id, cursor, limit)

    @route(
        "/activities/{id:str}/files/{path:path}",
        http_method=["GET", "HEAD"],
        operation_id=_named("get_file"),
        summary="Read a file (Range, If-Range, If-Match, If-None-Match), or follow it; or list a directory",
        opt={
            "answers": {200: (FilePage, "application/octet-stream"), 206: "application/octet-stream", 304: None},
            "headers": (*CHANGED, "If-Modified-Since", "Range", "If-Range"),
            "problems": (404, 412, 416, 422, 503),
        },
    )
    async def get_file(
        request: ApiRequest,
        id: FromPath[str],
        path: FromPath[str],
        cursor: Cursor = None,
        limit: Limit = 1000,
        follow: Annotated[
            bool, QueryParameter(description="Send what is added too, until the activity has ended. Without Range.")
        ] = False,
        start: Annotated[int, QueryParameter(ge=0, le=MAX_NUMBER, description="With follow: the first byte.")] = 0,
    ) -> ASGIApp:
        del path  # the server has decoded it once too often: %2F is no separator
        return await read(request, id, cursor, limit, follow=follow, start=start)

    @put(
        "/activities/{id:str}/files/{path:path}",
        operation_id="put_file",
        summary="Write a file, whole or not at all; before the job is submitted, or while it runs if it is interactive",
        opt={
            "body": "application/octet-stream",
            "answers": {200: FileDocument, 201: FileDocument},
            "headers": (*CHANGED, "X-Executable"),
            "problems": (400, 404, 409, 412, 415, 422, 503, 507),
        },
    )
    async def put_file(
        request: ApiRequest,
        id: FromPath[str],
        path: FromPath[str],
        executable: Annotated[bool, QueryParameter(description="Or the header X-Executable: true.")] = False,
    ) -> Response[FileDocument]:
        del path
        name = path_of(request.scope)
        executable = executable or request.headers.get("x-executable", "").lower() in ("true", "1")
        if "content-range" in request.headers:
            raise HttpError(
                HTTPStatus.BAD_REQUEST,
                "content-range",
                "a file is written whole, not in parts; send all of it, without Content-Range (RFC 9110, 14.5)",
            )
        existed = await _exists(operations, request.user, id, name)
        content = request_body(request.receive)
        asked = conditions(request.headers)
        info = await operations.put_file(request.user, id, name, content, executable=executable, conditions=asked)
        document = render.file(id, info)
        return Response(
            document,
            status_code=HTTPStatus.OK if existed else HTTPStatus.CREATED,
            headers={"Location": document.href, "ETag": info.etag},
        )

    @delete(
        "/activities/{id:str}/files/{path:path}",
        operation_id="delete_file",
        summary="Remove a file, an empty directory or a link, before the job is submitted",
        opt={"headers": CHANGED, "problems": (404, 409, 412, 422, 503)},
    )
    async def delete_file(request: ApiRequest, id: FromPath[str], path: FromPath[str]) -> None:
        del path
        asked = conditions(request.headers)
        await operations.delete_file(request.user, id, path_of(request.scope), conditions=asked)

    return [root, get_file, put_file, delete_file]


def path_of(scope: Scope) -> str:
    """The path inside the session directory that a request is about, from the target as the client wrote it.

    Each part is decoded once. The directory itself is ``.``; whether a path leads out of it is not for us to say.
    """
    raw = scope["raw_path"].decode("latin-1").partition("?")[0]
    parts = raw.removeprefix(scope.get("root_path", "")).split("/", 5)
    if parts[1:3] != ["v1", "activities"] or parts[4:5] != ["files"]:
        raise NotFound("there is nothing at this address; write /v1/activities/ID/files/PATH")
    rest = parts[5] if len(parts) > 5 else ""
    return render.unquote_path(rest).rstrip("/") or "."


def _file(request: ApiRequest, file: OpenFile) -> ASGIApp:
    """The answer for an open file. Whatever happens, it is closed."""
    info = file.info
    head = request.method == "HEAD"
    headers = {
        "etag": info.etag,
        "last-modified": http_date(info.modified),
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
    }
    part = decide(request.headers, size=info.size, etag=info.etag, modified=info.modified, head=head)
    if part.status >= HTTPStatus.MULTIPLE_CHOICES or head:
        file.close()
    if part.status is HTTPStatus.NOT_MODIFIED:
        return Answer(part.status, headers)
    if part.status is HTTPStatus.PRECONDITION_FAILED:
        raise HttpError(part.status, "precondition-failed", f"the file is {info.etag} now; read it again", headers)
    if part.status is HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise HttpError(
            part.status,
            "range-not-satisfiable",
            f"the file has {info.size} bytes, and none in that range",
            headers | {"content-range": f"bytes */{info.size}"},
        )
    headers |= _PLAIN | {"content-length": str(part.end - part.start)}
    if info.executable:
        headers["x-executable"] = "true"
    if part.status is HTTPStatus.PARTIAL_CONTENT:
        headers["content-range"] = f"bytes {part.start}-{part.end - 1}/{info.size}"
    return Answer(part.status, headers, None if head else _Chunks(file, part))


class _Chunks:
    """The bytes of a part of a file. Closing it closes the file, also where it was never begun."""

    def __init__(self, file: OpenFile, part: Part) -> None:
        self._file: OpenFile | None = file
        self._at = part.start
        self._end = part.end

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        left = self._end - self._at
        if self._file is None or left == 0:
            raise StopAsyncIteration
        if left <= _SMALL and not self._file.far:
            data = self._file.read(self._at, left)
        else:
            data = await asyncio.to_thread(self._file.read, self._at, min(CHUNK, left))
        if not data:
            raise ConnectionAbortedError(f"{self._file.info.path!r} became shorter while it was read")
        self._at += len(data)
        return data

    async def aclose(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()


def _named(name: str) -> OperationIDCreator:
    """The operation's id, told apart for HEAD."""
    return lambda handler, method, path: f"head_{name}" if HttpMethod(method) is HttpMethod.HEAD else name


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _exists(operations: Operations, caller: Caller, id: str, path: str) -> bool:
    try:
        opened: FileInfo | OpenFile = await operations.open_file(caller, id, path)
    except (NotFound, NotAllowed):
        return False  # whoever may write and not read is not told what was there
    if isinstance(opened, OpenFile):
        opened.close()
    return True
