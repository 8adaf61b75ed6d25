"""Callers by X.509 proxy certificates, in a header or in a TLS handshake, and by plain user certificates there."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Collection, Hashable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from msgspec import Meta, Struct

from argosy.identity.cache import Cache, digest
from argosy.identity.caller import Caller, Credential
from argosy.identity.contract import Authenticator, Evidence, Refused, read_options
from argosy.model import InvalidInput

from .certificate import load
from .directory import CADirectory
from .pem import check_possession, forwarded, from_header
from .verify import MAX_CERTIFICATES, Verified, verify
from .voms import Membership, VomsDirectory, membership

__all__ = ["CADirectory", "VomsDirectory", "X509Proxies"]

#: So many callers are known by their header itself.
_NEAR = 256

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class _Options(Struct, forbid_unknown_fields=True, kw_only=True):
    ca_directory: str = "/etc/grid-security/certificates"
    voms_directory: str | None = None
    require_crls: bool = False
    header: str = "PROXY"
    forwarded_from: list[str] = []
    forwarded_header: str = "X-Client-Certificate"
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
        forwarded_from: Collection[Network] = (),
        forwarded_header: str = "x-client-certificate",
        skew: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`forwarded_from` are the servers before this one that do the TLS handshake; what they write into
        `forwarded_header` are the client's certificates, whose key they have seen used."""
        self._trust = trust
        self._vomsdir = vomsdir
        self._header = header.lower()
        self._forwarded_from = tuple(forwarded_from)
        self._forwarded_header = forwarded_header.lower()
        self._skew = skew
        self._clock = clock
        self._cache: Cache[tuple[Caller, float]] = Cache()
        # A digest of a whole proxy takes longer than all the rest of knowing its sender again: those seen last are
        # known by the text itself. They are few, for a header may be long.
        self._near: Cache[Caller] = Cache(_NEAR)

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
        return cls(
            trust,
            vomsdir,
            header=read.header,
            forwarded_from=_networks(read.forwarded_from),
            forwarded_header=read.forwarded_header,
            skew=read.skew,
        )

    async def authenticate(self, evidence: Evidence) -> Caller | None:
        header = evidence.headers.get(self._header)
        certificates = self._certificates(evidence) if header is None else ()
        if header is None and not certificates:
            return None
        now = self._clock()
        generation = (self._trust.refresh(), None if self._vomsdir is None else self._vomsdir.refresh())
        if header is not None and (near := self._near.get(header, now, generation)) is not None:
            return near
        caller, until = self._known(header, certificates, now, generation)
        if header is not None:
            self._near.put(header, caller, until, generation)
        return caller

    def _known(
        self, header: str | None, certificates: Collection[bytes], now: float, generation: Hashable
    ) -> tuple[Caller, float]:
        """The sender and until when that is so: by the digest, or by verifying it."""
        sent = [header.encode("utf-8", "surrogatepass")] if header is not None else list(certificates)
        key = digest(b"header" if header is not None else b"tls", *sent)
        known = self._cache.get(key, now, generation)
        if known is not None:
            return known
        caller, until = self._from_header(header, now) if header is not None else self._from_tls(sent, now)
        self._cache.put(key, (caller, until), until, generation)
        return caller, until

    def _certificates(self, evidence: Evidence) -> tuple[bytes, ...]:
        """Those of the handshake with the client, here or at the server before this one."""
        if "authorization" in evidence.headers:
            return ()  # whoever sends a credential is judged by that one, and not by the connection
        value = evidence.headers.get(self._forwarded_header)
        if not self._forwarded_from or not self._is_forwarder(evidence.address):
            if self._forwarded_from and value is not None:
                raise Refused("forwarded", f"{self._forwarded_header} is believed from the server before this one only")
            return evidence.certificates
        # Those of the connection are the other server's own.
        return forwarded(value) if value else ()

    def _is_forwarder(self, address: str | None) -> bool:
        try:
            peer = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        peer = getattr(peer, "ipv4_mapped", None) or peer
        return any(peer in network for network in self._forwarded_from)

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


def _networks(texts: Collection[str]) -> list[Network]:
    try:
        return [ipaddress.ip_network(text) for text in texts]
    except ValueError as error:
        raise InvalidInput(str(error), element="identity.x509.forwarded_from") from None
