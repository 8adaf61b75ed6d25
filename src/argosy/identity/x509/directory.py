"""The CAs that are trusted: a directory as IGTF's distribution and Globus lay it out.

``HASH.0`` (``.1``, ... where two have one hash) is a CA's certificate, ``HASH.signing_policy`` says which names it may
give, ``HASH.r0`` is its revocation list. Every CA of a chain must be there, with its policy; root certificates that
somebody sends count for nothing.
"""

from __future__ import annotations

import functools
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA224, SHA256, SHA384, SHA512

from argosy.identity.contract import Refused

from .certificate import Cert, load
from .files import Watched
from .names import slash_form
from .signing_policy import SigningPolicy, parse

log = logging.getLogger(__name__)

_CERTIFICATE = re.compile(r"([0-9a-f]{8})\.(\d{1,3})")
_REST = re.compile(r"[0-9a-f]{8}\.(?:signing_policy|r\d{1,3})")
_MAX_CERTIFICATE = 256 * 1024
_MAX_CRL = 64 * 1024 * 1024
#: RFC 5280, 5.2: the number and the authority key of a full list of one CA; any other critical extension changes what
#: the list means.
_CRL_CRITICAL = frozenset({"2.5.29.20", "2.5.29.35"})


@dataclass(frozen=True)
class CRL:
    """A revocation list whose signature is good. `until` is when the next one is due, in seconds since the epoch."""

    x509: x509.CertificateRevocationList
    until: float

    def revoked(self, serial: int) -> bool:
        """Whether the certificate of this number has been revoked."""
        return self.x509.get_revoked_certificate_by_serial_number(serial) is not None


@dataclass(frozen=True, eq=False)
class CA:
    """A trusted CA. `policies` is None where there is none for it, and `policy_fault` says why if it cannot be read."""

    cert: Cert
    policies: tuple[SigningPolicy, ...] | None
    policy_fault: str | None
    crl_files: tuple[str, ...]

    def may_sign(self, subject: str) -> bool:
        """Whether its signing policy lets it give this name. Raises Refused where there is no policy to say so."""
        if self.policy_fault is not None:
            raise Refused("wrong-policy", f"the signing policy of {self.cert.name} cannot be read: {self.policy_fault}")
        if not self.policies:
            raise Refused("wrong-policy", f"there is no signing policy for {self.cert.name}")
        return any(policy.allows(subject) for policy in self.policies)

    @functools.cached_property
    def crl(self) -> CRL | Refused | None:
        """The newest revocation list; None where there is none, the fault where there is none that is good."""
        best: CRL | None = None
        fault: str | None = None
        for path in self.crl_files:
            try:
                found = _crl(path, self.cert)
            except (OSError, ValueError, UnsupportedAlgorithm) as error:
                fault = str(error)
                log.warning("the revocation list %s cannot be used: %s", path, error)
                continue
            if found is not None and (best is None or found.until > best.until):
                best = found
        if best is None and fault is not None:
            return Refused("no-crl", f"the revocation list of {self.cert.name} cannot be used: {fault}")
        return best


class CADirectory:
    """The directory at `path`. With `require_crls` a CA without a revocation list is not trusted."""

    def __init__(self, path: str | os.PathLike[str], *, require_crls: bool = False, look_every: float = 60.0) -> None:
        self.path = Path(path)
        self.require_crls = require_crls
        self._by_subject: dict[x509.Name, list[CA]] = {}
        self._watched = Watched(f"the CA directory {self.path}", self._files, self._read, look_every)

    def refresh(self) -> int:
        """See what has changed; a number that grows whenever something has. Raises Unavailable."""
        return self._watched.refresh()

    def find(self, subject: x509.Name) -> list[CA]:
        """The CAs of this name: one as a rule, two while its key changes."""
        return self._by_subject.get(subject, [])

    def __len__(self) -> int:
        return sum(map(len, self._by_subject.values()))

    def _files(self) -> list[str]:
        with os.scandir(self.path) as entries:
            return sorted(
                entry.path for entry in entries if _CERTIFICATE.fullmatch(entry.name) or _REST.fullmatch(entry.name)
            )

    def _read(self, files: list[str]) -> None:
        named = {os.path.basename(path): path for path in files}
        hashes: dict[bytes, tuple[Cert, list[str]]] = {}
        for name, path in named.items():
            match = _CERTIFICATE.fullmatch(name)
            if match is None:
                continue
            try:
                cert = load(_der(path))
            except (OSError, ValueError, Refused) as error:
                log.warning("the CA certificate %s cannot be used: %s", path, error)
                continue
            # The same CA stands there under the old and the new form of its hash.
            hashes.setdefault(cert.data, (cert, []))[1].append(match[1])
        by_subject: dict[x509.Name, list[CA]] = {}
        for cert, its_hashes in hashes.values():
            policies, fault = _policies([named.get(f"{one}.signing_policy") for one in its_hashes], cert.name)
            crls = tuple(path for one in its_hashes for name, path in named.items() if name.startswith(f"{one}.r"))
            by_subject.setdefault(cert.subject, []).append(CA(cert, policies, fault, crls))
        self._by_subject = by_subject
        log.info("%d CAs are trusted (%s)", len(self), self.path)


def _der(path: str) -> bytes:
    data = _bytes(path, _MAX_CERTIFICATE)
    if b"-----BEGIN" not in data:
        return data
    from cryptography.hazmat.primitives.serialization import Encoding

    found = x509.load_pem_x509_certificates(data)
    if len(found) != 1:
        raise ValueError(f"{len(found)} certificates are in one file")
    return found[0].public_bytes(Encoding.DER)


def _bytes(path: str, most: int) -> bytes:
    with open(path, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most} bytes")
    return data


def _policies(paths: list[str | None], ca: str) -> tuple[tuple[SigningPolicy, ...] | None, str | None]:
    fault = None
    for path in paths:
        if path is None:
            continue
        try:
            found = tuple(one for one in parse(_bytes(path, _MAX_CERTIFICATE).decode()) if one.ca == ca)
        except (OSError, ValueError) as error:
            fault = f"{path}: {error}"
            log.warning("the signing policy %s cannot be used: %s", path, error)
            continue
        if found:
            return found, None
    return None, fault


def _crl(path: str, ca: Cert) -> CRL | None:
    """The list in a file if it is this CA's; raises ValueError where it is, and is not good."""
    data = _bytes(path, _MAX_CRL)
    parsed = (x509.load_pem_x509_crl if b"-----BEGIN" in data[:4096] else x509.load_der_x509_crl)(data)
    if parsed.issuer != ca.subject:
        return None
    if not isinstance(parsed.signature_hash_algorithm, (SHA224, SHA256, SHA384, SHA512)):
        raise ValueError("it is signed in a way that is too weak")  # noqa: TRY004
    if not parsed.is_signature_valid(ca.parsed.public_key()):  # type: ignore[arg-type]  # any kind of key is tried
        raise ValueError(f"it is not signed by {slash_form(ca.subject)}")
    for one in parsed.extensions:
        if one.critical and one.oid.dotted_string not in _CRL_CRITICAL:
            raise ValueError(f"it has the critical extension {one.oid.dotted_string}, which is not supported")
    if parsed.next_update_utc is None:
        raise ValueError("it does not say when the next one is due")
    return CRL(parsed, parsed.next_update_utc.timestamp())
