"""One suite over every scheme, against real servers: whole or not at all, told in words, nothing left behind."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from argosy.outbound import OutboundPolicy
from argosy.staging import Credentials, Fault, Fetch, Push, Staging, TransferFailed
from tests.servers.needs import NotHere, absent
from tests.staging.conftest import left
from tests.staging.places import Place, place

pytestmark = pytest.mark.anyio
Make = Callable[..., Staging]

SCHEMES = ["file", "http", "dav", "ftp", "sftp", "scp", "s3", "root", "gsiftp"]
#: Those without a program to be installed.
_HERE = ("file", "s3")
SERVED = [scheme if scheme in _HERE else pytest.param(scheme, marks=pytest.mark.servers) for scheme in SCHEMES]
LISTING = [served for scheme, served in zip(SCHEMES, SERVED, strict=True) if scheme != "http"]
NAME = "a b+c%d=é&f.dat"
LARGE = os.urandom(12_345_678)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Place]]:
    from contextlib import ExitStack

    made: dict[str, Place] = {}
    with ExitStack() as stack:

        def one(scheme: str) -> Place:
            if scheme not in made:
                try:
                    made[scheme] = stack.enter_context(place(scheme, tmp_path_factory.mktemp(scheme)))
                except NotHere as error:
                    absent(f"there is no server for {scheme}: {error}")
            return made[scheme]

        yield one


@pytest.fixture(params=SERVED)
def there(request: pytest.FixtureRequest, places: Callable[[str], Place]) -> Place:
    return places(request.param)


@pytest.fixture(params=LISTING)
def tree(request: pytest.FixtureRequest, places: Callable[[str], Place]) -> Place:
    return places(request.param)


@pytest.fixture
def staging(make: Make, there: Place) -> Staging:
    return make(**there.options)


def unique() -> str:
    return os.urandom(4).hex()


async def push(
    staging: Staging, session: Path, path: str, there: Place, *targets: str, **options: object
) -> list[object]:
    options = {"credentials": there.credentials, **options}
    return list(await staging.push(Push(str(session), path, targets, **options)))


@pytest.mark.parametrize("data", [b"", b"small", LARGE], ids=["empty", "small", "large"])
async def test_a_file_is_fetched_whole(staging: Staging, there: Place, session: Path, data: bytes) -> None:
    name = f"{unique()} {NAME}"
    there.put(name, data)
    done = await staging.fetch(
        Fetch(
            str(session),
            "sub/in.dat",
            (there.at(name),),
            size=len(data),
            checksums={"sha256": hashlib.sha256(data).hexdigest()},
            credentials=there.credentials,
            cacheable=False,
        )
    )
    assert (session / "sub/in.dat").read_bytes() == data
    assert (done.size, done.attempts) == (len(data), 1)
    assert left(session) == ["sub", "sub/in.dat"]


@pytest.mark.parametrize("data", [b"", b"small", LARGE], ids=["empty", "small", "large"])
async def test_a_file_is_pushed_whole(staging: Staging, there: Place, session: Path, data: bytes) -> None:
    (session / "out.dat").write_bytes(data)
    where = f"{unique()} {NAME}" if there.scheme == "http" else f"{unique()}/new/{NAME}"
    for content in (data, data[::-1] + b"!"):
        (session / "out.dat").write_bytes(content)
        (done,) = await push(staging, session, "out.dat", there, there.at(where))
        assert done.error is None
        assert there.get(where) == content
        assert (done.files, done.size, done.attempts) == (1, len(content), 1)
        assert done.verified == there.verifies
    assert not [name for name in there.names() if ".argosy" in name]


async def test_what_is_missing_is_told(staging: Staging, there: Place, session: Path) -> None:
    with pytest.raises(TransferFailed) as caught:
        await staging.fetch(
            Fetch(str(session), "in.dat", (there.at("nowhere/missing"),), credentials=there.credentials)
        )
    assert caught.value.fault is Fault.MISSING, caught.value.message
    assert left(session) == []


async def test_a_wrong_checksum_is_found(make: Make, there: Place, session: Path) -> None:
    name = unique()
    there.put(name, b"something")
    for wrong in ({"size": 8}, {"size": 10}, {"checksums": {"md5": "0" * 32}}, {"checksums": {"adler32": "0"}}):
        with pytest.raises(TransferFailed) as caught:
            await make(attempts=1, **there.options).fetch(
                Fetch(str(session), "in.dat", (there.at(name),), credentials=there.credentials, **wrong)
            )
        assert caught.value.fault is Fault.CORRUPT
        assert left(session) == []


async def test_what_is_there_stays(staging: Staging, there: Place, session: Path) -> None:
    where = unique()
    (session / "out.dat").write_bytes(b"new")
    (done,) = await push(staging, session, "out.dat", there, there.at(where), creation="refuse")
    assert done.error is None
    # The same again changes nothing, so that it can be repeated after a crash.
    (done,) = await push(staging, session, "out.dat", there, there.at(where), creation="refuse")
    if there.scheme != "gsiftp":
        assert done.error is None
    there.put(where, b"old")
    (done,) = await push(staging, session, "out.dat", there, there.at(where), creation="refuse")
    assert done.fault == "exists"
    assert "already" in done.error
    assert there.get(where) == b"old"


async def test_something_is_added(staging: Staging, there: Place, session: Path) -> None:
    where = unique()
    (session / "out.dat").write_bytes(b"new")
    (done,) = await push(staging, session, "out.dat", there, there.at(where), creation="append", token="1")
    if there.scheme == "gsiftp":
        return
    assert done.error is None
    assert there.get(where) == b"new"
    for token in ("2", "2", "3"):
        (done,) = await push(staging, session, "out.dat", there, there.at(where), creation="append", token=token)
        assert done.error is None
    assert there.get(where) == b"newnewnew"


async def test_a_directory_is_fetched(make: Make, tree: Place, session: Path) -> None:
    base = unique()
    files = {"one": b"1", "sub/two": b"22", "sub/deep er/three": b"333", NAME: b"4"}
    for name, data in files.items():
        tree.put(f"{base}/{name}", data)
    done = await make(**tree.options).fetch(
        Fetch(str(session), "in/dir/", (tree.at(base) + "/",), credentials=tree.credentials)
    )
    assert {name: (session / "in/dir" / name).read_bytes() for name in files} == files
    assert (done.files, done.size) == (4, 7)
    with pytest.raises(TransferFailed) as caught:
        await make(**tree.options).fetch(
            Fetch(str(session), "none/", (tree.at("nowhere") + "/",), credentials=tree.credentials)
        )
    assert caught.value.fault is Fault.MISSING, caught.value.message
    with pytest.raises(TransferFailed, match="more than 2 files"):
        await make(max_entries=2, **tree.options).fetch(
            Fetch(str(session), "none/", (tree.at(base) + "/",), credentials=tree.credentials)
        )


async def test_a_directory_and_a_pattern_are_pushed(make: Make, tree: Place, session: Path) -> None:
    staging = make(**tree.options)
    (session / "results/deep").mkdir(parents=True)
    for name in ("a.dat", "b.dat", "c.txt", "deep/d.dat", ".hidden.dat"):
        (session / "results" / name).write_bytes(name.encode())
    cases = [
        ("results/", ["a.dat", "b.dat", "c.txt", "deep/d.dat", ".hidden.dat"]),
        ("results", ["a.dat", "b.dat", "c.txt", "deep/d.dat", ".hidden.dat"]),
        ("results/*.dat", ["a.dat", "b.dat"]),
        ("results/*/*.dat", ["deep/d.dat"]),
        ("results/[ac].*", ["a.dat", "c.txt"]),
        ("*/c.txt", ["results/c.txt"]),
    ]
    # Where a program is started for each step a few of them are enough.
    for path, expected in cases if tree.scheme not in ("root", "gsiftp") else cases[2:3]:
        base = unique()
        (done,) = await push(staging, session, path, tree, tree.at(base) + "/")
        assert done.error is None
        assert done.files == len(expected)
        for name in expected:
            assert tree.get(f"{base}/{name}") == name.removeprefix("results/").encode()
    base = unique()
    (done,) = await push(staging, session, "results/a.dat", tree, tree.at(base) + "/")
    assert tree.get(f"{base}/a.dat") == b"a.dat"


async def test_the_policy_concerns_every_scheme(make: Make, there: Place, session: Path) -> None:
    if there.scheme == "file":
        pytest.skip("a file of this machine is under another rule")
    there.put("f", b"x")
    staging = make(policy=OutboundPolicy(), **there.options)
    with pytest.raises(TransferFailed, match=r"outbound\.allow"):
        await staging.fetch(Fetch(str(session), "in", (there.at("f"),), credentials=there.credentials))
    (session / "out").write_bytes(b"x")
    (done,) = await push(staging, session, "out", there, there.at("g"))
    assert "outbound.allow" in done.error
    assert there.get("g") is None


async def test_cancelled_it_stops(make: Make, there: Place, session: Path) -> None:
    """With little bandwidth, so that it is under way for certain."""
    staging = make(bandwidth=2_000_000.0, **there.options)
    there.put("large", LARGE)
    running = asyncio.create_task(
        staging.fetch(Fetch(str(session), "in", (there.at("large"),), credentials=there.credentials, cacheable=False))
    )
    async with asyncio.timeout(20):
        while not left(session):
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert left(session) == []


@pytest.mark.parametrize("scheme", [pytest.param("sftp", marks=pytest.mark.servers), "s3"])
async def test_without_credentials_it_is_told_that_they_lack(
    make: Make, places: Callable[[str], Place], session: Path, scheme: str, tmp_path: Path
) -> None:
    from tests.servers.sshd import make_key

    there = places(scheme)
    there.put("f", b"x")
    staging = make(attempts=1, **there.options)
    stranger = Credentials()
    if scheme == "sftp":
        stranger = Credentials(
            ssh_key=make_key(tmp_path / "stranger").read_text(), known_hosts=there.credentials.known_hosts
        )
    with pytest.raises(TransferFailed) as caught:
        await staging.fetch(Fetch(str(session), "in", (there.at("f"),), credentials=stranger))
    assert caught.value.fault in (Fault.CREDENTIAL, Fault.REFUSED)
    if scheme == "sftp":
        assert caught.value.credential


@pytest.mark.servers
async def test_a_host_whose_key_is_not_known(make: Make, places: Callable[[str], Place], session: Path) -> None:
    there = places("sftp")
    with pytest.raises(TransferFailed, match="key is not one that is known"):
        await make(attempts=1, **there.options).fetch(
            Fetch(str(session), "in", (there.at("f"),), credentials=Credentials(ssh_key=there.credentials.ssh_key))
        )


async def test_names_that_are_no_text_arrive_as_they_are_or_are_refused_in_words(
    make: Make, tree: Place, session: Path
) -> None:
    staging = make(**tree.options)
    odd = {b"\xff\xfe": b"1", b"\xff\xfd": b"2", "ä".encode("latin-1"): b"3", b"plain": b"4"}
    (session / "out").mkdir()
    for name, data in odd.items():
        (session / "out" / os.fsdecode(name)).write_bytes(data)
    where = tree.at(f"{unique()}/")
    (done,) = await push(staging, session, "out/", tree, where)
    if done.error is not None:
        assert done.fault == Fault.REFUSED.value, done
        assert tree.scheme != "file"
        return
    try:
        await staging.fetch(Fetch(str(session), "in/", (where,), credentials=tree.credentials))
    except TransferFailed as failure:
        told = failure
    else:
        there = {os.fsencode(path.name): path.read_bytes() for path in (session / "in").iterdir()}
        assert there == odd
        return
    assert not told.transient
    assert tree.scheme != "file"
