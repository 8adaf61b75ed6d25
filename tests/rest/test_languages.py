"""Descriptions in other languages, over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.languages.documents import arguments, assignment, definition, posix, sweep, values
from tests.rest.fake import FakeOperations

pytestmark = pytest.mark.anyio

JSDL = {"Content-Type": "application/jsdl+xml"}
SCRIPT = {"Content-Type": "text/x-shellscript; charset=utf-8"}
SWEEP = definition(posix(arguments("a")), sweep(assignment("//jsdl-posix:Argument", values("x", "y", "z"))))


async def test_a_jsdl_document_makes_an_activity(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    document = definition(posix(arguments("hello")) + "<x:Magic/>")
    for type in ("application/jsdl+xml", "text/xml; charset=utf-8", "application/xml"):
        made = await http.post("/v1/activities", content=document, headers={"Content-Type": type})
        assert made.status_code == 201
        assert operations.descriptions[made.json()["id"]].arguments == ["hello"]
        assert ["Magic" in note for note in made.json()["notes"]] == [True]
    shown = await http.get(f"/v1/activities/{made.json()['id']}")
    assert "notes" not in shown.json()


async def test_strictly(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    document = definition(posix() + "<x:Magic/>")
    refused = await http.post("/v1/activities?strict=true", content=document, headers=JSDL)
    assert (refused.status_code, refused.json()["code"]) == (422, "unsupported")
    assert refused.json()["element"] == "JobDefinition/JobDescription/Magic"
    assert not operations.descriptions


async def test_a_repeat_answers_with_the_first(http: httpx.AsyncClient) -> None:
    answers = [
        await http.post("/v1/activities", content=definition(posix()), headers=JSDL | {"Idempotency-Key": "k"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_a_script(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    made = await http.post("/v1/activities", content=b"#!/bin/sh\n#SBATCH -n 2\necho\n", headers=SCRIPT)
    assert made.status_code == 201
    assert operations.descriptions[made.json()["id"]].executable == "./script"


async def test_a_sweep_is_for_the_batch(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    refused = await http.post("/v1/activities", content=SWEEP, headers=JSDL)
    assert refused.status_code == 422
    assert "/v1/activities/batch" in refused.json()["detail"]
    keyed = JSDL | {"Idempotency-Key": "k"}
    made = (await http.post("/v1/activities/batch", content=SWEEP, headers=keyed)).json()
    assert [operations.descriptions[one["activity"]["id"]].arguments for one in made] == [["x"], ["y"], ["z"]]
    again = (await http.post("/v1/activities/batch", content=SWEEP, headers=keyed)).json()
    assert [one["activity"]["id"] for one in again] == [one["activity"]["id"] for one in made]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "invalid-document"),
        (b"<a/>", 422, "invalid-document"),
        (definition(posix("<jsdl-posix:UserName>u</jsdl-posix:UserName>")), 422, "unsupported"),
        (b"<!DOCTYPE a>" + definition(posix()), 422, "invalid-document"),
        (definition(posix(arguments("a" * 9_000_000))), 413, "too-large"),
    ],
    ids=["empty", "other", "unsupported", "doctype", "large"],
)
async def test_faults(
    http: httpx.AsyncClient, operations: FakeOperations, content: bytes, status: int, code: str
) -> None:
    for address in ("/v1/activities", "/v1/activities/batch"):
        refused = await http.post(address, content=content, headers=JSDL)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert not operations.descriptions


async def test_a_sweep_without_end_is_refused_at_once(http: httpx.AsyncClient) -> None:
    endless = '<sweepfunc:LoopInteger start="1" end="999999999999"/>'
    document = definition(posix(arguments("a")), sweep(assignment("//jsdl-posix:Argument", endless)))
    for address in ("/v1/activities", "/v1/activities/batch"):
        refused = await http.post(address, content=document, headers=JSDL)
        assert (refused.status_code, refused.json()["code"]) == (413, "too-large")


async def test_a_sweep_of_a_long_document_is_refused_before_it_is_made(http: httpx.AsyncClient) -> None:
    swept = sweep(assignment("//jsdl-posix:Argument[1]", '<sweepfunc:LoopInteger start="1" end="9999"/>'))
    document = definition(posix(arguments("a", "b" * 100_000)), swept)
    refused = await http.post("/v1/activities/batch", content=document, headers=JSDL)
    assert (refused.status_code, refused.json()["code"]) == (413, "too-large")


async def test_very_many_notes_are_not_all_answered(http: httpx.AsyncClient) -> None:
    made = await http.post("/v1/activities", content=definition(posix() + "<x:a/>" * 150), headers=JSDL)
    assert len(made.json()["notes"]) == 101
    assert made.json()["notes"][-1] == "and 50 more"


async def test_what_is_understood_is_published(http: httpx.AsyncClient) -> None:
    found = {one["name"]: one for one in (await http.get("/v1/languages")).json()}
    assert {"json", "jsdl", "script"} <= set(found)
    assert found["jsdl"]["media_types"][0] == "application/jsdl+xml"
    elements = {one["name"]: one["support"] for one in found["jsdl"]["elements"]}
    assert elements["jsdl:JobDescription"] == "mandatory"
    assert elements["jsdl:JobName"] == "optional"
    assert elements["ac:Credential"] == "unsupported"
    assert {"name": "executable", "support": "mandatory"}.items() <= found["json"]["elements"][0].items()


async def test_one_language_is_published(http: httpx.AsyncClient) -> None:
    everything = (await http.get("/v1/languages")).json()
    for one in everything:
        assert (await http.get(f"/v1/languages/{one['name']}")).json() == one
    unknown = await http.get("/v1/languages/klingon")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not-found")
    assert "jsdl" in unknown.json()["detail"]


async def test_what_is_marked_as_optional_is_skipped_and_noted(
    http: httpx.AsyncClient, operations: FakeOperations
) -> None:
    good = {"executable": "x", "colour": 1, "optional": ["colour"]}
    made = await http.post("/v1/activities", json=good)
    assert (made.status_code, [note[:6] for note in made.json()["notes"]]) == (201, ["colour"])
    refused = await http.post("/v1/activities", json=good | {"shape": 1})
    assert (refused.status_code, refused.json()["element"]) == (422, "shape")
    batch = [
        {"description": good, "submission_id": "a"},
        {"description": good | {"shape": 1}},
        {"description": good | {"optional": ["x"]}},
        {"description": good, "wrong": 1},
        {"description": {"executable": "y", "optional": ["z"]}},
    ]
    answers = (await http.post("/v1/activities/batch", json=batch)).json()
    assert [one.get("problem", {}).get("element") for one in answers] == [
        None,
        "[1].description.shape",
        "[2].description.colour",
        "[3].wrong",
        None,
    ]
    assert [note[:6] for note in answers[0]["activity"]["notes"]] == ["colour"]
    assert "notes" not in answers[4]["activity"]
