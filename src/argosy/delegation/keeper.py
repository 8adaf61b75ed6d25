"""Everybody's credentials: taken, kept sealed, handed out to what is done for their owners, renewed, removed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from argosy.identity import Caller
from argosy.languages.documents_credentials import NewCredential, Renewal
from argosy.model import (
    ArgosyError,
    Conflict,
    InvalidInput,
    InvalidStateException,
    LimitExceeded,
    NotFound,
    Unavailable,
)
from argosy.model import clock as clocks
from argosy.store import Store, StoredCredential

from . import proxies
from .kinds import MAX_SECRET, Opened, Secret, check, check_proxy
from .renewal import Renewed, Renewer
from .sealing import Vault

log = logging.getLogger(__name__)

#: The most credentials of one owner.
MOST = 100
#: A delegation that was asked for must be signed within this time; in seconds.
SIGNING = 3600.0
#: What has expired is kept so long, so that it can be renewed under its name. Seconds.
KEPT = 30 * 86_400.0
#: Kinds that are not told apart by hosts, so that an activity can have one.
_ONE_EACH = frozenset({"proxy", "token", "ssh-key"})
#: Between looks at what is to be renewed, and after a failed try, doubled up to the most. Seconds.
LOOK = 30.0
AGAIN = 60.0
AGAIN_MOST = 1800.0
#: Renewal begins when so much of the lifetime is left, and not more than so many seconds before the end.
SHARE = 0.25
EARLY = 3600.0
#: Between looks whether a proxy that came with a request is still needed, in seconds.
NEEDED = 600.0

_decoder = msgspec.json.Decoder(Secret)
_encoder = msgspec.json.Encoder()


class Expired(Unavailable):
    """A credential has expired, or is gone; with a new one what needs it goes on."""

    code = "credential-expired"


class Keeper:
    """The credentials in a store. `clock` gives seconds since the epoch."""

    def __init__(
        self, store: Store, vault: Vault, renewer: Renewer | None = None, clock: Callable[[], float] = clocks.now
    ) -> None:
        self._store = store
        self._vault = vault
        self._renewer = renewer or Renewer()
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.needed: Callable[[StoredCredential], AbstractAsyncContextManager[bool]] = _always_needed
        """Whether something still needs a proxy that came with a request (`keep`); that is so until it ends."""
        self.on_renewed: list[Callable[[StoredCredential], None]] = []
        """Called in the event loop with a credential that has got a new secret."""
        self.on_added: list[Callable[[StoredCredential], None]] = []
        """Called in the event loop with one that is new."""

    # -- what owners ask for ----------------------------------------------------------------------

    async def add(self, caller: Caller, new: NewCredential) -> StoredCredential:
        """Keep one. Raises InvalidInput, LimitExceeded."""
        secret, rest, expires = self._read(caller, new)
        now = self._clock()
        record = self._record(caller.name, new.kind, now, secret, rest, expires)
        if not await self._store.add_credential(record, MOST):
            raise LimitExceeded(f"you have {MOST} credentials; remove some")
        for told in self.on_added:
            told(record)
        return record

    async def keep(self, caller: Caller, old: StoredCredential | None = None) -> StoredCredential:
        """The proxy that came with this request, for as long as something needs it; `old` is one that it replaces.

        Raises InvalidInput, LimitExceeded, Conflict.
        """
        new = NewCredential(kind="proxy", name="came with a request", from_request=True)
        secret, rest, expires = self._read(caller, new)
        rest |= {"kept": sorted(caller.groups)}
        if old is not None:
            return await self._change(old, secret, rest, expires)
        record = self._record(caller.name, new.kind, self._clock(), secret, rest, expires)
        if not await self._store.add_credential(record, MOST):
            raise LimitExceeded(f"you have {MOST} credentials; remove some")
        return record

    async def proxies(self, owner: str, ids: Sequence[str] | None = None) -> list[StoredCredential]:
        """An owner's proxies, good or not; `ids`: of those with these ids. Delegations under way are none yet."""
        found = await self._store.credentials(owner)
        return [
            one
            for one in found
            if one.kind == "proxy" and not one.rest.get("waiting") and (ids is None or one.id in ids)
        ]

    async def kept(self, owner: str, id: str) -> StoredCredential | None:
        """A proxy that came with a request, if it is still there."""
        return next((one for one in await self.proxies(owner, [id]) if "kept" in one.rest), None)

    async def replace(self, caller: Caller, id: str, new: NewCredential) -> StoredCredential:
        """Another secret in the place of one, which keeps its id. Raises NotFound, InvalidInput, Conflict."""
        old = await self._own(caller.name, id)
        if old.kind != new.kind:
            raise InvalidInput(f"it is of kind {old.kind}; a {new.kind} is another credential", element="kind")
        secret, rest, expires = self._read(caller, new)
        return await self._change(old, secret, rest, expires)

    async def listed(self, caller: Caller) -> list[StoredCredential]:
        """All of the caller's."""
        return await self._store.credentials(caller.name)

    async def look(self, caller: Caller, id: str) -> StoredCredential:
        """One of the caller's. Raises NotFound."""
        return await self._own(caller.name, id)

    async def remove(self, caller: Caller, id: str) -> None:
        """Forget one. Raises NotFound."""
        await self._own(caller.name, id)
        await self._store.remove_credential(id)

    async def request(
        self,
        caller: Caller,
        *,
        name: str = "",
        renewal: Renewal | None = None,
        credential: str | None = None,
    ) -> tuple[StoredCredential, str]:
        """Begin a delegation: a record that waits for its chain, and the signing request in PEM."""
        old = None
        if credential is not None:
            old = await self._store.credential(credential)
            if old is None or old.owner != caller.name or old.kind != "proxy":
                raise InvalidInput(f"you have no proxy {credential!r} here", element="credential")
        key, asked = await asyncio.to_thread(proxies.request)
        now = self._clock()
        if old is not None:
            secret = self._secret(old)
            secret.key = key
            rest = old.rest | {"asked": now}
            if renewal is not None:
                named = NewCredential(kind="proxy", name=name or str(old.rest.get("name", "")), renewal=renewal)
                rest |= self._common(named, secret)
            return await self._change(old, secret, rest, old.expires), asked
        secret = Secret(key=key)
        rest = self._common(NewCredential(kind="proxy", name=name, renewal=renewal), secret)
        record = self._record(caller.name, "proxy", now, secret, rest | {"waiting": True, "asked": now}, now + SIGNING)
        if not await self._store.add_credential(record, MOST):
            raise LimitExceeded(f"you have {MOST} credentials; remove some")
        return record, asked

    async def finish(self, caller: Caller, id: str, chain: str) -> StoredCredential:
        """The chain for a signing request. Raises NotFound, InvalidInput, InvalidStateException."""
        old = await self._own(caller.name, id)
        secret = self._secret(old) if old.kind == "proxy" else Secret()
        if secret.key is None or self._clock() > old.rest.get("asked", 0) + SIGNING:
            raise InvalidStateException(f"{id} waits for no chain; ask for a delegation first: POST /v1/delegations")
        if len(chain) > MAX_SECRET:
            raise InvalidInput(f"the chain has more than {MAX_SECRET} characters")
        pem = proxies.complete(secret.key, chain)
        shown, expires = check_proxy(pem, caller.name)
        if expires <= self._clock():
            raise InvalidInput("the proxy has expired already; check the clocks")
        secret.pem, secret.key = pem, None
        rest = {key: value for key, value in old.rest.items() if key not in ("waiting", "asked")}
        return await self._change(old, secret, rest | shown, expires)

    # -- what is done for them --------------------------------------------------------------------

    async def check(self, owner: str, ids: Sequence[str], element: str = "credentials") -> None:
        """Raise InvalidInput, with the element, unless all are the owner's and good now, and go together."""
        kinds: dict[str, str] = {}
        for index, id in enumerate(ids):
            found = await self._store.credential(id)
            at = f"{element}[{index}]"
            if found is None or found.owner != owner:
                raise InvalidInput(f"you have no credential {id!r}", element=at)
            if found.rest.get("waiting"):
                raise InvalidInput(f"the delegation {id} has not been signed yet", element=at)
            if found.expires is not None and found.expires <= self._clock():
                raise InvalidInput(f"the credential {id} has expired; renew it first", element=at)
            if found.kind in _ONE_EACH and found.kind in kinds:
                raise InvalidInput(f"{kinds[found.kind]} is a {found.kind} too; name one of them", element=at)
            kinds[found.kind] = id

    async def open(self, owner: str, ids: Sequence[str]) -> list[Opened]:
        """The credentials for something that is done for their owner. Raises Expired for one that has expired, or is
        not there any more: with a new one it can be done."""
        found = []
        for id in ids:
            record = await self._store.credential(id)
            if record is None or record.owner != owner:
                raise Expired(f"the credential {id} has been removed")
            if record.rest.get("waiting"):
                raise Expired(f"the delegation {id} has not been signed yet")
            if record.expires is not None and record.expires <= self._clock():
                failed = record.rest.get("renewal_error")
                why = f" and could not be renewed: {failed}" if failed else "; renew it and this goes on"
                raise Expired(f"the credential {id} ({record.kind}) has expired{why}")
            hosts = tuple(record.rest.get("hosts", ()))
            found.append(Opened(record.id, record.kind, record.expires, hosts, self._secret(record)))
        return found

    # -- renewal ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to renew what is about to end."""
        self._task = asyncio.create_task(self._rounds())

    async def stop(self) -> None:
        """Stop renewing, and let go of connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._renewer.close()

    async def _rounds(self) -> None:
        while True:
            try:
                await self.renew_due()
                await self._store.forget_credentials(self._clock() - KEPT)
            except ArgosyError as error:
                log.warning("credentials are not renewed now: %s", error)
            except Exception:
                log.exception("renewing credentials failed")
            await asyncio.sleep(LOOK)

    async def renew_due(self) -> None:
        """Renew what is due, a few at a time."""
        due = await self._store.due_credentials(self._clock(), 50)
        for start in range(0, len(due), 5):
            await asyncio.gather(*(self._renew(one) for one in due[start : start + 5]))

    async def _renew(self, old: StoredCredential) -> None:
        if "kept" in old.rest:
            async with self.needed(old) as needed:
                if needed:
                    await self._store.change_credential(replace(old, renew_at=self._clock() + NEEDED))
                else:
                    await self._store.remove_credential(old.id)
            return
        # Whatever is wrong with one, and that it cannot even be opened, must not keep the others.
        try:
            renewed = await self._renewer.renew(old.kind, self._secret(old), Renewal(**old.rest["renewal"]))
            if old.kind == "proxy":
                shown, expires = check_proxy(renewed.secret.pem or "", old.owner)
                renewed = Renewed(renewed.secret, expires, shown)
        except Exception as error:
            failures = int(old.rest.get("failures", 0)) + 1
            if isinstance(error, ArgosyError):
                words = error.message
                log.warning("the credential %s of %s is not renewed: %s", old.id, old.owner, error)
            else:
                words = f"internal error: {type(error).__name__}"
                log.exception("a defect: the credential %s of %s is not renewed", old.id, old.owner)
            rest = old.rest | {"renewal_error": words, "failures": failures}
            later = self._clock() + min(AGAIN * 2 ** min(failures - 1, 10), AGAIN_MOST)
            await self._store.change_credential(replace(old, changed=self._clock(), rest=rest, renew_at=later))
            return
        rest = {key: value for key, value in old.rest.items() if key not in ("renewal_error", "failures")}
        with contextlib.suppress(Conflict, NotFound):  # its owner has changed or removed it meanwhile
            await self._change(old, renewed.secret, rest | renewed.shown, renewed.expires)
            log.info("the credential %s of %s has been renewed", old.id, old.owner)

    # -- records ----------------------------------------------------------------------------------

    def _read(self, caller: Caller, new: NewCredential) -> tuple[Secret, dict[str, Any], float | None]:
        if new.from_request:
            came = caller.credential
            if new.kind != "proxy" or new.pem is not None or came is None:
                raise InvalidInput(
                    "send this request with a proxy and its key in the PROXY header", element="from_request"
                )
            new = msgspec.structs.replace(new, pem=came.data.decode("latin-1"))
        secret, shown, expires = check(new, caller.name)
        if new.expires is not None:
            asked = _instant(new.expires)
            expires = asked if expires is None else min(asked, expires)
        if expires is not None and expires <= self._clock():
            raise InvalidInput("it has expired already", element="expires" if new.expires else None)
        rest = self._common(new, secret) | shown
        if new.renewal is not None and expires is None:
            raise InvalidInput("say when it ends: it is renewed before that", element="expires")
        return secret, rest, expires

    def _common(self, new: NewCredential, secret: Secret) -> dict[str, Any]:
        rest: dict[str, Any] = {"name": new.name, "hosts": new.hosts}
        if new.renewal is not None:
            self._renewer.check(new.kind, new.renewal)
            # What is secret of it goes where the secret is.
            for field in ("passphrase", "client_secret", "refresh_token"):
                setattr(secret, field, getattr(new.renewal, field))
            kept = ("myproxy", "username", "issuer", "client_id", "scope", "audience")
            rest["renewal"] = {name: getattr(new.renewal, name) for name in kept if getattr(new.renewal, name)}
        return rest

    def _record(
        self, owner: str, kind: str, now: float, secret: Secret, rest: dict[str, Any], expires: float | None
    ) -> StoredCredential:
        id = secrets.token_hex(8)
        sealed = self._vault.seal(_encoder.encode(secret), id, owner, kind)
        return StoredCredential(id, owner, kind, 1, now, now, expires, _renew_at(now, expires, rest), sealed, rest)

    async def _change(
        self, old: StoredCredential, secret: Secret, rest: dict[str, Any], expires: float | None
    ) -> StoredCredential:
        now = self._clock()
        new = replace(
            old,
            changed=now,
            expires=expires,
            renew_at=_renew_at(now, expires, rest),
            sealed=self._vault.seal(_encoder.encode(secret), old.id, old.owner, old.kind),
            rest=rest,
        )
        if not await self._store.change_credential(new):
            raise Conflict(f"the credential {old.id} has changed meanwhile; look at it again")
        if not rest.get("waiting") and secret.key is None:
            for told in self.on_renewed:
                told(new)
        return replace(new, version=old.version + 1)

    def _secret(self, record: StoredCredential) -> Secret:
        return _decoder.decode(self._vault.open(record.sealed, record.id, record.owner, record.kind))

    async def _own(self, owner: str, id: str) -> StoredCredential:
        found = await self._store.credential(id)
        if found is None or found.owner != owner:
            raise NotFound(f"there is no credential {id!r}")
        return found


@contextlib.asynccontextmanager
async def _always_needed(kept: StoredCredential) -> AsyncIterator[bool]:
    del kept
    yield True


def _renew_at(now: float, expires: float | None, rest: dict[str, Any]) -> float | None:
    if "kept" in rest:
        return now + NEEDED
    if expires is None or "renewal" not in rest or rest.get("waiting"):
        return None
    return expires - min((expires - now) * SHARE, EARLY)


def _instant(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidInput("this is no time as RFC 3339 has it, e.g. 2030-05-01T00:00:00Z", element="expires")
    return found.timestamp()
