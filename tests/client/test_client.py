from __future__ import annotations

import inspect
import io
import os
import stat
import threading
from pathlib import Path

import httpx
import pytest

from argosy.client import AsyncClient, Client, Description, Endpoint, NotAuthenticated, ServiceUnreachable
from argosy.model import (
    ActivityState,
    Conflict,
    InvalidInput,
    InvalidJobException,
    InvalidStateException,
    LimitExceeded,
    NotFound,
    SubmitException,
    Unavailable,
)
from argosy.model.hosts import is_loopback
from tests.client.cutting import cutting
from tests.client.test_trying_again import pipe
from tests.rest.fake import TOKEN
from tests.rest.live import Live

S = ActivityState
JOB = Description(executable="/bin/true")


def test_life_of_an_activity(client: Client, live: Live) -> None:
    made = client.submit(Description(executable="/bin/x", tags={"a": "b"}, held=True))
    assert made.state == "pending:held"
    assert client.status(made.id) == made
    assert client.description(made.id) == Description(executable="/bin/x", tags={"a": "b"}, held=True)
    assert client.start(made.id).state == "pending"
    assert [a.id for a in client.list(tags={"a": "b"}, states=["pending"])] == [made.id]
    assert [a.id for a in client.list(states=["running"])] == []
    assert client.terminate(made.id).state == "terminated"
    assert client.wait(made.id, timeout=10).final
    assert [e.kind for e in client.events(made.id)] == ["created", "state", "state", "state"]
    assert [e.seq for e in client.events(made.id, after=2)] == [3, 4]
    client.purge(made.id)
    with pytest.raises(NotFound):
        client.status(made.id)
    assert [(e.name, e.version, e.parameters[0].allowed) for e in client.environments()] == [
        ("python", "3.11", ["1", "2"])
    ]
    assert [s.share for s in client.shares()] == ["fake/debug", "fake/long"]
    assert client.service().version == "0.test"


def test_a_description_may_be_a_dictionary(client: Client) -> None:
    made = client.submit({"executable": "x", "resources": {"nodes": 2}}, key="mine")
    assert client.submit({"executable": "x", "resources": {"nodes": 2}}, key="mine").id == made.id
    with pytest.raises(Conflict):
        client.submit({"executable": "y"}, key="mine")
    with pytest.raises(InvalidInput) as refused:
        client.submit({"executable": "x", "resources": {"nodes": "2"}})
    assert refused.value.element == "resources.nodes"


def test_many_at_once(client: Client) -> None:
    results = client.submit_many([JOB, Description(executable="x\0"), JOB])
    assert [r.activity is not None for r in results] == [True, False, True]
    assert results[1].problem is not None
    assert results[1].problem.element == "[1].description.executable"
    ids = [r.activity.id for r in results if r.activity is not None]
    assert len(set(ids)) == 2
    found = client.statuses([*ids, "nobody"])
    assert [r.activity.id if r.activity else None for r in found] == [*ids, None]


def test_lists_go_on_over_pages(client: Client) -> None:
    client.submit_many([Description(executable="x", name=f"n{i}") for i in range(7)])
    assert [a.name for a in client.list(page_size=3)] == [f"n{i}" for i in reversed(range(7))]


@pytest.mark.parametrize(
    "error",
    [
        Conflict("c", element="e"),
        InvalidInput("i", element="a.b"),
        InvalidJobException("j", element="executable"),
        InvalidStateException("s"),
        LimitExceeded("l"),
        NotFound("n"),
        SubmitException("refused by the batch system"),
        Unavailable("away"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_arrive_as_they_were_raised(endpoint: Endpoint, live: Live, error: InvalidInput) -> None:
    live.operations.failure = error
    with Client(endpoint, patience=0.5) as client, pytest.raises(type(error)) as raised:
        client.submit(JOB)
    assert type(raised.value) is type(error)
    assert (raised.value.message, raised.value.element) == (error.message, error.element)


def test_a_wrong_token_is_told(live: Live) -> None:
    with Client(Endpoint(live.addresses.url, "wrong")) as client, pytest.raises(NotAuthenticated):
        client.service()


def test_answers_of_others_are_errors_too() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(502, text="<html>Bad gateway</html>"))
    endpoint = Endpoint("http://127.0.0.1:1", "t")
    with Client(endpoint, transport=transport) as client, pytest.raises(Unavailable, match="502"):
        client.service()


def test_waiting_ends_with_the_activity_or_with_the_time(client: Client, live: Live) -> None:
    made = client.submit(JOB)
    with pytest.raises(TimeoutError):
        client.wait(made.id, timeout=0.05)
    ended = threading.Timer(0.1, live.do, (live.operations.advance, made.id, S.FINISHED), {"exit_code": 3})
    ended.start()
    assert client.wait(made.id, timeout=20).exit_code == 3
    ended.join()
    assert client.changed(made.id, version=1).version == 2


def test_events_as_they_happen(client: Client, live: Live) -> None:
    made, other = client.submit(JOB), client.submit(JOB)
    seen = []
    for event in client.stream([made.id], after=0):
        seen.append(event.state)
        following = {"pending": S.STAGING_IN, S.STAGING_IN: S.STAGED_IN, S.STAGED_IN: S.FAILED}.get(event.state)
        if following:
            live.do(live.operations.advance, other.id, following)
            live.do(live.operations.advance, made.id, following)
    assert seen == ["pending", S.STAGING_IN, S.STAGED_IN, S.FAILED]


def test_a_file_goes_in_and_comes_out(client: Client, tmp_path: Path) -> None:
    made = client.submit(JOB)
    script = tmp_path / "s.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert client.put_file(made.id, "bin/s.sh", script).executable
    assert not client.put_file(made.id, "bytes", b"bytes").executable
    assert client.put_file(made.id, "open", io.BytesIO(b"x" * 100_000), executable=True).size == 100_000
    odd = "a b\n%é/?#"
    client.put_file(made.id, odd, b"odd")
    assert client.read_file(made.id, odd) == b"odd"
    assert client.read_file(made.id, odd, start=1) == b"dd"
    assert client.read_file(made.id, odd, start=1, size=1) == b"d"
    assert client.read_file(made.id, odd, start=10) == b""
    assert sorted(f.path for f in client.list_files(made.id)) == ["a b\n%é", "bin", "bytes", "open"]
    assert [f.path for f in client.list_files(made.id, "bin")] == ["bin/s.sh"]
    out = client.get_file(made.id, "bin/s.sh", tmp_path / "out")
    assert Path(out).read_text() == "#!/bin/sh\n"
    assert Path(out).stat().st_mode & 0o111
    (tmp_path / "dir").mkdir()
    assert client.get_file(made.id, "bytes", tmp_path / "dir") == str(tmp_path / "dir" / "bytes")
    client.delete_file(made.id, "bytes")
    for path in ("bytes", "nothing"):
        with pytest.raises(NotFound):
            client.get_file(made.id, path, tmp_path / "none")
    with pytest.raises(InvalidInput, match="directory"):
        client.get_file(made.id, "bin", tmp_path / "none")
    with pytest.raises(InvalidInput, match="directory"):
        client.read_file(made.id, "bin")
    for path in ("..", "../x", "a/../../x"):
        with pytest.raises(InvalidInput):
            client.put_file(made.id, path, b"")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dir", "home", "out", "s.sh"]


def test_following_a_file_to_its_end(client: Client, live: Live) -> None:
    made = client.submit(JOB)
    write, advance = live.operations.write, live.operations.advance
    pieces = client.follow(made.id, "stdout", interval=0.05)
    live.do(write, made.id, "stdout", b"one ")
    assert next(pieces) == b"one "
    live.do(write, made.id, "stdout", b"one two ")
    assert next(pieces) == b"two "
    live.do(write, made.id, "stdout", b"one two three")
    live.do(advance, made.id, S.FINISHED)
    assert list(pieces) == [b"three"]
    other = client.submit(JOB)
    live.do(advance, other.id, S.FAILED)
    with pytest.raises(NotFound):
        list(client.follow(other.id, "stdout"))


def test_a_download_goes_on_after_cuts(live: Live, tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192
    with cutting(live.addresses.url) as cutter, Client(Endpoint(cutter.url, TOKEN)) as client:
        made = client.submit(JOB)
        live.do(live.operations.write, made.id, "f", data)
    with cutting(live.addresses.url) as cutter, Client(Endpoint(cutter.url, TOKEN)) as client:
        cutter.cuts = [500_000, 0, 700_000, 100]
        path = client.get_file(made.id, "f", tmp_path / "f")
        assert Path(path).read_bytes() == data
        assert cutter.connections == 5


def test_a_download_begins_anew_where_the_file_has_changed(live: Live, tmp_path: Path) -> None:
    with cutting(live.addresses.url) as cutter, Client(Endpoint(cutter.url, TOKEN)) as client:
        cutter.cuts = [None, 500_000]
        made = client.submit(JOB)
        live.do(live.operations.write, made.id, "f", b"a" * 1_000_000)
        client.close()
    with cutting(live.addresses.url) as cutter, Client(Endpoint(cutter.url, TOKEN)) as client:
        cutter.cuts = [500_000]
        real = client._pause

        def change(*arguments: object) -> None:
            live.do(live.operations.write, made.id, "f", b"b" * 900_000)
            real(*arguments)

        client._pause = change
        assert Path(client.get_file(made.id, "f", tmp_path / "f")).read_bytes() == b"b" * 900_000


def test_a_download_that_cannot_be_finished_leaves_nothing(live: Live, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with cutting(live.addresses.url) as cutter, Client(Endpoint(cutter.url, TOKEN), retries=1) as client:
        made = client.submit(JOB)
        live.do(live.operations.write, made.id, "f", b"a" * 1_000_000)
        cutter.close()
        with pytest.raises(ServiceUnreachable):
            client.get_file(made.id, "f", target / "f")
    assert list(target.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a link that is somebody else's")
def test_a_download_follows_no_link_that_somebody_else_has_laid_out(live: Live, tmp_path: Path) -> None:
    everybody_s = tmp_path / "tmp"
    everybody_s.mkdir()
    everybody_s.chmod(0o1777)
    (tmp_path / "victim").write_bytes(b"kept")
    link = everybody_s / "f"
    link.symlink_to(tmp_path / "victim")
    os.lchown(link, 65534, 65534)
    with Client(Endpoint(live.addresses.url, TOKEN)) as client:
        made = client.submit(JOB)
        live.do(live.operations.write, made.id, "f", b"new")
        with pytest.raises(PermissionError, match="somebody else's"):
            client.get_file(made.id, "f", everybody_s)
        assert (tmp_path / "victim").read_bytes() == b"kept"
        os.lchown(link, os.geteuid(), -1)
        client.get_file(made.id, "f", everybody_s)
        assert (tmp_path / "victim").read_bytes() == b"new"


def test_a_download_follows_links_and_replaces_no_device(live: Live, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "f").write_text("old")
    (tmp_path / "link").symlink_to("place/f")
    (tmp_path / "dangling").symlink_to("place/new")
    (tmp_path / "lost").symlink_to("nowhere/f")
    (tmp_path / "device").symlink_to("/dev/null")
    os.mkfifo(tmp_path / "pipe")
    with Client(Endpoint(live.addresses.url, TOKEN)) as client:
        made = client.submit(JOB)
        live.do(live.operations.write, made.id, "f", b"data", executable=True)
        for name in ("link", "dangling", "device"):
            assert client.get_file(made.id, "f", tmp_path / name) == str(tmp_path / name)
            assert (tmp_path / name).is_symlink()
        assert [path.read_bytes() for path in sorted((tmp_path / "place").iterdir())] == [b"data", b"data"]
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
        assert not os.stat("/dev/null").st_mode & 0o111
        with pytest.raises(FileNotFoundError, match="nowhere"):
            client.get_file(made.id, "f", tmp_path / "lost")
        reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        client.get_file(made.id, "f", tmp_path / "pipe")
        assert os.read(reading, 100) == b"data"
        os.close(reading)
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)


def test_what_is_in_a_pipe_is_not_written_twice(live: Live, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with cutting(live.addresses.url) as cutter, Client(Endpoint(cutter.url, TOKEN)) as client:
        made = client.submit(JOB)
        live.do(live.operations.write, made.id, "f", b"a" * 10_000)
    with cutting(live.addresses.url) as cutter, Client(Endpoint(cutter.url, TOKEN)) as client:
        cutter.cuts = [5_000]
        real = client._pause

        def change(*arguments: object) -> None:
            live.do(live.operations.write, made.id, "f", b"b" * 9_000)
            real(*arguments)

        client._pause = change
        with pytest.raises(Unavailable, match="changed meanwhile"):
            client.get_file(made.id, "f", tmp_path / "pipe")
    assert set(os.read(reading, 20_000)) == {ord("a")}
    os.close(reading)


def test_a_repeated_submission_makes_one_activity(live: Live) -> None:
    with cutting(live.addresses.url) as cutter, Client(Endpoint(cutter.url, TOKEN)) as client:
        cutter.cuts = [0, 0]  # it arrives; the answers are lost
        made = client.submit(JOB)
        assert cutter.connections == 3
    assert list(live.operations.activities) == [made.id]


def test_what_may_not_be_repeated_is_not(live: Live) -> None:
    with cutting(live.addresses.url) as cutter, Client(Endpoint(cutter.url, TOKEN)) as client:
        cutter.cuts = [0]
        with pipe(b"x") as source, pytest.raises(ServiceUnreachable):
            client.put_file("x", "f", source)
        assert cutter.connections == 1


def test_a_stream_goes_on_after_a_cut(live: Live) -> None:
    with cutting(live.addresses.url) as cutter, Client(Endpoint(cutter.url, TOKEN)) as client:
        made = client.submit(JOB)
        for state in (S.STAGING_IN, S.STAGED_IN, S.SUBMITTED, S.LRMS_RUNNING, S.LRMS_FINISHED, S.FAILED):
            live.do(live.operations.advance, made.id, state)
        client.close()
    with cutting(live.addresses.url) as cutter, Client(Endpoint(cutter.url, TOKEN)) as client:
        cutter.cuts = [600, 0, 700]
        assert [e.seq for e in client.stream([made.id], after=0)] == [1, 2, 3, 4, 5, 6, 7]
        assert cutter.connections == 4


def test_nobody_there() -> None:
    with Client(Endpoint("http://127.0.0.1:1", "t", None), retries=1) as client:
        for ask in (client.service, lambda: client.submit(JOB), lambda: list(client.stream())):
            with pytest.raises(ServiceUnreachable, match="no service answers at"):
                ask()


def test_proxies_are_not_given_what_stays_here(monkeypatch: pytest.MonkeyPatch, live: Live) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with Client(Endpoint(live.addresses.url, TOKEN)) as client:
        assert client.service().name == "Argosy"
    hosts = [httpx.URL(url).host for url in ("http://127.0.0.2:1", "http://[::1]:1", "http://localhost", "http://a.b")]
    assert [is_loopback(host) for host in hosts] == [True, True, True, False]


def test_both_clients_offer_the_same() -> None:
    def offered(kind: type) -> dict[str, list[str]]:
        return {
            name.replace("aclose", "close"): list(inspect.signature(member).parameters)
            for name, member in vars(kind).items()
            if not name.startswith("_")
        }

    assert offered(Client) == offered(AsyncClient)
