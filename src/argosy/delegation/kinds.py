"""The kinds of credentials: what is taken of each, what of it may be shown, and when it ends."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
    load_ssh_private_key,
)
from msgspec import Struct

from argosy.identity import Refused
from argosy.identity.x509.certificate import Cert
from argosy.identity.x509.pem import Bundle, from_pem
from argosy.languages.documents_credentials import NewCredential
from argosy.model import InvalidInput

MAX_SECRET = 64 * 1024
_HOST = re.compile(r"\*|[A-Za-z0-9]([A-Za-z0-9.-]{0,252})(:[0-9]{1,5})?|\[[0-9a-fA-F:.]{2,45}\](:[0-9]{1,5})?")


class Secret(Struct, omit_defaults=True):
    """What is sealed. Which fields there are depends on the kind; `key` is that of a delegation that is under way."""

    pem: str | None = None
    token: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    private_key: str | None = None
    user: str | None = None
    password: str | None = None
    key: str | None = None
    refresh_token: str | None = None
    client_secret: str | None = None
    passphrase: str | None = None

    def __repr__(self) -> str:
        return "Secret(...)"


class Opened(Struct, frozen=True):
    """A credential as it is used: never shown, never logged."""

    id: str
    kind: str
    expires: float | None
    hosts: tuple[str, ...]
    secret: Secret

    def __repr__(self) -> str:
        return f"Opened({self.id!r}, {self.kind!r}, ...)"


#: The fields that each kind needs, and those that it may have.
FIELDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "proxy": (frozenset({"pem"}), frozenset()),
    "token": (frozenset({"token"}), frozenset()),
    "s3": (frozenset({"access_key", "secret_key"}), frozenset({"session_token"})),
    "ssh-key": (frozenset({"private_key"}), frozenset({"user"})),
    "password": (frozenset({"user", "password"}), frozenset()),
}
_SECRETS = frozenset().union(*(needed | more for needed, more in FIELDS.values()))


def check(new: NewCredential, owner: str) -> tuple[Secret, dict[str, Any], float | None]:
    """The secret, what may be shown, and when it ends by itself. Raises InvalidInput with the element."""
    needed, more = FIELDS[new.kind]
    for name in sorted(_SECRETS):
        value = getattr(new, name)
        if value is None and name in needed:
            raise InvalidInput(f"a credential of kind {new.kind} needs {name}", element=name)
        if value is not None and name not in needed | more:
            raise InvalidInput(f"a credential of kind {new.kind} has no {name}", element=name)
        if value is not None and not 0 < len(value) <= MAX_SECRET:
            raise InvalidInput(f"{name} is of 1 to {MAX_SECRET} characters", element=name)
    for index, host in enumerate(new.hosts):
        if not _HOST.fullmatch(host):
            raise InvalidInput("a host is NAME or NAME:PORT, or * for any", element=f"hosts[{index}]")
    if new.kind in ("proxy", "ssh-key") and new.hosts:
        raise InvalidInput("its key is shown to no host; leave out the hosts", element="hosts")
    if new.kind in ("s3", "password") and not new.hosts:
        raise InvalidInput("name the hosts that it is for, or * for any that a description names", element="hosts")
    shown: dict[str, Any] = {}
    expires = None
    if new.kind == "proxy":
        shown, expires = check_proxy(new.pem or "", owner)
    elif new.kind == "token":
        shown, expires = _token(new.token or "")
    elif new.kind == "ssh-key":
        _ssh_key(new.private_key or "")
    secret = Secret(**{name: getattr(new, name) for name in _SECRETS})
    return secret, shown, expires


def check_proxy(pem: str, owner: str) -> tuple[dict[str, Any], float]:
    """What may be shown of a proxy or certificate with its key, and when it ends. One of a user who is known by
    certificates must be that user's own. Whether its signatures are good is for those to judge to whom it is shown."""
    try:
        bundle = from_pem(pem.encode())
    except Refused as refused:
        raise InvalidInput(refused.message, element="pem") from None
    _check_key(bundle)
    end_entity = _end_entity(bundle.chain)
    if owner.startswith("/") and end_entity.name != owner:
        raise InvalidInput(f"this is a credential of {end_entity.name}, and you are {owner}", element="pem")
    return {"subject": end_entity.name}, min(cert.not_after for cert in bundle.chain)


def _check_key(bundle: Bundle) -> None:
    try:
        key = load_der_private_key(bundle.key, None)
        given = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        own = bundle.chain[0].parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"the private key cannot be read: {error}", element="pem") from None
    if given != own:
        raise InvalidInput("the private key is not that of the first certificate", element="pem")


def _end_entity(chain: Sequence[Cert]) -> Cert:
    others = {cert.subject: cert for cert in chain[1:]}
    found = chain[0]
    while found.proxy is not None:
        issuer = others.pop(found.issuer, None)
        if issuer is None:
            raise InvalidInput(f"the certificate that issued {found.name} is missing", element="pem")
        found = issuer
    return found


def _token(token: str) -> tuple[dict[str, Any], float | None]:
    """Of a JWT its own word about scopes and end is shown; that of any other token is its owner's secret alone."""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInput("a token is of printable ASCII characters without spaces", element="token")
    parts = token.split(".")
    if len(parts) != 3:
        return {}, None
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)), type=_Claims)
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError):
        return {}, None
    shown = {name: value for name, value in (("subject", claims.sub), ("scope", claims.scope)) if value is not None}
    return shown, claims.exp


class _Claims(Struct):
    sub: str | None = None
    scope: str | None = None
    exp: float | None = None


def _ssh_key(text: str) -> None:
    if "ENCRYPTED" in text:
        raise InvalidInput("the key has a passphrase, which the service could not type", element="private_key")
    load: Any = load_ssh_private_key if "OPENSSH" in text else load_pem_private_key
    try:
        load(text.encode(), None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise InvalidInput(
            "this is no private key as ssh-keygen writes it, or it has a passphrase", element="private_key"
        ) from None
