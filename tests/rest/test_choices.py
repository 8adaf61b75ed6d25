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


@pytest.mark.parametrize(
    ("fields", "element"),
    [
        ({"environment": {"A": "b", "AVAR": 1, "B": "c", "C": 2}}, "environment.AVAR"),
        ({"environment": {"AVAR": None}}, "environment.AVAR"),
        ({"environment": {"A": "b", "no name": "x"}}, "environment.no name"),
        ({"environment": {"": "x"}}, "environment"),
        ({"tags": {"k": None}}, "tags.k"),
        ({"tags": {"a.b[...]": "c", "k[0].x": []}}, "tags.k[0].x"),
        ({"tags": {"x" * 1000: 1}}, "tags." + "x" * 60 + "..."),
        ({"custom": {"slurm.constraint": ["x"]}}, "custom.slurm.constraint"),
        ({"environments": [{"name": "x"}, {"name": "x", "parameters": {"c": 2}}]}, "environments[1].parameters.c"),
        ({"environment": {"B": 1}, "optional": ["colour"], "colour": "red"}, "environment.B"),
    ],
)
async def test_which_one_of_a_map_it_is(http: httpx.AsyncClient, fields: Any, element: str) -> None:
    description = {"executable": "x"} | fields
    answer = await http.post("/v1/activities", json=description)
    assert (answer.status_code, answer.json()["element"]) == (422, element)


@pytest.mark.parametrize(
    "rest",
    [b"", b", garbage", b',"name":"\xff"}', b',"z":' + b"[" * 5000 + b"]" * 5000 + b"}"],
    ids=["no end", "garbage", "no UTF-8", "nested too deeply"],
)
async def test_one_of_a_map_in_what_is_no_json_to_its_end(http: httpx.AsyncClient, rest: bytes) -> None:
    body = b'{"executable":"x","environment":{"A":1}' + rest
    answer = await http.post("/v1/activities", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["element"]) == (422, "environment[...]")


async def test_which_one_of_a_map_in_a_vector(http: httpx.AsyncClient) -> None:
    description = {"executable": "x", "environment": {"A": "b", "AVAR": 1}}
    (told,) = (await http.post("/v1/activities/batch", json=[{"description": description}])).json()
    assert told["problem"]["element"] == "[0].description.environment.AVAR"


async def test_a_very_long_map_is_not_looked_through(http: httpx.AsyncClient) -> None:
    environment: dict[str, Any] = {f"V{number}": "x" * 1000 for number in range(300)} | {"AVAR": 1}
    answer = await http.post("/v1/activities", json={"executable": "x", "environment": environment})
    assert (answer.status_code, answer.json()["element"]) == (422, "environment[...]")


@pytest.mark.parametrize("text", [r'"\ud800"', r'"\uDBFFabc"', r'"\ud83d\ude80 \ud83d"'])
async def test_half_a_character_is_called_so(http: httpx.AsyncClient, text: str) -> None:
    answer = await http.post("/v1/activities", content=f'{{"executable": {text}}}')
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert "alone is no character" in answer.json()["detail"]
    cut = await http.post("/v1/activities", content=r'{"executable": "\ud83d\ude80')
    assert "truncated" in cut.json()["detail"]


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
