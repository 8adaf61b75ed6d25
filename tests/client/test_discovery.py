from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.client import Endpoint, NotAuthenticated, ServiceUnreachable, discover
from argosy.client.discovery import home
from argosy.client.sse import Frame, Parser
from argosy.model import InvalidInput


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "endpoint.json").write_text(json.dumps({"url": "http://127.0.0.1:7/", "socket": None, "pid": 1}))
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "token").chmod(0o600)
    return tmp_path


def test_the_private_directory_names_the_service(directory: Path) -> None:
    environ = {"ARGOSY_HOME": str(directory)}
    assert discover(environ) == Endpoint("http://127.0.0.1:7", "secret")
    socket = directory / "socket"
    (directory / "endpoint.json").write_text(json.dumps({"url": "http://127.0.0.1:7", "socket": str(socket)}))
    assert discover(environ).socket is None
    socket.touch()
    assert discover(environ).socket == str(socket)


def test_where_the_private_directory_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/alice")
    assert home({}) == Path("/home/alice/.local/share/argosy")
    assert home({"XDG_DATA_HOME": "/data"}) == Path("/data/argosy")
    assert home({"XDG_DATA_HOME": "data"}) == Path("/home/alice/.local/share/argosy")
    assert home({"XDG_DATA_HOME": "/data", "ARGOSY_HOME": "/srv"}) == Path("/srv")


def test_a_url_needs_a_token(directory: Path) -> None:
    environ = {"ARGOSY_URL": "http://example.org:80/", "ARGOSY_HOME": str(directory)}
    with pytest.raises(NotAuthenticated, match="ARGOSY_TOKEN_FILE"):
        discover(environ)
    assert discover(environ | {"ARGOSY_TOKEN": "t"}) == Endpoint("http://example.org:80", "t")
    by_file = discover(environ | {"ARGOSY_TOKEN_FILE": str(directory / "token")})
    assert by_file == Endpoint("http://example.org:80", "secret")
    assert "secret" not in repr(by_file)


def test_a_token_that_others_can_read_is_refused(directory: Path) -> None:
    for mode in (0o644, 0o640, 0o604, 0o620):
        (directory / "token").chmod(mode)
        with pytest.raises(NotAuthenticated, match="chmod 600"):
            discover({"ARGOSY_HOME": str(directory)})


def test_what_is_missing_or_broken_is_told(directory: Path) -> None:
    environ = {"ARGOSY_HOME": str(directory)}
    (directory / "token").write_text("")
    with pytest.raises(NotAuthenticated, match="no token"):
        discover(environ)
    (directory / "token").unlink()
    with pytest.raises(NotAuthenticated, match="cannot be read"):
        discover(environ)
    (directory / "endpoint.json").write_text("{")
    with pytest.raises(ServiceUnreachable, match="cannot be read"):
        discover(environ)
    (directory / "endpoint.json").unlink()
    with pytest.raises(ServiceUnreachable, match="argosy serve"):
        discover(environ)


STREAM = (
    b': beat\n\nid: 1\nevent: a\ndata: {"x":"\xe2\x80\xa8\xc2\x85"}\n\nid: 2\r\nevent: b\r\ndata: 1\r\ndata: 2\r\n\r\n'
    b"id: 7\n\n"
)


@given(st.lists(st.integers(0, len(STREAM))))
def test_events_are_the_same_however_they_arrive(cuts: list[int]) -> None:
    parser = Parser()
    edges = [0, *sorted(cuts), len(STREAM)]
    frames = [frame for a, b in pairwise(edges) for frame in parser.feed(STREAM[a:b])]
    assert frames == [Frame("a", '{"x":"\u2028\x85"}'.encode(), 1), Frame("b", b"1\n2", 2), Frame("message", b"", 7)]


@pytest.mark.parametrize("token", ["top\x00secret", "topsecret\u00e4", "top\nsecret", "  "])
def test_a_token_that_is_none_is_not_shown(directory: Path, token: str) -> None:
    for environ in ({"ARGOSY_URL": "http://h", "ARGOSY_TOKEN": token}, {"ARGOSY_HOME": str(directory)}):
        with pytest.raises(NotAuthenticated, match="the variable ARGOSY_TOKEN") as refused:
            discover(environ | {"ARGOSY_TOKEN": token})
        assert "secret" not in str(refused.value)
    (directory / "token").write_text(token)
    with pytest.raises(NotAuthenticated, match=str(directory / "token")) as refused:
        discover({"ARGOSY_HOME": str(directory)})
    assert "secret" not in str(refused.value)


def test_a_token_may_have_a_line_end() -> None:
    assert discover({"ARGOSY_URL": "http://h", "ARGOSY_TOKEN": "secret\r\n"}).token == "secret"


@pytest.mark.parametrize("url", ["http://host:PORT", "http://[::1", "nonsense", "ftp://h", "http://", "https:///x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        discover({"ARGOSY_URL": url, "ARGOSY_TOKEN": "t"})
    assert refused.value.element == "ARGOSY_URL"
    assert url in refused.value.message
