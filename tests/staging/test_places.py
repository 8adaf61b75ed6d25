"""Where transfers may go with what lets their owner in: decided from the URL, before anything is sent."""

from __future__ import annotations

import pytest

from argosy.outbound import Url
from argosy.staging.schemes.web import is_private
from argosy.staging.schemes.xroot import _address


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://example.org/f", True),
        ("http://localhost/f", True),
        ("http://127.0.0.1:80/f", True),
        ("http://[::1]/f", True),
        ("http://example.org/f", False),
        ("http://127.example.org/f", False),
        ("http://127.0.0.1.example.org/f", False),
        ("http://localhost.example.org/f", False),
    ],
)
def test_secrets_go_where_nobody_on_the_way_reads_them(url: str, private: bool) -> None:
    assert is_private(Url.parse(url)) is private


def test_a_user_in_the_url_does_not_become_the_host() -> None:
    address = _address(Url.parse("root://10.0.0.1%2F%2Fx@public.example.org//data/f"))
    assert address == "root://10.0.0.1%2F%2Fx@public.example.org//data/f"
    assert Url.parse(address).host == "public.example.org"
