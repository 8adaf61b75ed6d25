"""Who calls, by a bearer token (RFC 6750)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from argosy.endpoints.door import Authenticate
from argosy.service.caller import Caller


def bearer(token: str, caller: Caller) -> Authenticate:
    """Whoever sends `token` is `caller`. The comparison takes the same time wherever the first difference is."""
    if not token:
        raise ValueError("an empty token would let everybody in")
    expected = token.encode()

    def authenticate(headers: Mapping[str, str]) -> Caller | None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        return caller if hmac.compare_digest(given.strip().encode(errors="replace"), expected) else None

    return authenticate
