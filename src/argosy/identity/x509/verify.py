"""Whether a chain of certificates is good: path validation of RFC 5280 as far as grids use it, and of RFC 3820."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from argosy.identity.contract import Refused

from .certificate import INDEPENDENT, INHERIT_ALL, LIMITED, Cert, ProxyKind, check_key, check_signature
from .directory import CA, CADirectory

#: Certificates in one credential, and proxies and CAs in one chain.
MAX_CERTIFICATES = 24
MAX_PROXIES = 16
MAX_CAS = 8


@dataclass(frozen=True, slots=True)
class Verified:
    """A good chain.

    `expires` is when the first of its certificates ends, `until` how long this judgement may be kept: no longer than
    that, nor than the revocation lists that it rests on. Both are in seconds since the epoch.
    """

    end_entity: Cert
    proxies: tuple[Cert, ...]
    """The caller's own first."""
    expires: float
    until: float


def verify(chain: Sequence[Cert], trust: CADirectory, now: float, *, skew: float = 60.0) -> Verified:
    """Judge a credential's certificates: the caller's own first, those of its issuers in any order.

    `skew` is by how many seconds clocks may differ. Raises Refused with the reason.
    """
    path = _path(chain)
    *proxies, end_entity = path
    for cert in path:
        _check_dates(cert, now, skew)
        _check_extensions(cert)
        _check_for_clients(cert)
    _check_end_entity(end_entity)
    until = issued(end_entity, trust, now, skew=skew)
    for below in range(len(proxies) - 1, -1, -1):
        _check_proxy(proxies[below], path[below + 1], below)
    _check_alike(proxies)
    check_key(path[0])
    expires = min(cert.not_after for cert in path)
    return Verified(end_entity, tuple(proxies), expires, min(until, expires + skew))


def _path(chain: Sequence[Cert]) -> list[Cert]:
    """The caller's certificate and its issuers, down to the end entity. What else was sent is not looked at."""
    if not chain:
        raise Refused("malformed", "there is no certificate")
    if len(chain) > MAX_CERTIFICATES:
        raise Refused("too-long", f"there are {len(chain)} certificates; the most are {MAX_CERTIFICATES}")
    others: dict[x509.Name, Cert] = {}
    for cert in chain[1:]:
        if others.setdefault(cert.subject, cert).data != cert.data:
            # One of each name, so that each signature is looked at once.
            raise Refused("malformed", f"there are two certificates of {cert.name}")
    path = [chain[0]]
    while path[-1].proxy is not None:
        if len(path) > MAX_PROXIES:
            raise Refused("too-long", f"there are more than {MAX_PROXIES} proxies in the chain")
        issuer = others.pop(path[-1].issuer, None)
        if issuer is None:
            raise Refused("incomplete", f"the certificate that issued {path[-1].name} is missing")
        path.append(issuer)
    return path


def _check_dates(cert: Cert, now: float, skew: float) -> None:
    if now < cert.not_before - skew:
        raise Refused("not-yet-valid", f"the certificate of {cert.name} is not valid yet; check the clocks")
    if now > cert.not_after + skew:
        what = "proxy" if cert.proxy is not None else "certificate"
        raise Refused("expired", f"the {what} {cert.name} has expired; make a new one")


def _check_extensions(cert: Cert) -> None:
    unknown = cert.unknown_critical()
    if unknown is not None:
        raise Refused("unsupported", f"the certificate of {cert.name} has the unknown critical extension {unknown}")


def _check_end_entity(cert: Cert) -> None:
    if cert.self_issued:
        raise Refused("self-signed", f"the certificate of {cert.name} is signed by itself")
    if cert.is_ca:
        raise Refused("ca", f"{cert.name} is a CA, and not a user")


def _check_for_clients(cert: Cert) -> None:
    usage = cert.extension(ExtensionOID.EXTENDED_KEY_USAGE)
    if usage is not None and not {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(
        usage
    ):
        raise Refused("wrong-usage", f"the certificate of {cert.name} is not for clients (extended key usage)")


def issued(cert: Cert, trust: CADirectory, now: float, *, skew: float) -> float:
    """Check that CAs which are trusted have issued this, down to a root; how long that may be believed."""
    until = cert.not_after + skew
    for below in range(MAX_CAS):
        ca = _issuing_ca(cert, trust)
        _check_ca(ca.cert, below, now, skew)
        if not ca.may_sign(cert.name):
            raise Refused("wrong-policy", f"{ca.cert.name} may not issue {cert.name}: its signing policy")
        until = min(until, ca.cert.not_after + skew, _check_revocation(cert, ca, trust, now, skew))
        if ca.cert.self_issued:
            return until
        cert = ca.cert
    raise Refused("too-long", f"there are more than {MAX_CAS} CAs above {cert.name}")


def _issuing_ca(cert: Cert, trust: CADirectory) -> CA:
    """The CA whose key has signed it. There may be two of a name, with two keys."""
    found = trust.find(cert.issuer)
    if not found:
        raise Refused("unknown-ca", f"the CA that issued {cert.name} is not trusted here")
    for ca in found[:-1]:
        try:
            check_signature(cert, ca.cert)
        except Refused as refused:
            if refused.reason != "forged":
                raise
        else:
            return ca
    check_signature(cert, found[-1].cert)
    return found[-1]


def _check_ca(cert: Cert, below: int, now: float, skew: float) -> None:
    _check_dates(cert, now, skew)
    _check_extensions(cert)
    if not cert.is_ca or cert.proxy is not None:
        raise Refused("not-a-ca", f"{cert.name} is not a CA")
    if cert.extension(ExtensionOID.NAME_CONSTRAINTS) is not None:
        raise Refused("unsupported", f"the CA {cert.name} has name constraints, which are not supported")
    usage = cert.extension(ExtensionOID.KEY_USAGE)
    if usage is not None and not usage.key_cert_sign:
        raise Refused("wrong-usage", f"the key of {cert.name} may not sign certificates (key usage)")
    most = cert.extension(ExtensionOID.BASIC_CONSTRAINTS).path_length
    if most is not None and below > most:
        raise Refused("too-long", f"the CA {cert.name} allows {most} CAs below it, and there are {below}")


def _check_revocation(cert: Cert, ca: CA, trust: CADirectory, now: float, skew: float) -> float:
    crl = ca.crl
    if isinstance(crl, Refused):
        raise Refused(crl.reason, crl.message)
    if crl is None:
        if trust.require_crls:
            raise Refused("no-crl", f"there is no revocation list of {ca.cert.name}")
        return float("inf")
    if now > crl.until + skew:
        raise Refused("no-crl", f"the revocation list of {ca.cert.name} has expired; the service's owner must renew it")
    if crl.revoked(cert.parsed.serial_number):
        raise Refused("revoked", f"the certificate of {cert.name} has been revoked")
    return crl.until + skew


def _check_proxy(proxy: Cert, issuer: Cert, below: int) -> None:
    """Check one proxy, whose issuer has been found good; `below` proxies follow it (RFC 3820, 3 and 4)."""
    info = proxy.proxy
    assert info is not None
    last = list(proxy.subject.rdns[-1]) if proxy.subject.rdns else []
    if (
        proxy.subject.rdns[:-1] != issuer.subject.rdns
        or len(last) != 1
        or last[0].oid != NameOID.COMMON_NAME
        or (info.kind is ProxyKind.LEGACY and last[0].value not in ("proxy", "limited proxy"))
    ):
        raise Refused("wrong-name", f"the proxy {proxy.name} does not have the name of its issuer and one part more")
    if proxy.is_ca:
        raise Refused("ca", f"the proxy {proxy.name} says that it is a CA")
    if info.kind is ProxyKind.RFC and not {"2.5.29.17", "2.5.29.18"}.isdisjoint(proxy.extensions):
        raise Refused("wrong-name", f"the proxy {proxy.name} has another name beside its own (RFC 3820, 3.5)")
    for cert, needed in ((issuer, True), (proxy, False)):
        usage = cert.extension(ExtensionOID.KEY_USAGE)
        if usage is not None and ((needed and not usage.digital_signature) or usage.key_cert_sign):
            raise Refused("wrong-usage", f"the key of {cert.name} may not issue proxies (key usage)")
    check_signature(proxy, issuer)
    if info.language == INDEPENDENT:
        raise Refused("independent", f"the proxy {proxy.name} inherits no rights")
    if info.limited:
        raise Refused("limited", f"the proxy {proxy.name} is a limited one, which may not run jobs; make a full one")
    if info.language not in (INHERIT_ALL, LIMITED):
        raise Refused("unsupported", f"the proxy {proxy.name} has a policy in the unknown language {info.language}")
    if info.path_length is not None and below > info.path_length:
        raise Refused(
            "too-long", f"the proxy {proxy.name} allows {info.path_length} proxies after it, and there are {below}"
        )


def _check_alike(proxies: Sequence[Cert]) -> None:
    kinds = {proxy.proxy.kind.value for proxy in proxies if proxy.proxy is not None}
    if len(kinds) > 1:
        raise Refused("malformed", f"the chain has proxies of different kinds: {', '.join(sorted(kinds))}")
