"""Accept headers as clients send them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.endpoints.rest.negotiation import JSON, XML, preferred
from argosy.endpoints.rest.problems import HttpError


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/xml", XML),
        ("text/xml, application/json;q=0.5", XML),
        ("application/xml;q=0.2, application/json;q=0.9", JSON),
        ("text/html, application/xml;q=0.9, */*;q=0.8", XML),
        ("application/json, application/xml", JSON),
        ("APPLICATION/XML; Q=1.0", XML),
        ("image/png, */*;q=0.1", JSON),
    ],
)
def test_what_is_liked_most(accept: str | None, chosen: str) -> None:
    assert preferred(accept) == chosen


@pytest.mark.parametrize("accept", ["image/png", "application/xml;q=0", "application/xml;q=odd", ",;,", "nonsense"])
def test_what_there_is_not(accept: str) -> None:
    with pytest.raises(HttpError) as refused:
        preferred(accept)
    assert refused.value.status == 406


@given(st.text(max_size=80))
def test_anything_is_answered_or_refused(accept: str) -> None:
    with contextlib.suppress(HttpError):
        assert preferred(accept) in (JSON, XML)
