"""The documents about credentials; as `documents`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Renewal(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """How a credential is renewed while jobs wait: a proxy from a MyProxy server, a token by a refresh token, or
    without one in exchange for itself (RFC 8693)."""

    myproxy: str | None = None
    """``HOST`` or ``HOST:PORT``; one of those that the service knows."""
    username: str | None = None
    passphrase: str | None = None
    """Without one the proxy itself is shown to the MyProxy server, which must let the service renew it."""
    issuer: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    refresh_token: str | None = None
    scope: str | None = None
    """What the new tokens are to be good for; no more than the refresh token (RFC 6749, 6)."""
    audience: str | None = None
    """For whom a token that is got in exchange is to be good."""


class NewCredential(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A credential to be kept. `hosts` are those to which it may be shown; without any, all that descriptions name."""

    kind: Literal["proxy", "token", "s3", "ssh-key", "password"]
    name: Annotated[str, Meta(max_length=200)] = ""
    hosts: Annotated[list[str], Meta(max_length=100)] = []
    expires: str | None = None
    """RFC 3339. A certificate or a JWT that ends sooner ends by itself."""
    from_request: bool = False
    """A proxy: the one that came with this request in its ``PROXY`` header."""
    pem: str | None = None
    token: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    private_key: str | None = None
    user: str | None = None
    password: str | None = None
    renewal: Renewal | None = None

    def __repr__(self) -> str:
        return f"NewCredential(kind={self.kind!r}, ...)"


class CredentialDocument(Struct, omit_defaults=True, kw_only=True):
    """What may be known of a credential that is kept; never the secret."""

    id: str
    kind: str
    name: str = ""
    hosts: list[str] = []
    created: str
    changed: str
    expires: str | None = None
    expired: bool = False
    waiting: bool = False
    """A delegation that has been asked for, and not been signed yet."""
    subject: str | None = None
    scope: str | None = None
    renewed_from: str | None = None
    """The MyProxy server or the issuer."""
    renewal_error: str | None = None
    """Why the last try to renew it failed."""


class DelegationRequest(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A proxy to be delegated; `credential` names one that is to be renewed, and keeps its id."""

    name: Annotated[str, Meta(max_length=200)] = ""
    credential: str | None = None
    renewal: Renewal | None = None


class DelegationDocument(Struct, kw_only=True):
    """A signing request (PKCS#10, PEM), to be answered with a PUT of the chain to ``/v1/delegations/ID``."""

    id: str
    request: str
