"""Our signatures beside those of botocore, on the same requests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from argosy.staging import S3Keys
from argosy.staging.schemes import sigv4

_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def theirs(method: str, url: str, keys: S3Keys, payload: str, now: datetime) -> str:
    request = AWSRequest(method=method, url=url, headers={"x-amz-content-sha256": payload})
    auth = S3SigV4Auth(BotoCredentials(keys.access_key, keys.secret_key, keys.session_token), "s3", "eu-west-1")
    request.context["timestamp"] = now.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    if keys.session_token:
        request.headers["X-Amz-Security-Token"] = keys.session_token
    return str(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))


@pytest.mark.filterwarnings("ignore")
@given(key=_TEXT, values=st.dictionaries(_TEXT, _TEXT, max_size=3), token=st.none() | st.just("a-session"))
def test_our_signature_is_theirs(key: str, values: dict[str, str], token: str | None) -> None:
    from urllib.parse import quote, urlencode

    keys, now = S3Keys("AK", "secret/key+", token), datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    path = "/bucket/" + quote(key, safe="/-_.~")
    query = urlencode(values, quote_via=quote)
    signed = sigv4.sign(
        "PUT", "s3.example.org:9000", path, query, keys=keys, region="eu-west-1", now=now, payload="ab" * 32
    )
    url = f"https://s3.example.org:9000{path}" + (f"?{query}" if query else "")
    assert signed["Authorization"].endswith(f"Signature={theirs('PUT', url, keys, 'ab' * 32, now)}")
    assert keys.secret_key not in repr(keys) + repr(signed)
