"""With which of their proxies somebody is logged in, its file, and the proxies that came with requests."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from argosy.delegation.keeper import NEEDED, Expired
from argosy.identity import Caller
from argosy.identity.caller import Credential
from argosy.languages.documents_credentials import NewCredential
from argosy.service.owners import kept as kept_module
from argosy.service.owners.kept import Kept as KeptForJobs
from argosy.service.owners.logins import Logins
from argosy.service.owners.whose import taken_apart, whose
from tests.delegation.conftest import ALICE, Kept
from tests.identity.pki import LIMITED, make_proxy
from tests.tls.conftest import SHORT, user

pytestmark = pytest.mark.anyio

GRID = Caller("/O=Grid/CN=Alice")


def proxy(hours: float = 10, **more: object) -> bytes:
    return make_proxy(user(), **(SHORT | {"end": datetime.now(UTC) + timedelta(hours=hours)} | more)).file()


def came(pem: bytes, hours: float = 10, groups: frozenset[str] = frozenset()) -> Caller:
    credential = Credential("x509-proxy", pem, time.time() + hours * 3600)
    return dataclasses.replace(GRID, credential=credential, groups=groups)


async def put(kept: Kept, pem: bytes, caller: Caller = GRID) -> str:
    return (await kept.keeper.add(caller, NewCredential(kind="proxy", pem=pem.decode()))).id


def test_as_whom_in_one_text() -> None:
    for owner, ids in (("/O=Grid, Inc/CN=A B", ("a1", "b2")), ("alice", ()), ("", ("x",))):
        assert taken_apart(whose(owner, ids)) == (owner, ids)


async def test_the_file_is_private_and_there_only_while_a_login_lasts(kept: Kept, tmp_path: Path) -> None:
    pem = proxy()
    id = await put(kept, pem)
    logins = Logins(kept.keeper, tmp_path / "logins")
    async with logins.credential("r", whose(GRID.name, [id])).lent() as variables:
        (file,) = {Path(value) for value in variables.values()}
        assert set(variables) == {"X509_USER_PROXY", "X509_USER_CERT", "X509_USER_KEY"}
        assert file.read_bytes() == pem
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
    assert list((tmp_path / "logins").iterdir()) == []
    with pytest.raises(RuntimeError):
        async with logins.lent("r", whose(GRID.name, [id])):
            raise RuntimeError
    assert list((tmp_path / "logins").iterdir()) == []
    (tmp_path / "logins" / "left").touch()
    logins.clear()
    assert not (tmp_path / "logins").exists()


async def test_the_named_one_and_no_other(kept: Kept, tmp_path: Path) -> None:
    short, long = proxy(1), proxy(9)
    first = await put(kept, short)
    await put(kept, long)
    logins = Logins(kept.keeper, tmp_path)
    assert await logins.find("r", whose(GRID.name, [first])) == short.decode()
    assert await logins.find("r", whose(GRID.name, [])) == long.decode()
    kept.now = 2 * 3600
    with pytest.raises(Expired, match=f"{first}.*has expired"):
        await logins.find("r", whose(GRID.name, [first]))
    assert await logins.find("r", whose(GRID.name, [])) == long.decode()
    # One that is gone is as if none were named.
    await kept.keeper.remove(GRID, first)
    assert await logins.find("r", whose(GRID.name, [first])) == long.decode()


async def test_limited_proxies_and_those_of_others_log_nobody_in(kept: Kept, tmp_path: Path) -> None:
    logins = Logins(kept.keeper, tmp_path)
    limited = await put(kept, proxy(language=LIMITED))
    with pytest.raises(Expired, match="limited"):
        await logins.find("r", whose(GRID.name, [limited]))
    with pytest.raises(Expired, match="argosy credential delegate"):
        await logins.find("r", whose(GRID.name, []))
    theirs = await put(kept, proxy(), ALICE)
    with pytest.raises(Expired, match="argosy credential delegate"):
        await logins.find("r", whose(GRID.name, [theirs]))
    # Of somebody who is known otherwise than by a certificate it has to be said which one.
    with pytest.raises(Expired, match="name a proxy"):
        await logins.find("r", whose(ALICE.name, []))
    assert await logins.find("r", whose(ALICE.name, [theirs]))


async def test_that_there_is_none_is_told_once_until_there_is_one(kept: Kept, tmp_path: Path) -> None:
    logins = Logins(kept.keeper, tmp_path)
    told: list[str] = []
    logins.on_missing = lambda resource, text, words: told.append(f"{resource}:{text}")
    text = whose(GRID.name, [])
    for _ in range(3):
        with pytest.raises(Expired):
            await logins.credential("r", text).check()
    assert told == [f"r:{text}"]
    id = await put(kept, proxy())
    await logins.credential("r", text).check()
    await kept.keeper.remove(GRID, id)
    with pytest.raises(Expired):
        await logins.credential("r", text).check()
    assert len(told) == 2


async def test_the_proxy_of_a_request_is_kept_while_it_is_needed(kept: Kept) -> None:
    used: set[str] = set()
    jobs = KeptForJobs(kept.keeper, used.__contains__, wanted=True)
    pem = proxy()
    async with jobs.during(came(pem)) as id:
        assert id is not None
        (opened,) = await kept.keeper.open(GRID.name, [id])
        assert opened.secret.pem == pem.decode()
        kept.now = NEEDED + 1
        await kept.keeper.renew_due()
        assert await kept.keeper.kept(GRID.name, id)  # the request goes on
        used.add(id)
    for _ in range(2):
        kept.now += NEEDED + 1
        await kept.keeper.renew_due()
        assert await kept.keeper.kept(GRID.name, id)
    # The next service knows it again, and so does not keep it twice.
    again = KeptForJobs(kept.keeper, used.__contains__, wanted=True)
    async with again.during(came(pem)) as same:
        assert same == id
    used.clear()
    kept.now += NEEDED + 1
    await kept.keeper.renew_due()
    assert await kept.keeper.listed(GRID) == []
    async with again.during(came(pem)) as other:
        assert other not in (None, id)


async def test_a_newer_proxy_takes_the_place_of_the_kept_one(kept: Kept) -> None:
    jobs = KeptForJobs(kept.keeper, lambda one: True, wanted=True)
    await jobs.seen(came(proxy()))
    assert await kept.keeper.listed(GRID) == []  # nothing needs one
    async with jobs.during(came(proxy(1), 1)) as id:
        assert id is not None
    newer = proxy(8)
    await jobs.seen(came(newer, 8))
    await jobs.seen(came(proxy(2), 2))
    async with jobs.during(came(proxy(3), 3)) as same:
        assert same == id
    (opened,) = await kept.keeper.open(GRID.name, [id])
    assert opened.secret.pem == newer.decode()
    assert kept.told == [id]  # whoever waits for it goes on
    # Other attributes may mean another account: that is another one.
    async with jobs.during(came(proxy(9), 9, frozenset({"/labvo"}))) as different:
        assert different != id
    # What its owner has removed does not come back by itself.
    await kept.keeper.remove(GRID, id)
    await jobs.seen(came(proxy(10), 10))
    assert [one.id for one in await kept.keeper.listed(GRID)] == [different]


async def test_none_is_handed_out_that_is_being_removed(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = KeptForJobs(kept.keeper, lambda one: False, wanted=True)
    pem = proxy()
    async with jobs.during(came(pem)):
        pass
    remove, removing, go_on = kept.store.remove_credential, asyncio.Event(), asyncio.Event()

    async def slowly(id: str) -> bool:
        removing.set()
        await go_on.wait()
        return await remove(id)

    monkeypatch.setattr(kept.store, "remove_credential", slowly)
    kept.now = NEEDED + 1
    tidying = asyncio.create_task(kept.keeper.renew_due())
    await removing.wait()

    async def request() -> None:
        async with jobs.during(came(pem)) as id:
            await asyncio.wait({tidying})
            assert id is not None
            assert await kept.keeper.kept(GRID.name, id)

    asking = asyncio.create_task(request())
    await asyncio.wait({asking}, timeout=0.2)  # it would be given it at once
    go_on.set()
    await asking


async def test_nothing_is_remembered_of_requests_that_are_over(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = KeptForJobs(kept.keeper, lambda one: False, wanted=True)
    monkeypatch.setattr(kept_module, "_REMEMBERED", 2)
    monkeypatch.setattr(kept_module, "MOST", 3)
    ids = set()
    for number in range(5):
        async with jobs.during(came(proxy(), groups=frozenset({f"/vo{number}"}))) as id:
            ids.add(id)
        await jobs.seen(dataclasses.replace(came(proxy()), name=f"somebody else {number}"))
    assert len(ids) == 5
    assert not jobs._requests
    assert len(jobs._turns) == 0
    assert len(jobs._known) <= 2
    async with jobs.during(came(proxy(), groups=frozenset({"/vo0"}))) as id:
        assert id in ids


async def test_nothing_is_kept_where_no_host_takes_it(kept: Kept) -> None:
    jobs = KeptForJobs(kept.keeper, lambda one: True, wanted=False)
    async with jobs.during(came(proxy())) as id:
        assert id is None
    jobs = KeptForJobs(kept.keeper, lambda one: True, wanted=True)
    async with jobs.during(GRID) as id:
        assert id is None
    assert await kept.keeper.listed(GRID) == []
