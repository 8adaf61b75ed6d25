"""An issuer's keys: found by discovery, kept, and fetched again when they change."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import Any

import jwt

from argosy.identity.contract import Refused, shown
from argosy.model import InvalidInput, Unavailable

from .fetching import Fetcher, check_url

log = logging.getLogger(__name__)

#: Keys are fetched again after this; for an unknown key sooner, but never more often than `PAUSE`. Seconds.
FRESH = 3600.0
PAUSE = 30.0
#: While the issuer is away its last keys are good for so long, in seconds.
STALE = 86_400.0
MAX_KEYS = 64

#: Which kind of key (RFC 7518, 6.1) an algorithm is for.
KEY_TYPES = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP",
}  # fmt: skip
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


class IssuerKeys:
    """The keys of one issuer. `hosts` are those, beside its own, on which its keys may be."""

    def __init__(
        self,
        issuer: str,
        fetcher: Fetcher,
        *,
        hosts: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = issuer
        self.generation = 0
        self._fetcher = fetcher
        self._hosts = {check_url(issuer, f"the issuer {issuer}"), *hosts}
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: list[dict[str, Any]] = []
        self._fetched = -float("inf")
        self._tried = -float("inf")
        self._fault: Unavailable | None = None

    async def refresh(self) -> int:
        """Keys that are fresh enough; a number that changes with them. Raises Unavailable."""
        age = self._clock() - self._fetched
        # While one request fetches them, the others go on with those that there are.
        if age >= FRESH and not (age < STALE and self._lock.locked()):
            await self._fetch()
        if self._clock() - self._fetched >= STALE:
            raise Unavailable(f"the keys of {self.issuer} cannot be had: {self._fault or 'they are too old'}")
        return self.generation

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK:
        """The key of this id for this algorithm. Raises Refused (``unknown-key``, ``key-confusion``), Unavailable."""
        await self.refresh()
        found = self._named(kid, algorithm)
        if found is None:
            # It may be new: issuers change their keys.
            await self._fetch()
            found = self._named(kid, algorithm)
        if found is None:
            raise Refused("unknown-key", f"{self.issuer} has no key {shown(kid or '')!r} for {algorithm}")
        if found.get("kty") != KEY_TYPES[algorithm] or found.get("alg", algorithm) != algorithm:
            raise Refused("key-confusion", f"the key {shown(kid or '')!r} of {self.issuer} is not for {algorithm}")
        if found["kty"] == "EC" and found.get("crv") != _CURVES[algorithm]:
            raise Refused("key-confusion", f"the key {shown(kid or '')!r} of {self.issuer} is not for {algorithm}")
        try:
            return jwt.PyJWK(found, algorithm)
        except jwt.PyJWTError as error:
            raise Refused("unknown-key", f"the key {shown(kid or '')!r} of {self.issuer} is no key: {error}") from None

    def _named(self, kid: str | None, algorithm: str) -> dict[str, Any] | None:
        if kid is None:
            # Without a name it is the only one that it can be.
            fitting = [key for key in self._keys if key.get("kty") == KEY_TYPES[algorithm]]
            return fitting[0] if len(fitting) == 1 else None
        return next((key for key in self._keys if key.get("kid") == kid), None)

    async def _fetch(self) -> None:
        """Fetch the keys, unless that was tried a moment ago. What goes wrong is kept for who needs them."""
        tried = self._tried
        async with self._lock:
            if self._tried != tried or self._clock() - self._tried < PAUSE:
                return
            try:
                keys = await self._fetched_keys()
            except Unavailable as error:
                self._fault = error
                log.warning("the keys of %s cannot be fetched: %s", self.issuer, error)
                return
            finally:
                self._tried = self._clock()
            self._fault = None
            self._fetched = self._clock()
            if keys != self._keys:
                self._keys = keys
                self.generation += 1

    async def _fetched_keys(self) -> list[dict[str, Any]]:
        """OpenID Connect Discovery 1.0, 4: the document beside the issuer says where its keys are."""
        found = await self._fetcher.json(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise Unavailable(f"the document of {self.issuer} is about another issuer")
        where = found.get("jwks_uri")
        if not isinstance(where, str):
            raise Unavailable(f"the document of {self.issuer} does not say where its keys are")
        try:
            check_url(where, f"the address of the keys of {self.issuer}", self._hosts)
        except InvalidInput as error:
            raise Unavailable(error.message) from None
        keys = (await self._fetcher.json(where)).get("keys")
        if not isinstance(keys, list) or len(keys) > MAX_KEYS:
            raise Unavailable(f"{where} answers no set of keys")
        # Keys for encryption, and secret ones, are no business of ours.
        return [key for key in keys if isinstance(key, dict) and key.get("use", "sig") == "sig" and "k" not in key]
