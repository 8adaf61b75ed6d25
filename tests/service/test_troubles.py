"""What keeps the service from its work is said where its administrator looks, since when it lasts, until it is over."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from argosy.cli.app import run
from argosy.delegation import Vault
from argosy.identity import Caller, Role
from argosy.model import Unavailable
from argosy.model.webhooks import new_secret
from argosy.service.service import ExecutionService
from argosy.store import Subscription
from argosy.store.sqlite.secrets import Secrets
from argosy.store.sqlite.writer import Writer
from tests.service.driving import create, told_service, until
from tests.service.running import RunningService

pytestmark = pytest.mark.anyio
BOSS = Caller("boss", roles=frozenset({Role.ADMINISTRATOR}))


async def troubles(service: ExecutionService) -> list[tuple[str, str | None, str]]:
    return [(one.part, one.name, one.words) for one in (await service.overview(BOSS)).troubles]


def _limit(writer: Writer, pages: int | None) -> None:
    """The next transactions find the disk full, or room again: SQLite's own limit on the size of its file."""
    plain = writer._transaction

    def limited(written: object, batch: object) -> None:
        db: sqlite3.Connection = written.db
        (now,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {1 << 30 if pages is None else now + pages}").fetchall()
        plain(written, batch)

    writer._transaction = limited


async def _fill(service: ExecutionService) -> None:
    for _ in range(500):
        await create(service, held=True, environment={"LONG": "x" * 4000})


async def test_a_store_on_a_full_disk_is_told_of_until_there_is_room(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        assert await troubles(service) == []
        assert service.unready == []
        began = time.time()
        _limit(service._store._writer, 0)
        with pytest.raises(Unavailable, match="full"):
            await _fill(service)
        (told,) = await troubles(service)
        assert told[:2] == ("store", None)
        assert "database or disk is full" in told[2]
        assert service.unready == ["store"]
        since = (await service.overview(BOSS)).troubles[0].since
        assert began <= since <= time.time()
        with pytest.raises(Unavailable):
            await _fill(service)
        assert (await service.overview(BOSS)).troubles[0].since == since
        _limit(service._store._writer, None)
        await create(service, held=True)
        assert await troubles(service) == []
        assert service.unready == []


async def test_a_resource_that_is_away_and_one_that_cannot_be_opened(tmp_path: Path) -> None:
    async with told_service(tmp_path, retry_most=0.02, shares_refresh=0.02) as (service, driver):
        await until(lambda: service._resources["told"].opened)

        async def nobody() -> list[object]:
            raise Unavailable("the controller does not answer")

        seen, driver.shares = driver.shares, nobody
        await until(lambda: service._resources["told"].why_unknown)
        assert await troubles(service) == [("resource", "told", "the controller does not answer")]
        assert service.unready == []  # activities wait for it; what is asked is answered
        driver.shares = seen
        await until(lambda: service._resources["told"].why_unknown is None)
        assert await troubles(service) == []
        resource = service._resources["told"]
        resource.opened = False
        resource.closed("no route to the host")
        resource.closed("still none")
        assert await troubles(service) == [("resource", "told", "still none")]


async def test_secrets_under_a_key_that_is_gone(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        store = service._store
        gone = Secrets(Vault([os.urandom(32)]))
        store._secrets._sealer = Vault([os.urandom(32)])
        lost = Subscription("s", "alice", "https://h/", "https://h:443", new_secret(), 1.0)
        await store.add_subscription(lost, 10)
        assert await troubles(service) == []
        db = sqlite3.connect(tmp_path / "argosy.db")
        with db:
            db.execute("UPDATE subscription SET secret = ?", (gone.write(lost),))
            db.execute(
                "INSERT INTO credential (id, owner, kind, version, created, changed, expires, renew_at, sealed, rest)"
                " VALUES ('c', 'alice', 'token', 1, 1.0, 1.0, NULL, NULL, x'0011223344', '{}')"
            )
        db.close()
        found = await troubles(service)
        assert [(part, name) for part, name, _ in found] == [("sealing", "credentials"), ("sealing", "subscriptions")]
        assert all("1 " in words and "key" in words for _, _, words in found)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningService]:
    running = RunningService(tmp_path / "home")
    running.directory.mkdir(mode=0o700)
    monkeypatch.setenv("ARGOSY_HOME", str(running.directory))
    yield running
    running.end()


def test_the_exit_code_and_readiness_over_http(service: RunningService, tmp_path: Path) -> None:
    def argosy(*words: str) -> tuple[int, str]:
        with CliRunner().isolation() as (out, _, _):
            code = run(list(words))
            return code, out.getvalue().decode()

    (service.directory / "argosy.toml").write_text(
        '[resources.local]\ntype = "local"\n[resources.away]\ntype = "slurm"\nurl = "ssh://nobody@127.0.0.1:9"\n'
    )
    service.start()
    with service.client() as client:
        url = client.endpoint.url
        assert httpx.get(f"{url}/v1/ready").json() == {"ready": True}  # without a token
        deadline = time.monotonic() + 30
        while not client.service_status().troubles:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        code, out = argosy("admin", "status")
        assert code == 1
        assert out.startswith("trouble  resource away, since 2")
        code, out = argosy("admin", "status", "--json")
        assert (code, json.loads(out)["troubles"][0]["part"]) == (1, "resource")
        assert json.loads(out)["troubles"][0]["words"]
