"""A word where one of few is right, in bodies and in addresses: all of them are told, and the nearest."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.rest.fake import FakeOperations

pytestmark = pytest.mark.anyio
URL = "https://receiver.example.org/hook"


@pytest.mark.parametrize(
    ("path", "body", "element", "words"),
    [
        (
            "credentials",
            {"kind": "tokn"},
            "kind",
            "'tokn' is none of password, proxy, s3, ssh-key, token",
        ),
        ("credentials", {"kind": "token", "tken": "x"}, "tken", "did you mean token?"),
        ("subscriptions", {"url": URL, "states": ["finishd"]}, "states[0]", "did you mean finished?"),
        ("subscriptions", {"url": URL, "states": ["x"]}, "states[0]", "failed, final, finished, pending, running"),
        ("subscriptions", {"url": URL, "tag": {}}, "tag", "did you mean tags?"),
        ("activities/x/state", {"actoin": "hold"}, "actoin", "did you mean action?"),
        ("admin/drain", {"mesage": "x"}, "mesage", "did you mean message?"),
    ],
)
async def test_in_bodies(http: httpx.AsyncClient, path: str, body: Any, element: str, words: str) -> None:
    answer = await http.post(f"/v1/{path}", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["element"] == element
    assert words in answer.json()["detail"]


async def test_in_vectors(http: httpx.AsyncClient) -> None:
    element = {"description": {"executable": "x", "inputs": [{"path": "a", "creation": "x"}]}}
    (told,) = (await http.post("/v1/activities/batch", json=[element])).json()
    assert told["problem"]["element"] == "[0].description.inputs[0].creation"
    assert told["problem"]["detail"] == "'x' is none of append, overwrite, refuse"
    (told,) = (await http.post("/v1/activities/actions", json=[{"id": "x", "acton": "hold"}])).json()
    assert told["problem"]["detail"] == "there is no field 'acton' here; did you mean action?"


@pytest.mark.parametrize(
    ("address", "element", "words"),
    [
        ("activities?state=finishd", "state", "active, failed, final, finished, pending, running, terminated"),
        ("activities?state=runing:lrms", "state", "did you mean running:lrms"),
        ("activities/x?verbosity=ful", "verbosity", "'ful' is none of basic, detailed, full; did you mean full?"),
        ("activities/x?model=bess", "model", "did you mean bes?"),
        ("service?verbosity=ful", "verbosity", "'ful' is none of basic, full, medium; did you mean full?"),
        ("service?model=glue", "model", "did you mean glue2?"),
        ("usage?format=cvs", "format", "'cvs' is none of json, csv; did you mean csv?"),
        ("events?kind=stat", "kind", "did you mean state?"),
        ("events?state=finishd", "state", "did you mean finished?"),
        ("sweeps?state=runing", "state", "did you mean running?"),
    ],
)
async def test_in_addresses(
    http: httpx.AsyncClient, operations: FakeOperations, address: str, element: str, words: str
) -> None:
    answer = await http.get(f"/v1/{address}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["element"] == element
    assert words in answer.json()["detail"]
