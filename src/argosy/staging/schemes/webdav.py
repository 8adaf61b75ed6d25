"""dav: and davs: (RFC 4918): https with directories, and with a name that a file gets once it is whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from argosy.languages import xml
from argosy.languages.contract import NotValid
from argosy.model.description import PARTIAL, CreationFlag
from argosy.outbound import Url
from argosy.outbound.web import Answer
from argosy.staging.contract import Direction
from argosy.staging.errors import Fault, TransferFailed
from argosy.staging.scheme import Call, Content, Entry
from argosy.staging.words import quoted, with_path

from .http import HTTP
from .web import Headers

_DAV = "{DAV:}"
_PROPERTIES = b'<?xml version="1.0"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/></prop></propfind>'
#: Answers that say that a directory above is missing: RFC 4918 says 409, some say 404.
_NO_PARENT = (404, 409)
_MAX_LISTING = 32 * 1024 * 1024


class WebDAV(HTTP):
    """A file is sent under another name and renamed; missing directories are made."""

    can_list = True

    def check(self, url: Url, direction: Direction) -> None:
        """See `Scheme`."""
        super().check(wire(url), direction)

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
        """See `HTTP.ask`."""
        return super().ask(method, wire(url), call, headers=headers, body=body, size=size, accept=accept)

    async def push(self, url: Url, content: Content, creation: CreationFlag, call: Call) -> bool:
        """See `Scheme`."""
        directory = url.path.rpartition("/")[0]
        partial = Url.parse(with_path(url, f"{directory}/{PARTIAL}{os.urandom(8).hex()}"))
        try:
            await self._put_making_parents(partial, content, call)
            verified = await self.verify(partial, content, call)
            headers = {"Destination": wire(url).bare, "Overwrite": "F" if creation == "refuse" else "T"}
            async with self.ask("MOVE", partial, call, headers=headers) as answer:
                await answer.read()
        except BaseException:
            with contextlib.suppress(TransferFailed):
                await self._delete(partial, call)
            raise
        return verified

    async def _put_making_parents(self, url: Url, content: Content, call: Call) -> None:
        directory = Url.parse(with_path(url, url.path.rpartition("/")[0] + "/"))
        if not await self._is_there(directory, call):
            await self._make(directory, call)
        await self.put(url, content, call)

    async def _is_there(self, url: Url, call: Call) -> bool:
        async with self.ask(
            "PROPFIND",
            url,
            call,
            headers={"Depth": "0", "Content-Type": "application/xml"},
            body=lambda: _PROPERTIES,
            size=len(_PROPERTIES),
            accept=frozenset({404, 409}),
        ) as answer:
            await answer.read()
            return answer.status not in _NO_PARENT

    async def _make(self, directory: Url, call: Call) -> None:
        """Make a directory and those above it. That one is there already (405) is what was wanted."""
        parts = directory.path.strip("/").split("/")
        missing = []
        for count in range(len(parts), 0, -1):
            here = Url.parse(with_path(directory, "/" + "/".join(parts[:count]) + "/"))
            if await self._is_there(here, call):
                break
            missing.append(here)
        for here in reversed(missing):
            async with self.ask("MKCOL", here, call, accept=frozenset({405})) as answer:
                await answer.read()

    async def _delete(self, url: Url, call: Call) -> None:
        async with self.ask("DELETE", url, call, accept=frozenset({404})) as answer:
            await answer.read()

    async def entries(self, url: Url, call: Call) -> AsyncIterator[Entry]:
        """See `Scheme`. One request for each directory: whole trees are what servers refuse to list."""
        waiting = [""]
        while waiting:
            inner = waiting.pop()
            here = Url.parse(with_path(url, url.path + quoted(inner) + "/")) if inner else url
            for name, size, is_directory in await self._listed(here, call):
                path = f"{inner}/{name}" if inner else name
                if is_directory:
                    waiting.append(path)
                yield Entry(path, size, is_directory)

    async def _listed(self, url: Url, call: Call) -> list[tuple[str, int | None, bool]]:
        async with self.ask(
            "PROPFIND",
            url,
            call,
            headers={"Depth": "1", "Content-Type": "application/xml"},
            body=lambda: _PROPERTIES,
            size=len(_PROPERTIES),
        ) as answer:
            data = b""
            while piece := await answer.piece():
                data += piece
                if len(data) > _MAX_LISTING:
                    raise TransferFailed(f"{url} has more entries than can be read", Fault.REFUSED)
        return read_listing(url, data)


def wire(url: Url) -> Url:
    """The URL as a web server knows it."""
    return Url.parse("http" + url.text[3:]) if url.scheme in ("dav", "davs") else url


def read_listing(url: Url, data: bytes) -> list[tuple[str, int | None, bool]]:
    """Name, size and whether it is a directory, of each entry of a Multi-Status (RFC 4918, 13), not of the directory.

    Raises TransferFailed for what is none. A name that leads elsewhere is left out.
    """
    try:
        root = xml.parse(data)
    except NotValid as error:
        raise TransferFailed(f"{url}: the server's list cannot be read: {error.message}", Fault.REFUSED) from error
    if root.tag != f"{_DAV}multistatus":
        raise TransferFailed(f"{url}: the server answers with {root.tag!r} in place of a list", Fault.REFUSED)
    base = unquote(wire(url).path, errors="surrogateescape")
    found = []
    for response in root.iterfind(f"{_DAV}response"):
        href = response.findtext(f"{_DAV}href", "").strip()
        path = unquote(urlsplit(urljoin(wire(url).bare, href)).path, errors="surrogateescape")
        name = path[len(base) :].strip("/") if path.startswith(base) else ""
        if not name or "/" in name or name in (".", "..") or name.startswith(PARTIAL):
            continue
        is_directory = response.find(f".//{_DAV}resourcetype/{_DAV}collection") is not None
        size = (response.findtext(f".//{_DAV}getcontentlength") or "").strip()
        found.append(
            (name, int(size) if size.isascii() and size.isdigit() and not is_directory else None, is_directory)
        )
    return found
