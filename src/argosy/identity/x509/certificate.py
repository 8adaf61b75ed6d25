"""A certificate with what its verification looks at, taken apart once."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA224, SHA256, SHA384, SHA512
from cryptography.x509.oid import ExtensionOID, NameOID

from argosy.identity.contract import Refused

from . import der
from .names import slash_form

#: RFC 3820, 3.8: id-pe-proxyCertInfo; and the one of the GT3 draft, which Globus gave out.
RFC_PROXY = "1.3.6.1.5.5.7.1.14"
DRAFT_PROXY = "1.3.6.1.4.1.3536.1.222"
INHERIT_ALL = "1.3.6.1.5.5.7.21.1"
INDEPENDENT = "1.3.6.1.5.5.7.21.2"
LIMITED = "1.3.6.1.4.1.3536.1.1.1.9"
VOMS = "1.3.6.1.4.1.8005.100.100.5"

#: Critical extensions that the verification heeds, or that concern other uses of the certificate.
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS.dotted_string,
        ExtensionOID.KEY_USAGE.dotted_string,
        ExtensionOID.EXTENDED_KEY_USAGE.dotted_string,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string,
        ExtensionOID.CERTIFICATE_POLICIES.dotted_string,
        RFC_PROXY,
        DRAFT_PROXY,
        VOMS,
    }
)
_HASHES = (SHA224, SHA256, SHA384, SHA512)
#: Verification with a larger key costs more than a request is worth.
MAX_RSA = 8192
MIN_RSA = 2048
#: A proxy lives for hours, and older tools make it with a short key.
MIN_RSA_PROXY = 1024


class ProxyKind(Enum):
    """The forms of proxy certificates."""

    RFC = "RFC 3820"
    DRAFT = "GT3 draft"
    LEGACY = "GT2"


@dataclass(frozen=True, slots=True)
class ProxyInfo:
    """What makes a certificate a proxy. `path_length` is how many more may follow; None for any number."""

    kind: ProxyKind
    limited: bool
    path_length: int | None = None
    language: str = INHERIT_ALL


@dataclass(frozen=True, eq=False)
class Cert:
    """A certificate. `name` is its subject in one line; times are in seconds since the epoch."""

    data: bytes
    parsed: x509.Certificate
    name: str
    subject: x509.Name
    issuer: x509.Name
    not_before: float
    not_after: float
    extensions: Mapping[str, x509.Extension[Any]]
    proxy: ProxyInfo | None

    def extension(self, oid: x509.ObjectIdentifier) -> Any:
        """An extension's value, or None."""
        found = self.extensions.get(oid.dotted_string)
        return None if found is None else found.value

    @functools.cached_property
    def is_ca(self) -> bool:
        """Whether it says that it is a CA's."""
        constraints = self.extension(ExtensionOID.BASIC_CONSTRAINTS)
        return constraints is not None and constraints.ca is True

    @property
    def self_issued(self) -> bool:
        """Whether its issuer has its own name."""
        return self.subject == self.issuer

    def unknown_critical(self) -> str | None:
        """A critical extension that nothing here understands."""
        return next(
            (oid for oid, one in self.extensions.items() if one.critical and oid not in _UNDERSTOOD),
            None,
        )


def load(data: bytes) -> Cert:
    """A certificate from DER. Raises Refused (``malformed``)."""
    try:
        parsed = x509.load_der_x509_certificate(data)
        extensions = {one.oid.dotted_string: one for one in parsed.extensions}
        subject, issuer = parsed.subject, parsed.issuer
        return Cert(
            data=data,
            parsed=parsed,
            name=slash_form(subject),
            subject=subject,
            issuer=issuer,
            not_before=parsed.not_valid_before_utc.timestamp(),
            not_after=parsed.not_valid_after_utc.timestamp(),
            extensions=extensions,
            proxy=_proxy_info(subject, issuer, extensions),
        )
    except (ValueError, TypeError, OverflowError, x509.DuplicateExtension, x509.InvalidVersion) as error:
        raise Refused("malformed", f"a certificate cannot be read: {error}") from None
    except UnsupportedAlgorithm as error:
        raise Refused("malformed", f"a certificate is of an unknown kind: {error}") from None


def _proxy_info(subject: x509.Name, issuer: x509.Name, extensions: Mapping[str, Any]) -> ProxyInfo | None:
    rfc, draft = extensions.get(RFC_PROXY), extensions.get(DRAFT_PROXY)
    if rfc is not None and draft is not None:
        raise ValueError("it is a proxy of two kinds at once")
    if rfc is not None:
        if not rfc.critical:
            raise ValueError("its proxy information is not critical (RFC 3820, 3.8)")
        return _rfc_info(rfc.value.value)
    if draft is not None:
        return _draft_info(draft.value.value)
    if not subject.rdns or subject.rdns[:-1] != issuer.rdns:
        return None
    last = list(subject.rdns[-1])
    if len(last) != 1 or last[0].oid != NameOID.COMMON_NAME or last[0].value not in ("proxy", "limited proxy"):
        return None
    return ProxyInfo(ProxyKind.LEGACY, limited=last[0].value == "limited proxy")


def _rfc_info(value: bytes) -> ProxyInfo:
    """ProxyCertInfo ::= SEQUENCE { pCPathLenConstraint INTEGER (0..MAX) OPTIONAL, proxyPolicy ProxyPolicy }."""
    parts = der.element(value).children(der.SEQUENCE)
    length = parts.pop(0).integer() if parts and parts[0].tag == der.INTEGER else None
    if len(parts) != 1:
        raise ValueError("its proxy information is malformed")
    return _info(ProxyKind.RFC, parts[0], length)


def _draft_info(value: bytes) -> ProxyInfo:
    """The draft's: the policy comes first, and the path length after it with the tag [1]."""
    parts = der.element(value).children(der.SEQUENCE)
    length = None
    if len(parts) == 2:
        (inner,) = parts.pop().children(0xA1)
        length = inner.integer()
    if len(parts) != 1:
        raise ValueError("its proxy information is malformed")
    return _info(ProxyKind.DRAFT, parts[0], length)


def _info(kind: ProxyKind, policy: der.Element, length: int | None) -> ProxyInfo:
    parts = policy.children(der.SEQUENCE)
    if not 1 <= len(parts) <= 2 or (length is not None and length < 0):
        raise ValueError("its proxy information is malformed")
    language = parts[0].oid()
    return ProxyInfo(kind, limited=language == LIMITED, path_length=length, language=language)


def check_signature(child: Cert, issuer: Cert) -> None:
    """Raise Refused unless `issuer`'s key has signed `child`, in a way that is strong enough."""
    algorithm = None
    try:
        algorithm = child.parsed.signature_hash_algorithm
    except UnsupportedAlgorithm:
        raise Refused("weak", f"the certificate of {child.name} is signed in an unknown way") from None
    key = _key(issuer)
    if not isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)) and not isinstance(algorithm, _HASHES):
        used = getattr(algorithm, "name", "an unknown digest")
        raise Refused("weak", f"the certificate of {child.name} is signed with {used}; SHA-2 is the least")
    _check_strength(issuer, key)
    try:
        child.parsed.verify_directly_issued_by(issuer.parsed)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused("forged", f"the certificate of {child.name} is not signed by {issuer.name}") from None


def _key(cert: Cert) -> object:
    try:
        return cert.parsed.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Refused("weak", f"the key of {cert.name} is of an unknown kind: {error}") from None


def _check_strength(cert: Cert, key: object) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        least = MIN_RSA_PROXY if cert.proxy is not None else MIN_RSA
        if not least <= key.key_size <= MAX_RSA:
            raise Refused(
                "weak", f"the RSA key of {cert.name} has {key.key_size} bits; {least} to {MAX_RSA} are accepted"
            )
        if key.public_numbers().e.bit_length() > 64:
            raise Refused("weak", f"the RSA key of {cert.name} has too large an exponent")
    elif not isinstance(key, (ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        raise Refused("weak", f"the key of {cert.name} is of a kind that is not accepted")


def check_key(cert: Cert) -> None:
    """Raise Refused unless the certificate's own key is of a kind and size that is accepted."""
    _check_strength(cert, _key(cert))
