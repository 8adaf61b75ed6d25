"""Records: what is read, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.batch.hosts import expand_hosts
from argosy.batch.records import RecordKind, parse_record, record_name

_EXIT = (
    b"tag=t\nid=7\nrun=1\ntime=1795261402.695231\nhosts=n[1-2]\nexit=3\nran=1\nuser=1.5\nsys=0.5\nwall=2.25\nrss=4096\n"
)


def test_an_exit() -> None:
    record = parse_record("7.1.exit", _EXIT + b"term=1\nnote=\nsomething_newer=x\n")
    assert (record.kind, record.tag, record.native_id, record.run) == (RecordKind.EXIT, "t", "7", 1)
    assert (record.exit_code, record.ran, record.terminated, record.note) == (3, True, True, None)
    assert record.hosts == ("n1", "n2")
    assert record.time == 1795261402.695231
    assert record.usage is not None
    assert (record.usage.cpu_seconds, record.usage.wall_seconds, record.usage.max_rss) == (2.0, 2.25, 4096)


def test_words_in_another_encoding_are_text_that_can_be_sent_on() -> None:
    record = parse_record("7.1.exit", _EXIT + b"note=d\xe9pass\xe9\n")
    assert record.note == "d\ufffdpass\ufffd"


def test_an_id_that_no_file_can_be_named_by() -> None:
    name = record_name("1[2].host/ƒ", 0, RecordKind.START)
    assert name == "1_2_.host__.0.start"
    record = parse_record(name, "tag=t\nid=1[2].host/ƒ\nrun=0\ntime=1\n".encode())
    assert record.native_id == "1[2].host/ƒ"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("7.1.exit", _EXIT[:-1]),
        ("7.1.exit", b""),
        ("7.1.exit", _EXIT.replace(b"exit=3\n", b"")),
        ("7.1.exit", _EXIT.replace(b"exit=3", b"exit=256")),
        ("7.1.exit", _EXIT.replace(b"exit=3", b"exit=-1")),
        ("7.1.exit", _EXIT.replace(b"time=1795261402.695231", b"time=nan")),
        ("7.1.exit", _EXIT.replace(b"tag=t", b"tag=")),
        ("7.1.exit", _EXIT + b"exit=3\n"),
        ("7.1.exit", _EXIT + b"no equals sign\n"),
        ("7.2.exit", _EXIT),
        ("8.1.exit", _EXIT),
        ("7.1.ended", _EXIT),
        ("7.exit", _EXIT),
        ("../7.1.exit", _EXIT),
    ],
)
def test_odd_content_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # many words for many faults
        parse_record(name, data)


@given(name=st.text(), data=st.binary())
def test_nothing_but_value_errors(name: str, data: bytes) -> None:
    for candidate in (name, "7.1.exit"):
        try:
            parse_record(candidate, data)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", ()),
        ("n1", ("n1",)),
        ("n[1-3],m", ("n1", "n2", "n3", "m")),
        ("n[08-10,12]", ("n08", "n09", "n10", "n12")),
        ("r[1-2]n[1-2]x", ("r1n1x", "r1n2x", "r2n1x", "r2n2x")),
        ("n[1-", ("n[1-",)),
        ("n[a]", ("n[a]",)),
        ("n[1-999999999]", ("n[1-999999999]",)),
    ],
)
def test_hosts(text: str, hosts: tuple[str, ...]) -> None:
    assert expand_hosts(text) == hosts
