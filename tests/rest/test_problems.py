from __future__ import annotations

import logging

import httpx
import msgspec
import pytest

from argosy.endpoints.rest import RestApp
from argosy.languages.documents import Problem
from tests.rest.fake import FakeOperations

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "content", "headers", "status", "code", "element"),
    [
        ("GET", "/v1/nothing", b"", {}, 404, "not-found", None),
        ("GET", "/", b"", {}, 404, "not-found", None),
        ("GET", "/v1/activities/nobody", b"", {}, 404, "not-found", None),
        ("GET", "/v1/activities/nobody/events", b"", {}, 404, "not-found", None),
        ("GET", "/v1/activities/nobody/stream", b"", {}, 404, "not-found", None),
        ("GET", "/v1/activities/nobody/files", b"", {}, 404, "not-found", None),
        ("GET", "/v1/activities/nobody/files/x", b"", {}, 404, "not-found", None),
        ("GET", "/v1/activities/nobody?wait=1", b"", {}, 404, "not-found", None),
        ("GET", "/v1/activities/nobody?wait=x", b"", {}, 422, "invalid-input", "wait"),
        ("GET", "/v1/events?activity=nobody", b"", {}, 404, "not-found", None),
        ("GET", "/v1/events", b"", {"Last-Event-ID": "x"}, 422, "invalid-input", "Last-Event-ID"),
        ("GET", "/v1/events?lastEventId=x", b"", {}, 422, "invalid-input", "lastEventId"),
        ("DELETE", "/v1/activities/nobody", b"", {}, 404, "not-found", None),
        ("POST", "/v1/activities/nobody/terminate", b"", {}, 404, "not-found", None),
        ("PATCH", "/v1/activities", b"", {}, 405, "method-not-allowed", None),
        ("DELETE", "/v1/shares", b"", {}, 405, "method-not-allowed", None),
        ("POST", "/v1/activities", b"", JSON, 400, "malformed", None),
        ("POST", "/v1/activities", b"{", JSON, 400, "malformed", None),
        ("POST", "/v1/activities", b'{"executable": "\xff"}', JSON, 400, "malformed", None),
        ("POST", "/v1/activities", b"{}", JSON, 422, "invalid-input", "executable"),
        ("POST", "/v1/activities", b"[]", JSON, 422, "invalid-input", None),
        ("POST", "/v1/activities", b'{"executable": "x", "exe": 1}', JSON, 422, "invalid-input", "exe"),
        ("POST", "/v1/activities", b'{"executable": 5}', JSON, 422, "invalid-input", "executable"),
        ("POST", "/v1/activities", b'{"executable": "\\u0000"}', JSON, 422, "invalid-job", "executable"),
        (
            "POST",
            "/v1/activities",
            b'{"executable": "x", "resources": {"nodes": "1"}}',
            JSON,
            422,
            "invalid-input",
            "resources.nodes",
        ),
        ("POST", "/v1/activities", b"{}", {"Content-Type": "text/csv"}, 415, "unsupported-media-type", None),
        ("POST", "/v1/activities/batch", b"{}", {"Content-Type": "text/csv"}, 415, "unsupported-media-type", None),
        ("POST", "/v1/activities/batch", b"{}", JSON, 422, "invalid-input", None),
        ("POST", "/v1/activities/batch", b"[", JSON, 400, "malformed", None),
        ("POST", "/v1/activities/batch", b"[" * 100_000, JSON, 400, "malformed", None),
        ("POST", "/v1/activities/status", b"{}", JSON, 422, "invalid-input", None),
        ("POST", "/v1/activities", b" " * (16 * 1024 * 1024 + 1), JSON, 413, "too-large", None),
        ("POST", "/v1/activities/batch", b" " * (64 * 1024 * 1024 + 1), JSON, 413, "too-large", None),
        (
            "POST",
            "/v1/activities",
            b'{"executable": "x"}',
            JSON | {"Idempotency-Key": "x" * 256},
            422,
            "invalid-input",
            "Idempotency-Key",
        ),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else None,
)
async def test_every_fault_is_a_problem_document(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    content: bytes,
    headers: dict[str, str],
    status: int,
    code: str,
    element: str | None,
) -> None:
    response = await http.request(method, path, content=content, headers=headers)
    assert response.headers["content-type"] == "application/problem+json"
    problem = msgspec.json.decode(response.content, type=Problem)
    assert (response.status_code, problem.status, problem.code, problem.element) == (status, status, code, element)
    assert problem.detail
    assert problem.title
    if status == 405:
        assert response.headers["allow"]


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic test-token-0123456789", "Bearer", "Bearer \xe9", ""])
@pytest.mark.parametrize("path", ["/v1", "/v1/activities", "/v1/activities/x", "/v1/events", "/elsewhere"])
async def test_without_the_token_there_is_nothing(app: RestApp, header: str | None, path: str) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as http:
        response = await http.get(path, headers=headers)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["code"] == "not-authenticated"


async def test_what_nobody_expected_is_logged_and_not_told(
    http: httpx.AsyncClient, operations: FakeOperations, caplog: pytest.LogCaptureFixture
) -> None:
    operations.failure = RuntimeError("the secret reason")
    for response in (
        await http.get("/v1/activities/x"),
        await http.get("/v1/activities/x?wait=0"),
        await http.post("/v1/activities", json={"executable": "x"}),
        await http.post("/v1/activities/status", json=["x"]),
    ):
        assert response.status_code == 500
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"] == "internal"
        assert "secret" not in response.text
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(logged) == 4
    assert all(record.exc_info and "secret" in str(record.exc_info[1]) for record in logged)


async def test_service_and_shares(http: httpx.AsyncClient) -> None:
    service = (await http.get("/v1")).json()
    assert (service["name"], service["version"]) == ("Argosy", "0.test")
    shares = (await http.get("/v1/shares")).json()
    assert service["shares"] == shares
    assert [(s["share"], s.get("available", True)) for s in shares] == [("fake/debug", True), ("fake/long", False)]
