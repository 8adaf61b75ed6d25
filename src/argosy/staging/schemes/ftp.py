"""ftp: (RFC 959, 2428, 3659) and ftps: (RFC 4217; on port 990 with TLS from the first byte).

Data connections go to the address of the control connection, whatever the server says.
"""

from __future__ import annotations

import contextlib
import ftplib
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from argosy.model.description import PARTIAL, CreationFlag
from argosy.outbound import Url, connect
from argosy.staging.contract import Direction
from argosy.staging.errors import Fault, TransferFailed
from argosy.staging.scheme import Call, Content, Context, Entry, Scheme, Sink, Stat
from argosy.staging.threads import run_abortable

_T = TypeVar("_T")
_PIECE = 256 * 1024
_IMPLICIT = 990
_MISSING = re.compile(r"no such|not found|not exist|failed to open|could not get file size|cannot find", re.IGNORECASE)
_LINE = re.compile(r"([-dl])\S{9,10}\s+\d+\s+\S+\s+\S+\s+(\d+)\s+\S+\s+\S+\s+\S+ (.*)\Z")


class _Control(ftplib.FTP_TLS):
    """ftplib over a socket that is connected already, which goes on with the TLS session for data connections."""

    def __init__(self, made: socket.socket, host: str, tls: ssl.SSLContext | None, timeout: float) -> None:
        super().__init__(context=tls, timeout=timeout, encoding="utf-8")
        made.settimeout(timeout)
        self.host = host
        self.sock = made
        self.data: socket.socket | None = None
        self.af = made.family
        if tls is not None and made.getpeername()[1] == _IMPLICIT:
            self.sock = self.context.wrap_socket(made, server_hostname=host)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        self.data = conn
        if self._prot_p:  # type: ignore[attr-defined]
            control = self.sock
            session = control.session if isinstance(control, ssl.SSLSocket) else None
            conn = self.data = self.context.wrap_socket(conn, server_hostname=self.host, session=session)
        return conn, size


class FTP(Scheme):
    """A file is sent under another name and renamed. ftplib blocks: each transfer has a thread."""

    can_list = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="argosy-ftp")

    def check(self, url: Url, direction: Direction) -> None:
        """See `Scheme`."""
        super().check(url, direction)
        _path(url)

    async def fetch(self, url: Url, sink: Sink, call: Call) -> None:
        """See `Scheme`."""
        offset = sink.offset
        if offset:
            there = await self.stat(url, call)
            if there is None or there.validator is None or there.validator != sink.validator:
                await sink.restart()
                offset = 0

        def fetched(ftp: _Control) -> None:
            size = _size(ftp, _path(url))
            sink.expect(size, validator=_validator(ftp, _path(url), size))
            ftp.retrbinary(f"RETR {_path(url)}", sink.write_blocking, _PIECE, rest=offset or None)

        await self._with(url, call, fetched)

    async def push(self, url: Url, content: Content, creation: CreationFlag, call: Call) -> bool:
        """See `Scheme`. FTP has no renaming that replaces nothing: for ``refuse`` it is looked just before it."""
        return await self._with(url, call, partial(self._pushed, url, content, creation))

    def _pushed(self, url: Url, content: Content, creation: CreationFlag, ftp: _Control) -> bool:
        path = _path(url)
        directory = os.path.dirname(path)
        _make(ftp, directory)
        other = f"{directory.rstrip('/')}/{PARTIAL}{os.urandom(8).hex()}"
        content.rewind()
        try:
            ftp.storbinary(f"STOR {other}", _Reader(content), _PIECE)  # type: ignore[arg-type]
            size = _size(ftp, other)
            if size is not None and size != content.size:
                raise TransferFailed(f"{url} has {size} bytes there after {content.size} were sent", Fault.CORRUPT)
            if creation == "refuse" and _is_there(ftp, path):
                raise TransferFailed(f"there is something at {url} already, and it must not be replaced", Fault.EXISTS)
            ftp.rename(other, path)
        except BaseException:
            with contextlib.suppress(ftplib.Error, OSError, EOFError):
                ftp.delete(other)
            raise
        return size is not None

    async def stat(self, url: Url, call: Call) -> Stat | None:
        """See `Scheme`."""

        def found(ftp: _Control) -> Stat | None:
            if not _is_there(ftp, _path(url)):
                return None
            size = _size(ftp, _path(url))
            return Stat(size, _validator(ftp, _path(url), size))

        return await self._with(url, call, found)

    async def entries(self, url: Url, call: Call) -> AsyncIterator[Entry]:
        """See `Scheme`."""

        def listed(ftp: _Control) -> list[Entry]:
            return list(_walk(ftp, url, _path(url)))

        for entry in await self._with(url, call, listed):
            yield entry

    async def _with(self, url: Url, call: Call, work: Callable[[_Control], _T]) -> _T:
        """Do something with a connection of its own, in a thread."""
        secure = url.scheme == "ftps"
        port = url.port or 21
        known = call.credentials.password_for(url.host, url.place)
        user = url.user or (known.user if known else "anonymous")
        password = url.password or (known.password if known and known.user == user else None)
        tls = self.context.tls() if secure else None
        timeout = self.context.timeouts.idle
        made = await connect(self.context.policy, url.host, port, timeout=self.context.timeouts.connect)
        here: list[_Control] = []

        def worked() -> _T:
            with _in_words(url), contextlib.closing(made):
                ftp = _Control(made, url.host, tls, timeout)
                here.append(ftp)
                try:
                    ftp.login(user, password or "anonymous@", secure=secure and port != _IMPLICIT)
                    if secure:
                        ftp.prot_p()
                    ftp.voidcmd("TYPE I")
                    return work(ftp)
                finally:
                    ftp.close()

        def abort() -> None:
            for one in [made, *(one for ftp in here for one in (ftp.sock, ftp.data))]:
                with contextlib.suppress(OSError):
                    if one is not None:
                        one.shutdown(socket.SHUT_RDWR)

        return await run_abortable(self._threads, worked, abort)

    async def close(self) -> None:
        """See `Scheme`."""
        self._threads.shutdown(wait=True)


class _Reader:
    def __init__(self, content: Content) -> None:
        self._content = content

    def read(self, size: int) -> bytes:
        return self._content.read_blocking(size)


@contextlib.contextmanager
def _in_words(url: Url) -> Iterator[None]:
    try:
        yield
    except ftplib.error_perm as error:
        words = str(error)
        if words.startswith("530"):
            fault = Fault.CREDENTIAL
        elif words.startswith("552"):
            fault = Fault.FULL
        elif words.startswith("550") and _MISSING.search(words):
            fault = Fault.MISSING
        else:
            fault = Fault.REFUSED
        raise TransferFailed(f"{url}: the server answers {words}", fault) from error
    except ftplib.error_temp as error:
        fault = Fault.FULL if str(error).startswith("452") else Fault.TRANSIENT
        raise TransferFailed(f"{url}: the server answers {error}", fault) from error
    except ftplib.Error as error:
        raise TransferFailed(f"{url}: the server answers what is no FTP: {error}", Fault.REFUSED) from error
    except ssl.SSLCertVerificationError as error:
        raise TransferFailed(f"{url}: its certificate is not trusted: {error.verify_message}", Fault.REFUSED) from error
    except TimeoutError as error:
        raise TransferFailed(f"{url}: the server does not answer in time", Fault.TRANSIENT) from error
    except (EOFError, OSError) as error:
        words = getattr(error, "strerror", None) or str(error) or "the server has hung up"
        raise TransferFailed(f"{url}: {words}", Fault.TRANSIENT) from error


def _path(url: Url) -> str:
    path = url.file
    if any(character in path for character in "\r\n\0"):
        raise TransferFailed(f"{url} has a path that is none", Fault.REFUSED)
    return path or "/"


def _size(ftp: _Control, path: str) -> int | None:
    try:
        return ftp.size(path)
    except ftplib.error_perm as error:
        if str(error).startswith(("500", "502", "504")):
            return None
        raise


def _validator(ftp: _Control, path: str, size: int | None) -> str | None:
    """Size and time of the last change (RFC 3659, 3)."""
    try:
        return f"{size} {ftp.voidcmd(f'MDTM {path}')}"
    except ftplib.error_perm:
        return None


def _is_there(ftp: _Control, path: str) -> bool:
    try:
        _size(ftp, path)
    except ftplib.error_perm as error:
        if str(error).startswith("550"):
            return False
        raise
    return True


def _make(ftp: _Control, directory: str) -> None:
    """Make a directory and those above it, unless it can be entered."""
    made = ""
    missing = []
    path = directory.rstrip("/")
    while path:
        try:
            ftp.cwd(path)
            break
        except ftplib.error_perm:
            missing.append(path)
            path = path.rpartition("/")[0]
    for made in reversed(missing):
        try:
            ftp.mkd(made)
        except ftplib.error_perm:
            # Somebody else was quicker, or it is not allowed; entering it tells.
            ftp.cwd(made)
    if directory:
        ftp.cwd("/")


def _walk(ftp: _Control, url: Url, base: str) -> Iterator[Entry]:
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        for name, size, is_directory in _listed(ftp, url, f"{base.rstrip('/')}/{inner}".rstrip("/") or "/"):
            if name in (".", "..") or "/" in name or name.startswith(PARTIAL):
                continue
            path = f"{inner}/{name}" if inner else name
            if is_directory:
                waiting.append(path)
            yield Entry(path, size, is_directory)


def _listed(ftp: _Control, url: Url, path: str) -> Iterator[tuple[str, int | None, bool]]:
    try:
        ftp.cwd(path)
    except ftplib.error_perm as error:
        if str(error).startswith("550"):
            # No server says whether it is missing or closed to us.
            raise TransferFailed(f"{url}: the server answers {error}", Fault.MISSING) from error
        raise
    try:
        listed = list(ftp.mlsd(facts=["type", "size"]))
    except ftplib.error_perm as error:
        if not str(error).startswith(("500", "501", "502", "504")):
            raise
    else:
        for name, facts in listed:
            kind = facts.get("type", "").lower()
            if kind in ("file", "dir"):
                size = facts.get("size", "")
                yield name, int(size) if size.isdigit() else None, kind == "dir"
        return
    # Servers without MLSD print what ls does.
    lines: list[str] = []
    ftp.retrlines("LIST", lines.append)
    for line in lines:
        found = _LINE.match(line)
        if found is not None and found[1] != "l":
            yield found[3], int(found[2]) if found[1] == "-" else None, found[1] == "d"
        elif found is None and not line.startswith("total"):
            raise TransferFailed(f"{url}: the server's list cannot be read: {line!r}", Fault.REFUSED)
