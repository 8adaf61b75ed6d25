"""Query parameters that mean nothing where they were sent."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from litestar.handlers import HTTPRouteHandler

from argosy.endpoints.rest import RestApp
from argosy.endpoints.rest.parameters import taken
from tests.rest.fake import FakeOperations

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("method", "address", "parameter", "nearest"),
    [
        ("GET", "/v1/activities?lmit=3", "lmit", "did you mean limit?"),
        ("GET", "/v1/activities?limit=3&States=final", "States", "did you mean state?"),
        ("GET", "/v1/activities?sate", "sate", "did you mean state?"),
        ("GET", "/v1/activities/nobody?verbosty=full", "verbosty", "did you mean verbosity?"),
        ("POST", "/v1/activities?stric=true", "stric", "did you mean strict?"),
        ("POST", "/v1/activities?strict=true&strct=true", "strct", "did you mean strict?"),
        ("POST", "/v1/activities/batch?xyz=1", "xyz", "it takes strict"),
        ("DELETE", "/v1/activities/nobody?terminat=true", "terminat", "did you mean terminate?"),
        ("GET", "/v1/?x=1", "x", "it takes none"),
        ("GET", "/v1/ready?x=1", "x", "it takes none"),
        ("GET", "/v1/events?token=secret", "token", "it takes activity, after, kind, lastEventId"),
        ("GET", "/v1/activities/nobody/files/a%20b?folow=true", "folow", "did you mean follow?"),
        ("GET", "/v1/activities?%6Cmit=3", "lmit", "did you mean limit?"),
        ("GET", "/v1/activities?" + "x" * 1000 + "=1", "x" * 60 + "...", "it takes"),
    ],
)
async def test_it_is_named_with_the_nearest_right_one(
    http: httpx.AsyncClient, method: str, address: str, parameter: str, nearest: str
) -> None:
    answer = await http.request(method, address, json={"executable": "x"} if method == "POST" else None)
    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert (problem["code"], problem["element"]) == ("unknown-parameter", parameter)
    assert nearest in problem["detail"]
    assert "secret" not in answer.text


async def test_nothing_was_done(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    assert (await http.post("/v1/activities?held=true", json={"executable": "x"})).status_code == 400
    assert operations.activities == {}


async def test_those_against_caches_are_let_through(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/activities?_=1700000000000")).status_code == 200
    assert (await http.post("/v1/activities?_=1", json={"executable": "x"})).status_code == 201
    assert (await http.post("/v1/activities?strict=1", json={"executable": "x"})).status_code == 201


async def test_all_that_are_documented_are_taken_and_no_others(http: httpx.AsyncClient, app: RestApp) -> None:
    document: dict[str, Any] = (await http.get("/v1/openapi.json")).json()
    some = 0
    for route in app.litestar.routes:
        for handler in getattr(route, "route_handlers", ()):
            assert isinstance(handler, HTTPRouteHandler)
            for method in handler.http_methods:
                operation = document["paths"].get(route.path_format, {}).get(method.lower())
                if operation is None:
                    continue
                told = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
                assert taken(handler) == told, (method, route.path)
                some += len(told)
    assert some > 50
