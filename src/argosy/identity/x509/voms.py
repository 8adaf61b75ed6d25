"""Groups from VOMS: attribute certificates (RFC 5755, and the VOMS profile GFD.182) that a proxy carries.

A virtual organisation is known by its directory in ``vomsdir``, with a file ``HOST.lsc`` for each of its servers: the
names of the server's certificate and of the CAs above it, one a line.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

from argosy.identity.contract import Refused, shown

from . import der
from .certificate import VOMS, Cert, check_key, load
from .directory import CADirectory
from .files import Watched
from .names import canonical
from .verify import Verified, issued

log = logging.getLogger(__name__)

_FQANS = "1.3.6.1.4.1.8005.100.100.4"
_CERTIFICATES = "1.3.6.1.4.1.8005.100.100.10"
_VO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_FQAN = re.compile(r"(/[\w.-]+)+(/Role=[\w.-]+)?(/Capability=[\w.-]+)?", re.ASCII)
_NEXT = re.compile(r"-+\s*NEXT CHAIN\s*-+", re.IGNORECASE)
_HASHES = {
    "1.2.840.113549.1.1.11": ("rsa", SHA256()),
    "1.2.840.113549.1.1.12": ("rsa", SHA384()),
    "1.2.840.113549.1.1.13": ("rsa", SHA512()),
    "1.2.840.10045.4.3.2": ("ec", SHA256()),
    "1.2.840.10045.4.3.3": ("ec", SHA384()),
    "1.2.840.10045.4.3.4": ("ec", SHA512()),
}
_MAX_LSC = 64 * 1024
MAX_FQANS = 256


@dataclass(frozen=True)
class AttributeCertificate:
    """One attribute certificate, read and not judged."""

    signed: bytes
    algorithm: str
    signature: bytes
    holder_names: tuple[bytes, ...]
    holder_serial: int
    issuer: bytes
    not_before: float
    not_after: float
    vo: str
    fqans: tuple[str, ...]
    certificates: tuple[bytes, ...]


def parse(data: bytes) -> list[AttributeCertificate]:
    """The attribute certificates in the extension of a proxy. Raises ValueError."""
    (listed,) = der.element(data).children(der.SEQUENCE)
    return [_attribute_certificate(one) for one in listed.children(der.SEQUENCE)]


def _attribute_certificate(whole: der.Element) -> AttributeCertificate:
    info, algorithm, signature = whole.children(der.SEQUENCE)
    parts = info.children(der.SEQUENCE)
    if len(parts) < 7 or parts[0].integer() != 1:
        raise ValueError("it is no attribute certificate of version 2")
    version, holder, issuer, inner_algorithm, serial, validity, attributes, *rest = parts
    del version
    serial.integer()
    if inner_algorithm.raw != algorithm.raw:
        raise ValueError("it names two ways of signing")
    names, number = _holder(holder)
    begin, end = validity.children(der.SEQUENCE)
    vo, fqans = _attributes(attributes)
    certificates: tuple[bytes, ...] = ()
    for element in rest:
        if element.tag == der.SEQUENCE:
            certificates = _extensions(element)
    return AttributeCertificate(
        signed=info.raw,
        algorithm=algorithm.children(der.SEQUENCE)[0].oid(),
        signature=signature.bits(),
        holder_names=names,
        holder_serial=number,
        issuer=_issuer(issuer),
        not_before=begin.time(),
        not_after=end.time(),
        vo=vo,
        fqans=fqans,
        certificates=certificates,
    )


def _directory_names(general_names: list[der.Element]) -> tuple[bytes, ...]:
    """The Names among GeneralNames: directoryName has the tag [4], explicit as Name is a CHOICE."""
    return tuple(one.children()[0].expect(der.SEQUENCE).raw for one in general_names if one.tag == 0xA4 and one.content)


def _holder(holder: der.Element) -> tuple[tuple[bytes, ...], int]:
    """Holder: baseCertificateID [0] IssuerSerial, which the profile requires."""
    for one in holder.children(der.SEQUENCE):
        if one.tag == 0xA0:
            names, serial, *_ = one.children()
            return _directory_names(names.children(der.SEQUENCE)), serial.integer()
    raise ValueError("it does not say whose certificate it goes with")


def _issuer(issuer: der.Element) -> bytes:
    """AttCertIssuer: v2Form [0] with issuerName first."""
    names = issuer.children(0xA0)
    found = _directory_names(names[0].children(der.SEQUENCE)) if names else ()
    if len(found) != 1:
        raise ValueError("it does not name one issuer")
    return found[0]


def _attributes(attributes: der.Element) -> tuple[str, tuple[str, ...]]:
    for attribute in attributes.children(der.SEQUENCE):
        kind, values = attribute.children(der.SEQUENCE)
        if kind.oid() != _FQANS:
            continue
        (syntax,) = values.children(der.SET)
        vo = ""
        fqans: list[str] = []
        for part in syntax.children(der.SEQUENCE):
            if part.tag == 0xA0:
                # policyAuthority: a URI, VO://HOST:PORT, with the tag [6] of GeneralName.
                uris = [one.content for one in part.children() if one.tag == 0x86]
                vo = uris[0].decode("ascii").partition("://")[0] if uris else ""
            else:
                fqans += [one.expect(der.OCTET_STRING).content.decode("ascii") for one in part.children(der.SEQUENCE)]
        if not _VO.fullmatch(vo) or len(fqans) > MAX_FQANS or not all(map(_FQAN.fullmatch, fqans)):
            raise ValueError("its attributes are malformed")
        return vo, tuple(fqans)
    raise ValueError("it has no attributes")


def _extensions(extensions: der.Element) -> tuple[bytes, ...]:
    certificates: tuple[bytes, ...] = ()
    for extension in extensions.children(der.SEQUENCE):
        parts = extension.children(der.SEQUENCE)
        kind = parts[0].oid()
        if kind == _CERTIFICATES:
            (listed,) = der.element(parts[-1].expect(der.OCTET_STRING).content).children(der.SEQUENCE)
            certificates = tuple(one.raw for one in listed.children(der.SEQUENCE))
        elif len(parts) == 3 and parts[1].expect(der.BOOLEAN).content != b"\0":
            raise ValueError(f"it has the critical extension {kind}, which is not supported")
    return certificates


class VomsDirectory:
    """The virtual organisations that are known: ``PATH/VO/HOST.lsc``."""

    def __init__(self, path: str | os.PathLike[str], *, look_every: float = 60.0) -> None:
        self.path = Path(path)
        self._chains: dict[str, list[tuple[str, ...]]] = {}
        self._watched = Watched(f"the VOMS directory {self.path}", self._files, self._read, look_every)

    def refresh(self) -> int:
        """See what has changed; a number that grows whenever something has. Raises Unavailable."""
        return self._watched.refresh()

    def chains(self, vo: str) -> list[tuple[str, ...]]:
        """The names that a server of this organisation has, its own first; none for an unknown organisation."""
        return self._chains.get(vo, [])

    def _files(self) -> list[str]:
        os.stat(self.path)
        return sorted(str(path) for path in self.path.glob("*/*.lsc"))

    def _read(self, files: list[str]) -> None:
        found: dict[str, list[tuple[str, ...]]] = {}
        for path in files:
            try:
                with open(path, encoding="utf-8") as file:
                    text = file.read(_MAX_LSC + 1)
            except (OSError, UnicodeDecodeError) as error:
                log.warning("%s cannot be used: %s", path, error)
                continue
            chains = [
                tuple(canonical(line) for line in part.splitlines() if line.strip().startswith("/"))
                for part in _NEXT.split(text)
            ]
            found.setdefault(os.path.basename(os.path.dirname(path)), []).extend(c for c in chains if len(c) >= 2)
        self._chains = found


@dataclass(frozen=True, slots=True)
class Membership:
    """The groups that were shown, and how long that may be believed (seconds since the epoch)."""

    groups: frozenset[str] = frozenset()
    until: float = float("inf")


def membership(chain: Verified, vomsdir: VomsDirectory, trust: CADirectory, now: float, *, skew: float) -> Membership:
    """The groups that a good chain carries. Organisations that are not known here give none; what is known and not
    good is Refused."""
    holder = next((cert for cert in chain.proxies if VOMS in cert.extensions), None)
    if holder is None:
        return Membership()
    try:
        found = parse(holder.extensions[VOMS].value.value)
    except (ValueError, IndexError, OverflowError) as error:
        raise Refused("voms", f"the VOMS attribute certificate cannot be read: {shown(str(error))}") from None
    groups: set[str] = set()
    until = float("inf")
    for one in found:
        expected = vomsdir.chains(one.vo)
        if not expected:
            log.info("nothing is known of the virtual organisation %s of %s", one.vo, chain.end_entity.name)
            continue
        until = min(until, _check(one, expected, chain.end_entity, trust, now, skew))
        groups.update(map(_group, one.fqans))
    return Membership(frozenset(groups), until)


def _group(fqan: str) -> str:
    """A name without the parts that say nothing."""
    return fqan.partition("/Capability=")[0].removesuffix("/Role=NULL")


def _check(
    one: AttributeCertificate,
    expected: list[tuple[str, ...]],
    holder: Cert,
    trust: CADirectory,
    now: float,
    skew: float,
) -> float:
    what = f"the attribute certificate of {one.vo}"
    if now < one.not_before - skew:
        raise Refused("voms-not-yet-valid", f"{what} is not valid yet; check the clocks")
    if now > one.not_after + skew:
        raise Refused("voms-expired", f"{what} has expired; make a new proxy with voms-proxy-init")
    if not one.certificates:
        raise Refused("voms", f"{what} comes without its server's certificate")
    server = load(one.certificates[0])
    if one.issuer != server.parsed.subject.public_bytes():
        raise Refused("voms", f"{what} does not come from the server whose certificate is with it")
    names = (server.name, *_issuers(server, trust))
    if not any(names[: len(chain)] == chain for chain in expected):
        raise Refused("voms", f"{what} comes from {server.name}, which is no server of {one.vo} here")
    until = issued(server, trust, now, skew=skew)
    _check_dates(server, now, skew)
    _check_signature(one, server)
    own = {holder.parsed.subject.public_bytes(), holder.parsed.issuer.public_bytes()}
    if one.holder_serial != holder.parsed.serial_number or own.isdisjoint(one.holder_names):
        raise Refused("voms", f"{what} was given to somebody else than {holder.name}")
    if not all(fqan == f"/{one.vo}" or fqan.startswith(f"/{one.vo}/") for fqan in one.fqans):
        raise Refused("voms", f"{what} names groups of another organisation")
    return min(until, one.not_after + skew)


def _issuers(server: Cert, trust: CADirectory) -> list[str]:
    """The names of the CAs above, as far as they are trusted."""
    names: list[str] = []
    issuer = server.issuer
    while (found := trust.find(issuer)) and found[0].cert.name not in names:
        names.append(found[0].cert.name)
        issuer = found[0].cert.issuer
    return names


def _check_dates(server: Cert, now: float, skew: float) -> None:
    if not server.not_before - skew <= now <= server.not_after + skew:
        raise Refused("voms", f"the certificate of the VOMS server {server.name} is not valid now")
    if server.is_ca or server.proxy is not None or server.self_issued:
        raise Refused("voms", f"{server.name} cannot be a VOMS server")


def _check_signature(one: AttributeCertificate, server: Cert) -> None:
    check_key(server)
    kind, algorithm = _HASHES.get(one.algorithm, ("", None))
    key = server.parsed.public_key()
    try:
        if kind == "rsa" and algorithm is not None and isinstance(key, rsa.RSAPublicKey):
            key.verify(one.signature, one.signed, padding.PKCS1v15(), algorithm)
        elif kind == "ec" and algorithm is not None and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(one.signature, one.signed, ec.ECDSA(algorithm))
        else:
            raise Refused("voms", f"the attribute certificate of {one.vo} is signed in a way that is not accepted")
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        raise Refused("voms", f"the attribute certificate of {one.vo} is forged: its signature is wrong") from None
