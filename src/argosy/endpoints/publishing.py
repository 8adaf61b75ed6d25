"""What a served service tells of how it is reached."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from argosy.service.config import ServiceConfig
from argosy.service.information.published import Interface, Published

from .contract import Endpoint

_NATIVE = Interface("org.argosy.rest", "1", "/v1")


def published(config: ServiceConfig, address: str, others: Sequence[Endpoint]) -> Published:
    """How a service is reached that was configured like this, at this address, by the native endpoint and `others`."""
    ways = [way for way in ("x509", "oidc", "tokens", "local") if way in config.identity]
    return Published(
        address.rstrip("/"),
        (_NATIVE, *(one.interface() for one in others)),
        ("token", *ways),
        None if config.tls is None else _issuer(config.tls.cert),
    )


def _issuer(path: str) -> str | None:
    """The issuer of the first certificate of a file, as X.500 has it: largest unit first."""
    try:
        certificate = x509.load_pem_x509_certificates(Path(path).read_bytes())[0]
    except (OSError, ValueError, IndexError):
        # The server has read it before and said what was wrong; here it is only told of.
        return None
    return "".join(f"/{part.rfc4514_attribute_name}={part.value!s}" for part in certificate.issuer)
