from __future__ import annotations

import json

from argosy.client import AsyncClient, Client, Endpoint
from argosy.model import ActivityState
from tests.cli.conftest import Command
from tests.rest.fake import TOKEN
from tests.rest.live import Live

S = ActivityState


def submit(argosy: Command) -> str:
    return argosy("submit", "--", "prog").out.strip()


def test_failed_jobs_are_restarted_and_others_are_not(argosy: Command, live: Live) -> None:
    failed, fine, lost = submit(argosy), submit(argosy), submit(argosy)
    live.do(live.operations.advance, failed, S.FAILED)
    live.do(live.operations.advance, fine, S.FINISHED, exit_code=0)
    live.do(live.operations.advance, lost, S.FAILED, hosts=("lost",))
    done = argosy("restart", "--json", failed)
    assert done.code == 0, done.err
    assert json.loads(done.out)["state"] == S.STAGING_IN.value
    refused = argosy("restart", fine, lost)
    assert refused.code == 1
    assert refused.err.count("cannot be restarted") == 2
    assert argosy("restart", "--over", lost).code == 0


def test_transfers_are_shown(argosy: Command, live: Live) -> None:
    id = submit(argosy)
    shown = argosy("transfers", id)
    assert shown.code == 0, shown.err
    row = shown.out.splitlines()[1].split()
    assert row[:3] == ["big", "fetch", "moving"]
    assert "5 B of 10 B" in shown.out
    document = json.loads(argosy("transfers", "--json", id).out)
    assert (document["path"], document["moved"], document["total"]) == ("big", 5, 10)


def test_clients_restart_one_and_many(argosy: Command, live: Live) -> None:
    failed, fine = submit(argosy), submit(argosy)
    live.do(live.operations.advance, failed, S.FAILED)
    with Client(Endpoint(live.addresses.url, TOKEN, None)) as client:
        one, other, nothing = client.restart_many([failed, fine, "0" * 32])
        assert one.activity is not None
        assert one.activity.id == failed
        assert [found.problem and found.problem.status for found in (other, nothing)] == [409, 404]
        assert client.transfers(failed)[0].direction == "fetch"
    assert {"restart", "restart_many", "transfers"} <= set(dir(AsyncClient))
