"""DER, signing policies, patterns: what comes from outside."""

from __future__ import annotations

import contextlib
import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.identity.patterns import matches
from argosy.identity.x509 import der
from argosy.identity.x509.names import canonical
from argosy.identity.x509.signing_policy import parse
from tests.identity.pki import integer, oid, tlv


@given(st.integers(-(2**80), 2**80))
def test_integers(value: int) -> None:
    encoded = value.to_bytes(max(1, (value + (value < 0)).bit_length() // 8 + 1), "big", signed=True)
    assert der.element(tlv(0x02, encoded)).integer() == value


@given(st.lists(st.integers(0, 2**40), max_size=8), st.integers(0, 2), st.integers(0, 39))
def test_object_identifiers(rest: list[int], first: int, second: int) -> None:
    dotted = ".".join(map(str, [first, second, *rest]))
    assert der.element(oid(dotted)).oid() == dotted


@given(st.lists(st.binary(max_size=300), max_size=4))
def test_sequences(parts: list[bytes]) -> None:
    found = der.element(tlv(0x30, *(tlv(0x04, part) for part in parts))).children(der.SEQUENCE)
    assert [one.content for one in found] == parts
    assert b"".join(one.raw for one in found) == b"".join(tlv(0x04, part) for part in parts)


@given(st.binary())
def test_any_bytes_are_read_whole_or_refused(data: bytes) -> None:
    try:
        found = der.elements(data)
    except ValueError:
        return
    assert b"".join(one.raw for one in found) == data


@pytest.mark.parametrize(
    "data",
    [
        b"\x30",
        b"\x30\x80\x00\x00",  # a length without an end
        b"\x30\x81\x01\x00",  # a length that would be shorter
        b"\x30\x82\x00\x81" + b"\0" * 129,
        b"\x1f\x01\x00",  # a tag of several bytes
        b"\x30\x02\x00",
        b"\x02\x01\x00\x00",  # something after the end
        b"\x30\x85\x01\x00\x00\x00\x00",
    ],
)
def test_what_is_not_der(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        der.element(data)


def test_integers_and_identifiers_in_longer_forms() -> None:
    for content in (b"", b"\x00\x01", b"\xff\xff"):
        with pytest.raises(ValueError, match="integer"):
            der.element(tlv(0x02, content)).integer()
    assert der.element(tlv(0x02, b"\x00\x80")).integer() == 128
    assert der.element(integer(-129)).integer() == -129
    for content in (b"", b"\x80\x01", b"\x2a\x80\x01", b"\x2a\x81"):
        with pytest.raises(ValueError, match="identifier"):
            der.element(tlv(0x06, content)).oid()
    with pytest.raises(ValueError, match="no time"):
        der.element(tlv(0x18, b"20260101000000+0100")).time()


@given(st.text("ab*?c", max_size=12), st.text("abc*", max_size=12))
def test_patterns_are_as_in_a_shell(pattern: str, text: str) -> None:
    assert matches(pattern, text) == (re.fullmatch(fnmatch.translate(pattern), text) is not None)


def test_a_pattern_takes_no_long_time() -> None:
    assert not matches("*a" * 200 + "b", "a" * 5000)


def test_a_policy_as_igtf_writes_it() -> None:
    (first, second) = parse(
        "# comment\n access_id_CA   X509   '/DC=org/DC=example/CN=It''s'\n".replace("''", "")
        + " pos_rights     globus CA:sign\n"
        ' cond_subjects  globus \'"/DC=org/DC=example/*" "/DC=org/DC=other/Email=*"\'   # more\n'
        "\n"
        " access_id_CA   X509   /C=XX/O=Two\n"
        " pos_rights     globus CA:sign\n"
        " cond_subjects  globus /C=XX/*\n"
    )
    assert first.ca == "/DC=org/DC=example/CN=Its"
    assert first.patterns == ("/DC=org/DC=example/*", "/DC=org/DC=other/emailAddress=*")
    assert first.allows("/DC=org/DC=example/CN=x/y")
    assert not first.allows("/DC=org/DC=example")
    assert second.patterns == ("/C=XX/*",)
    (without,) = parse("access_id_CA X509 /C=XX\ncond_subjects globus *\n")
    assert not without.allows("/C=XX")


@given(st.text())
def test_any_policy_is_read_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse(text)


def test_spellings() -> None:
    assert canonical(" /E=a@b/USERID=x/CN=y ") == "/emailAddress=a@b/UID=x/CN=y"
