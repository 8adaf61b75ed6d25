from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from argosy.client import AsyncClient, Description, Endpoint, ServiceUnreachable
from argosy.model import ActivityState, NotFound
from tests.client.cutting import cutting
from tests.rest.fake import TOKEN
from tests.rest.live import Live

pytestmark = pytest.mark.anyio

S = ActivityState
JOB = Description(executable="/bin/true")


async def test_life_of_an_activity(endpoint: Endpoint, live: Live, tmp_path: Path) -> None:
    async with AsyncClient(endpoint) as client:
        made = await client.submit(JOB, key="k")
        assert (await client.submit(JOB, key="k")).id == made.id
        assert [a.id async for a in client.list()] == [made.id]
        await client.put_file(made.id, "a", b"bytes")
        source = tmp_path / "source"
        source.write_bytes(b"x" * 3_000_000)
        assert (await client.put_file(made.id, "b", source)).size == 3_000_000
        assert (await client.put_file(made.id, "c", io.BytesIO(b"12"))).size == 2
        assert [f.path async for f in client.list_files(made.id)] == ["a", "b", "c"]
        assert Path(await client.get_file(made.id, "b", tmp_path / "out")).read_bytes() == source.read_bytes()
        await client.delete_file(made.id, "c")
        waiting = asyncio.create_task(client.wait(made.id, timeout=20))
        with pytest.raises(TimeoutError):
            await client.wait(made.id, timeout=0.01)
        events = client.stream([made.id], after=0)
        assert (await anext(events)).kind == "created"
        live.operations.write(made.id, "stdout", b"hello")
        live.do(live.operations.advance, made.id, S.FINISHED, exit_code=0)
        assert [e.state async for e in events] == ["finished"]
        assert (await waiting).exit_code == 0
        assert [piece async for piece in client.follow(made.id, "stdout")] == [b"hello"]
        assert [e.kind async for e in client.events(made.id)] == ["created", "state"]
        await client.purge(made.id)
        with pytest.raises(NotFound):
            await client.status(made.id)


async def test_cuts_are_survived(live: Live, tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192
    with cutting(live.addresses.url) as cutter:
        async with AsyncClient(Endpoint(cutter.url, TOKEN)) as client:
            cutter.cuts = [0]
            made = await client.submit(JOB)
        live.do(live.operations.write, made.id, "f", data)
        live.do(live.operations.advance, made.id, S.FAILED)
        async with AsyncClient(Endpoint(cutter.url, TOKEN)) as client:
            cutter.cuts = [500_000, 0, 700_000]
            assert Path(await client.get_file(made.id, "f", tmp_path / "f")).read_bytes() == data
        async with AsyncClient(Endpoint(cutter.url, TOKEN)) as client:
            cutter.cuts = [300]
            assert [e.seq async for e in client.stream([made.id], after=0)] == [1, 2]


async def test_nobody_there() -> None:
    async with AsyncClient(Endpoint("http://127.0.0.1:1", "t"), retries=0) as client:
        with pytest.raises(ServiceUnreachable):
            await client.service()
