"""The secrets of subscriptions: sealed in the database, whoever wrote them before; and given another in their place."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from argosy.client.webhooks import NotVerified
from argosy.delegation import Vault
from argosy.model import InvalidInput, LimitExceeded, NotFound
from argosy.model.notification import Callback
from argosy.model.webhooks import new_secret
from argosy.service.notifications import NewSubscription
from argosy.store import Subscription
from argosy.store.sqlite import SQLiteStore
from argosy.store.sqlite.secrets import Secrets
from tests.notifications.receiver import receiving
from tests.notifications.test_sender import HOUR, NOBODY, got, whole
from tests.service.driving import ALICE, BOB, create, until
from tests.store.making import activity, new

pytestmark = pytest.mark.anyio


def on_disk(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.glob("argosy.db*"))


def subscription(id: str, secret: str) -> Subscription:
    return Subscription(id, "alice", f"https://h/{id}", "https://h:443", secret, 1.0)


async def kept(path: Path, vault: Vault | None) -> dict[str, str]:
    """The secrets as a store with these keys reads them."""
    store = SQLiteStore(path, sealer=vault)
    await store.open()
    try:
        return {one.id: one.secret for one in await store.subscriptions("alice", limit=5000)}
    finally:
        await store.close()


async def sealed_out(path: Path, vault: Vault) -> int:
    store = SQLiteStore(path, sealer=vault)
    await store.open()
    try:
        return await store.sealed_out()
    finally:
        await store.close()


async def test_what_an_older_version_left_in_clear_is_sealed_and_gone_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, vault = tmp_path / "argosy.db", Vault([os.urandom(32)])
    store = SQLiteStore(path)
    monkeypatch.setattr(store._secrets, "write", lambda one: one.secret)  # as older versions did
    await store.open()
    secrets = {f"s{number:04d}": new_secret() for number in range(1200)}  # more than one transaction seals
    await asyncio.gather(*(store.add_subscription(subscription(*one), 10_000) for one in secrets.items()))
    await store.create([new(activity())])
    told = await store.due("https://h:443", 1e12, 5000)
    await store.close()
    before = on_disk(tmp_path)
    assert all(one.encode() in before for one in secrets.values())
    store = SQLiteStore(path, sealer=vault)
    await store.open()
    after = on_disk(tmp_path)
    assert [one for one in secrets.values() if one.encode() in after] == []
    assert await store.due("https://h:443", 1e12, 5000) == told != []  # what waits is signed with the same
    await store.close()
    assert await kept(path, vault) == secrets


async def test_a_new_key_seals_all_again_and_a_lost_one_is_counted(tmp_path: Path) -> None:
    path, old, new = tmp_path / "argosy.db", os.urandom(32), os.urandom(32)
    store = SQLiteStore(path, sealer=Vault([old]))
    await store.open()
    secret = new_secret()
    await store.add_subscription(subscription("s", secret), 10)
    await store.close()
    assert await kept(path, Vault([new])) == {"s": ""}  # the old key is not there, and nothing is broken by that
    assert await sealed_out(path, Vault([new])) == 1
    assert await kept(path, Vault([new, old])) == {"s": secret}
    assert await sealed_out(path, Vault([new])) == 0
    assert await kept(path, Vault([new])) == {"s": secret}


async def test_sealed_text_of_one_subscription_is_worth_nothing_in_another(tmp_path: Path) -> None:
    path, vault = tmp_path / "argosy.db", Vault([os.urandom(32)])
    store = SQLiteStore(path, sealer=vault)
    await store.open()
    for id in ("mine", "theirs"):
        await store.add_subscription(subscription(id, new_secret()), 10)
    await store.close()
    db = sqlite3.connect(path)
    with db:
        db.execute("UPDATE subscription SET secret = (SELECT secret FROM subscription WHERE id = 'theirs')")
    db.close()
    found = await kept(path, vault)
    assert found["mine"] == ""
    assert found["theirs"]


async def test_while_a_secret_is_rotated_the_old_one_signs_too_and_not_after(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with whole(tmp_path) as it:
            first = await it.service.subscribe(ALICE, NewSubscription(Callback(receiver.url, kinds=["created"])))
            second = await it.service.rotate_secret(ALICE, first.id, overlap=2 * HOUR)
            assert second.secret != first.secret
            (listed,) = await it.service.subscriptions(ALICE)
            assert listed.older_until == second.older_until
            assert second.older_until is not None
            assert abs(second.older_until - first.created - 2 * HOUR) < 60
            await create(it.service, held=True)
            (both,) = await got(receiver, 1)
            assert len(both.headers["webhook-signature"].split(" ")) == 2
            for secret in (first.secret, second.secret):
                both.verified(secret)
            it.clock.ahead = 3 * HOUR
            await create(it.service, held=True)
            _, one = await got(receiver, 2)
            one.verified_at(second.secret)
            with pytest.raises(NotVerified):
                one.verified_at(first.secret)


async def test_who_may_rotate_and_how_far(tmp_path: Path) -> None:
    async with whole(tmp_path) as it:
        mine = await it.held(NOBODY)
        with pytest.raises(NotFound):
            await it.service.rotate_secret(BOB, mine.id)
        with pytest.raises(InvalidInput) as wrong:
            await it.service.rotate_secret(ALICE, mine.id, overlap=1e9)
        assert wrong.value.element == "overlap"
        with pytest.raises(InvalidInput) as short:
            await it.service.rotate_secret(ALICE, mine.id, secret="whsec_short")
        assert short.value.element == "secret"
        for _ in range(4):
            rotated = await it.service.rotate_secret(ALICE, mine.id)
        assert len(rotated.older) == 4
        with pytest.raises(LimitExceeded):
            await it.service.rotate_secret(ALICE, mine.id)
        given = new_secret()
        leaked = await it.service.rotate_secret(ALICE, mine.id, secret=given, overlap=0)
        assert (leaked.secret, leaked.older, leaked.older_until) == (given, (), None)


async def test_messages_wait_for_a_key_that_is_not_there(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with whole(tmp_path, retry_first=0.05, retry_most=0.1) as it:
            mine = await it.held(receiver.url)
            vault = Vault([os.urandom(32)])
            it.store._secrets._sealer = Vault([os.urandom(32)])
            db = sqlite3.connect(tmp_path / "argosy.db")
            with db:
                db.execute("UPDATE subscription SET secret = ?", (Secrets(vault).write(mine),))
            await it.end(mine)
            unsigned = "SELECT 1 FROM delivery WHERE words LIKE 'it cannot be signed: %key%'"
            await until(lambda: db.execute(unsigned).fetchone() is not None)
            db.close()
            assert receiver.got == []
            it.store._secrets._sealer = vault
            it.service.sender.wake()
            (await got(receiver, 1))[0].verified(mine.secret)
