"""The PEM of a proxy as it comes in a header: certificates and the private key of the first one.

A header holds one line, so the PEM is in Base64, or its line ends are written as ``\\n``.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key

from argosy.identity.contract import Refused

from .certificate import Cert, load
from .verify import MAX_CERTIFICATES

#: The longest header that is looked at, in characters.
MAX_HEADER = 64 * 1024

_BEGIN = b"-----BEGIN "
_BLOCK = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]{1,40})-----[ \t]*\r?\n([A-Za-z0-9+/=\s]*?)-----END \1-----[ \t]*(?:\r?\n|\Z)"
)
#: PKCS#8, and the older forms that are named by their algorithm (PKCS#1, SEC 1).
_KEYS = (b"PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY")


@dataclass(frozen=True)
class Bundle:
    """What a proxy file holds: certificates, the caller's own first; the private key in DER; and all of it as PEM."""

    chain: tuple[Cert, ...]
    key: bytes = field(repr=False)
    pem: bytes = field(repr=False)


def from_header(value: str) -> Bundle:
    """A proxy from a header. Raises Refused: ``malformed``, ``truncated``, ``oversize``, ``encoded-twice``."""
    if len(value) > MAX_HEADER:
        raise Refused("oversize", f"the proxy has {len(value)} characters; the most are {MAX_HEADER}")
    text = value.strip()
    if not text:
        raise Refused("malformed", "the proxy is empty")
    if text.startswith(_BEGIN.decode()):
        return from_pem(text.replace("\\r", "").replace("\\n", "\n").encode("latin-1", "replace"))
    pem = _base64(text)
    if _BEGIN not in pem:
        if _BEGIN in _base64(pem.decode("latin-1"), b""):
            raise Refused("encoded-twice", "the proxy is in Base64 twice; encode the file once")
        raise Refused("malformed", "the header does not hold a PEM file in Base64")
    return from_pem(pem)


def _base64(text: str, otherwise: bytes | None = None) -> bytes:
    try:
        return base64.b64decode("".join(text.split()).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        if otherwise is not None:
            return otherwise
        raise Refused("malformed", "the header is not Base64; encode the proxy file with: base64 -w0") from None


def from_pem(pem: bytes) -> Bundle:
    """A proxy from the content of its file."""
    found = [(match[1], match[2]) for match in _BLOCK.finditer(pem)]
    if len(found) != pem.count(_BEGIN):
        raise Refused("truncated", "a part of the PEM file has no end, or is no PEM; perhaps the proxy was cut off")
    certificates = [body for label, body in found if label == b"CERTIFICATE"]
    keys = [(label, body) for label, body in found if label in _KEYS]
    if len(certificates) + len(keys) != len(found):
        raise Refused("malformed", "the PEM file holds something besides certificates and a key without a password")
    if not certificates:
        raise Refused("malformed", "the PEM file holds no certificate")
    if len(certificates) > MAX_CERTIFICATES:
        raise Refused("too-long", f"there are {len(certificates)} certificates; the most are {MAX_CERTIFICATES}")
    if len(keys) != 1:
        what = "no private key" if not keys else "several private keys"
        raise Refused("no-key", f"the PEM file holds {what}; a proxy comes with its own, without a password")
    chain = tuple(load(_body(body)) for body in certificates)
    return Bundle(chain, _body(keys[0][1]), pem)


def _body(body: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        raise Refused("malformed", "a part of the PEM file is not Base64") from None


_FORWARDED = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*?)-----END CERTIFICATE-----")


def forwarded(value: str) -> tuple[bytes, ...]:
    """Certificates in DER from the header of a proxy server: PEM, escaped as in a URL or with spaces as line ends."""
    if len(value) > 3 * MAX_HEADER:
        raise Refused("oversize", f"the certificates have {len(value)} characters; the most are {3 * MAX_HEADER}")
    text = unquote(value) if "%" in value else value
    found = _FORWARDED.findall(text)
    if not found or _FORWARDED.sub("", text).strip():
        raise Refused("malformed", "the header with the client's certificates holds something else")
    if len(found) > MAX_CERTIFICATES:
        raise Refused("too-long", f"there are {len(found)} certificates; the most are {MAX_CERTIFICATES}")
    return tuple(_body(body.encode()) for body in found)


def check_possession(bundle: Bundle) -> None:
    """Raise Refused unless the key is that of the first certificate, whose chain must have been found good before."""
    name = bundle.chain[0].name
    wrong = Refused("wrong-key", f"the private key is not that of {name}")
    public = bundle.chain[0].parsed.public_key()
    try:
        # The library's own check of an RSA key looks for primes, which takes 50 ms. A modulus that a CA has vouched
        # for has two prime factors, and who knows them has the key: so the product is enough, and the signature
        # below shows the rest.
        key = load_der_private_key(bundle.key, None, unsafe_skip_rsa_key_validation=True)
        challenge = os.urandom(32)
        if isinstance(key, rsa.RSAPrivateKey) and isinstance(public, rsa.RSAPublicKey):
            numbers, expected = key.private_numbers(), public.public_numbers()
            if numbers.public_numbers != expected or numbers.p < 2 or numbers.q < 2:
                raise wrong
            if numbers.p * numbers.q != expected.n:
                raise wrong
            public.verify(key.sign(challenge, padding.PKCS1v15(), SHA256()), challenge, padding.PKCS1v15(), SHA256())
        elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(key.sign(challenge, ec.ECDSA(SHA256())), challenge, ec.ECDSA(SHA256()))
        else:
            raise wrong
    except (ValueError, TypeError, OverflowError, UnsupportedAlgorithm, InvalidSignature):
        raise wrong from None
