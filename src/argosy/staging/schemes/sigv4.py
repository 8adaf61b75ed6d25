"""AWS Signature Version 4: the header that lets in whoever has an access key. No input or output.

Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl, quote

from argosy.staging.contract import S3Keys

EMPTY = hashlib.sha256(b"").hexdigest()


def sign(
    method: str,
    host: str,
    path: str,
    query: str,
    *,
    keys: S3Keys,
    region: str,
    now: datetime,
    payload: str = EMPTY,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers to send with a request. `path` and `query` are as they are sent, `host` with its port if it has one,
    `payload` the SHA-256 of the body (hexadecimal), `headers` those that are signed beside our own; `now` is in UTC."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    signed = {name.lower(): " ".join(value.split()) for name, value in (headers or {}).items()}
    signed |= {"host": host, "x-amz-date": stamp, "x-amz-content-sha256": payload}
    if keys.session_token is not None:
        signed["x-amz-security-token"] = keys.session_token
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        [
            method,
            path or "/",
            canonical_query(query),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            payload,
        ]
    )
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{keys.secret_key}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    sent = {name: value for name, value in signed.items() if name != "host"}
    sent["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    )
    return sent


def canonical_query(query: str) -> str:
    """The parameters by name, with everything quoted that is not unreserved."""
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(query, keep_blank_values=True)
    )
    return "&".join(f"{name}={value}" for name, value in pairs)
