"""What is SQLite's own: the file, its schema, group commit, errors of the disk."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import stat
import threading
from importlib.resources import files
from pathlib import Path

import pytest

from argosy.model import ActivityState, Unavailable
from argosy.store import Damaged
from argosy.store.sqlite import SchemaError, SQLiteStore
from argosy.store.sqlite.connections import open_writer
from argosy.store.sqlite.migrations import Migration, known, migrate
from argosy.store.sqlite.queries import FILES
from tests.store.making import activity, change, new

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "ar?gosy#%20.db"


def edit(path: Path, sql: str) -> None:
    db = sqlite3.connect(path)
    with db:
        db.execute(sql)
    db.close()


async def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    old = os.umask(0)
    try:
        store = SQLiteStore(path)
        await store.open()
        await store.create([new()])
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        assert {file.name for file in path.parent.iterdir()} >= {path.name, path.name + "-wal"}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        await store.close()
    finally:
        os.umask(old)


async def test_a_directory_that_is_there_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    store = SQLiteStore(str(tmp_path / "a.db"))
    await store.open()
    await store.close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


async def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "not-a-database").write_bytes(b"text" * 1000)
    (tmp_path / "directory").mkdir()
    with pytest.raises(SchemaError, match="not a database"):
        await SQLiteStore(tmp_path / "not-a-database").open()
    with pytest.raises(Unavailable, match="directory"):
        await SQLiteStore(tmp_path / "directory").open()


async def test_settings(path: Path) -> None:
    await asyncio.to_thread(lambda: open_writer(path).close())
    db = open_writer(path)
    settings = {
        name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    strict = db.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND NOT strict AND name NOT LIKE 'sqlite_%'"
    )
    assert strict.fetchall() == []
    db.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_open_and_closed(path: Path) -> None:
    store = SQLiteStore(path)
    with pytest.raises(Unavailable, match="closed"):
        await store.count()
    await store.open()
    with pytest.raises(RuntimeError, match="open already"):
        await store.open()
    await store.create([new()])
    await store.close()
    await store.open()
    assert await store.count() == 1
    await store.close()


# -- schema ------------------------------------------------------------------------------------------


async def test_the_schema_comes_with_the_package() -> None:
    names = {entry.name for entry in files("argosy.store").joinpath("sql", "sqlite").iterdir()}
    assert {*FILES, *(migration.name for migration in known())} == names
    assert [migration.number for migration in known()] == list(range(1, len(known()) + 1))


async def test_a_newer_schema_is_refused(path: Path) -> None:
    open_writer(path).close()
    edit(path, "INSERT INTO migration VALUES (9999, '9999_tomorrow.sql', 'x', 'then')")
    with pytest.raises(SchemaError, match=r"newer version of Argosy .*9999_tomorrow"):
        await SQLiteStore(path).open()


async def test_another_history_is_refused(path: Path) -> None:
    open_writer(path).close()
    edit(path, "UPDATE migration SET checksum = 'x'")
    with pytest.raises(SchemaError, match=r"another 0001_activities\.sql"):
        await SQLiteStore(path).open()


async def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    edit(path, "CREATE TABLE bookmark (url)")
    with pytest.raises(SchemaError, match="some other program"):
        await SQLiteStore(path).open()


async def test_migrations_are_applied_once_each_and_whole(path: Path) -> None:
    open_writer(path).close()
    good = Migration(
        9001,
        "9001_good.sql",
        "CREATE TABLE good (x);\nCREATE TRIGGER t AFTER INSERT ON good\nBEGIN\n  SELECT 1;\nEND;\n",
    )
    bad = Migration(9002, "9002_bad.sql", "CREATE TABLE half (x);\nCREATE TABLE half (x);\n")
    db = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="half"):
        migrate(db, "p", [*known(), good, bad])
    assert [row[0] for row in db.execute("SELECT number FROM migration")] == [
        *(one.number for one in known()),
        9001,
    ]
    names = {row[0] for row in db.execute("SELECT name FROM sqlite_schema")}
    assert {"good", "t"} <= names
    assert "half" not in names
    migrate(db, "p", [*known(), good])
    db.close()


async def test_a_migration_that_sqlite_itself_rolls_back_fails_in_its_own_words(path: Path) -> None:
    text = "CREATE TABLE t (a UNIQUE);\nINSERT INTO t VALUES (1);\nINSERT OR ROLLBACK INTO t VALUES (1);\n"
    db = open_writer(path)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE constraint failed"):
        migrate(db, "p", [*known(), Migration(9001, "9001_bad.sql", text)])
    db.close()


async def test_many_open_a_new_database_at_once(path: Path) -> None:
    stores = [SQLiteStore(path) for _ in range(12)]
    try:
        await asyncio.gather(*(store.open() for store in stores))
        await asyncio.gather(*(store.create([new()]) for store in stores))
        assert await stores[0].count() == 12
    finally:
        for store in stores:
            await store.close()


# -- the writer --------------------------------------------------------------------------------------


class Gate:
    """Holds the writer before a commit, so that what is asked for meanwhile queues up."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.commits = 0

    def __call__(self, point: str) -> None:
        if point == "before-commit":
            self.commits += 1
            assert self.open.wait(30)


async def test_what_queues_up_is_committed_together(path: Path) -> None:
    gate = Gate()
    store = SQLiteStore(path, fault=gate)
    await store.open()
    gate.open.clear()
    calls = [asyncio.ensure_future(store.create([new()])) for _ in range(200)]
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(*calls)
    assert gate.commits <= 3
    gate.commits = 0
    await store.create([new() for _ in range(1100)])  # bounded: three transactions of at most 512
    assert gate.commits == 3
    assert await store.count() == 1300
    await store.close()


async def test_the_event_loop_is_not_blocked_by_a_commit(path: Path) -> None:
    gate = Gate()
    store = SQLiteStore(path, fault=gate)
    await store.open()
    made = activity()
    await store.create([new(made)])
    gate.open.clear()
    writing = asyncio.ensure_future(store.change([change(made, state=ActivityState.HELD)]))
    for _ in range(3):
        assert await store.get([made.id]) == {made.id: made}
        assert await store.count() == 1
    assert not writing.done()
    gate.open.set()
    (after,) = await writing
    assert await store.get([made.id]) == {made.id: after}
    await store.close()


async def test_only_the_bad_one_of_a_batch_fails(path: Path) -> None:
    gate = Gate()
    store = SQLiteStore(path, fault=gate)
    await store.open()
    first = activity()
    await store.create([new(first)])
    heard: list[int] = []
    store.subscribe(lambda events, _: heard.extend(event.seq for event in events))
    gate.open.clear()
    holding = asyncio.ensure_future(store.create([new()]))
    calls = [asyncio.ensure_future(store.create([new(first if n == 5 else None)])) for n in range(10)]
    await asyncio.sleep(0)
    gate.open.set()
    await holding
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [list] * 5 + [ValueError] + [list] * 4
    assert heard == sorted(heard) == [event.seq for event in await store.feed(None, after=1)]
    await store.close()


@pytest.mark.parametrize("error", [sqlite3.OperationalError, sqlite3.DatabaseError])
@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
async def test_a_commit_that_fails_is_told_to_all_of_its_callers(
    path: Path, point: str, error: type[Exception]
) -> None:
    broken = False

    def fault(reached: str) -> None:
        if broken and reached == point:
            raise error("database or disk is full")

    store = SQLiteStore(path, fault=fault)
    await store.open()
    heard: list[object] = []
    store.subscribe(lambda events, _: heard.extend(events))
    broken = True
    answers = await asyncio.gather(*(store.create([new()]) for _ in range(9)), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) and "disk is full" in str(answer) for answer in answers)
    assert store.trouble is not None
    assert "disk is full" in store.trouble.words
    broken = False
    assert await store.count() == (0 if point == "before-commit" else 9)
    assert len(await store.create([new()])) == 1
    assert store.trouble is None
    assert len(heard) == 1
    await store.close()


async def test_a_file_that_is_no_database_any_more_is_told_as_trouble(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    one = new()
    await store.create([one])
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    whole = path.read_bytes()
    with path.open("r+b") as file:
        file.write(b"x" * len(whole))
    with pytest.raises(Unavailable, match="look at its disk"):
        await store.get([one.activity.id])
    first = store.trouble
    with pytest.raises(Unavailable, match="look at its disk"):
        await store.count()
    assert first is not None
    assert first == store.trouble
    with path.open("r+b") as file:
        file.write(whole)
    assert await store.count() == 1
    assert store.trouble is None
    await store.close()


async def test_a_full_disk_fails_what_does_not_fit_and_no_more(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    await store.create([new()])
    (pages,) = [row[0] for row in await store._reader.rows("PRAGMA page_count")]
    await store._writer.submit([lambda tx: tx.db.execute(f"PRAGMA max_page_count = {pages + 100}").fetchone()])
    answers = await asyncio.gather(
        store.create([new(description=b"x" * 10_000_000)]),
        *(store.create([new()]) for _ in range(9)),
        return_exceptions=True,
    )
    assert isinstance(answers[0], Unavailable)
    assert not [answer for answer in answers[1:] if isinstance(answer, BaseException)]
    assert await store.count() == 10
    await store.close()


async def test_a_final_state_is_guarded_by_the_database_too(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    made = activity(state=ActivityState.FINISHED)
    await store.create([new(made)])
    await store.close()
    with pytest.raises(sqlite3.IntegrityError, match="final state"):
        edit(path, "UPDATE activity SET state = 'pending', final = 0")
    with pytest.raises(sqlite3.IntegrityError, match="final state"):
        edit(path, "UPDATE activity SET state = 'pending', final = 0, rest = json_set(rest, '$.restarts', 1)")


def test_a_loop_that_ends_before_the_store_is_closed(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    made = activity()

    async def leave() -> SQLiteStore:
        store = SQLiteStore(path, fault=gate)
        await store.open()
        gate.open.clear()
        asking = asyncio.ensure_future(store.create([new(made)]))
        await asyncio.sleep(0)
        assert not asking.done()
        return store

    loop = asyncio.new_event_loop()
    store = loop.run_until_complete(leave())
    for task in asyncio.all_tasks(loop):
        task.cancel()
        loop.run_until_complete(asyncio.wait([task]))
    loop.close()
    with caplog.at_level(logging.WARNING):
        gate.open.set()
        writer = store._writer
        writer._queue.put(None)
        writer._thread.join(30)
    assert not writer._thread.is_alive()
    assert "ended before the store" in caplog.text

    async def look() -> int:
        again = SQLiteStore(path)
        await again.open()
        number = await again.count()
        await again.close()
        return number

    assert asyncio.run(look()) == 1
    asyncio.run(store._reader.close())


async def test_damage_that_one_step_meets_with_is_told_of_that_one_and_stays_trouble(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()

    def damaged(_: object) -> object:
        raise sqlite3.DatabaseError("database disk image is malformed")

    answers = await asyncio.gather(
        *(store._writer.ask([step]) for step in (damaged, lambda _: "recorded")), return_exceptions=True
    )
    assert isinstance(answers[0], Damaged)
    assert "malformed" in str(answers[0])
    assert answers[1] == ["recorded"]
    with pytest.raises(Damaged):
        await store._writer.submit([damaged, lambda _: "recorded"])
    assert store.trouble is not None, "that another one was recorded with it does not end it"
    await store.create([new()])
    assert store.trouble is None
    await store.close()
