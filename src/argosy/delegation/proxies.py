"""Delegation of a proxy without its key ever travelling: one side makes a key and asks, the other signs (RFC 3820).

The service asks with PKCS#10 (RFC 2986), as the delegation services of EMI-ES and ARC do. `sign` is the client's half.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtensionOID, NameOID, ObjectIdentifier

from argosy.model import InvalidInput

#: Older Globus accepts RSA alone.
_BITS = 2048
_RFC_PROXY = ObjectIdentifier("1.3.6.1.5.5.7.1.14")
#: ProxyCertInfo (RFC 3820, 3.8) without a path length, with the policies inheritAll, and Globus's limited one.
_INHERIT = bytes.fromhex("300c300a06082b06010505071501")
_LIMITED = bytes.fromhex("300f300d060b2b060104019b5001010109")
#: Clocks differ.
_BEFORE = timedelta(minutes=5)
_MAX_CHAIN = 24


def request() -> tuple[str, str]:
    """A new key and a signing request for it, both in PEM. It takes a tenth of a second: call it in a thread."""
    key = rsa.generate_private_key(65537, _BITS)
    asked = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "delegation")]))
        .sign(key, SHA256())
    )
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        asked.public_bytes(Encoding.PEM).decode(),
    )


def complete(key: str, chain: str) -> str:
    """A proxy file of the key and of the chain that was signed for it, in PEM. Raises InvalidInput."""
    try:
        certificates = x509.load_pem_x509_certificates(chain.encode())
    except ValueError as error:
        raise InvalidInput(f"this is no chain of certificates in PEM: {error}") from None
    if "PRIVATE KEY" in chain:
        raise InvalidInput("send certificates alone; your private key must stay with you")
    if len(certificates) > _MAX_CHAIN:
        raise InvalidInput(f"there are {len(certificates)} certificates; the most are {_MAX_CHAIN}")
    own = load_pem_private_key(key.encode(), None).public_key()
    if _spki(own) != _spki(certificates[0].public_key()):
        raise InvalidInput("the first certificate is not one for the key of this request")
    pem = [one.public_bytes(Encoding.PEM).decode() for one in certificates]
    return pem[0] + key + "".join(pem[1:])


def sign(asked: str, credential: bytes, *, lifetime: float, limited: bool = False) -> str:
    """A chain in PEM: a proxy for the key of a signing request, made by a user's proxy or certificate with its key.

    `lifetime` is in seconds, and no longer than the credential's own. Raises InvalidInput.
    """
    try:
        csr = x509.load_pem_x509_csr(asked.encode())
        certificates = x509.load_pem_x509_certificates(credential)
        key = load_pem_private_key(_key_block(credential), None)
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"the request or the credential cannot be read: {error}") from None
    if not csr.is_signature_valid:
        raise InvalidInput("the signing request is not signed by its own key")
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise InvalidInput("a proxy is signed with an RSA or an elliptic key")
    issuer = certificates[0]
    if _spki(key.public_key()) != _spki(issuer.public_key()):
        raise InvalidInput("the private key is not that of the first certificate")
    serial = int.from_bytes(os.urandom(8), "big") >> 1 or 1
    now = datetime.now(UTC)
    part = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, str(serial))])
    info = x509.UnrecognizedExtension(_RFC_PROXY, _LIMITED if limited or _is_limited(certificates) else _INHERIT)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([*issuer.subject.rdns, part]))
        .issuer_name(issuer.subject)
        .public_key(csr.public_key())
        .serial_number(serial)
        .not_valid_before(max(now - _BEFORE, issuer.not_valid_before_utc))
        .not_valid_after(min(now + timedelta(seconds=lifetime), issuer.not_valid_after_utc))
        .add_extension(info, critical=True)
        .add_extension(_USAGE, critical=True)
        .sign(key, SHA256())
    )
    chain = [made, *(one for one in certificates if not _is_ca(one))]
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in chain)


_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_encipherment=True,
    content_commitment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _key_block(pem: bytes) -> bytes:
    """The private key of a file that has certificates too."""
    begin, end = pem.find(b"-----BEGIN "), -1
    while begin >= 0:
        label = pem[begin + 11 : pem.find(b"-----", begin + 11)]
        end = pem.find(b"-----END " + label, begin)
        if label.endswith(b"PRIVATE KEY") and end >= 0:
            return pem[begin : end + len(label) + 15]
        begin = pem.find(b"-----BEGIN ", begin + 11)
    raise ValueError("there is no private key")


def _is_limited(chain: Sequence[x509.Certificate]) -> bool:
    """What comes after a limited proxy is limited whatever it says; saying so spares others the search."""
    for one in chain:
        for extension in one.extensions:
            if extension.oid == _RFC_PROXY and isinstance(extension.value, x509.UnrecognizedExtension):
                return _LIMITED[4:] in extension.value.value
    return False


def _is_ca(cert: x509.Certificate) -> bool:
    try:
        return bool(cert.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS).value.ca)  # type: ignore[attr-defined]
    except x509.ExtensionNotFound:
        return False


def _spki(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined,no-any-return]
