"""``argosy notifications`` and ``argosy usage``, over a real server with operations kept in memory."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from argosy.client import AsyncClient, Endpoint
from argosy.client.webhooks import NotVerified  # noqa: F401  # what the page tells of is there
from argosy.model import ActivityState
from argosy.model.webhooks import new_secret
from argosy.store import Activity, Delivery, Event, UsageRecord, UsageSum
from tests.cli.conftest import Command
from tests.rest.fake import TOKEN
from tests.rest.live import Live

URL = "https://receiver.example.org/hook"


def dead(number: int) -> Delivery:
    failed = ActivityState.FAILED
    return Delivery(
        number,
        "s1",
        URL,
        new_secret(),
        "alice",
        "https://receiver.example.org:443",
        Event("a" * 32, 1e9, "state", failed, seq=number + 100),
        Activity("a" * 32, "alice", failed, 3, 1e9, 1e9),
        created=1e9,
        due=1e9,
        attempts=12,
        words="it answered 500",
        died=1e9 + 90_000,
    )


def used(number: int, **more: object) -> UsageRecord:
    fields: dict[str, object] = dict.fromkeys(UsageRecord.__dataclass_fields__)
    fields |= {"number": number, "activity": f"{number:032x}", "run": 0, "owner": "alice", "resource": "local"}
    fields |= {"state": "finished", "created": 1e9, "final_at": 1e9 + number, "cores": 2, "wall_seconds": 3661.0}
    return UsageRecord(**fields | {"hosts": ("n1", "n2")} | more)


def test_a_secret_is_shown_once(argosy: Command, live: Live, tmp_path: Path) -> None:
    assert argosy("notifications", "list").out.startswith("Nobody is told anything.")
    made = argosy("notifications", "subscribe", "--state", "final", "--tag", "k=v", "--to", "local", URL)
    (subscription,) = live.operations.subscribed.values()
    assert made.out == subscription.id + "\n"
    assert made.err == f"secret: {subscription.secret}\n"
    assert (subscription.states, subscription.tags, subscription.resource) == (("final",), {"k": "v"}, "local")
    listed = argosy("notifications", "list")
    assert listed.out.splitlines()[1].split() == [subscription.id, "k=v,", "to", "local", "final", "active", URL]
    assert subscription.secret not in listed.out + argosy("notifications", "list", "--json").out
    mine = tmp_path / "secret"
    mine.write_text(new_secret() + "\n")
    given = argosy("notifications", "subscribe", "--secret-file", str(mine), URL)
    assert given.err == ""
    assert live.operations.subscribed[given.out.strip()].secret == mine.read_text().strip()
    wrong = argosy("notifications", "subscribe", "ftp://receiver.example.org")
    assert (wrong.code, "(at url)" in wrong.err) == (1, True)
    before = live.operations.subscribed[subscription.id].secret
    rotated = argosy("notifications", "rotate", "--overlap", "2h", subscription.id)
    after = live.operations.subscribed[subscription.id].secret
    assert (rotated.out.startswith("The old secret signs too until 2"), rotated.err) == (True, f"secret: {after}\n")
    assert after != before
    leaked = argosy("notifications", "rotate", "--overlap", "0s", "--secret-file", str(mine), subscription.id)
    assert (leaked.out, leaked.err) == ("Only the new secret signs from now on.\n", "")
    assert argosy("notifications", "rotate", "nothing").code == 4
    assert argosy("notifications", "unsubscribe", *live.operations.subscribed).code == 0
    assert live.operations.subscribed == {}
    assert argosy("notifications", "unsubscribe", "nothing").code == 4


def test_dead_letters_are_shown_and_sent_again(argosy: Command, live: Live) -> None:
    assert argosy("notifications", "dead").out == "There are no dead letters.\n"
    live.operations.dead = {number: dead(number) for number in range(1, 251)}
    lines = argosy("notifications", "dead").out.splitlines()
    assert lines[0].split() == ["NUMBER", "JOB", "STATE", "GIVEN", "UP", "URL", "WHY"]
    assert len(lines) == 251
    first = json.loads(argosy("notifications", "dead", "--json").out.splitlines()[0])
    assert (first["number"], first["message"], first["attempts"]) == (1, "msg_s1_101", 12)
    assert "secret" not in first
    assert argosy("notifications", "resend").code == 2
    assert argosy("notifications", "resend", "--all", "7").code == 2
    some = argosy("notifications", "resend", "7", "999")
    assert (some.code, some.err.count("\n")) == (1, 1)
    assert argosy("notifications", "resend", "--all").code == 0
    assert live.operations.dead == {}


def test_usage_is_a_table_json_csv_and_records(argosy: Command, live: Live) -> None:
    assert argosy("usage").out == "No job has ended in that time.\n"
    live.operations.sums = (UsageSum(("local",), 3, 2, 1, 0, 61.5, 3661.0, 7322.0, 1 << 30, 1),)
    live.operations.used = tuple(used(number) for number in range(1, 1502))
    shown = argosy("usage")
    assert [line.split() for line in shown.out.splitlines()] == [
        ["SHARE", "JOBS", "FAILED", "CPU", "WALL", "CORES", "x", "WALL", "MEMORY"],
        ["local", "3", "1", "0:01:02*", "1:01:01", "2:02:02", "1", "GiB"],
    ]
    assert "nobody measured" in shown.err
    (line,) = map(json.loads, argosy("usage", "--json").out.splitlines())
    assert (line["share"], line["jobs"], line["core_seconds"]) == ("local", 3, 7322.0)
    assert argosy("usage", "--csv").out.splitlines()[0].startswith("share,jobs,")
    records = argosy("usage", "--records", "--csv").out.splitlines()
    assert len(records) == 1502
    assert records[1].endswith(",n1 n2")
    assert len(argosy("usage", "--records").out.splitlines()) == 1502
    assert argosy("usage", "--records", "--ur").out.count("<urf:JobUsageRecord>") == 1501
    for wrong in (["--ur"], ["--job", "x"], ["--records", "--by", "user"], ["--csv", "--json"], ["--by", "colour"]):
        assert argosy("usage", *wrong).code == 2, wrong
    refused = argosy("usage", "--from", "yesterday")
    assert (refused.code, "(at from)" in refused.err) == (1, True)


def test_the_asynchronous_client_does_the_same(live: Live) -> None:
    live.operations.dead = {1: dead(1)}
    live.operations.used = (used(1),)
    live.operations.sums = (UsageSum((), 1, 1, 0, 0, 1.0, 1.0, 1.0, None, 0),)

    async def all_of_it() -> None:
        async with AsyncClient(Endpoint(live.addresses.url, TOKEN, None)) as client:
            made = await client.subscribe(URL, states=["final"])
            assert made.secret is not None
            assert [one.id async for one in client.subscriptions()] == [made.id]
            await client.unsubscribe(made.id)
            assert [one.number async for one in client.dead_letters()] == [1]
            assert await client.resend([1]) == [None]
            assert [one.jobs for one in (await client.usage()).items] == [1]
            assert [one.user async for one in client.usage_records()] == ["alice"]
            assert b"".join([piece async for piece in client.usage_text("csv", by=[])]).startswith(b"jobs,")

    asyncio.run(all_of_it())
