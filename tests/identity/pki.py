"""Certificates of every kind, good and bad, and the directories that services trust."""

from __future__ import annotations

import base64
import functools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID, ObjectIdentifier

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
RFC = "1.3.6.1.5.5.7.1.14"
DRAFT = "1.3.6.1.4.1.3536.1.222"
INHERIT = "1.3.6.1.5.5.7.21.1"
INDEPENDENT = "1.3.6.1.5.5.7.21.2"
LIMITED = "1.3.6.1.4.1.3536.1.1.1.9"

_OIDS = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME}


@functools.cache
def rsa_key(which: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same key for the same name: making one takes long."""
    return rsa.generate_private_key(65537, bits)


def name(text: str) -> x509.Name:
    """``/O=Grid/CN=Alice`` as a name."""
    pairs = [part.split("=", 1) for part in text.split("/")[1:]]
    return x509.Name([x509.NameAttribute(_OIDS[kind], value) for kind, value in pairs])


# -- DER ------------------------------------------------------------------------------------------


def tlv(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    out = b""
    for arc in [first * 40 + second, *rest]:
        part = bytes([arc & 0x7F])
        while arc := arc >> 7:
            part = bytes([0x80 | arc & 0x7F]) + part
        out += part
    return tlv(0x06, out)


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def proxy_info(kind: str, language: str = INHERIT, length: int | None = None) -> x509.Extension[Any]:
    """A proxyCertInfo extension's value: RFC 3820, 3.8, or the draft's."""
    policy = tlv(0x30, oid(language))
    number = b"" if length is None else integer(length)
    if kind == RFC:
        return x509.UnrecognizedExtension(ObjectIdentifier(RFC), tlv(0x30, number, policy))
    return x509.UnrecognizedExtension(ObjectIdentifier(DRAFT), tlv(0x30, policy, tlv(0xA1, number) if number else b""))


# -- certificates ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """A certificate, its key, and the one that issued it."""

    cert: x509.Certificate
    key: Any
    issuer: Pair | None = field(default=None, repr=False)

    @property
    def subject(self) -> str:
        return "".join(f"/{attribute.rfc4514_attribute_name}={attribute.value}" for attribute in self.cert.subject)

    def der(self) -> bytes:
        return self.cert.public_bytes(Encoding.DER)

    def pem(self) -> bytes:
        return self.cert.public_bytes(Encoding.PEM)

    def key_pem(self, form: PrivateFormat = PrivateFormat.PKCS8, password: bytes | None = None) -> bytes:
        encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
        return self.key.private_bytes(Encoding.PEM, form, encryption)

    def above(self) -> list[Pair]:
        """Those below the CA that issued it."""
        found = []
        one = self.issuer
        while one is not None and one.issuer is not None:
            found.append(one)
            one = one.issuer
        return found

    def file(self, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
        """As grid-proxy-init writes it."""
        return self.pem() + self.key_pem(form) + b"".join(one.pem() for one in self.above())

    def chain(self) -> tuple[bytes, ...]:
        return tuple(one.der() for one in [self, *self.above()])


def issue(
    subject: x509.Name | str,
    issuer: Pair | None,
    key: Any,
    *,
    signer: Any = None,
    issuer_name: x509.Name | None = None,
    begin: datetime = NOW - timedelta(days=1),
    end: datetime = NOW + timedelta(days=1),
    extensions: tuple[tuple[Any, bool], ...] = (),
    serial: int | None = None,
    hashed: HashAlgorithm | None = None,
) -> Pair:
    """A certificate with exactly this in it, signed by `signer` or the issuer's key, or by itself."""
    subject = name(subject) if isinstance(subject, str) else subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name or (issuer.cert.subject if issuer is not None else subject))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signer = signer or (issuer.key if issuer is not None else key)
    return Pair(builder.sign(signer, hashed or SHA256()), key, issuer)


def usage(**on: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{one: on.get(one, False) for one in names})


def make_ca(subject: str = "/O=Grid/CN=Lab CA", issuer: Pair | None = None, **named: Any) -> Pair:
    named.setdefault("begin", NOW - timedelta(days=1000))
    named.setdefault("end", NOW + timedelta(days=1000))
    length = named.pop("length", None)
    named.setdefault(
        "extensions",
        ((x509.BasicConstraints(True, length), True), (usage(key_cert_sign=True, crl_sign=True), True)),
    )
    return issue(subject, issuer, named.pop("key", None) or rsa_key(subject), **named)


def make_user(ca: Pair, subject: str = "/O=Grid/CN=Alice Example", **named: Any) -> Pair:
    named.setdefault("end", NOW + timedelta(days=300))
    named.setdefault("extensions", ((usage(digital_signature=True), True),))
    return issue(subject, ca, named.pop("key", None) or rsa_key(subject), **named)


def make_proxy(
    issuer: Pair,
    *,
    kind: str = RFC,
    language: str = INHERIT,
    length: int | None = None,
    common: str = "1234",
    critical: bool = True,
    extensions: tuple[tuple[Any, bool], ...] = (),
    **named: Any,
) -> Pair:
    """A proxy; of kind ``legacy`` it is one by its name alone."""
    if kind != "legacy":
        extensions = ((proxy_info(kind, language, length), critical), *extensions)
    elif common == "1234":
        common = "proxy"
    rdns = [*issuer.cert.subject.rdns, *name(f"/CN={common}").rdns]
    named.setdefault("end", NOW + timedelta(hours=12))
    subject = named.pop("subject", None) or x509.Name(rdns)
    return issue(subject, issuer, named.pop("key", None) or rsa_key("proxy"), extensions=extensions, **named)


def header(data: bytes) -> str:
    """As a client sends it: base64 | tr -d '\\n'."""
    return base64.b64encode(data).decode()


# -- directories ----------------------------------------------------------------------------------


@dataclass
class Trust:
    """A CA directory that is being laid out.

    A file takes the place of another one: written over within a tick of the file system's clock it might look the same.
    """

    path: Path

    def _lay(self, name: str, data: bytes) -> None:
        made = self.path / f"{name}.made"
        made.write_bytes(data)
        made.replace(self.path / name)

    def add(
        self, ca: Pair, allows: str | None = '"/O=Grid/*"', hash: str = "0a1b2c3d", policy_of: str | None = None
    ) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self._lay(f"{hash}.0", ca.pem())
        if allows is not None:
            policy = (
                "# which names it may give\n"
                f"access_id_CA  X509  '{policy_of or ca.subject}'\n"
                "pos_rights  globus  CA:sign\n"
                f"cond_subjects  globus  '{allows}'\n"
            )
            self._lay(f"{hash}.signing_policy", policy.encode())

    def revoke(
        self,
        ca: Pair,
        serials: tuple[int, ...] = (),
        *,
        hash: str = "0a1b2c3d",
        begin: datetime = NOW - timedelta(days=1),
        end: datetime = NOW + timedelta(days=7),
        key: Any = None,
        extensions: tuple[tuple[Any, bool], ...] = (),
    ) -> None:
        builder = x509.CertificateRevocationListBuilder().issuer_name(ca.cert.subject)
        builder = builder.last_update(begin).next_update(end)
        for serial in serials:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(begin).build()
            builder = builder.add_revoked_certificate(entry)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        crl = builder.sign(key or ca.key, SHA256())
        self._lay(f"{hash}.r0", crl.public_bytes(Encoding.PEM))


# -- VOMS -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attributes:
    """What goes into an attribute certificate."""

    holder: Pair
    server: Pair
    vo: str = "labvo"
    fqans: tuple[str, ...] = ("/labvo/Role=NULL/Capability=NULL", "/labvo/prod/Role=pilot/Capability=NULL")
    begin: datetime = NOW - timedelta(hours=1)
    end: datetime = NOW + timedelta(hours=11)
    signer: Any = None
    serial: int | None = None
    certificates: tuple[bytes, ...] | None = None
    critical: str | None = None
    issuer: x509.Name | None = None

    def but(self, **other: Any) -> Attributes:
        return replace(self, **other)

    def extension(self) -> tuple[x509.UnrecognizedExtension, bool]:
        """The extension of a proxy that has it."""
        oid_voms = ObjectIdentifier("1.3.6.1.4.1.8005.100.100.5")
        return x509.UnrecognizedExtension(oid_voms, tlv(0x30, tlv(0x30, self.der()))), False

    def der(self) -> bytes:
        def times(when: datetime) -> bytes:
            return tlv(0x18, when.strftime("%Y%m%d%H%M%SZ").encode())

        def names(one: x509.Name) -> bytes:
            return tlv(0x30, tlv(0xA4, one.public_bytes()))

        algorithm = tlv(0x30, oid("1.2.840.113549.1.1.11"), b"\x05\x00")
        serial = self.serial or self.holder.cert.serial_number
        uri = f"{self.vo}://localhost:15000".encode()
        syntax = tlv(0x30, tlv(0xA0, tlv(0x86, uri)), tlv(0x30, *(tlv(0x04, one.encode()) for one in self.fqans)))
        certificates = (self.server.der(),) if self.certificates is None else self.certificates
        extensions = [
            tlv(
                0x30,
                oid("1.3.6.1.4.1.8005.100.100.10"),
                tlv(0x04, tlv(0x30, tlv(0x30, *certificates))),
            ),
            tlv(0x30, oid("2.5.29.56"), tlv(0x04, b"\x05\x00")),
        ]
        if self.critical is not None:
            extensions.append(tlv(0x30, oid(self.critical), b"\x01\x01\xff", tlv(0x04, b"\x05\x00")))
        info = tlv(
            0x30,
            integer(1),
            tlv(0x30, tlv(0xA0, names(self.holder.cert.issuer), integer(serial))),
            tlv(0xA0, names(self.issuer or self.server.cert.subject)),
            algorithm,
            integer(1),
            tlv(0x30, times(self.begin), times(self.end)),
            tlv(0x30, tlv(0x30, oid("1.3.6.1.4.1.8005.100.100.4"), tlv(0x31, syntax))),
            tlv(0x30, *extensions),
        )
        from cryptography.hazmat.primitives.asymmetric import padding

        signature = (self.signer or self.server.key).sign(info, padding.PKCS1v15(), SHA256())
        return tlv(0x30, info, algorithm, tlv(0x03, b"\0", signature))


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
