"""root: and xroot: the XRootD protocol by xrdcp and xrdfs, where these are installed.

A file is sent under another name and renamed; the server's checksum, where it computes one, is compared.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

from argosy.model.description import PARTIAL, CreationFlag
from argosy.outbound import Url
from argosy.staging.checksums import ALGORITHMS
from argosy.staging.errors import Fault, TransferFailed
from argosy.staging.scheme import Call, Content, Entry, Scheme, Sink, Stat

from . import tools

_SIZE = re.compile(r"^Size:\s+(\d+)", re.MULTILINE)
_TIME = re.compile(r"^MTime:\s+(.+)$", re.MULTILINE)
_FLAGS = re.compile(r"^Flags:.*\bIsDir\b", re.MULTILINE)
_LISTED = re.compile(r"^([d-])\S*\s+.*?(\d+)\s+(?:\S+://\S+?|)(/\S.*)$")


class XRoot(Scheme):
    """Files on XRootD servers."""

    can_list = True

    def missing(self) -> str | None:
        """See `Scheme`."""
        return tools.missing("xrdcp") or tools.missing("xrdfs")

    async def fetch(self, url: Url, sink: Sink, call: Call) -> None:
        """See `Scheme`."""
        if sink.offset:
            await sink.restart()
        with self._environment(call) as environ:
            await self._resolve(url)
            try:
                there = await self._stat(url, environ)
                if there is None:
                    raise TransferFailed(f"there is no {url}", Fault.MISSING)
                sink.expect(there.size, validator=there.validator, checksums=await self._checksum(url, environ))
                await tools.fetched(["xrdcp", "--silent", "--nopbar", _address(url), "-"], environ, sink)
            except tools.ToolFailed as error:
                raise _failed(url, error) from error

    async def push(self, url: Url, content: Content, creation: CreationFlag, call: Call) -> bool:
        """See `Scheme`."""
        path = _path(url)
        partial = f"{os.path.dirname(path).rstrip('/')}/{PARTIAL}{os.urandom(8).hex()}"
        with self._environment(call) as environ:
            await self._resolve(url)
            try:
                await self._make(url, os.path.dirname(path), environ)
                try:
                    target = f"{_server(url)}/{partial}"
                    await tools.pushed(["xrdcp", "--silent", "--nopbar", "--force", "-", target], environ, content)
                    verified = await self._verify(url, partial, content, environ)
                    if await self._stat(url, environ) is not None:
                        if creation == "refuse":
                            raise TransferFailed(
                                f"there is something at {url} already, and it must not be replaced", Fault.EXISTS
                            )
                        await tools.printed(["xrdfs", _server(url), "rm", path], environ)
                    await tools.printed(["xrdfs", _server(url), "mv", partial, path], environ)
                except BaseException:
                    with contextlib.suppress(tools.ToolFailed):
                        await tools.printed(["xrdfs", _server(url), "rm", partial], environ)
                    raise
            except tools.ToolFailed as error:
                raise _failed(url, error) from error
        return verified

    async def _make(self, url: Url, directory: str, environ: dict[str, str]) -> None:
        try:
            await tools.printed(["xrdfs", _server(url), "mkdir", "-p", directory], environ)
        except tools.ToolFailed as error:
            if "exists" not in error.words:
                raise

    async def _verify(self, url: Url, partial: str, content: Content, environ: dict[str, str]) -> bool:
        sent = Url.parse(f"{_server(url)}/{partial}")
        there = await self._stat(sent, environ)
        if there is None or there.size != content.size:
            size = "nothing" if there is None else f"{there.size} bytes"
            raise TransferFailed(f"{url}: {size} are there after {content.size} were sent", Fault.CORRUPT)
        for name, value in (await self._checksum(sent, environ)).items():
            if await content.checksum(name) != value:
                raise TransferFailed(f"{url} has the {name} {value} on the server, which is another", Fault.CORRUPT)
        return True

    async def stat(self, url: Url, call: Call) -> Stat | None:
        """See `Scheme`."""
        with self._environment(call) as environ:
            await self._resolve(url)
            try:
                return await self._stat(url, environ)
            except tools.ToolFailed as error:
                raise _failed(url, error) from error

    async def _stat(self, url: Url, environ: dict[str, str]) -> Stat | None:
        try:
            text = await tools.printed(["xrdfs", _server(url), "stat", _path(url)], environ)
        except tools.ToolFailed as error:
            if "3011" in error.words or "no such file" in error.words.lower():
                return None
            raise
        size, time = _SIZE.search(text), _TIME.search(text)
        count = int(size[1]) if size else None
        return Stat(count, f"{count} {time[1]}" if time else None)

    async def _checksum(self, url: Url, environ: dict[str, str]) -> dict[str, str]:
        """What the server says; not every one does."""
        try:
            words = (await tools.printed(["xrdfs", _server(url), "query", "checksum", _path(url)], environ)).split()
        except tools.ToolFailed:
            return {}
        if len(words) != 2 or words[0] not in ALGORITHMS:
            return {}
        return {words[0]: words[1].lower().rjust(ALGORITHMS[words[0]], "0")}

    async def entries(self, url: Url, call: Call) -> AsyncIterator[Entry]:
        """See `Scheme`."""
        base = _path(url).rstrip("/")
        waiting = [base or "/"]
        with self._environment(call) as environ:
            await self._resolve(url)
            while waiting:
                here = waiting.pop()
                try:
                    text = await tools.printed(["xrdfs", _server(url), "ls", "-l", here], environ)
                except tools.ToolFailed as error:
                    raise _failed(url, error) from error
                for line in text.splitlines():
                    found = _LISTED.match(line)
                    if found is None:
                        if line.strip():
                            raise TransferFailed(f"{url}: the list cannot be read: {line!r}", Fault.REFUSED)
                        continue
                    path = found[3][len(base) :].lstrip("/")
                    if os.path.basename(path).startswith(PARTIAL):
                        continue
                    if found[1] == "d":
                        waiting.append(found[3])
                    yield Entry(path, int(found[2]) if found[1] == "-" else None, found[1] == "d")

    async def _resolve(self, url: Url) -> None:
        await self.context.policy.resolve(url.host, url.port or 1094)

    @contextlib.contextmanager
    def _environment(self, call: Call) -> Iterator[dict[str, str]]:
        with tools.environment(self.context, call.credentials) as environ:
            seconds = str(max(int(self.context.timeouts.connect), 1))
            # By itself it tries for half an hour. We have attempts of our own.
            environ |= {"XRD_CONNECTIONWINDOW": seconds, "XRD_CONNECTIONRETRY": "1", "XRD_STREAMERRORWINDOW": "0"}
            yield environ


def _server(url: Url) -> str:
    # Quoted again: a user of the name HOST/x would make the program go to that host.
    user = f"{quote(url.user, safe='')}@" if url.user else ""
    return f"root://{user}{url.place}"


def _path(url: Url) -> str:
    return "/" + url.file.lstrip("/")


def _address(url: Url) -> str:
    return f"{_server(url)}/{_path(url)}"


def _failed(url: Url, error: tools.ToolFailed) -> TransferFailed:
    words = error.words or f"it ended with {error.code}"
    lower = words.lower()
    if "no such file" in lower or "3011" in lower:
        fault = Fault.MISSING
    elif "auth failed" in lower or "no protocols left" in lower or "3030" in lower:
        fault = Fault.CREDENTIAL
    elif "permission denied" in lower or "3010" in lower or "not authorized" in lower:
        fault = Fault.REFUSED
    elif "no space" in lower or "3009" in lower or "quota" in lower:
        fault = Fault.FULL
    else:
        fault = Fault.TRANSIENT
    return TransferFailed(f"{url}: xrdcp says: {words[:600]}", fault)
