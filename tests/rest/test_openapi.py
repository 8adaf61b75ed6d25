from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from argosy.endpoints import rest
from argosy.endpoints.rest import RestApp
from tests.rest.fake import FakeOperations

pytestmark = pytest.mark.anyio


@pytest.fixture
async def document(app: RestApp) -> dict[str, Any]:
    """Anybody may read it."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as http:
        response = await http.get("/v1/openapi.json")
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def operations_of(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in ("get", "put", "post", "delete", "head", "patch")
    ]


async def test_it_is_openapi_3_1_and_all_references_lead_somewhere(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "Argosy"
    references: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                references.add(value["$ref"])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(document)
    assert references
    for reference in references:
        prefix, _, name = reference.rpartition("/")
        assert prefix == "#/components/schemas"
        assert name in document["components"]["schemas"]
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


async def test_every_route_is_in_it_with_its_problems(document: dict[str, Any], app: RestApp) -> None:
    documented = {(method.upper(), path) for method, path, _ in operations_of(document)}
    served = {
        (method, route.path_format)
        for route in app.litestar.routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }
    assert served - documented == {("GET", "/v1/openapi.json")}
    assert documented <= served
    ids = [operation["operationId"] for _, _, operation in operations_of(document)]
    assert len(ids) == len(set(ids))
    for method, path, operation in operations_of(document):
        faults = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert {"401", "500"} <= set(faults), (method, path)
        names_one = (
            "{id}" in path
            or "{name}" in path
            or path == "/v1/events"
            or (method, path) == ("post", "/v1/subscriptions")
        )
        assert ("404" in faults) == names_one, (method, path)
        for answer in faults.values():
            assert list(answer["content"]) == ["application/problem+json"]
        assert any(status < "400" for status in operation["responses"])
        assert operation["summary"]


async def test_bodies_are_the_types_that_are_decoded(document: dict[str, Any]) -> None:
    def body(path: str, method: str = "post") -> Any:
        return document["paths"][path][method]["requestBody"]["content"]

    assert body("/v1/activities")["application/json"] == {"schema": {"$ref": "#/components/schemas/Description"}}
    assert {"application/jsdl+xml", "text/x-shellscript"} < set(body("/v1/activities"))
    assert body("/v1/activities/batch")["application/json"]["schema"]["items"] == {
        "$ref": "#/components/schemas/BatchElement"
    }
    assert list(body("/v1/activities/{id}/files/{path}", "put")) == ["application/octet-stream"]
    assert document["components"]["schemas"]["Description"]["additionalProperties"] is False


async def test_answers_are_as_documented(
    document: dict[str, Any], http: httpx.AsyncClient, operations: FakeOperations
) -> None:
    made = await http.post("/v1/activities", json={"executable": "x", "outputs": [{"path": "o"}]})
    id = made.json()["id"]
    operations.write(id, "f", b"x")
    answers = [
        ("/v1", "get", await http.get("/v1")),
        ("/v1/shares", "get", await http.get("/v1/shares")),
        ("/v1/capabilities", "get", await http.get("/v1/capabilities")),
        ("/v1/languages", "get", await http.get("/v1/languages")),
        ("/v1/activities", "post", made),
        ("/v1/activities", "get", await http.get("/v1/activities")),
        ("/v1/activities/{id}", "get", await http.get(f"/v1/activities/{id}")),
        ("/v1/activities/{id}", "get", await http.get("/v1/activities/nobody")),
        ("/v1/activities/{id}/description", "get", await http.get(f"/v1/activities/{id}/description")),
        ("/v1/activities/{id}/events", "get", await http.get(f"/v1/activities/{id}/events")),
        ("/v1/activities/{id}/files", "get", await http.get(f"/v1/activities/{id}/files")),
        ("/v1/activities/batch", "post", await http.post("/v1/activities/batch", json=[{}, {"description": {}}])),
        ("/v1/activities/status", "post", await http.post("/v1/activities/status", json=[id, "x"])),
        ("/v1/activities/{id}/terminate", "post", await http.post(f"/v1/activities/{id}/terminate")),
    ]
    for path, method, response in answers:
        documented = document["paths"][path][method]["responses"][str(response.status_code)]["content"]
        schema = documented[response.headers["content-type"]]["schema"]
        jsonschema.Draft202012Validator(schema | {"components": document["components"]}).validate(response.json())


async def test_numbers_have_bounds_that_are_kept(document: dict[str, Any], http: httpx.AsyncClient) -> None:
    """A number that no database holds is the caller's fault."""
    tried = 0
    for method, path, operation in operations_of(document):
        for parameter in operation.get("parameters", ()) if method == "get" else ():
            schemas = [parameter["schema"], *parameter["schema"].get("oneOf", ())]
            if not any(schema.get("type") == "integer" for schema in schemas) or parameter["name"] == "version":
                continue
            assert any(schema.get("maximum", 1 << 63) < 1 << 63 for schema in schemas), (path, parameter["name"])
            address = path.replace("{id}", "x").replace("{path}", "y")
            answer = await http.request(method, address, params={parameter["name"]: str(1 << 70)})
            assert answer.status_code == 422, (path, parameter["name"])
            assert answer.json()["element"] == parameter["name"]
            tried += 1
    assert tried > 8


async def test_an_answer_to_a_wrong_parameter_is_documented(document: dict[str, Any]) -> None:
    for _, path, operation in operations_of(document):
        if any(one["in"] == "query" for one in operation.get("parameters", ())):
            assert "422" in operation["responses"], path


async def test_what_http_itself_brings_is_documented(
    document: dict[str, Any], http: httpx.AsyncClient, operations: FakeOperations
) -> None:
    """Answers that no handler speaks of: to headers, and to what means nothing."""
    id = (await http.post("/v1/activities", json={"executable": "x"})).json()["id"]
    operations.write(id, "f", b"x")
    for method, path, operation in operations_of(document):
        address = path.replace("{id}", id).replace("{path}", "f").replace("{name}", "jsdl")
        asked = [(400, {"x-y": "1"}, {})]
        if path != "/v1/ready":
            asked.append((401, {}, {"Authorization": ""}))
        if method in ("post", "put"):
            asked.append((415, {}, {"Content-Encoding": "gzip"}))
        headers = [one["name"] for one in operation["parameters"] if one["in"] == "header"]
        for name in set(headers) & {"If-None-Match", "If-Match"}:
            asked.append((0, {}, {name: "*"}))
            asked.append((0, {}, {name: '"x"'}))
        if "Range" in headers:
            asked += [(0, {}, {"Range": "bytes=0-0"}), (0, {}, {"Range": "bytes=1-"})]
        if "Last-Event-ID" in headers:
            asked.append((0, {}, {"Last-Event-ID": "x"}))
        for status, query, sent in asked:
            answer = await http.request(method, address, params=query, headers=sent)
            assert status in (0, answer.status_code), (method, path, query, sent, answer.text)
            assert str(answer.status_code) in operation["responses"], (method, path, sent)


async def test_all_headers_that_are_read_are_documented(document: dict[str, Any]) -> None:
    # Accept, Content-Type and Authorization are no parameters (OpenAPI 3.1, 4.8.12.2.1).
    read = {"accept", "content-type", "authorization", "content-length", "content-encoding", "content-range"}
    documented = {
        one["name"].lower()
        for _, _, operation in operations_of(document)
        for one in operation["parameters"]
        if one["in"] == "header"
    }
    found: set[str] = set()
    for path in Path(rest.__file__).parent.glob("*.py"):
        found |= set(re.findall(r'headers(?:\.get\(|\[)"([a-z-]+)"(?!\] =)', path.read_text()))
        found |= set(re.findall(r'"([a-z-]+)" (?:not )?in (?:request\.)?headers', path.read_text()))
    assert found - read == documented


async def test_one_element_with_a_time_beyond_all_bounds_harms_no_other(http: httpx.AsyncClient) -> None:
    elements = [{"description": {"executable": "x", "duration": duration}} for duration in (1, 1e300, 1e11, 2)]
    answers = (await http.post("/v1/activities/batch", json=elements)).json()
    assert ["activity" in answer for answer in answers] == [True, False, False, True]
    assert answers[1]["problem"]["element"] == "[1].description.duration"
