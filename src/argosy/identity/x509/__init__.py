"""Callers by X.509 proxy certificates, in a header or in a TLS handshake, and by plain user certificates there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from msgspec import Meta, Struct

from argosy.identity.cache import Cache, digest
from argosy.identity.caller import Caller, Credential
from argosy.identity.contract import Authenticator, Evidence, read_options

from .certificate import load
from .directory import CADirectory
from .pem import check_possession, from_header
from .verify import MAX_CERTIFICATES, Verified, verify
from .voms import Membership, VomsDirectory, membership

__all__ = ["CADirectory", "VomsDirectory", "X509Proxies"]


class _Options(Struct, forbid_unknown_fields=True, kw_only=True):
    ca_directory: str = "/etc/grid-security/certificates"
    voms_directory: str | None = None
    require_crls: bool = False
    header: str = "PROXY"
    skew: Annotated[float, Meta(ge=0, le=3600)] = 60.0
    look_every: Annotated[float, Meta(ge=0, le=86_400)] = 60.0


class X509Proxies(Authenticator):
    """Callers whose certificates a trusted CA has issued; their name is the certificate's subject.

    A proxy stands for whom it was made by, the end entity. In the header it comes with its private key, which shows
    that the sender may use it and becomes the caller's credential.
    """

    def __init__(
        self,
        trust: CADirectory,
        vomsdir: VomsDirectory | None = None,
        *,
        header: str = "proxy",
        skew: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._trust = trust
        self._vomsdir = vomsdir
        self._header = header.lower()
        self._skew = skew
        self._clock = clock
        self._cache: Cache[Caller] = Cache()

    @classmethod
    def from_config(cls, options: Mapping[str, Any], directory: Path) -> Self:
        del directory
        read = read_options(options, _Options, "x509")
        every = read.look_every
        trust = CADirectory(read.ca_directory, require_crls=read.require_crls, look_every=every)
        vomsdir = None if read.voms_directory is None else VomsDirectory(read.voms_directory, look_every=every)
        # What cannot be read is said when the service starts, and not to its first caller.
        trust.refresh()
        if vomsdir is not None:
            vomsdir.refresh()
        return cls(trust, vomsdir, header=read.header, skew=read.skew)

    async def authenticate(self, evidence: Evidence) -> Caller | None:
        header = evidence.headers.get(self._header)
        if header is None and not evidence.certificates:
            return None
        now = self._clock()
        generation = (self._trust.refresh(), None if self._vomsdir is None else self._vomsdir.refresh())
        sent = [header.encode("utf-8", "surrogatepass")] if header is not None else list(evidence.certificates)
        key = digest(b"header" if header is not None else b"tls", *sent)
        known = self._cache.get(key, now, generation)
        if known is not None:
            return known
        caller, until = self._from_header(header, now) if header is not None else self._from_tls(sent, now)
        self._cache.put(key, caller, until, generation)
        return caller

    def _from_header(self, header: str, now: float) -> tuple[Caller, float]:
        bundle = from_header(header)
        chain = verify(bundle.chain, self._trust, now, skew=self._skew)
        check_possession(bundle)
        return self._caller(chain, now, Credential("x509-proxy", bundle.pem, chain.expires))

    def _from_tls(self, certificates: list[bytes], now: float) -> tuple[Caller, float]:
        chain = verify([load(one) for one in certificates[: MAX_CERTIFICATES + 1]], self._trust, now, skew=self._skew)
        return self._caller(chain, now, None)

    def _caller(self, chain: Verified, now: float, credential: Credential | None) -> tuple[Caller, float]:
        groups = Membership()
        if self._vomsdir is not None:
            groups = membership(chain, self._vomsdir, self._trust, now, skew=self._skew)
        caller = Caller(
            chain.end_entity.name,
            method="x509",
            groups=groups.groups,
            expires=chain.expires,
            credential=credential,
        )
        return caller, min(chain.until, groups.until)
