"""gsiftp: GridFTP (GFD.20) by globus-url-copy, where that is installed.

The program has no renaming: while a file is sent it can be seen half at its target, and what a failure leaves there
stays. What it says of directories is names only, so that nothing is verified after sending.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote

from argosy.model.description import CreationFlag
from argosy.outbound import Url
from argosy.staging.errors import Fault, TransferFailed
from argosy.staging.scheme import Call, Content, Entry, Scheme, Sink, Stat
from argosy.staging.words import quoted, with_path

from . import tools

_PROGRAM = "globus-url-copy"
_MISSING = ("no such file", "not found", "does not exist")
_CREDENTIAL = (
    "credential",
    "proxy",
    "certificate",
    "authentication",
    "authorization",
    "530 ",
    "login incorrect",
    "gss",
)
_REFUSED = ("permission denied", "550 ", "553 ", "not a plain file", "is a directory")
_FULL = ("no space", "disk quota", "552 ", "452 ")


class GridFTP(Scheme):
    """Files on GridFTP servers."""

    can_list = True

    def missing(self) -> str | None:
        """See `Scheme`."""
        return tools.missing(_PROGRAM)

    async def fetch(self, url: Url, sink: Sink, call: Call) -> None:
        """See `Scheme`."""
        if sink.offset:
            await sink.restart()
        await self.context.policy.resolve(url.host, url.port or 2811)
        with tools.environment(self.context, call.credentials) as environ:
            try:
                await tools.fetched([_PROGRAM, "-q", url.bare, "-"], environ, sink)
            except tools.ToolFailed as error:
                raise _failed(url, error) from error

    async def push(self, url: Url, content: Content, creation: CreationFlag, call: Call) -> bool:
        """See `Scheme`."""
        del creation  # looked for before; the program knows no more
        await self.context.policy.resolve(url.host, url.port or 2811)
        with tools.environment(self.context, call.credentials) as environ:
            try:
                await tools.pushed([_PROGRAM, "-q", "-cd", "-", url.bare], environ, content)
            except tools.ToolFailed as error:
                raise _failed(url, error) from error
        return False

    async def stat(self, url: Url, call: Call) -> Stat | None:
        """See `Scheme`: whether it is there; of its size nothing is known."""
        directory, _, name = url.path.rpartition("/")
        try:
            listed = await self._listed(Url.parse(with_path(url, directory + "/")), call)
        except TransferFailed as failure:
            if failure.fault is Fault.MISSING:
                return None
            raise
        return Stat() if unquote(name) in {one.rstrip("/") for one in listed} else None

    async def entries(self, url: Url, call: Call) -> AsyncIterator[Entry]:
        """See `Scheme`."""
        waiting = [""]
        while waiting:
            inner = waiting.pop()
            here = Url.parse(with_path(url, url.path + quoted(inner) + "/")) if inner else url
            for name in await self._listed(here, call):
                path = f"{inner}/{name.rstrip('/')}" if inner else name.rstrip("/")
                if name.endswith("/"):
                    waiting.append(path)
                yield Entry(path, directory=name.endswith("/"))

    async def _listed(self, url: Url, call: Call) -> list[str]:
        await self.context.policy.resolve(url.host, url.port or 2811)
        with tools.environment(self.context, call.credentials) as environ:
            try:
                text = await tools.printed([_PROGRAM, "-list", url.bare], environ)
            except tools.ToolFailed as error:
                raise _failed(url, error) from error
        # The first line is the URL; the others are names, with a slash where it is a directory.
        names = [line.strip() for line in text.splitlines()[1:]]
        return [name for name in names if name and name not in ("./", "../") and "/" not in name.rstrip("/")]


def _failed(url: Url, error: tools.ToolFailed) -> TransferFailed:
    words = error.words or f"it ended with {error.code}"
    lower = words.lower()
    fault = Fault.TRANSIENT
    for kind, signs in (
        (Fault.MISSING, _MISSING),
        (Fault.FULL, _FULL),
        (Fault.CREDENTIAL, _CREDENTIAL),
        (Fault.REFUSED, _REFUSED),
    ):
        if any(sign in lower for sign in signs):
            fault = kind
            break
    return TransferFailed(f"{url}: {_PROGRAM} says: {words[:600]}", fault)
