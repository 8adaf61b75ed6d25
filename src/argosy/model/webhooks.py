"""Signed webhooks: secrets, signatures and their headers.

Source: Standard Webhooks 1.0.0. What is signed is ``ID.TIMESTAMP.BODY``, with HMAC-SHA256 under the bytes that a secret
``whsec_BASE64`` stands for; the signature is written ``v1,BASE64``, and several are separated by spaces.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from .errors import InvalidInput

PREFIX = "whsec_"
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
#: How many bytes a secret may have (Standard Webhooks, "Signature scheme").
SHORTEST, LONGEST = 24, 64


def new_secret() -> str:
    """A fresh secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str, element: str = "secret") -> bytes:
    """The bytes that a secret stands for. Raises InvalidInput, which does not repeat the secret."""
    key = b""
    if secret.startswith(PREFIX):
        with contextlib.suppress(ValueError):
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    if not SHORTEST <= len(key) <= LONGEST:
        raise InvalidInput(
            f"a secret is {PREFIX} and then {SHORTEST} to {LONGEST} bytes in Base64; leave it out to be given one",
            element=element,
        )
    return key


def signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """The signature of one message, e.g. ``v1,K5oZ...``."""
    digest = hmac.new(key_of(secret), b"%s.%d.%s" % (id.encode(), timestamp, body), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def headers(secrets: Sequence[str], id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers that a message is sent with, signed with each of the secrets.

    `timestamp` is when, in seconds since the epoch.
    """
    signed = " ".join(signature(one, id, timestamp, body) for one in secrets)
    return {ID: id, TIMESTAMP: str(timestamp), SIGNATURE: signed}
