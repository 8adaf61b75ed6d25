"""sftp: and scp:, both by the SFTP protocol (draft-ietf-secsh-filexfer-02), as OpenSSH's own scp does.

    [staging.sftp]
    known_hosts = "/etc/ssh/ssh_known_hosts"   # whose host keys are believed
    identity = "/etc/argosy/id_ed25519"        # a key for everybody who may use this service; none by default
    user = "argosy"

A host whose key is not known is not connected to. A path is absolute; with ``/~/`` it begins at the user's home.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncssh
import msgspec
from msgspec import Struct

from argosy.model import InvalidInput
from argosy.model.description import PARTIAL, CreationFlag
from argosy.outbound import Url, connect
from argosy.staging.errors import Fault, TransferFailed
from argosy.staging.scheme import Call, Content, Context, Entry, Scheme, Sink, Stat

_PIECE = 4 * 1024 * 1024
#: How long a connection stays that nobody uses, in seconds.
_KEEP = 15.0


class Options(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """``[staging.sftp]``."""

    known_hosts: str = "/etc/ssh/ssh_known_hosts"
    identity: str | None = None
    user: str | None = None


@dataclass
class _Line:
    """A connection, shared by the transfers of one user with one host."""

    made: asyncio.Task[tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient]]
    users: int = 0
    end: asyncio.TimerHandle | None = field(default=None)


class SFTP(Scheme):
    """Files over ssh."""

    can_list = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        try:
            self._options = msgspec.convert(dict(context.options), Options)
        except msgspec.ValidationError as error:
            raise InvalidInput(str(error), element="staging.sftp") from error
        self._lines: dict[str, _Line] = {}

    async def fetch(self, url: Url, sink: Sink, call: Call) -> None:
        """See `Scheme`."""
        async with self._sftp(url, call) as sftp:
            path = _path(url)
            found = _stat(await sftp.stat(path))
            if sink.offset and sink.validator != found.validator:
                await sink.restart()
            sink.expect(found.size, validator=found.validator)
            async with sftp.open(path, "rb") as file:
                offset = sink.offset
                while data := await file.read(_PIECE, offset):
                    piece = bytes(data) if not isinstance(data, str) else data.encode()
                    offset += len(piece)
                    await sink.write(piece)

    async def push(self, url: Url, content: Content, creation: CreationFlag, call: Call) -> bool:
        """See `Scheme`."""
        async with self._sftp(url, call) as sftp:
            path = _path(url)
            directory = os.path.dirname(path)
            if directory:
                await sftp.makedirs(directory, exist_ok=True)
            partial = f"{directory}/{PARTIAL}{os.urandom(8).hex()}" if directory else f"{PARTIAL}{os.urandom(8).hex()}"
            try:
                async with sftp.open(partial, "wb") as file:
                    async for piece in content.chunks():
                        await file.write(piece)
                    with contextlib.suppress(asyncssh.SFTPOpUnsupported):
                        await file.fsync()
                size = (await sftp.stat(partial)).size
                if size != content.size:
                    raise TransferFailed(f"{url} has {size} bytes there after {content.size} were sent", Fault.CORRUPT)
                await self._name(sftp, url, partial, path, creation)
            except BaseException:
                with contextlib.suppress(asyncssh.Error, OSError):
                    await sftp.remove(partial)
                raise
        return True

    async def _name(self, sftp: asyncssh.SFTPClient, url: Url, partial: str, path: str, creation: CreationFlag) -> None:
        if creation != "refuse":
            try:
                await sftp.posix_rename(partial, path)
                return
            except asyncssh.SFTPOpUnsupported:
                with contextlib.suppress(asyncssh.SFTPNoSuchFile):
                    await sftp.remove(path)
        # This rename replaces nothing (section 6.5 of the draft).
        try:
            await sftp.rename(partial, path)
        except asyncssh.SFTPError as error:
            if await sftp.exists(path):
                raise TransferFailed(
                    f"there is something at {url} already, and it must not be replaced", Fault.EXISTS
                ) from error
            raise

    async def stat(self, url: Url, call: Call) -> Stat | None:
        """See `Scheme`."""
        async with self._sftp(url, call) as sftp:
            try:
                return _stat(await sftp.stat(_path(url)))
            except asyncssh.SFTPNoSuchFile:
                return None

    async def entries(self, url: Url, call: Call) -> AsyncIterator[Entry]:
        """See `Scheme`."""
        waiting = [""]
        while waiting:
            inner = waiting.pop()
            async with self._sftp(url, call) as sftp:
                base = _path(url).rstrip("/") or "/"
                listed = await sftp.readdir(f"{base}/{inner}" if inner else base)
            for one in listed:
                name = (
                    one.filename.decode("utf-8", "surrogateescape") if isinstance(one.filename, bytes) else one.filename
                )
                if name in (".", "..") or name.startswith(PARTIAL):
                    continue
                path = f"{inner}/{name}" if inner else name
                if one.attrs.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
                    waiting.append(path)
                    yield Entry(path, directory=True)
                elif one.attrs.type == asyncssh.FILEXFER_TYPE_REGULAR:
                    yield Entry(path, one.attrs.size)

    # -- connections ------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _sftp(self, url: Url, call: Call) -> AsyncIterator[asyncssh.SFTPClient]:
        what = str(url)
        try:
            async with self._line(url, call) as sftp:
                yield sftp
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as error:
            raise TransferFailed(f"there is no {what}", Fault.MISSING) from error
        except (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded) as error:
            raise TransferFailed(f"{what}: {error.reason}", Fault.FULL) from error
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
            raise TransferFailed(f"{what}: the connection was lost: {error.reason}", Fault.TRANSIENT) from error
        except asyncssh.SFTPError as error:
            raise TransferFailed(f"{what}: {error.reason}", Fault.REFUSED) from error
        except asyncssh.PermissionDenied as error:
            raise TransferFailed(f"{what}: the host does not let us in: {error.reason}", Fault.CREDENTIAL) from error
        except asyncssh.HostKeyNotVerifiable as error:
            raise TransferFailed(
                f"{what}: the host's key is not one that is known here: {error.reason}", Fault.REFUSED
            ) from error
        except (asyncssh.Error, ConnectionError) as error:
            raise TransferFailed(f"{what}: the connection was lost: {error}", Fault.TRANSIENT) from error
        except TimeoutError as error:
            raise TransferFailed(f"{what}: the host does not answer in time", Fault.TRANSIENT) from error

    @contextlib.asynccontextmanager
    async def _line(self, url: Url, call: Call) -> AsyncIterator[asyncssh.SFTPClient]:
        login = self._login(url, call)
        key = hashlib.sha256(repr((url.host, url.port, sorted(login.items(), key=str))).encode()).hexdigest()
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(asyncio.create_task(self._made(url, login)))
        if line.end is not None:
            line.end.cancel()
            line.end = None
        line.users += 1
        broken = False
        try:
            connection, sftp = await asyncio.shield(line.made)
            yield sftp
            broken = connection.is_closed()
        except (asyncssh.Error, OSError, TransferFailed) as error:
            broken = (
                not isinstance(error, (asyncssh.SFTPError, TransferFailed))
                or not line.made.done()
                or (line.made.exception() is not None or line.made.result()[0].is_closed())
            )
            raise
        finally:
            line.users -= 1
            if broken and self._lines.get(key) is line:
                del self._lines[key]
            if not line.users:
                if self._lines.get(key) is not line:
                    _end(line)
                else:
                    line.end = asyncio.get_running_loop().call_later(_KEEP, self._forget, key, line)

    def _forget(self, key: str, line: _Line) -> None:
        if self._lines.get(key) is line:
            del self._lines[key]
        _end(line)

    def _login(self, url: Url, call: Call) -> dict[str, Any]:
        credentials = call.credentials
        password = credentials.password_for(url.host, url.place)
        user = url.user or credentials.ssh_user or (password.user if password else None) or self._options.user
        if user is None:
            raise TransferFailed(f"{url} names no user; it is written sftp://USER@HOST/PATH", Fault.CREDENTIAL)
        secret = url.password or (password.password if password and password.user == user else None)
        return {
            "user": user,
            "password": secret,
            "key": credentials.ssh_key,
            "identity": None if credentials.ssh_key or secret else self._options.identity,
            "known": credentials.known_hosts or "",
        }

    async def _made(self, url: Url, login: dict[str, Any]) -> tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient]:
        known = await asyncio.to_thread(_read_known, self._options.known_hosts)
        keys: list[Any] = []
        try:
            if login["key"] is not None:
                keys.append(asyncssh.import_private_key(login["key"]))
            elif login["identity"] is not None:
                keys.append(await asyncio.to_thread(asyncssh.read_private_key, login["identity"]))
            hosts = asyncssh.import_known_hosts(f"{known}\n{login['known']}\n")
        except (asyncssh.KeyImportError, OSError) as error:
            raise TransferFailed(f"{url}: the ssh key cannot be used: {error}", Fault.CREDENTIAL) from error
        except ValueError as error:
            raise TransferFailed(f"{url}: the known hosts cannot be read: {error}", Fault.CREDENTIAL) from error
        timeout = self.context.timeouts.connect
        made = await connect(self.context.policy, url.host, url.port or 22, timeout=timeout)
        try:
            connection = await asyncssh.connect(
                url.host,
                url.port or 22,
                sock=made,
                username=login["user"],
                password=login["password"],
                client_keys=keys or None,
                known_hosts=hosts,
                agent_path=None,
                config=None,
                preferred_auth="publickey,password,keyboard-interactive",
                login_timeout=timeout,
                keepalive_interval=self.context.timeouts.idle / 3,
            )
        except BaseException:
            made.close()
            raise
        try:
            return connection, await connection.start_sftp_client()
        except BaseException:
            connection.abort()
            raise

    async def close(self) -> None:
        """See `Scheme`."""
        lines = list(self._lines.values())
        self._lines.clear()
        for line in lines:
            if line.end is not None:
                line.end.cancel()
            _end(line)
            await asyncio.wait([line.made])
            if not line.made.cancelled() and line.made.exception() is None:
                await line.made.result()[0].wait_closed()


def _end(line: _Line) -> None:
    line.made.cancel()
    if line.made.done() and not line.made.cancelled() and line.made.exception() is None:
        line.made.result()[0].close()


def _path(url: Url) -> str:
    path = url.file
    if "\0" in path:
        raise TransferFailed(f"{url} has a path that is none", Fault.REFUSED)
    return path[3:] or "." if path.startswith("/~/") else path or "."


def _stat(attributes: asyncssh.SFTPAttrs) -> Stat:
    return Stat(attributes.size, f"{attributes.size}-{attributes.mtime}")


def _read_known(path: str) -> str:
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
