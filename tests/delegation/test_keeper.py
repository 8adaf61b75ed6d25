"""Credentials that are kept: sealed, their owners' alone, ending, replaced; delegations that are signed elsewhere."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from argosy.delegation import Vault, open_vault, proxies
from argosy.delegation.keeper import MOST, SIGNING, Expired
from argosy.delegation.kinds import Secret
from argosy.delegation.renewal import Renewed, Renewer
from argosy.identity import Caller, Evidence
from argosy.identity.caller import Credential
from argosy.identity.x509 import CADirectory, X509Proxies
from argosy.languages.documents_credentials import NewCredential, Renewal
from argosy.model import InvalidInput, InvalidStateException, LimitExceeded, NotFound, Unavailable
from tests.delegation.conftest import ALICE, BOB, Kept
from tests.identity.pki import LIMITED, Trust, header, make_proxy, rsa_key
from tests.tls.conftest import CA, LONG, SHORT, user

pytestmark = pytest.mark.anyio

GRID = Caller("/O=Grid/CN=Alice")


def password(text: str = "s3cret-word", **more: object) -> NewCredential:
    return NewCredential(kind="password", user="u", password=text, hosts=["*"], **more)


# -- sealing --------------------------------------------------------------------------------------


@given(st.binary(max_size=2000), st.lists(st.text(max_size=20), max_size=4))
def test_what_is_sealed_opens_for_the_same_record_alone(secret: bytes, bound: list[str]) -> None:
    vault = Vault([bytes(32)])
    sealed = vault.seal(secret, *bound)
    assert vault.open(sealed, *bound) == secret
    assert len(secret) < 8 or secret not in sealed
    assert vault.seal(secret, *bound) != sealed
    with pytest.raises(Unavailable):
        vault.open(sealed, *bound, "another")
    with pytest.raises(Unavailable):
        Vault([b"x" * 32]).open(sealed, *bound)


@given(st.integers(min_value=0, max_value=2000), st.integers(1, 255))
def test_no_byte_can_be_changed(at: int, change: int) -> None:
    vault = Vault([bytes(32)])
    sealed = bytearray(vault.seal(b"secret" * 10, "id"))
    sealed[at % len(sealed)] ^= change
    with pytest.raises(Unavailable):
        vault.open(bytes(sealed), "id")


def test_keys_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    first = open_vault(path, make=True)
    assert path.stat().st_mode & 0o777 == 0o600
    sealed = first.seal(b"secret")
    assert open_vault(path).open(sealed) == b"secret"
    # A new key goes before the old one, which still opens what it has sealed.
    path.write_text("A" * 43 + "=\n" + path.read_text())
    both = open_vault(path)
    assert both.open(sealed) == b"secret"
    with pytest.raises(Unavailable, match="does not have any more"):
        first.open(both.seal(b"secret"))
    path.chmod(0o640)
    with pytest.raises(InvalidInput, match="chmod 600"):
        open_vault(path)
    for wrong in ("", "short", "A" * 20 + "\n"):
        path.chmod(0o600)
        path.write_text(wrong)
        with pytest.raises(InvalidInput, match="openssl rand"):
            open_vault(path)
    with pytest.raises(InvalidInput, match="No such file"):
        open_vault(tmp_path / "none")


# -- keeping --------------------------------------------------------------------------------------


def ssh_key() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


async def test_every_kind_is_kept_and_opened(kept: Kept) -> None:
    pem = make_proxy(user(), **SHORT).file().decode()
    key = ssh_key()
    news = {
        "proxy": NewCredential(kind="proxy", pem=pem),
        "token": NewCredential(kind="token", token="t0ken-abc", hosts=["data.example.org:8443"]),
        "s3": NewCredential(kind="s3", access_key="AK", secret_key="SK-secret", hosts=["s3.example.org"]),
        "ssh-key": NewCredential(kind="ssh-key", private_key=key, user="me"),
        "password": password(),
    }
    made = {kind: await kept.keeper.add(ALICE, new) for kind, new in news.items()}
    assert [one.kind for one in await kept.keeper.listed(ALICE)] == list(news)
    assert await kept.keeper.listed(BOB) == []
    opened = {one.kind: one for one in await kept.keeper.open("alice", [one.id for one in made.values()])}
    assert opened["proxy"].secret.pem == pem
    assert opened["token"].secret.token == "t0ken-abc"
    assert opened["token"].hosts == ("data.example.org:8443",)
    assert opened["s3"].secret.secret_key == "SK-secret"
    assert opened["ssh-key"].secret.private_key == key
    assert opened["password"].secret.password == "s3cret-word"
    assert made["proxy"].rest["subject"] == "/O=Grid/CN=Alice"
    assert made["proxy"].expires == pytest.approx(SHORT["end"].timestamp(), abs=1)
    shown = repr(list(opened.values())) + repr(list(made.values())) + repr(list(news.values()))
    shown += repr([one.secret for one in opened.values()])
    for secret in ("t0ken-abc", "SK-secret", "s3cret-word", key.splitlines()[1], "PRIVATE"):
        assert secret not in shown


async def test_nothing_of_a_secret_is_in_the_files(kept: Kept) -> None:
    made = await kept.keeper.add(ALICE, password("UNMISTAKABLE-1"))
    await kept.keeper.replace(ALICE, made.id, password("UNMISTAKABLE-2"))
    for path in kept.path.iterdir():
        assert b"UNMISTAKABLE" not in path.read_bytes()


async def test_a_record_in_another_s_place_opens_nothing(kept: Kept) -> None:
    """Whoever can write the database cannot make a credential somebody else's."""
    theirs = await kept.keeper.add(ALICE, password())
    database = sqlite3.connect(kept.path / "argosy.db")
    database.execute("UPDATE credential SET owner = 'bob' WHERE id = ?", (theirs.id,))
    database.commit()
    database.close()
    with pytest.raises(Unavailable, match="changed by somebody else"):
        await kept.keeper.open("bob", [theirs.id])


async def test_others_have_nothing_of_it(kept: Kept) -> None:
    theirs = (await kept.keeper.add(ALICE, password())).id
    for id in (theirs, "0" * 16):
        for call in (
            kept.keeper.remove(BOB, id),
            kept.keeper.replace(BOB, id, password()),
            kept.keeper.finish(BOB, id, "x"),
            kept.keeper.look(BOB, id),
        ):
            with pytest.raises(NotFound, match=f"there is no credential '{id}'"):
                await call
        with pytest.raises(Expired, match="removed"):
            await kept.keeper.open("bob", [id])
        with pytest.raises(InvalidInput, match="you have no credential") as caught:
            await kept.keeper.check("bob", [id])
        assert caught.value.element == "credentials[0]"
        with pytest.raises(InvalidInput, match="you have no proxy"):
            await kept.keeper.request(BOB, credential=id)


async def test_it_ends_and_another_takes_its_place(kept: Kept) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=100)).isoformat()
    made = await kept.keeper.add(ALICE, password("old", expires=soon))
    await kept.keeper.check("alice", [made.id])
    kept.now = 101
    with pytest.raises(Expired, match="has expired; renew it") as caught:
        await kept.keeper.open("alice", [made.id])
    assert caught.value.code == "credential-expired"
    with pytest.raises(InvalidInput, match="expired"):
        await kept.keeper.check("alice", [made.id])
    assert kept.told == []
    await kept.keeper.replace(ALICE, made.id, password("new"))
    assert kept.told == [made.id]
    (opened,) = await kept.keeper.open("alice", [made.id])
    assert opened.secret.password == "new"
    with pytest.raises(InvalidInput, match="another credential"):
        await kept.keeper.replace(ALICE, made.id, NewCredential(kind="token", token="x"))


async def test_no_more_than_so_many(kept: Kept) -> None:
    for _ in range(MOST):
        await kept.keeper.add(ALICE, password())
    with pytest.raises(LimitExceeded):
        await kept.keeper.add(ALICE, password())
    with pytest.raises(LimitExceeded):
        await kept.keeper.request(ALICE)
    await kept.keeper.add(BOB, password())


async def test_what_a_token_says_of_itself(kept: Kept) -> None:
    end = int(time.time()) + 500
    token = jwt.encode({"sub": "me", "scope": "storage.read:/", "exp": end}, "k" * 32)
    made = await kept.keeper.add(ALICE, NewCredential(kind="token", token=token))
    assert made.expires == end
    assert made.rest["scope"] == "storage.read:/"
    with pytest.raises(InvalidInput, match="expired already"):
        await kept.keeper.add(ALICE, NewCredential(kind="token", token=jwt.encode({"exp": 1}, "k" * 32)))


@pytest.mark.parametrize(
    ("new", "element"),
    [
        (NewCredential(kind="token"), "token"),
        (NewCredential(kind="token", token="a b"), "token"),
        (NewCredential(kind="token", token=""), "token"),
        (NewCredential(kind="token", token="x" * 70_000), "token"),
        (NewCredential(kind="token", token="x", password="y"), "password"),
        (NewCredential(kind="token", token="x", hosts=["a/b"]), "hosts[0]"),
        (NewCredential(kind="token", token="x", hosts=["ok", "a\nb"]), "hosts[1]"),
        (NewCredential(kind="token", token="x", expires="tomorrow"), "expires"),
        (NewCredential(kind="token", token="x", expires="2020-01-01T00:00:00Z"), "expires"),
        (NewCredential(kind="token", token="x", expires="2090-01-01T00:00:00"), "expires"),
        (NewCredential(kind="password", user="u", password="x"), "hosts"),
        (NewCredential(kind="s3", access_key="u", secret_key="x"), "hosts"),
        (NewCredential(kind="s3", access_key="u", hosts=["*"]), "secret_key"),
        (NewCredential(kind="ssh-key", private_key="x"), "private_key"),
        (NewCredential(kind="ssh-key", private_key=user().key_pem(password=b"x").decode()), "private_key"),
        (NewCredential(kind="proxy", pem="x"), "pem"),
        (NewCredential(kind="proxy", pem=user().pem().decode()), "pem"),
        (NewCredential(kind="proxy", pem=user().pem().decode() + user().key_pem(password=b"x").decode()), "pem"),
        (NewCredential(kind="proxy", from_request=True), "from_request"),
        (NewCredential(kind="token", token="x", renewal=Renewal(issuer="https://elsewhere")), "renewal.issuer"),
        (NewCredential(kind="password", user="u", password="x", hosts=["*"], renewal=Renewal()), "renewal"),
    ],
)
async def test_what_is_not_taken(kept: Kept, new: NewCredential, element: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await kept.keeper.add(ALICE, new)
    assert caught.value.element == element
    assert await kept.keeper.listed(ALICE) == []


async def test_another_s_key_or_name_is_not_taken(kept: Kept) -> None:
    pem = user().pem().decode() + make_proxy(user(), **SHORT).key_pem().decode()
    with pytest.raises(InvalidInput, match="not that of"):
        await kept.keeper.add(GRID, NewCredential(kind="proxy", pem=pem))
    with pytest.raises(InvalidInput, match="and you are"):
        await kept.keeper.add(GRID, NewCredential(kind="proxy", pem=user("Bob").file().decode()))
    await kept.keeper.add(GRID, NewCredential(kind="proxy", pem=user().file().decode()))


async def test_the_proxy_that_came_with_a_request(kept: Kept) -> None:
    pem = make_proxy(user(), **SHORT).file()
    caller = dataclasses.replace(GRID, credential=Credential("x509-proxy", pem, SHORT["end"].timestamp()))
    made = await kept.keeper.add(caller, NewCredential(kind="proxy", from_request=True))
    (opened,) = await kept.keeper.open(GRID.name, [made.id])
    assert opened.secret.pem == pem.decode()


# -- delegation -----------------------------------------------------------------------------------


async def test_a_delegation_is_signed_by_the_client(kept: Kept, tmp_path: Path) -> None:
    mine = make_proxy(user(), **SHORT)
    record, asked = await kept.keeper.request(GRID, name="for staging")
    assert record.rest["waiting"]
    with pytest.raises(Expired, match="not been signed"):
        await kept.keeper.open(GRID.name, [record.id])
    with pytest.raises(InvalidInput, match="not been signed"):
        await kept.keeper.check(GRID.name, [record.id])
    chain = proxies.sign(asked, mine.file(), lifetime=3600)
    assert "PRIVATE" not in chain + asked
    done = await kept.keeper.finish(GRID, record.id, chain)
    assert done.id == record.id
    assert done.rest == {"name": "for staging", "hosts": [], "subject": "/O=Grid/CN=Alice"}
    assert done.expires == pytest.approx(time.time() + 3600, abs=60)
    # What came of it is a good proxy: our own verification takes it.
    (opened,) = await kept.keeper.open(GRID.name, [record.id])
    trust = Trust(tmp_path / "certificates")
    trust.add(CA)
    door = X509Proxies(CADirectory(trust.path))
    caller = await door.authenticate(Evidence({"proxy": header((opened.secret.pem or "").encode())}))
    assert caller is not None
    assert caller.name == GRID.name


async def test_a_delegation_is_renewed_under_its_id(kept: Kept) -> None:
    record, asked = await kept.keeper.request(GRID)
    first = await kept.keeper.finish(GRID, record.id, proxies.sign(asked, user().file(), lifetime=600))
    again, asked = await kept.keeper.request(GRID, credential=record.id)
    assert again.id == record.id
    await kept.keeper.open(GRID.name, [record.id])  # meanwhile the old one is good
    kept.told.clear()
    second = await kept.keeper.finish(GRID, record.id, proxies.sign(asked, user().file(), lifetime=6000))
    assert second.expires is not None
    assert first.expires is not None
    assert second.expires > first.expires
    assert kept.told == [record.id]


async def test_chains_that_are_not_for_the_request(kept: Kept) -> None:
    record, asked = await kept.keeper.request(GRID)
    good = proxies.sign(asked, user().file(), lifetime=600)
    _, other = proxies.request()
    wrong = {
        "no chain": "rubbish",
        "for another key": proxies.sign(other, user().file(), lifetime=600),
        "of somebody else": proxies.sign(asked, user("Bob").file(), lifetime=600),
        "with a private key": good + user().key_pem().decode(),
        "without the issuer": good[: good.index("-----END CERTIFICATE-----") + 26],
        "too long": good * 20,
        "larger still": good + "x" * 70_000,
    }
    for what, chain in wrong.items():
        with pytest.raises(InvalidInput):
            await kept.keeper.finish(GRID, record.id, chain)
        assert (await kept.keeper.look(GRID, record.id)).rest["waiting"], what
    await kept.keeper.finish(GRID, record.id, good)
    with pytest.raises(InvalidStateException, match="waits for no chain"):
        await kept.keeper.finish(GRID, record.id, good)
    late, asked = await kept.keeper.request(GRID)
    kept.now = SIGNING + 1
    with pytest.raises(InvalidStateException):
        await kept.keeper.finish(GRID, late.id, proxies.sign(asked, user().file(), lifetime=60_000))


def test_what_is_signed_is_no_more_than_the_signer() -> None:
    _, asked = proxies.request()
    limited = make_proxy(user(), language=LIMITED, **SHORT)
    for credential, wanted in ((limited.file(), False), (user().file(), True)):
        (made, *_) = x509.load_pem_x509_certificates(
            proxies.sign(asked, credential, lifetime=10**9, limited=wanted).encode()
        )
        info = made.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.14"))
        assert bytes.fromhex("2b060104019b5001010109") in info.value.value
        assert made.not_valid_after_utc <= LONG["end"]
    with pytest.raises(InvalidInput, match="not that of"):
        proxies.sign(asked, user().pem() + make_proxy(user(), key=rsa_key("proxy"), **SHORT).key_pem(), lifetime=60)
    for rubbish in (b"", b"-----BEGIN ", user().pem(), user().key_pem()):
        with pytest.raises(InvalidInput):
            proxies.sign(asked, rubbish, lifetime=60)
    with pytest.raises(InvalidInput):
        proxies.sign("rubbish", user().file(), lifetime=60)


# -- the kernel's key ring ------------------------------------------------------------------------


def test_a_key_in_the_kernel_s_key_ring() -> None:
    """It opens what a file with the same key has sealed; one that is not there is told of, with how to put it there."""
    import base64

    from argosy.delegation.keyring import USER_RING, library, read_key
    from argosy.delegation.sealing import vault_of

    name = f"argosy-test-{os.getpid()}"
    content = base64.b64encode(bytes(range(32))) + b"\n"
    calls = library()
    made = calls.add_key(b"user", name.encode(), content, len(content), USER_RING)
    if made < 0:
        pytest.skip(f"this kernel lets nobody put keys here: {os.strerror(ctypes.get_errno())}")
    try:
        vault = vault_of(read_key(name), name, "credentials.key_ring")
        assert vault.open(Vault([bytes(range(32))]).seal(b"secret", "id"), "id") == b"secret"
        calls.keyctl_setperm(made, 0)
        with pytest.raises(InvalidInput, match="cannot be read: Permission denied"):
            read_key(name)
    finally:
        calls.keyctl_unlink(made, USER_RING)
    with pytest.raises(InvalidInput, match="keyctl padd user") as caught:
        read_key(name)
    assert caught.value.element == "credentials.key_ring"
    with pytest.raises(InvalidInput, match="32 bytes"):
        vault_of(b"c2hvcnQ=", "it", "credentials.key_ring")


# -- renewal --------------------------------------------------------------------------------------


async def test_tokens_are_renewed_by_refresh_tokens(kept: Kept) -> None:
    from tests.identity.issuer import issuing

    with issuing() as issuer:
        kept.open(Vault([bytes(32)]), Renewer(issuers=[issuer.url]))
        issuer.answers["/.well-known/openid-configuration"] = {"token_endpoint": f"{issuer.url}/token"}
        renewal = Renewal(issuer=issuer.url, client_id="argosy", refresh_token="R1", scope="storage.read:/data")
        soon = (datetime.now(UTC) + timedelta(seconds=1000)).isoformat()
        new = NewCredential(kind="token", token="T1", expires=soon, renewal=renewal)
        made = await kept.keeper.add(ALICE, new)
        assert "R1" not in json.dumps(made.rest)
        await kept.keeper.renew_due()
        assert "/token" not in issuer.asked
        kept.now = 760
        issuer.answers["/token"] = (400, {}, b'{"error": "invalid_grant", "error_description": "it is revoked"}')
        await kept.keeper.renew_due()
        failed = await kept.keeper.look(ALICE, made.id)
        assert failed.rest["renewal_error"].endswith("gives no new token: invalid_grant it is revoked")
        (old,) = await kept.keeper.open("alice", [made.id])
        assert old.secret.token == "T1"
        assert kept.told == []
        # It is tried again, but not at once.
        asked = len(issuer.asked)
        await kept.keeper.renew_due()
        assert len(issuer.asked) == asked
        kept.now = 900
        answer = {"access_token": "T2", "refresh_token": "R2", "expires_in": 3600, "scope": "storage.read:/data"}
        issuer.answers["/token"] = answer
        await kept.keeper.renew_due()
        assert kept.told == [made.id]
        (opened,) = await kept.keeper.open("alice", [made.id])
        assert (opened.secret.token, opened.secret.refresh_token) == ("T2", "R2")
        renewed = await kept.keeper.look(ALICE, made.id)
        assert "renewal_error" not in renewed.rest
        assert renewed.rest["scope"] == "storage.read:/data"
        assert {"grant_type": "refresh_token", "refresh_token": "R1", "scope": "storage.read:/data"}.items() <= (
            issuer.forms[-1].items()
        )
        issuer.answers["/.well-known/openid-configuration"] = {"token_endpoint": "https://elsewhere.example.org/token"}
        kept.now = 4400
        await kept.keeper.renew_due()
        assert "not allowed" in (await kept.keeper.look(ALICE, made.id)).rest["renewal_error"]


_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


async def test_tokens_are_exchanged_where_the_issuer_does_that(kept: Kept) -> None:
    """RFC 8693: without a refresh token the token itself is shown, and one that comes with the answer is used next."""
    from tests.identity.issuer import issuing

    with issuing() as issuer:
        kept.open(Vault([bytes(32)]), Renewer(issuers=[issuer.url]))
        where = {"token_endpoint": f"{issuer.url}/token"}
        issuer.answers["/.well-known/openid-configuration"] = where | {"grant_types_supported": ["refresh_token"]}
        renewal = Renewal(
            issuer=issuer.url, client_id="argosy", client_secret="C", scope="storage.read:/", audience="dpm"
        )
        new = NewCredential(kind="token", token="T1", renewal=renewal)
        with pytest.raises(InvalidInput, match="say when it ends"):
            await kept.keeper.add(ALICE, new)
        soon = (datetime.now(UTC) + timedelta(seconds=1000)).isoformat()
        made = await kept.keeper.add(ALICE, msgspec.structs.replace(new, expires=soon))
        kept.now = 760
        await kept.keeper.renew_due()
        assert "exchanges no tokens" in (await kept.keeper.look(ALICE, made.id)).rest["renewal_error"]
        assert "/token" not in issuer.asked
        issuer.answers["/.well-known/openid-configuration"] = where | {"grant_types_supported": [_EXCHANGE]}
        answer = {"access_token": "T2", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "R2"}
        wrong = "urn:ietf:params:oauth:token-type:saml2"
        issuer.answers["/token"] = answer | {"issued_token_type": wrong}
        kept.now = 830
        await kept.keeper.renew_due()
        assert "another kind of token" in (await kept.keeper.look(ALICE, made.id)).rest["renewal_error"]
        issuer.answers["/token"] = answer | {"issued_token_type": _ACCESS_TOKEN}
        kept.now = 960
        await kept.keeper.renew_due()
        assert issuer.forms[-1] == {
            "grant_type": _EXCHANGE,
            "subject_token": "T1",
            "subject_token_type": _ACCESS_TOKEN,
            "requested_token_type": _ACCESS_TOKEN,
            "audience": "dpm",
            "client_id": "argosy",
            "client_secret": "C",
            "scope": "storage.read:/",
        }
        (opened,) = await kept.keeper.open("alice", [made.id])
        assert (opened.secret.token, opened.secret.refresh_token) == ("T2", "R2")
        assert kept.told == [made.id]
        kept.now = 4000
        await kept.keeper.renew_due()
        assert issuer.forms[-1]["grant_type"] == "refresh_token"


async def test_one_that_cannot_be_opened_does_not_keep_the_others_from_being_renewed(kept: Kept) -> None:
    class Giving(Renewer):
        def check(self, kind: str, renewal: Renewal) -> None:
            pass

        async def renew(self, kind: str, secret: Secret, renewal: Renewal) -> Renewed:
            if secret.token == "worse":
                raise RuntimeError("something that nobody thought of")
            return Renewed(Secret(token="new"), None)

    def new(token: str) -> NewCredential:
        soon = (datetime.now(UTC) + timedelta(seconds=1000)).isoformat()
        return NewCredential(kind="token", token=token, expires=soon, renewal=Renewal(issuer="i"))

    kept.open(Vault([b"x" * 32]), Giving())
    lost = [(await kept.keeper.add(ALICE, new(f"T{n}"))).id for n in range(8)]
    kept.open(Vault([bytes(32)]), Giving())
    lost.append((await kept.keeper.add(ALICE, new("worse"))).id)
    good = await kept.keeper.add(BOB, new("old"))
    kept.now = 900
    await kept.keeper.renew_due()
    (opened,) = await kept.keeper.open("bob", [good.id])
    assert opened.secret.token == "new"
    for id in lost:
        assert (await kept.keeper.look(ALICE, id)).rest["renewal_error"]


async def test_a_credential_that_is_removed_meanwhile_stays_removed(kept: Kept) -> None:
    made = await kept.keeper.add(ALICE, password())
    await kept.keeper.remove(ALICE, made.id)
    assert not await kept.store.change_credential(made)
    assert await kept.keeper.listed(ALICE) == []


async def test_old_ones_are_forgotten(kept: Kept) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    await kept.keeper.add(ALICE, password(expires=soon))
    stays = await kept.keeper.add(ALICE, password())
    await kept.store.forget_credentials(time.time() + 3)
    assert len(await kept.keeper.listed(ALICE)) == 2
    await kept.store.forget_credentials(time.time() + 10)
    assert [one.id for one in await kept.keeper.listed(ALICE)] == [stays.id]


def test_documents_with_secrets_do_not_show_them() -> None:
    data = msgspec.json.encode(password("UNMISTAKABLE"))
    assert "UNMISTAKABLE" not in repr(msgspec.json.decode(data, type=NewCredential))
