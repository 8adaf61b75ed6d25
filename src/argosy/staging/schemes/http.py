"""http: and https: (RFC 9110), presigned URLs of object stores included."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Any

from argosy.model.description import CreationFlag
from argosy.outbound import Url
from argosy.outbound.web import Answer
from argosy.staging import checksums
from argosy.staging.errors import Fault, TransferFailed
from argosy.staging.scheme import Call, Content, Context, Scheme, Sink, Stat

from . import answers, bulk
from .web import Headers, Web

_WANTED = {
    "Want-Repr-Digest": "sha-256=10, sha-512=5, md5=1",
    "Want-Digest": "sha-256;q=1, md5;q=0.5, adler32;q=0.4",
}
#: HEAD is not answered by everybody, and never with presigned URLs.
_NO_HEAD = frozenset({400, 401, 403, 405, 501})


class HTTP(Scheme):
    """A file is fetched with GET, going on with Range where that is safe, and sent with PUT."""

    cached = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._web = Web(context)
        self._threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="argosy-http")

    async def fetch(self, url: Url, sink: Sink, call: Call) -> None:
        """See `Scheme`."""
        headers = dict(_WANTED)
        known = answers.go_on(sink.validator)
        if sink.offset and known is None:
            await sink.restart()
        if sink.offset:
            headers["Range"] = f"bytes={sink.offset}-"
            headers["If-Range"] = known or ""
        async with self.ask("GET", url, call, headers=headers, accept=frozenset({416})) as answer:
            if answer.status == 416:
                # What it has is not longer than what we have: that cannot be the same file.
                await sink.restart()
                raise TransferFailed(f"{url} has changed while it was fetched", Fault.TRANSIENT)
            await self._begin(url, answer, sink)
            await bulk.receive(str(url), answer, sink, self._threads, self.context.timeouts.idle)

    async def _begin(self, url: Url, answer: Answer, sink: Sink) -> None:
        size = answers.length(answer.headers)
        if answer.status == 206:
            part = answers.part(answer.headers.get("Content-Range", ""))
            if part is None or part[0] != sink.offset:
                await sink.restart()
                raise TransferFailed(f"{url}: the server sends another part than was asked for", Fault.TRANSIENT)
            size = part[2]
        elif sink.offset:
            await sink.restart()
        sink.expect(
            size,
            validator=answers.validator(answer.headers),
            checksums=self.stated(answer, whole=answer.status != 206),
        )

    def ask(
        self,
        method: str,
        url: Url,
        call: Call,
        *,
        headers: Headers | None = None,
        body: Callable[[], Any] | None = None,
        size: int | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> AbstractAsyncContextManager[Answer]:
        """A request about a URL of this scheme; see `Web.ask`."""
        return self._web.ask(method, url, call.credentials, headers=headers, body=body, size=size, accept=accept)

    def stated(self, answer: Answer, *, whole: bool) -> Headers:
        """The checksums of the file that an answer states."""
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            return {}
        return checksums.stated(answer.headers, whole=whole)

    async def unchanged(self, url: Url, validator: str, call: Call) -> bool:
        """See `Scheme`: a conditional request, whose answer is not read where it has changed."""
        async with self.ask(
            "GET",
            url,
            call,
            headers=answers.only_changed(validator),
            accept=frozenset({304}),
        ) as answer:
            same = answer.status == 304 or answers.validator(answer.headers) == validator
            if answer.status != 304:
                answer.close()
            return same

    async def push(self, url: Url, content: Content, creation: CreationFlag, call: Call) -> bool:
        """See `Scheme`. That a half is never seen is up to the server; what it has is looked at afterwards."""
        headers = {"If-None-Match": "*"} if creation == "refuse" else {}
        headers["Content-Type"] = "application/octet-stream"
        await self.put(url, content, call, headers)
        return await self.verify(url, content, call)

    async def put(self, url: Url, content: Content, call: Call, headers: Headers | None = None) -> None:
        """Send the file."""
        async with self.ask("PUT", url, call, headers=headers, body=content.chunks, size=content.size) as answer:
            await answer.read()

    async def verify(self, url: Url, content: Content, call: Call) -> bool:
        """Whether the server has what was sent; False where it does not tell. Raises TransferFailed where not."""
        try:
            found = await self.stat(url, call)
        except TransferFailed as failure:
            if failure.transient:
                raise
            return False
        if found is None:
            raise TransferFailed(f"{url} was sent and accepted, and is not there", Fault.TRANSIENT)
        if found.size is not None and found.size != content.size:
            raise TransferFailed(
                f"{url} has {found.size} bytes on the server after {content.size} were sent", Fault.CORRUPT
            )
        for name, value in found.checksums.items():
            if await content.checksum(name) != value:
                raise TransferFailed(f"{url} has the {name} {value} on the server, which is another", Fault.CORRUPT)
        return found.size is not None or bool(found.checksums)

    async def stat(self, url: Url, call: Call) -> Stat | None:
        """See `Scheme`."""
        async with self.ask("HEAD", url, call, headers=_WANTED, accept=frozenset({404, 410}) | _NO_HEAD) as answer:
            if answer.status in (404, 410):
                return None
            if answer.status in _NO_HEAD:
                raise TransferFailed(f"{url}: the server does not tell what is there ({answer.status})", Fault.REFUSED)
            return Stat(
                answers.length(answer.headers), answers.validator(answer.headers), self.stated(answer, whole=True)
            )

    async def close(self) -> None:
        """See `Scheme`."""
        await self._web.close()
        self._threads.shutdown(wait=True)
