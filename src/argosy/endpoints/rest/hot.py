"""The two busiest requests without a framework: create one activity, and look at one.

They do what their handlers in `activities` do, which answer the same requests in their rarer forms and document both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from litestar.types import HTTPScope, Receive, Send

from argosy.service.caller import Caller
from argosy.service.contract import Operations
from argosy.service.files.conditions import tagged

from . import bodies, render, waiting
from .creating import create_one, created_headers
from .streaming import send_whole, short_body

_encoder = msgspec.json.Encoder()
_STRICT = b"strict=true"
#: What an answer may be wanted as, in the words that clients have for it; whatever else is weighed elsewhere.
_JSON = frozenset({"", "*/*", "application/json"})
_RESERVED = frozenset({"batch", "status", "counts"})

#: The last is the longest body that is taken, in bytes.
Hot = Callable[[Operations, Caller, Mapping[str, str], HTTPScope, Receive, Send, int], Awaitable[None]]


def hot_path(scope: HTTPScope, headers: Mapping[str, str]) -> Hot | None:
    """The short way for a request, where there is one. The names of `headers` are in lower case."""
    path = scope["path"]
    if scope["method"] == "POST" and path == "/v1/activities" and scope["query_string"] in (b"", _STRICT):
        return _create
    if (
        scope["method"] == "GET"
        and not scope["query_string"]
        and path.startswith(render.ROOT)
        and headers.get("accept", "*/*") in _JSON
    ):
        id = path[len(render.ROOT) :]
        if id and "/" not in id and id not in _RESERVED:
            return _status
    return None


async def _create(
    operations: Operations,
    caller: Caller,
    headers: Mapping[str, str],
    scope: HTTPScope,
    receive: Receive,
    send: Send,
    most: int,
) -> None:
    language = bodies.language_of(headers.get("content-type", ""))
    strict = scope["query_string"] == _STRICT
    body = await short_body(receive, most)
    key = headers.get("idempotency-key")
    document, existed = await create_one(operations, caller, body, key, language, strict=strict)
    answer = {"content-type": "application/json"} | created_headers(document)
    await send_whole(send, 200 if existed else 201, answer, _encoder.encode(document))


async def _status(
    operations: Operations,
    caller: Caller,
    headers: Mapping[str, str],
    scope: HTTPScope,
    receive: Receive,
    send: Send,
    most: int,
) -> None:
    del receive, most
    record = await waiting.status(operations, caller, scope["path"][len(render.ROOT) :])
    etag = f'"{record.version}"'
    answer = {"content-type": "application/json", "etag": etag, "cache-control": "private, no-cache"}
    if tagged(headers.get("if-none-match", ""), etag, weak=True):
        await send_whole(send, 304, answer, b"")
        return
    await send_whole(send, 200, answer, _encoder.encode(render.activity(record)))
