"""Session directories: nothing leads out of one, nothing is half there."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argosy.model import InputFile, InvalidInput, NotFound, PreconditionFailed
from argosy.service.contract import FileInfo, OpenFile
from argosy.service.files.conditions import Conditions
from argosy.service.files.sessions import Sessions
from argosy.staging import TransferFailed
from argosy.staging.beneath import name_new, parent_of
from argosy.staging.finding import find

pytestmark = pytest.mark.anyio


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    made = Sessions(str(tmp_path / "sessions"), lambda point: None)
    made.make([made.path("abcd")])
    (tmp_path / "secret").write_text("secret")
    return made


@pytest.fixture
def session(sessions: Sessions) -> Path:
    return Path(sessions.path("abcd"))


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for one in data:
        yield one


def read(sessions: Sessions, session: Path, path: str) -> bytes:
    opened = sessions.open(str(session), path)
    assert isinstance(opened, OpenFile), opened
    try:
        return opened.read(0, 1 << 20)
    finally:
        opened.close()


def test_it_is_private(session: Path) -> None:
    assert session.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../secret", "..", "a/../..", "x\0y"])
def test_paths_that_lead_out_are_refused(sessions: Sessions, session: Path, path: str) -> None:
    with pytest.raises(InvalidInput, match="session directory"):
        sessions.open(str(session), path)


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../../secret", "../../../../../../../../etc/passwd", "sub/../../../secret", "/proc/self/root"],
)
async def test_links_that_lead_out_are_refused(sessions: Sessions, session: Path, target: str) -> None:
    (session / "sub").mkdir()
    (session / "link").symlink_to(target)
    for path in ("link", "link/x"):
        with pytest.raises((InvalidInput, NotFound)):
            sessions.open(str(session), path)
        with pytest.raises((InvalidInput, NotFound)):
            await sessions.put(str(session), path, chunks(b"x"))
        with pytest.raises((InvalidInput, NotFound)):
            sessions.entries(str(session), path, None, 10)
    assert sessions.missing(str(session), ["link"], patterns=True) == ["link"]


def test_links_that_stay_inside_are_followed(sessions: Sessions, session: Path) -> None:
    (session / "a" / "b").mkdir(parents=True)
    (session / "a" / "file").write_text("hello")
    (session / "a" / "b" / "up").symlink_to("../file")
    (session / "dir").symlink_to("a/b")
    assert read(sessions, session, "dir/up") == b"hello"


def test_a_circle_of_links_ends(sessions: Sessions, session: Path) -> None:
    (session / "x").symlink_to("y")
    (session / "y").symlink_to("x")
    with pytest.raises(InvalidInput, match="too many links"):
        sessions.open(str(session), "x")


def test_what_is_no_file_is_described(sessions: Sessions, session: Path) -> None:
    os.mkfifo(session / "pipe")
    (session / "dir").mkdir()
    for path, kind in (("pipe", "other"), ("dir", "directory"), ("", "directory")):
        found = sessions.open(str(session), path)
        assert isinstance(found, FileInfo)
        assert found.type == kind


@given(st.lists(st.sampled_from(["..", ".", "a", "b", "up", "out", "abs", "loop", ""]), min_size=1, max_size=8))
@settings(max_examples=300)
def test_no_walk_leaves_the_root(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    base = tmp_path_factory.getbasetemp() / "walk"
    root = base / "root"
    if not base.exists():
        (root / "a" / "b").mkdir(parents=True)
        (root / "a" / "b" / "up").symlink_to("../..")
        (root / "a" / "out").symlink_to("../../..")
        (root / "b").symlink_to("a/b/up/a")
        (root / "abs").symlink_to("/")
        (root / "loop").symlink_to("loop")
    try:
        with parent_of(str(root), "/".join(parts)) as (fd, name):
            where = Path(os.readlink(f"/proc/self/fd/{fd}"))
            assert where == root or root in where.parents
            assert "/" not in name
            assert name != ".."
    except (InvalidInput, NotFound):
        pass


async def test_an_upload_is_whole_or_not_there(sessions: Sessions, session: Path) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await sessions.put(str(session), "data/in.bin", breaks())
    assert not (session / "data" / "in.bin").exists()
    assert os.listdir(session / "data") == []
    info = await sessions.put(str(session), "data/in.bin", chunks(b"one", b"two"), executable=True)
    assert (info.size, info.executable) == (6, True)
    assert read(sessions, session, "data/in.bin") == b"onetwo"


@pytest.fixture(params=[None, errno.EPERM, errno.EOPNOTSUPP])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system with hard links, and such as have none."""
    if request.param is not None:

        def none(*args: object, **kwargs: object) -> None:
            raise OSError(request.param, os.strerror(request.param))

        monkeypatch.setattr(os, "link", none)


def test_a_new_file_takes_no_name_that_something_has(links: None, tmp_path: Path) -> None:
    parent = os.open(tmp_path, os.O_RDONLY)
    try:
        (tmp_path / "partial").write_text("one")
        name_new("partial", "name", parent)
        assert os.listdir(tmp_path) == ["name"]
        (tmp_path / "other").write_text("two")
        (tmp_path / "link").symlink_to("nowhere")
        for name in ("name", "link"):
            with pytest.raises(FileExistsError):
                name_new("other", name, parent)
    finally:
        os.close(parent)
    assert (tmp_path / "name").read_text() == "one"
    assert (tmp_path / "other").read_text() == "two"


def test_content_of_the_description_does_not_replace_what_a_job_has_made_of_it(links: None, tmp_path: Path) -> None:
    """Two looks at the input come at the same time; the slower one ends when the job runs."""

    def meanwhile(point: str) -> None:
        if not (session / "d" / "a").exists():
            Sessions(str(tmp_path), lambda point: None).put_inline(str(session), "d/a", "given", executable=False)
            (session / "d" / "a").write_text("changed")

    sessions = Sessions(str(tmp_path), meanwhile)
    session = Path(sessions.path("abcd"))
    sessions.make([str(session)])
    sessions.put_inline(str(session), "d/a", "given", executable=False)
    assert (session / "d" / "a").read_text() == "changed"
    assert os.listdir(session / "d") == ["a"]


@pytest.mark.parametrize(
    ("declared", "wrong"),
    [
        (InputFile("f", size=4), "5 bytes|longer"),
        (InputFile("f", size=6), "5 bytes; 6"),
        (InputFile("f", sha256="0" * 64), "SHA-256"),
    ],
)
async def test_what_was_declared_is_checked(sessions: Sessions, session: Path, declared: InputFile, wrong: str) -> None:
    with pytest.raises(InvalidInput, match=wrong):
        await sessions.put(str(session), "f", chunks(b"hello"), declared=declared)
    assert os.listdir(session) == []
    right = InputFile("f", 5, hashlib.sha256(b"hello").hexdigest(), executable=True)
    info = await sessions.put(str(session), "f", chunks(b"hel", b"lo"), declared=right)
    assert info.executable


def test_a_large_directory_is_listed_in_pages(sessions: Sessions, session: Path) -> None:
    names = sorted(f"f{number:04}" for number in range(250))
    for name in names:
        (session / name).touch()
    found: list[str] = []
    after = None
    while True:
        page, after = sessions.entries(str(session), "", after, 100)
        found += [info.path for info in page]
        if after is None:
            break
    assert found == names


def test_removing_takes_what_its_owner_made_unwritable(sessions: Sessions, session: Path) -> None:
    (session / "locked" / "deep").mkdir(parents=True)
    (session / "locked" / "deep" / "f").touch()
    (session / "link").symlink_to("/etc")
    (session / "locked" / "deep").chmod(0o500)
    (session / "locked").chmod(0)
    sessions.remove(str(session))
    assert not session.exists()
    assert Path("/etc").is_dir()
    sessions.remove(str(session))


def _deep(session: Path, levels: int, name: str) -> None:
    """What a job can make by going down step by step: deeper than any path is long."""
    here = os.open(session, os.O_RDONLY)
    for level in range(levels):
        os.mkdir(name, dir_fd=here)
        os.close(os.open(f"file{level}", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.symlink("/etc", f"link{level}", dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.fchmod(here, 0)
    os.close(here)


def test_what_a_job_has_nested_too_deep_is_refused_weighed_and_removed(sessions: Sessions, session: Path) -> None:
    _deep(session, 1500, "d" * 200)
    (session / "size").write_bytes(b"x" * 1000)
    path = "/".join(["d" * 200] * 15)
    assert {info.path.rpartition("/")[2] for info in sessions.entries(str(session), path, None, 10)[0]} > {"file15"}
    assert sessions.weigh(str(session)) == 1000
    sessions.remove(str(session))
    assert not session.exists()
    assert Path("/etc/passwd").exists()


def test_many_descriptors_are_not_held_for_one_path(sessions: Sessions, session: Path) -> None:
    _deep(session, 1500, "d")
    with pytest.raises(InvalidInput, match="directories deep"):
        sessions.open(str(session), "/".join(["d"] * 1400))
    assert sessions.missing(str(session), ["/".join(["d"] * 1400)], patterns=False) != []
    with pytest.raises(TransferFailed, match="directories deep"):
        find(str(session), "d/", 1_000_000)
    sessions.clear(str(session), ["d/"], patterns=True)
    assert not (session / "d").exists()


def test_only_session_directories_are_removed(sessions: Sessions, tmp_path: Path) -> None:
    for path in (sessions.root, str(tmp_path), "/"):
        with pytest.raises(ValueError, match="no session directory"):
            sessions.remove(path)


async def test_what_has_changed_while_an_upload_came_is_not_replaced(sessions: Sessions, session: Path) -> None:
    (session / "there").write_text("old")
    etag = sessions.open(str(session), "there").info.etag

    async def meanwhile(name: str) -> AsyncIterator[bytes]:
        yield b"mine"
        (session / name).write_text("somebody else's")

    for name, conditions in (("there", Conditions(match=etag)), ("new", Conditions(none_match="*"))):
        with pytest.raises(PreconditionFailed):
            await sessions.put(str(session), name, meanwhile(name), conditions=conditions)
        assert (session / name).read_text() == "somebody else's"
        with pytest.raises(PreconditionFailed):
            sessions.delete(str(session), name, Conditions(match='"old"'))
    assert sorted(os.listdir(session)) == ["new", "there"]


async def test_an_upload_in_vain_is_not_read(sessions: Sessions, session: Path) -> None:
    async def unread() -> AsyncIterator[bytes]:
        pytest.fail("it was read")
        yield b""

    with pytest.raises(PreconditionFailed):
        await sessions.put(str(session), "new/below", unread(), conditions=Conditions(match="*"))
    assert os.listdir(session) == []


@pytest.mark.parametrize("target", ["q", "d", "nothing", "../../../secret", "/etc/passwd", "lq"])
def test_of_a_link_the_link_is_removed(sessions: Sessions, session: Path, tmp_path: Path, target: str) -> None:
    (session / "q").write_text("q")
    (session / "d").mkdir()
    (session / "l").symlink_to("d")
    for name in ("lq", "d/lq"):
        (session / name).symlink_to(target)
        sessions.delete(str(session), "l/lq" if name == "d/lq" else name)
    (session / "lq").symlink_to(target)
    sessions.clear(str(session), ["lq"], patterns=False)
    assert sorted(os.listdir(session)) == ["d", "l", "q"]
    assert os.listdir(session / "d") == []
    assert (tmp_path / "secret").read_text() == "secret"
    with pytest.raises(NotFound):
        sessions.delete(str(session), "lq")


def test_a_link_has_the_tag_that_its_readers_are_told(sessions: Sessions, session: Path) -> None:
    (session / "q").write_text("q")
    (session / "lq").symlink_to("q")
    etag = sessions.open(str(session), "lq").info.etag
    with pytest.raises(PreconditionFailed):
        sessions.delete(str(session), "lq", Conditions(none_match=etag))
    sessions.delete(str(session), "lq", Conditions(match=etag))
    assert os.listdir(session) == ["q"]


@pytest.mark.parametrize("path", [".argosy-upload-x", "d/.argosy-upload-x", "./.argosy-upload-x/y"])
async def test_names_that_nobody_would_be_shown_are_refused(sessions: Sessions, session: Path, path: str) -> None:
    with pytest.raises(InvalidInput, match="the service's own"):
        await sessions.put(str(session), path, chunks(b"x"))
    assert os.listdir(session) == []
    await sessions.put(str(session), "a.argosy-upload-x", chunks(b"x"))
