"""The proxies with which hosts are logged in to: which one it is, and its file, which is there while a login lasts."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from argosy.delegation import Keeper, Opened
from argosy.delegation.keeper import Expired
from argosy.identity import Refused
from argosy.identity.x509.pem import from_pem
from argosy.store import StoredCredential
from argosy.transport import Credential

from .whose import taken_apart

#: gsissh looks for a proxy, and where that is not good for a certificate: all of it is the same file.
VARIABLES = ("X509_USER_PROXY", "X509_USER_CERT", "X509_USER_KEY")


class Logins:
    """Everybody's, with their files in one private directory."""

    def __init__(self, keeper: Keeper, directory: Path) -> None:
        self._keeper = keeper
        self._directory = directory
        #: Told of a resource, of as whom it cannot be logged in to now, and why: once, until it can be again.
        self.on_missing: Callable[[str, str, str], None] = lambda resource, text, words: None
        self._missing: set[tuple[str, str]] = set()

    def clear(self) -> None:
        """Remove what a service that was killed has left."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._directory)

    def credential(self, resource: str, text: str) -> Credential:
        """What a transport to the resource's host asks before each login; equal for equal arguments."""
        return _Login(self, resource, text)

    @contextlib.asynccontextmanager
    async def lent(self, resource: str, text: str) -> AsyncIterator[Mapping[str, str]]:
        """The variables that name the proxy's file. Raises Expired where there is no good one."""
        pem = await self.find(resource, text)
        # The same proxy has the same name: a login that was refused is known again by it.
        name = hashlib.sha256(f"{resource}\0{text}\0{pem}".encode()).hexdigest()[:32]
        file = self._directory / name
        await asyncio.to_thread(_write, file, pem)
        try:
            yield dict.fromkeys(VARIABLES, str(file))
        finally:
            file.unlink(missing_ok=True)

    async def find(self, resource: str, text: str) -> str:
        """The proxy as PEM. Raises Expired where there is no good one."""
        try:
            pem = await self._choose(text)
        except Expired as error:
            if (resource, text) not in self._missing:
                self._missing.add((resource, text))
                self.on_missing(resource, text, error.message)
            raise
        self._missing.discard((resource, text))
        return pem

    async def _choose(self, text: str) -> str:
        owner, ids = taken_apart(text)
        named = await self._keeper.proxies(owner, ids)
        if named:
            (one,) = await self._keeper.open(owner, [named[0].id])
            if _is_limited(one):
                raise Expired(f"the proxy {one.id} is a limited one, which starts no jobs; replace it by a full one")
            return one.secret.pem or ""
        if not owner.startswith("/"):
            # Whoever is known by certificates has proxies of one name. Others may have several, and accounts.
            raise Expired("name a proxy of yours in `credentials`: with it the host is logged in to")
        for record in _latest(await self._keeper.proxies(owner)):
            with contextlib.suppress(Expired):
                (one,) = await self._keeper.open(owner, [record.id])
                if not _is_limited(one):
                    return one.secret.pem or ""
        raise Expired(
            "a proxy of yours is needed to log in to the host, and there is none that is good: "
            "delegate one (argosy credential delegate), and this goes on"
        )


@dataclass(frozen=True, slots=True)
class _Login(Credential):
    logins: Logins = field(repr=False)
    resource: str
    text: str

    def lent(self) -> AbstractAsyncContextManager[Mapping[str, str]]:
        return self.logins.lent(self.resource, self.text)

    async def check(self) -> None:
        await self.logins.find(self.resource, self.text)


def _latest(records: Sequence[StoredCredential]) -> list[StoredCredential]:
    """Those that were put there before those that came with requests; of each kind the one that lasts longest first."""
    return sorted(records, key=lambda one: ("kept" in one.rest, -(one.expires or 0.0)))


def _is_limited(one: Opened) -> bool:
    try:
        chain = from_pem((one.secret.pem or "").encode()).chain
    except Refused as error:
        raise Expired(f"the proxy {one.id} cannot be read: {error.message}") from None
    return any(cert.proxy is not None and cert.proxy.limited for cert in chain)


def _write(file: Path, pem: str) -> None:
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.unlink(missing_ok=True)
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="ascii") as opened:
        opened.write(pem)
