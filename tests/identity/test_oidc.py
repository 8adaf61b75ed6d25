"""Tokens of issuers: good ones, and each thing that can be wrong with one."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from argosy.identity import Caller, Evidence, Refused, Scope
from argosy.identity.oidc import MAX_TOKEN, IssuerTokens
from argosy.identity.oidc import keys as keys_module
from argosy.identity.oidc.fetching import MAX_BYTES, Fetcher, check_url
from argosy.identity.oidc.keys import IssuerKeys
from argosy.model import InvalidInput, Unavailable
from tests.identity.issuer import AUDIENCE, Issuer, issuing
from tests.identity.pki import rsa_key

pytestmark = pytest.mark.anyio


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as running:
        yield running


class Door:
    """Tokens at the service's door, with clocks that a test moves."""

    def __init__(self, issuer: Issuer, **named: Any) -> None:
        self.issuer = issuer
        self.ahead = 0.0
        self.fetcher = Fetcher()
        self.keys = IssuerKeys(issuer.url, self.fetcher, clock=lambda: time.monotonic() + self.ahead)
        self.tokens = IssuerTokens(
            [self.keys], [AUDIENCE], fetcher=self.fetcher, clock=lambda: time.time() + self.ahead, **named
        )

    async def sends(self, token: str) -> Caller:
        caller = await self.tokens.authenticate(Evidence({"authorization": f"Bearer {token}"}))
        assert caller is not None
        return caller

    async def refuses(self, token: str) -> str:
        with pytest.raises(Refused) as caught:
            await self.sends(token)
        assert "\n" not in caught.value.message
        return caught.value.reason


@pytest.fixture
async def door(issuer: Issuer) -> AsyncIterator[Door]:
    made = Door(issuer)
    yield made
    await made.tokens.close()


async def test_a_good_token(door: Door, issuer: Issuer) -> None:
    caller = await door.sends(issuer.token(**{"wlcg.groups": ["/dteam", "/dteam/prod"], "wlcg.ver": "1.0"}))
    assert caller.name == f"{issuer.url}#alice"
    assert caller.scopes == {Scope.READ, Scope.CREATE}
    assert caller.groups == {f"{issuer.url}#/dteam", f"{issuer.url}#/dteam/prod"}
    assert caller.method == "oidc"
    assert caller.expires is not None


async def test_audiences_may_be_several(door: Door, issuer: Issuer) -> None:
    await door.sends(issuer.token(aud=["https://other", AUDIENCE]))


async def test_elliptic_keys_and_no_name_of_a_key(door: Door, issuer: Issuer) -> None:
    issuer.keys["two"] = ec.generate_private_key(ec.SECP256R1())
    await door.sends(issuer.token(kid="two", algorithm="ES256"))
    await door.sends(issuer.token(kid=None))
    issuer.keys["three"] = rsa_key("issuer three")
    door.ahead += 40
    await door.sends(issuer.token(kid="three"))
    assert await door.refuses(issuer.token(kid=None)) == "unknown-key"


async def test_scopes(issuer: Issuer) -> None:
    door = Door(issuer)
    assert await door.refuses(issuer.token(scope="openid storage.read:/")) == "no-scope"
    assert await door.refuses(issuer.token(scope="compute.readx compute.read:/path")) == "no-scope"
    assert await door.refuses(issuer.token(scope=["compute.read"])) == "malformed"
    every = "compute.read compute.create compute.modify compute.cancel"
    assert (await door.sends(issuer.token(scope=every))).scopes == set(Scope)
    lenient = Door(issuer, require_scopes=False)
    assert (await lenient.sends(issuer.token(without=("scope",)))).scopes is None
    assert (await lenient.sends(issuer.token(scope="compute.cancel"))).scopes == {Scope.CANCEL}
    await door.tokens.close()
    await lenient.tokens.close()


async def test_times(door: Door, issuer: Issuer) -> None:
    now = int(time.time())
    assert await door.refuses(issuer.token(exp=now - 61)) == "expired"
    await door.sends(issuer.token(exp=now - 30))
    assert await door.refuses(issuer.token(nbf=now + 90)) == "not-yet-valid"
    assert await door.refuses(issuer.token(iat=now + 90)) == "not-yet-valid"
    kept = issuer.token(exp=now + 60)
    await door.sends(kept)
    door.ahead = 125
    assert await door.refuses(kept) == "expired"
    for bad in ("soon", True, float("inf"), [1]):
        assert await door.refuses(issuer.token(exp=bad)) == "malformed", bad
    assert await door.refuses(issuer.token(without=("exp",))) == "malformed"


async def test_other_claims(door: Door, issuer: Issuer) -> None:
    assert await door.refuses(issuer.token(aud="https://other")) == "wrong-audience"
    assert await door.refuses(issuer.token(without=("aud",))) in ("malformed", "wrong-audience")
    assert await door.refuses(issuer.token(iss="https://other")) == "unknown-issuer"
    assert await door.refuses(issuer.token(iss=issuer.url + "/")) == "unknown-issuer"
    assert await door.refuses(issuer.token(without=("iss",))) == "unknown-issuer"
    assert await door.refuses(issuer.token(without=("sub",))) == "malformed"
    for sub in ("", "a\nb", "x" * 256):
        assert await door.refuses(issuer.token(sub=sub)) == "malformed"
    assert await door.refuses(issuer.token(groups="all")) == "malformed"
    assert await door.refuses(issuer.token(groups=[1])) == "malformed"
    assert await door.refuses(issuer.token(headers={"crit": ["exp"]})) in ("unsupported", "malformed")


async def test_no_algorithm(door: Door, issuer: Issuer) -> None:
    now = int(time.time())
    claims = {"iss": issuer.url, "sub": "alice", "aud": AUDIENCE, "exp": now + 600, "scope": "compute.read"}
    for name in ("none", "None", "NONE", "nOnE"):
        assert await door.refuses(_by_hand({"alg": name, "kid": "one"}, claims, b"")) in ("algorithm", "malformed")
    assert await door.refuses(_by_hand({"kid": "one"}, claims, b"")) in ("algorithm", "malformed")
    assert await door.refuses(_by_hand({"alg": ["RS256"], "kid": "one"}, claims, b"")) in ("algorithm", "malformed")
    assert await door.refuses(_by_hand({"alg": "RS256", "kid": "one"}, claims, b"")) == "forged"
    assert await door.refuses(_by_hand({"alg": "RS256", "kid": ["one"]}, claims, b"")) == "malformed"


async def test_key_confusion(door: Door, issuer: Issuer) -> None:
    public = issuer.keys["one"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    import hashlib
    import hmac

    now = int(time.time())
    claims = {"iss": issuer.url, "sub": "alice", "aud": AUDIENCE, "exp": now + 600, "scope": "compute.read"}
    header = {"alg": "HS256", "kid": "one"}
    unsigned = _by_hand(header, claims, b"").rpartition(".")[0]
    signature = hmac.new(public, unsigned.encode(), hashlib.sha256).digest()
    assert await door.refuses(_by_hand(header, claims, signature)) == "algorithm"
    issuer.keys["two"] = ec.generate_private_key(ec.SECP256R1())
    assert await door.refuses(issuer.token(kid="one", algorithm="ES256", key=issuer.keys["two"])) == "key-confusion"
    assert await door.refuses(issuer.token(kid="two", key=rsa_key("stranger"))) == "key-confusion"
    # A key in the header itself is nobody's.
    stranger = rsa_key("stranger")
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(stranger.public_key()))
    more = {"jwk": jwk, "jku": f"{issuer.url}/other", "x5u": f"{issuer.url}/other"}
    assert await door.refuses(issuer.token(key=stranger, headers=more)) == "forged"
    assert "/other" not in issuer.asked


async def test_a_key_for_another_algorithm_or_use(door: Door, issuer: Issuer) -> None:
    (key,) = issuer.jwks()
    issuer.answers["/keys"] = {
        "keys": [key | {"alg": "RS512"}, key | {"kid": "enc", "use": "enc"}, "x", {"kid": "bad"}]
    }
    assert await door.refuses(issuer.token()) == "key-confusion"
    assert await door.refuses(issuer.token(kid="one", headers={"kid": "enc"})) == "unknown-key"
    assert await door.refuses(issuer.token(headers={"kid": "bad"})) == "key-confusion"
    await door.sends(issuer.token(algorithm="RS512"))


async def test_forged(door: Door, issuer: Issuer) -> None:
    assert await door.refuses(issuer.token(key=rsa_key("stranger"))) == "forged"
    header, claims, signature = issuer.token().split(".")
    other = base64.urlsafe_b64encode(b'{"iss":"%s","sub":"bob","aud":"%s"}' % (issuer.url.encode(), AUDIENCE.encode()))
    assert await door.refuses(f"{header}.{other.decode().rstrip('=')}.{signature}") == "forged"
    del claims


async def test_keys_that_change(door: Door, issuer: Issuer) -> None:
    first = issuer.token()
    await door.sends(first)
    issuer.keys = {"two": rsa_key("issuer two")}
    second = issuer.token(kid="two")
    # A moment ago they were asked for; unknown names are no way to make the service ask again and again.
    assert await door.refuses(second) == "unknown-key"
    asked = len(issuer.asked)
    for number in range(20):
        assert await door.refuses(issuer.token(kid="two", headers={"kid": str(number)})) == "unknown-key"
    assert len(issuer.asked) == asked
    door.ahead = keys_module.PAUSE + 1
    await door.sends(second)
    # What was verified by a key that is gone is verified anew.
    assert await door.refuses(first) == "unknown-key"


async def test_many_at_once_ask_once(door: Door, issuer: Issuer) -> None:
    await asyncio.gather(*(door.sends(issuer.token(sub=str(number))) for number in range(20)))
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_an_issuer_that_is_away(door: Door, issuer: Issuer) -> None:
    token = issuer.token(exp=int(time.time()) + 10**6)
    await door.sends(token)
    issuer.answers["/keys"] = (500, {}, b"")
    door.ahead = keys_module.FRESH + 1
    await door.sends(token)
    door.ahead = keys_module.STALE + 1
    with pytest.raises(Unavailable, match="500"):
        await door.sends(token)
    del issuer.answers["/keys"]
    door.ahead += keys_module.PAUSE + 1
    await door.sends(token)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/keys", (200, {}, b'{"keys": []' + b" " * MAX_BYTES + b"}")),
        ("/keys", (200, {}, b"[]")),
        ("/keys", (200, {}, b"nothing")),
        ("/keys", (200, {}, b"[" * 100_000)),
        ("/keys", (302, {"location": "/elsewhere"}, b"")),
        ("/keys", (200, {"content-encoding": "gzip"}, b"\x1f\x8b")),
        ("/keys", {"keys": {}}),
        ("/keys", {"keys": [{}] * 65}),
        ("/.well-known/openid-configuration", {"issuer": "https://other", "jwks_uri": "http://127.0.0.1/keys"}),
        ("/.well-known/openid-configuration", "JWKS https://elsewhere.example.org/keys"),
        ("/.well-known/openid-configuration", "JWKS http://169.254.169.254/keys"),
        ("/.well-known/openid-configuration", "JWKS file:///etc/passwd"),
        ("/.well-known/openid-configuration", "JWKS http://127.0.0.1:1/keys"),
        ("/.well-known/openid-configuration", "JWKS http://user@HOST/keys"),
        ("/.well-known/openid-configuration", {"issuer": "ISSUER"}),
    ],
)
async def test_answers_that_are_wrong(door: Door, issuer: Issuer, path: str, answer: Any) -> None:
    if isinstance(answer, str):
        where = answer.removeprefix("JWKS ").replace("HOST", issuer.url.removeprefix("http://"))
        answer = {"issuer": issuer.url, "jwks_uri": where}
    elif isinstance(answer, dict) and answer.get("issuer") == "ISSUER":
        answer = {"issuer": issuer.url}
    issuer.answers[path] = answer
    with pytest.raises(Unavailable):
        await door.sends(issuer.token())
    assert "/elsewhere" not in issuer.asked


async def test_what_is_no_token(door: Door, issuer: Issuer) -> None:
    assert await door.tokens.authenticate(Evidence({"authorization": "Bearer abc"})) is None
    assert await door.tokens.authenticate(Evidence({"authorization": "Basic a.b.c"})) is None
    assert await door.tokens.authenticate(Evidence()) is None
    assert await door.refuses("a.b.c") == "malformed"
    assert await door.refuses("." * 2) == "malformed"
    assert await door.refuses("x" * MAX_TOKEN + "..") == "oversize"
    assert issuer.asked == []


@given(st.lists(st.text(max_size=40), min_size=3, max_size=3).map(".".join))
async def test_any_text_is_refused_without_a_traceback(text: str) -> None:
    tokens = IssuerTokens([], [AUDIENCE], fetcher=Fetcher.__new__(Fetcher))
    with contextlib.suppress(Refused):
        assert await tokens.authenticate(Evidence({"authorization": f"Bearer {text}"})) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x), max_leaves=3))
async def test_any_issuer_s_name_is_refused(value: Any) -> None:
    tokens = IssuerTokens([], [AUDIENCE], fetcher=Fetcher.__new__(Fetcher))
    with pytest.raises(Refused):
        await tokens.authenticate(
            Evidence({"authorization": "Bearer " + _by_hand({"alg": "RS256"}, {"iss": value}, b"")})
        )


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "https://",
        "https://a@b",
        "https://a#b",
        "https://a#",
        "ftp://a",
        "https://a b",
        "https://a:x",
    ],
)
def test_urls_that_are_not_asked(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_url(url, "the issuer")


def test_the_configuration(tmp_path: Path) -> None:
    good = {"issuers": ["https://issuer.example.org"], "audience": ["x"]}
    assert isinstance(IssuerTokens.from_config(good, tmp_path), IssuerTokens)
    for wrong in (
        {},
        good | {"issuers": []},
        good | {"issuers": ["http://issuer.example.org"]},
        good | {"audience": "x"},
        good | {"unknown": 1},
        good | {"ca_file": str(tmp_path / "none")},
    ):
        with pytest.raises(InvalidInput) as caught:
            IssuerTokens.from_config(wrong, tmp_path)
        assert (caught.value.element or "").startswith("identity.oidc")


def _by_hand(header: dict[str, Any], claims: dict[str, Any], signature: bytes) -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
