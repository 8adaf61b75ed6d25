"""s3://BUCKET/KEY: Amazon S3 and what speaks like it.

[staging.s3]
endpoint = "https://s3.example.org"   # default: Amazon's of the region
region = "us-east-1"
style = "path"                        # or "virtual": BUCKET.s3.example.org
part_size = 67108864                  # larger files are sent in parts of this size
[staging.s3.endpoints]                # of single buckets
my-bucket = "https://other.example.org"
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote, urlencode
from xml.sax.saxutils import escape

import msgspec
from lxml import etree
from msgspec import Meta, Struct

from argosy.languages import xml
from argosy.languages.contract import NotValid
from argosy.model import InvalidInput
from argosy.model.description import CreationFlag
from argosy.outbound import Url
from argosy.outbound.web import Answer
from argosy.staging.contract import Direction, S3Keys
from argosy.staging.errors import Fault, TransferFailed
from argosy.staging.scheme import Call, Content, Context, Entry

from . import answers, sigv4
from .http import HTTP
from .web import Headers, Signing

#: Parts of one file that are sent at once; each is in memory as long.
_AT_ONCE = 3
#: S3 takes no more parts.
_MOST_PARTS = 10_000
_MIB = 1024 * 1024


class Options(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """``[staging.s3]``."""

    endpoint: str | None = None
    region: str = "us-east-1"
    style: Literal["path", "virtual"] = "path"
    part_size: Annotated[int, Meta(ge=5 * _MIB, le=1024 * _MIB)] = 64 * _MIB
    endpoints: dict[str, str] = {}


class S3(HTTP):
    """Each object is seen whole or not at all by what S3 is."""

    can_list = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        try:
            self._options = msgspec.convert(dict(context.options), Options)
        except msgspec.ValidationError as error:
            message, _, at = str(error).partition(" - at `$.")
            raise InvalidInput(message, element=f"staging.s3.{at.rstrip('`')}".rstrip(".")) from error
        for name, text in {"endpoint": self._options.endpoint, **self._options.endpoints}.items():
            if text is not None and Url.parse(text, f"staging.s3.{name}").scheme not in ("http", "https"):
                raise InvalidInput(f"{text!r} must begin with https://", element=f"staging.s3.{name}")

    def check(self, url: Url, direction: Direction) -> None:
        """See `Scheme`."""
        if not url.host or (not url.path.strip("/") and direction == "push" and not url.is_directory):
            raise InvalidInput(f"{url} names no object; it is written s3://BUCKET/KEY")
        super().check(self.wire(url), direction)

    def wire(self, url: Url, query: str = "") -> Url:
        """The object's URL at its endpoint."""
        endpoint = (
            self._options.endpoints.get(url.host)
            or self._options.endpoint
            or f"https://s3.{self._options.region}.amazonaws.com"
        )
        scheme, _, rest = endpoint.rstrip("/").partition("://")
        try:
            key = quote(unquote(url.path.lstrip("/"), errors="strict"), safe="/-_.~")
        except UnicodeDecodeError:
            # A server might take it for another one, and one file would take the other's place.
            raise InvalidInput(f"{url} is no key: those of S3 are text in UTF-8") from None
        where = (
            f"{scheme}://{url.host}.{rest}/{key}"
            if self._options.style == "virtual"
            else f"{endpoint.rstrip('/')}/{url.host}/{key}"
        )
        return Url.parse(f"{where}?{query}" if query else where)

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
        query: str = "",
        payload: str = sigv4.EMPTY,
    ) -> AbstractAsyncContextManager[Answer]:
        """See `HTTP.ask`. `payload` is the body's SHA-256: the server checks that this is what it gets."""
        return self._web.ask(
            method,
            self.wire(url, query),
            call.credentials,
            headers=headers,
            body=body,
            size=size,
            signing=self._signing(url, call, payload),
            accept=accept,
        )

    def _signing(self, url: Url, call: Call, payload: str) -> Signing:
        s3 = call.credentials.s3
        keys: S3Keys | None = s3.get(url.host) or s3.get(self.wire(url).place) or s3.get("*")

        def signed(method: str, where: Url, headers: Headers) -> Headers:
            del headers
            if keys is None:
                return {}
            return sigv4.sign(
                method,
                where.place,
                where.path,
                where.query,
                keys=keys,
                region=self._options.region,
                now=datetime.now(UTC),
                payload=payload,
            )

        return signed

    def stated(self, answer: Answer, *, whole: bool) -> Headers:
        """See `HTTP.stated`. The ETag of an object that was sent in one part is its MD5, unless a key hides it."""
        found = dict(super().stated(answer, whole=whole))
        etag = answer.headers.get("ETag", "").strip('"').lower()
        hidden = answer.headers.get("x-amz-server-side-encryption", "AES256") != "AES256" or any(
            name.lower().startswith("x-amz-server-side-encryption-customer") for name in answer.headers
        )
        if not hidden and len(etag) == 32 and all(digit in "0123456789abcdef" for digit in etag):
            found.setdefault("md5", etag)
        return found

    async def put(self, url: Url, content: Content, call: Call, headers: Headers | None = None) -> None:
        """See `HTTP.put`."""
        size = max(self._options.part_size, -(-content.size // _MOST_PARTS))
        if content.size > size:
            await self._put_in_parts(url, content, size, call, headers)
            return
        digest = await content.checksum("sha256")
        async with self.ask(
            "PUT", url, call, headers=headers, body=content.chunks, size=content.size, payload=digest
        ) as answer:
            await answer.read()

    async def push(self, url: Url, content: Content, creation: CreationFlag, call: Call) -> bool:
        """See `Scheme`."""
        await self.put(url, content, call, {"If-None-Match": "*"} if creation == "refuse" else {})
        # The server has compared the SHA-256 that the request was signed with, where it was.
        return await self.verify(url, content, call)

    async def _put_in_parts(self, url: Url, content: Content, size: int, call: Call, headers: Headers | None) -> None:
        async with self.ask("POST", url, call, query="uploads=") as answer:
            upload = _read(url, await answer.read()).findtext("{*}UploadId") or ""
        try:
            etags: dict[int, str] = {}
            left = iter(range(-(-content.size // size)))

            async def sender() -> None:
                for index in left:
                    etags[index] = await self._put_part(url, content, index, size, upload, call)

            senders = [asyncio.create_task(sender()) for _ in range(_AT_ONCE)]
            try:
                await asyncio.gather(*senders)
            finally:
                for task in senders:
                    task.cancel()
                await asyncio.wait(senders)
            parts = "".join(
                f"<Part><PartNumber>{index + 1}</PartNumber><ETag>{escape(etags[index])}</ETag></Part>"
                for index in sorted(etags)
            )
            body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
            async with self.ask(
                "POST",
                url,
                call,
                headers=headers,
                query=urlencode({"uploadId": upload}),
                body=lambda: body,
                size=len(body),
                payload=hashlib.sha256(body).hexdigest(),
            ) as answer:
                # It may fail though the status says success.
                _read(url, await answer.read())
        except BaseException:
            with contextlib.suppress(TransferFailed):
                async with self.ask("DELETE", url, call, query=urlencode({"uploadId": upload})) as answer:
                    await answer.read()
            raise

    async def _put_part(self, url: Url, content: Content, index: int, size: int, upload: str, call: Call) -> str:
        offset = index * size
        data = await asyncio.to_thread(content.part, offset, min(size, content.size - offset))
        digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        query = urlencode({"partNumber": index + 1, "uploadId": upload})

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(data), _MIB):
                piece = data[start : start + _MIB]
                yield piece
                await content.sent(len(piece))

        async with self.ask("PUT", url, call, query=query, body=pieces, size=len(data), payload=digest) as answer:
            await answer.read()
            return answer.headers.get("ETag", "")

    async def entries(self, url: Url, call: Call) -> AsyncIterator[Entry]:
        """See `Scheme`: ListObjectsV2, page by page."""
        prefix = unquote(url.path.lstrip("/"))
        bucket = Url.parse(f"s3://{url.place}/")
        token, found = "", False
        while True:
            query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
            if token:
                query["continuation-token"] = token
            async with self.ask("GET", bucket, call, query=urlencode(query, quote_via=quote)) as answer:
                page = _read(url, await answer.read())
            for one in page.iterfind("{*}Contents"):
                found = True
                path = unquote((one.findtext("{*}Key") or "").replace("+", " "))[len(prefix) :]
                size = one.findtext("{*}Size") or ""
                if path.endswith("/"):
                    yield Entry(path.rstrip("/"), directory=True)
                elif path:
                    yield Entry(path, int(size) if size.isdigit() else None)
            token = page.findtext("{*}NextContinuationToken") or ""
            if not token:
                break
        if not found:
            raise TransferFailed(f"there is nothing beneath {url}", Fault.MISSING)


def _read(url: Url, data: bytes) -> etree._Element:
    try:
        root = xml.parse(data)
    except NotValid as error:
        raise TransferFailed(f"{url}: the answer cannot be read: {error.message}", Fault.REFUSED) from error
    if etree.QName(root).localname == "Error":
        words = answers.said(data.decode("utf-8", "replace"))
        code = root.findtext("{*}Code") or root.findtext("Code") or ""
        again = code in ("InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout")
        raise TransferFailed(f"{url}: {code}: {words}", Fault.TRANSIENT if again else Fault.REFUSED)
    return root
