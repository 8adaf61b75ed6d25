"""Inputs that are kept for other activities."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from argosy.staging import Credentials, Fetch, Fetched, Staging
from tests.staging.web import FaultyWeb, past

pytestmark = pytest.mark.anyio
Make = Callable[..., Staging]

DATA = os.urandom(300_000)


async def fetch(staging: Staging, session: Path, name: str, url: str, **options: object) -> Fetched:
    return await staging.fetch(Fetch(str(session), name, (url,), **options))


def gets(web: FaultyWeb) -> int:
    """How often the file itself was sent."""
    return sum(method == "GET" and "If-None-Match" not in headers for method, _, headers in web.asked)


async def test_the_second_one_is_from_the_cache(make: Make, web: FaultyWeb, session: Path) -> None:
    staging, url = make(), web.put("/f", DATA, etag='"one"')
    first, second = await fetch(staging, session, "a", url), await fetch(staging, session, "b", url, executable=True)
    assert (first.cached, second.cached) == (False, True)
    assert (session / "a").read_bytes() == (session / "b").read_bytes() == DATA
    assert (session / "b").stat().st_mode & 0o777 == 0o700
    assert second.checksums["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert gets(web) == 1
    assert web.asked[-1][2]["If-None-Match"] == '"one"'


async def test_it_outlives_the_service(make: Make, web: FaultyWeb, session: Path) -> None:
    url = web.put("/f", DATA, etag='"one"')
    await fetch(make(), session, "a", url)
    assert (await fetch(make(), session, "b", url)).cached


async def test_a_changed_file_is_fetched_anew(make: Make, web: FaultyWeb, session: Path) -> None:
    staging, url = make(), web.put("/f", DATA, etag='"one"')
    await fetch(staging, session, "a", url)
    other = os.urandom(200_000)
    web.put("/f", other, etag='"two"')
    assert not (await fetch(staging, session, "b", url)).cached
    assert (session / "b").read_bytes() == other


async def test_a_file_that_is_gone_is_not_given(make: Make, web: FaultyWeb, session: Path) -> None:
    staging, url = make(), web.put("/f", DATA, etag='"one"')
    await fetch(staging, session, "a", url)
    del web.pages["/f"]
    with pytest.raises(Exception, match="404"):
        await fetch(staging, session, "b", url)


async def test_without_a_validator_nothing_is_kept(make: Make, web: FaultyWeb, session: Path) -> None:
    staging, url = make(), web.put("/f", DATA)
    await fetch(staging, session, "a", url)
    assert not (await fetch(staging, session, "b", url)).cached
    # The time of the last change does, if it is not the present one.
    url = web.put("/g", DATA, headers={"Last-Modified": past(3600)})
    await fetch(staging, session, "c", url)
    assert staging.cache is not None
    assert staging.cache.statistics()[0] == 1


async def test_what_a_job_does_to_its_input_is_its_own(make: Make, web: FaultyWeb, session: Path) -> None:
    staging, url = make(), web.put("/f", DATA, etag='"one"')
    for name in ("a", "b", "c"):
        await fetch(staging, session, name, url)
        with (session / name).open("r+b") as file:
            file.write(b"spoiled")
    await fetch(staging, session, "d", url)
    assert (session / "d").read_bytes() == DATA


async def test_what_needed_credentials_is_its_owner_s(make: Make, web: FaultyWeb, session: Path) -> None:
    staging, url = make(), web.put("/f", DATA, etag='"one"', token="secret")
    let_in = Credentials(token="secret")
    await fetch(staging, session, "a", url, owner="alice", credentials=let_in)
    assert (await fetch(staging, session, "b", url, owner="alice", credentials=let_in)).cached
    assert not (await fetch(staging, session, "c", url, owner="bob", credentials=let_in)).cached
    with pytest.raises(Exception, match="401"):
        await fetch(staging, session, "d", url, owner="eve")
    with pytest.raises(Exception, match="401"):
        await fetch(staging, session, "d", url, owner="alice", credentials=Credentials(token="expired"))


async def test_declared_checksums_are_compared_again(make: Make, web: FaultyWeb, session: Path) -> None:
    staging, url = make(attempts=1), web.put("/f", DATA, etag='"one"')
    await fetch(staging, session, "a", url)
    assert (await fetch(staging, session, "b", url, checksums={"md5": hashlib.md5(DATA).hexdigest()})).cached
    for wrong in ({"checksums": {"md5": "0" * 32}}, {"checksums": {"sha256": "0" * 64}}, {"size": 5}):
        with pytest.raises(Exception, match="declared"):
            await fetch(staging, session, "c", url, **wrong)
    right = {"sha256": hashlib.sha256(DATA).hexdigest()}
    asked = len(web.asked)
    assert (await fetch(staging, session, "d", url, checksums=right)).cached
    assert len(web.asked) == asked  # what it must be is known: nobody has to be asked


async def test_many_at_once_fetch_it_once(make: Make, web: FaultyWeb, session: Path) -> None:
    staging, url = make(), web.put("/f", DATA, etag='"one"')
    done = await asyncio.gather(*(fetch(staging, session, f"f{n}", url) for n in range(20)))
    assert sum(not one.cached for one in done) == 1
    assert gets(web) == 1
    assert all((session / f"f{n}").read_bytes() == DATA for n in range(20))


async def test_who_waited_goes_on_when_the_first_one_fails(make: Make, web: FaultyWeb, session: Path) -> None:
    staging, url = make(attempts=1), web.put("/f", DATA, "status 500", etag='"one"')
    done = await asyncio.gather(*(fetch(staging, session, f"f{n}", url) for n in range(3)), return_exceptions=True)
    assert sum(isinstance(one, Exception) for one in done) == 1


async def test_its_size_is_bounded_and_the_oldest_goes(make: Make, web: FaultyWeb, session: Path) -> None:
    staging = make(cache_size=1_000_000)
    urls = [web.put(f"/{n}", os.urandom(300_000), etag=f'"{n}"') for n in range(6)]
    for n, url in enumerate(urls):
        await fetch(staging, session, f"f{n}", url)
        await fetch(staging, session, "again", urls[0])  # used all the time
    assert staging.cache is not None
    files, size = staging.cache.statistics()
    assert (files, size) == (3, 900_000)
    assert (await fetch(staging, session, "first", urls[0])).cached
    assert (await fetch(staging, session, "last", urls[5])).cached
    assert not (await fetch(staging, session, "second", urls[1])).cached


async def test_a_spoiled_cache_is_no_fault(make: Make, web: FaultyWeb, session: Path, tmp_path: Path) -> None:
    staging, url = make(), web.put("/f", DATA, etag='"one"')
    await fetch(staging, session, "a", url)
    for path in (tmp_path / "staging/cache").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(b"not what it was")
    assert not (await fetch(staging, session, "b", url)).cached
    assert (session / "b").read_bytes() == DATA
    assert staging.cache is not None
    staging.cache.clear()
    await fetch(staging, session, "c", url)
    assert (session / "c").read_bytes() == DATA


async def test_small_files_and_those_that_must_not_are_not_kept(make: Make, web: FaultyWeb, session: Path) -> None:
    staging = make()
    await fetch(staging, session, "a", web.put("/small", b"x" * 100, etag='"s"'))
    await fetch(staging, session, "b", web.put("/f", DATA, etag='"one"'), cacheable=False)
    assert staging.cache is not None
    assert staging.cache.statistics() == (0, 0)
    assert make(cache_size=0).cache is None
