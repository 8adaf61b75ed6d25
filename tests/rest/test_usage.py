from __future__ import annotations

import httpx
import pytest
from lxml import etree

from tests.rest.fake import FakeOperations
from tests.usage import urf

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("accept", "content"),
    [
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/html, application/xml;q=0.9", "application/xml"),
        ("application/json", "application/json"),
    ],
)
async def test_the_form_is_what_is_accepted(http: httpx.AsyncClient, accept: str, content: str) -> None:
    answer = await http.get("/v1/usage/records", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, content)
    if content == "application/xml":
        urf.check(etree.fromstring(answer.content))


async def test_what_is_wrong_is_named(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    for query, element in (
        ("format=xml", "format"),
        ("cursor=x", "cursor"),
        ("from=tomorrow", "from"),
        ("until=1", "until"),
        ("limit=0", "limit"),
    ):
        answer = await http.get(f"/v1/usage/records?{query}")
        assert (answer.status_code, answer.json()["element"]) == (422, element), query
    assert (await http.get("/v1/usage?format=ur")).status_code == 422
