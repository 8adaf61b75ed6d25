"""Proxies and what is wrong with them. Each bad one is good but for one thing."""

from __future__ import annotations

import base64
import contextlib
import time
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argosy.identity import Evidence, Refused
from argosy.identity.x509.pem import MAX_HEADER, from_header
from argosy.model import Unavailable
from tests.identity.conftest import Door
from tests.identity.pki import (
    DRAFT,
    INDEPENDENT,
    LIMITED,
    NOW,
    RFC,
    Pair,
    Trust,
    ec_key,
    header,
    issue,
    make_ca,
    make_proxy,
    make_user,
    name,
    rsa_key,
    usage,
)

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::UserWarning")]

KINDS = [RFC, DRAFT, "legacy"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [1, 2, 5])
async def test_a_proxy_stands_for_whom_it_was_made_by(door: Door, user: Pair, kind: str, depth: int) -> None:
    proxy = user
    for level in range(depth):
        proxy = make_proxy(proxy, kind=kind, key=rsa_key(f"level {level}"))
    caller = await door.sends(proxy.file())
    assert caller.name == "/O=Grid/CN=Alice Example"
    assert caller.method == "x509"
    assert caller.expires == (NOW + timedelta(hours=12)).timestamp()
    assert caller.credential is not None
    assert caller.credential.data == proxy.file()
    assert b"PRIVATE" not in repr(caller).encode()
    assert await door.shakes(*proxy.chain()) == caller


async def test_a_user_s_own_certificate_will_do(door: Door, user: Pair) -> None:
    assert (await door.sends(user.file())).name == "/O=Grid/CN=Alice Example"
    assert (await door.shakes(user.der())).credential is None


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("elliptic", [False, True])
async def test_keys_of_both_forms(door: Door, user: Pair, form: PrivateFormat, elliptic: bool) -> None:
    proxy = make_proxy(user, key=ec_key() if elliptic else rsa_key("proxy"))
    assert (b"BEGIN PRIVATE KEY" in proxy.file(form)) == (form is PrivateFormat.PKCS8)
    assert (await door.sends(proxy.file(form))).name == user.subject


async def test_header_forms(door: Door, user: Pair) -> None:
    file = make_proxy(user).file()
    plain = header(file)
    await door.sends(plain)
    await door.sends(f"  {plain[:76]} {plain[76:]}\t")
    await door.sends(file.decode().replace("\n", "\\n"))
    await door.sends(file.decode().replace("\n", "\\r\\n"))
    await door.sends(file.replace(b"\n", b"\r\n"))


async def test_nothing_sent_is_nobody(door: Door) -> None:
    assert await door.proxies.authenticate(Evidence({"authorization": "Bearer x"})) is None


# -- refused: the header --------------------------------------------------------------------------


async def test_refused_headers(door: Door, user: Pair) -> None:
    proxy = make_proxy(user)
    file = proxy.file()
    assert await door.refuses(header(header(file).encode())) == "encoded-twice"
    assert await door.refuses("A" * (MAX_HEADER + 1)) == "oversize"
    assert await door.refuses("") == "malformed"
    assert await door.refuses("not Base64!") == "malformed"
    assert await door.refuses("\u00e9") == "malformed"
    assert await door.refuses(b"hello") == "malformed"
    assert await door.refuses(header(file)[:-7]) == "malformed"
    assert await door.refuses(proxy.pem() + user.pem()) == "no-key"
    assert await door.refuses(proxy.pem() + proxy.key_pem(password=b"secret") + user.pem()) == "malformed"
    assert await door.refuses(file + proxy.key_pem()) == "no-key"
    assert await door.refuses(proxy.key_pem()) == "malformed"
    assert await door.refuses(
        file + b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"
    ) == ("malformed")
    assert await door.refuses(user.pem() * 25 + proxy.key_pem()) == "too-long"
    assert await door.refuses(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + proxy.key_pem()) == (
        "malformed"
    )


async def test_cut_off_anywhere_it_is_refused(door: Door, user: Pair) -> None:
    file = make_proxy(user).file()
    reasons = {await door.refuses(file[:end]) for end in range(0, len(file) - 2, 97)}
    assert "truncated" in reasons
    assert reasons <= {"truncated", "malformed", "no-key", "incomplete"}


async def test_another_s_key_is_refused(door: Door, user: Pair) -> None:
    proxy = make_proxy(user)
    stranger = Pair(proxy.cert, rsa_key("stranger"), user)
    assert await door.refuses(stranger.file()) == "wrong-key"
    assert await door.refuses(Pair(proxy.cert, ec_key(), user).file()) == "wrong-key"


async def test_a_key_made_up_from_the_certificate_is_refused(door: Door, user: Pair) -> None:
    proxy = make_proxy(user)
    public = proxy.cert.public_key().public_numbers()
    other = rsa_key("stranger").private_numbers()
    for p, q in ((other.p, other.q), (public.n, 1), (1, public.n), (-1, -public.n)):
        try:
            data = _pkcs1(public.n, public.e, other.d, p, q)
        except ValueError:
            continue
        forged = proxy.pem() + data + user.pem()
        assert await door.refuses(forged) in ("wrong-key", "malformed")


def _pkcs1(*numbers: int) -> bytes:
    from tests.identity.pki import integer, tlv

    n, e, d, p, q = numbers
    body = tlv(0x30, *map(integer, (0, n, e, d, p, q, 1, 1, 1)))
    text = base64.encodebytes(body).decode()
    return f"-----BEGIN RSA PRIVATE KEY-----\n{text}-----END RSA PRIVATE KEY-----\n".encode()


# -- refused: the chain ---------------------------------------------------------------------------


async def test_forged(door: Door, ca: Pair, user: Pair) -> None:
    assert await door.refuses(make_proxy(user, signer=rsa_key("stranger")).file()) == "forged"
    forged = make_user(ca, signer=rsa_key("stranger"))
    assert await door.refuses(make_proxy(forged).file()) == "forged"
    false_ca = make_ca(key=rsa_key("stranger"))
    assert await door.refuses(make_proxy(make_user(false_ca)).file()) == "forged"


async def test_one_bit_more_or_less(door: Door, user: Pair) -> None:
    for position in (0, 1):
        chain = list(make_proxy(user).chain())
        broken = bytearray(chain[position])
        broken[-1] ^= 1
        chain[position] = bytes(broken)
        with pytest.raises(Refused) as caught:
            await door.shakes(*chain)
        assert caught.value.reason == "forged"


@pytest.mark.parametrize("kind", KINDS)
async def test_expired_and_not_yet_valid(door: Door, ca: Pair, user: Pair, kind: str) -> None:
    proxy = make_proxy(user, kind=kind)
    end = (NOW + timedelta(hours=12)).timestamp()
    door.now = end + 59
    await door.sends(proxy.file())
    door.now = end + 61
    assert await door.refuses(proxy.file()) == "expired"
    door.now = NOW.timestamp()
    assert await door.refuses(make_proxy(user, kind=kind, begin=NOW + timedelta(minutes=5)).file()) == "not-yet-valid"
    await door.sends(make_proxy(user, kind=kind, begin=NOW + timedelta(seconds=30)).file())
    old = make_user(ca, end=NOW - timedelta(hours=1))
    assert await door.refuses(make_proxy(old, kind=kind).file()) == "expired"
    door.now = (NOW + timedelta(days=2000)).timestamp()
    eternal = make_user(ca, end=NOW + timedelta(days=3000))
    assert await door.refuses(make_proxy(eternal, kind=kind, end=NOW + timedelta(days=3000)).file()) == "expired"


async def test_self_signed_and_unknown_cas(door: Door, user: Pair) -> None:
    alone = issue("/O=Grid/CN=Alice Example", None, rsa_key("stranger"))
    assert await door.refuses(alone.file()) == "self-signed"
    assert await door.refuses(alone.file() + user.pem()) == "self-signed"
    other = make_ca("/O=Elsewhere/CN=Other CA")
    stranger = make_user(other)
    assert await door.refuses(make_proxy(stranger).file()) == "unknown-ca"
    assert await door.refuses(make_proxy(stranger).file() + other.pem()) == "unknown-ca"


async def test_a_ca_is_nobody(door: Door, ca: Pair, trust: Trust) -> None:
    below = make_ca("/O=Grid/CN=Below CA", ca)
    trust.add(below, hash="11111111")
    assert await door.refuses(below.file()) == "ca"
    assert await door.refuses(make_proxy(below).file()) in ("ca", "wrong-usage")
    assert await door.refuses(ca.file()) == "self-signed"
    assert await door.refuses(make_proxy(ca).file() + ca.pem()) == "self-signed"


async def test_a_user_is_no_ca(door: Door, user: Pair) -> None:
    fake = make_user(Pair(user.cert, user.key, user.issuer), "/O=Grid/CN=Bob Example")
    assert await door.refuses(fake.file()) == "unknown-ca"
    assert await door.refuses(make_proxy(fake).file()) == "unknown-ca"


async def test_policies(door: Door, trust: Trust, ca: Pair, user: Pair) -> None:
    file = make_proxy(user).file()
    for allows in ('"/O=Grid/OU=x/*"', '"/O=Elsewhere/*" "/O=Grid/CN=Bob*"', '"/O=Grid/CN=Alice"', '"/o=grid/*"', '""'):
        trust.add(ca, allows)
        assert await door.refuses(file) == "wrong-policy", allows
    for allows in ('"/O=Elsewhere/*" "/O=Grid/CN=Alice*"', '"/O=Grid/CN=Alice?Example"', '"*"', "/O=Grid/*"):
        trust.add(ca, allows)
        assert await door.sends(file), allows
    trust.add(ca, policy_of="/O=Grid/CN=Another CA")
    assert await door.refuses(file) == "wrong-policy"
    policy = trust.path / "0a1b2c3d.signing_policy"
    for text in (
        "",
        "access_id_CA",
        "access_id_CA X509 '/O=Grid/CN=Lab CA'\ncond_subjects globus '\"*\"'\n",
        "\0",
        "neg_rights a b",
    ):
        policy.write_text(text)
        assert await door.refuses(file) == "wrong-policy", text
    policy.write_bytes(b"\xff")
    assert await door.refuses(file) == "wrong-policy"
    policy.unlink()
    assert await door.refuses(file) == "wrong-policy"


async def test_revoked(door: Door, trust: Trust, ca: Pair, user: Pair) -> None:
    proxy = make_proxy(user)
    trust.revoke(ca, (1, 2, 3))
    assert (await door.sends(proxy.file())).name == user.subject
    # The verdict is kept, and yet heeds the new list.
    trust.revoke(ca, (1, user.cert.serial_number))
    assert await door.refuses(proxy.file()) == "revoked"
    trust.revoke(ca)
    await door.sends(proxy.file())


async def test_revocation_lists_that_are_not_good(door: Door, trust: Trust, ca: Pair, user: Pair) -> None:
    file = make_proxy(user).file()
    trust.revoke(ca, end=NOW - timedelta(minutes=5))
    assert await door.refuses(file) == "no-crl"
    trust.revoke(ca, key=rsa_key("stranger"))
    assert await door.refuses(file) == "no-crl"
    trust.revoke(ca, extensions=((x509.DeltaCRLIndicator(1), True),))
    assert await door.refuses(file) == "no-crl"
    trust.revoke(ca, extensions=((x509.CRLNumber(7), False),))
    await door.sends(file)
    (trust.path / "0a1b2c3d.r0").write_text("nothing")
    assert await door.refuses(file) == "no-crl"
    (trust.path / "0a1b2c3d.r0").unlink()
    await door.sends(file)
    door.proxies = door.open(require_crls=True)
    assert await door.refuses(file) == "no-crl"


async def test_a_verdict_is_kept_no_longer_than_its_revocation_list(
    door: Door, trust: Trust, ca: Pair, user: Pair
) -> None:
    trust.revoke(ca, end=NOW + timedelta(hours=1))
    file = make_proxy(user).file()
    await door.sends(file)
    door.now = (NOW + timedelta(hours=2)).timestamp()
    assert await door.refuses(file) == "no-crl"


@pytest.mark.parametrize("kind", [RFC, DRAFT])
async def test_path_length(door: Door, user: Pair, kind: str) -> None:
    last = make_proxy(user, kind=kind, length=0)
    await door.sends(last.file())
    assert await door.refuses(make_proxy(last, kind=kind, key=rsa_key("level 1")).file()) == "too-long"
    one_more = make_proxy(make_proxy(user, kind=kind, length=1), kind=kind, key=rsa_key("level 1"))
    await door.sends(one_more.file())
    assert await door.refuses(make_proxy(one_more, kind=kind, key=rsa_key("level 2")).file()) == "too-long"


async def test_too_many_proxies(door: Door, user: Pair) -> None:
    proxy = user
    for _ in range(16):
        proxy = make_proxy(proxy)
    await door.sends(proxy.file())
    assert await door.refuses(make_proxy(proxy).file()) == "too-long"


async def test_limited(door: Door, user: Pair) -> None:
    for limited in (
        make_proxy(user, language=LIMITED),
        make_proxy(user, kind=DRAFT, language=LIMITED),
        make_proxy(user, kind="legacy", common="limited proxy"),
    ):
        assert await door.refuses(limited.file()) == "limited"
    full_again = make_proxy(make_proxy(user, language=LIMITED), key=rsa_key("level 1"))
    assert await door.refuses(full_again.file()) == "limited"


async def test_other_policies_than_inheriting_all(door: Door, user: Pair) -> None:
    assert await door.refuses(make_proxy(user, language=INDEPENDENT).file()) == "independent"
    assert await door.refuses(make_proxy(user, language="1.2.3.4").file()) == "unsupported"


async def test_names_of_proxies(door: Door, user: Pair) -> None:
    bob = name("/O=Grid/CN=Bob Example/CN=1234")
    assert await door.refuses(make_proxy(user, subject=bob).file()) == "wrong-name"
    assert await door.refuses(make_proxy(user, subject=name("/O=Grid/CN=Alice Example/OU=1")).file()) == "wrong-name"
    same = make_proxy(user, subject=user.cert.subject)
    assert await door.refuses(same.file()) in ("wrong-name", "incomplete", "malformed")
    assert (
        await door.refuses(make_proxy(user, subject=name("/O=Grid/CN=Alice Example/CN=1/CN=2")).file()) == "wrong-name"
    )
    other_name = ((x509.SubjectAlternativeName([x509.DNSName("bob")]), False),)
    assert await door.refuses(make_proxy(user, extensions=other_name).file()) == "wrong-name"


async def test_a_legacy_proxy_of_another_name_is_no_proxy(door: Door, user: Pair) -> None:
    assert await door.refuses(make_proxy(user, kind="legacy", common="proxy2").file()) == "unknown-ca"


async def test_kinds_do_not_mix(door: Door, user: Pair) -> None:
    mixed = make_proxy(make_proxy(user, kind=RFC), kind=DRAFT, key=rsa_key("level 1"))
    assert await door.refuses(mixed.file()) == "malformed"


async def test_malformed_proxies(door: Door, user: Pair) -> None:
    assert await door.refuses(make_proxy(user, critical=False).file()) == "malformed"
    garbage = x509.UnrecognizedExtension(ObjectIdentifier(RFC), b"\x30\x80")
    assert await door.refuses(make_proxy(user, kind="legacy", common="1", extensions=((garbage, True),)).file()) == (
        "malformed"
    )
    unknown = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
    assert await door.refuses(make_proxy(user, extensions=((unknown, True),)).file()) == "unsupported"
    await door.sends(make_proxy(user, extensions=((unknown, False),)).file())


async def test_missing_and_doubled_certificates(door: Door, ca: Pair, user: Pair) -> None:
    proxy = make_proxy(user)
    assert await door.refuses(proxy.pem() + proxy.key_pem()) == "incomplete"
    assert await door.refuses(proxy.file() + make_user(ca).pem()) == "malformed"
    await door.sends(proxy.file() + user.pem() + ca.pem())
    deep = make_proxy(proxy, key=rsa_key("level 1"))
    await door.sends(deep.pem() + deep.key_pem() + ca.pem() + user.pem() + proxy.pem())


async def test_key_usage(door: Door, ca: Pair, trust: Trust) -> None:
    mute = make_user(ca, extensions=((usage(key_encipherment=True), True),))
    assert await door.refuses(make_proxy(mute).file()) == "wrong-usage"
    await door.sends(make_proxy(make_user(ca, extensions=())).file())
    speaking = make_user(ca)
    greedy = make_proxy(speaking, extensions=((usage(digital_signature=True, key_cert_sign=True), True),))
    assert await door.refuses(greedy.file()) == "wrong-usage"
    as_ca = make_proxy(speaking, extensions=((x509.BasicConstraints(True, None), True),))
    assert await door.refuses(as_ca.file()) == "ca"
    for purposes, good in (
        ([ExtendedKeyUsageOID.SERVER_AUTH], False),
        ([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH], True),
    ):
        some = make_user(ca, extensions=((x509.ExtendedKeyUsage(purposes), False),))
        if good:
            await door.sends(make_proxy(some).file())
        else:
            assert await door.refuses(make_proxy(some).file()) == "wrong-usage"


async def test_weak_keys_and_digests(door: Door, ca: Pair, user: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    await door.sends(make_proxy(user, key=rsa_key("short", 1024)).file())
    assert await door.refuses(make_user(ca, key=rsa_key("short", 1024)).file()) == "weak"
    assert await door.refuses(make_proxy(make_user(ca, key=rsa_key("short", 1024))).file()) == "weak"
    try:
        sha1 = make_proxy(user, hashed=SHA1())
    except Exception:  # the library has given up on it
        return
    assert await door.refuses(sha1.file()) == "weak"


async def test_chains_of_cas(door: Door, trust: Trust, ca: Pair) -> None:
    below = make_ca("/O=Grid/CN=Below CA", ca)
    proxy = make_proxy(make_user(below))
    assert await door.refuses(proxy.file() + below.pem()) == "unknown-ca"
    trust.add(below, hash="11111111")
    assert (await door.sends(proxy.file())).name == "/O=Grid/CN=Alice Example"
    trust.revoke(ca, (below.cert.serial_number,))
    assert await door.refuses(proxy.file()) == "revoked"
    trust.revoke(ca)
    trust.add(ca, '"/O=Grid/CN=A*"')
    assert await door.refuses(proxy.file()) == "wrong-policy"
    trust.add(ca)
    (trust.path / "0a1b2c3d.0").unlink()
    assert await door.refuses(proxy.file()) == "unknown-ca"


async def test_what_cas_may_not(door: Door, trust: Trust, ca: Pair) -> None:
    short = make_ca("/O=Grid/CN=Short CA", length=0)
    below = make_ca("/O=Grid/CN=Below CA", short)
    trust.add(short, hash="22222222")
    trust.add(below, hash="33333333")
    await door.sends(make_proxy(make_user(short)).file())
    assert await door.refuses(make_proxy(make_user(below)).file()) == "too-long"
    for fault, extensions in {
        "not-a-ca": ((x509.BasicConstraints(False, None), True),),
        "wrong-usage": ((x509.BasicConstraints(True, None), True), (usage(crl_sign=True), True)),
        "unsupported": (
            (x509.BasicConstraints(True, None), True),
            (x509.NameConstraints([x509.DirectoryName(name("/O=Grid"))], None), False),
        ),
    }.items():
        odd = make_ca("/O=Grid/CN=Odd CA", extensions=extensions)
        trust.add(odd, hash="44444444")
        assert await door.refuses(make_proxy(make_user(odd)).file()) == fault


async def test_a_ca_that_changes_its_key(door: Door, trust: Trust, ca: Pair, user: Pair) -> None:
    newer = make_ca(key=rsa_key("newer"))
    (trust.path / "0a1b2c3d.1").write_bytes(newer.pem())
    await door.sends(make_proxy(user).file())
    await door.sends(make_proxy(make_user(newer)).file())
    assert await door.refuses(make_proxy(make_user(ca, signer=rsa_key("stranger"))).file()) == "forged"


async def test_names_that_read_as_another(door: Door, ca: Pair) -> None:
    tricky = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Grid"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Alice Example/CN=Bob"),
        ]
    )
    assert await door.refuses(issue(tricky, ca, rsa_key("x")).file()) == "malformed"
    together = x509.Name(
        [
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Grid"), x509.NameAttribute(NameOID.COMMON_NAME, "A")]
            )
        ]
    )
    assert await door.refuses(issue(together, ca, rsa_key("x")).file()) == "malformed"
    host = await door.sends(make_user(ca, "/O=Grid/CN=Zo\u00eb").file())
    assert host.name == "/O=Grid/CN=Zo\\xC3\\xAB"


async def test_the_directory_can_go_and_come(door: Door, trust: Trust, user: Pair) -> None:
    file = make_proxy(user).file()
    await door.sends(file)
    trust.path.rename(trust.path.with_name("away"))
    with pytest.raises(Unavailable, match="CA directory"):
        await door.sends(file)
    trust.path.with_name("away").rename(trust.path)
    await door.sends(file)
    (trust.path / "0a1b2c3d.0").write_text("nothing")
    assert await door.refuses(file) == "unknown-ca"


async def test_the_bad_are_refused_as_fast_as_the_good(door: Door, user: Pair) -> None:
    """Within a factor that noise does not reach: of processor time, which other programs do not use up."""
    good = make_proxy(user)

    async def quickest(text: bytes) -> float:
        best = 1.0
        for _ in range(5):
            door.proxies._cache._entries.clear()
            began = time.process_time()
            with contextlib.suppress(Refused):
                await door.sends(text)
            best = min(best, time.process_time() - began)
        return best

    measure = await quickest(good.file())
    padded = make_user(user.issuer or user, "/O=Grid/CN=Filler")
    filler = b"".join(
        make_proxy(padded, common=str(number), key=rsa_key("level 1"), signer=rsa_key("stranger")).pem()
        for number in range(20)
    )
    bad = [
        make_proxy(user, signer=rsa_key("stranger")).file(),
        make_proxy(user, language=LIMITED).file(),
        Pair(good.cert, rsa_key("stranger"), user).file(),
        good.pem() + good.key_pem() + filler,
        good.file()[:-100],
        header(good.file()).encode(),
        b"-----BEGIN CERTIFICATE-----\n" * 1500,
        b"\0" * 40_000,
        b"/" * 40_000,
    ]
    for one in bad:
        assert await quickest(one) < 5 * measure + 0.005, one[:60]


# -- open inputs ----------------------------------------------------------------------------------


@given(st.text() | st.binary().map(header) | st.binary().map(lambda data: "-----BEGIN " + data.decode("latin-1")))
def test_any_header_is_refused_without_a_traceback(text: str) -> None:
    with pytest.raises(Refused):
        from_header(text)


@given(position=st.integers(0, 10_000), byte=st.integers(0, 255), which=st.integers(0, 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
async def test_any_byte_changed_is_refused(door: Door, user: Pair, position: int, byte: int, which: int) -> None:
    chain = list(make_proxy(user).chain())
    broken = bytearray(chain[which])
    position %= len(broken)
    if broken[position] == byte:
        return
    broken[position] = byte
    chain[which] = bytes(broken)
    with pytest.raises(Refused):
        await door.shakes(*chain)


def test_the_short_check_of_a_key_knows_whoever_has_it() -> None:
    """What `check_possession` rests on: n = p * q holds for the key, and for no other."""
    numbers = rsa_key("proxy").private_numbers()
    assert numbers.p * numbers.q == numbers.public_numbers.n
    assert isinstance(rsa_key("proxy"), rsa.RSAPrivateKey)
