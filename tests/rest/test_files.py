from __future__ import annotations

import hashlib
import os
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argosy.endpoints.rest import render
from argosy.endpoints.rest.app import _is_stream
from argosy.endpoints.rest.ranges import decide, http_date
from argosy.languages.native import Description
from argosy.model import ActivityState
from argosy.model.description import session_path
from argosy.service.contract import CreateRequest
from tests.rest.fake import CALLER, FakeOperations

pytestmark = pytest.mark.anyio

DATA = b"0123456789"
ETAG = f'"{hashlib.sha1(DATA).hexdigest()}"'
MODIFIED = "Tue, 14 Nov 2023 22:13:20 GMT"


async def job(operations: FakeOperations) -> str:
    (made,) = await operations.create(CALLER, [CreateRequest(Description(executable="x"))])
    return made.activity.id


@pytest.mark.parametrize(
    ("headers", "status", "content", "content_range"),
    [
        ({}, 200, DATA, None),
        ({"Range": "bytes=0-0"}, 206, b"0", "bytes 0-0/10"),
        ({"Range": "bytes=2-4"}, 206, b"234", "bytes 2-4/10"),
        ({"Range": "bytes=7-"}, 206, b"789", "bytes 7-9/10"),
        ({"Range": "bytes=-3"}, 206, b"789", "bytes 7-9/10"),
        ({"Range": "bytes=-30"}, 206, DATA, "bytes 0-9/10"),
        ({"Range": "bytes=5-100"}, 206, b"56789", "bytes 5-9/10"),
        ({"Range": "bytes=10-"}, 416, None, "bytes */10"),
        ({"Range": "bytes=10-20"}, 416, None, "bytes */10"),
        ({"Range": "bytes=-0"}, 416, None, "bytes */10"),
        ({"Range": "bytes=4-2"}, 200, DATA, None),
        ({"Range": "bytes=-"}, 200, DATA, None),
        ({"Range": "bytes=a-b"}, 200, DATA, None),
        ({"Range": "lines=1-2"}, 200, DATA, None),
        ({"Range": "bytes=0-1,3-4"}, 200, DATA, None),
        # Numbers of any length are numbers.
        ({"Range": "bytes=" + "9" * 30 + "-"}, 416, None, "bytes */10"),
        ({"Range": "bytes=" + "9" * 30 + "-" + "9" * 31}, 416, None, "bytes */10"),
        ({"Range": "bytes=" + "9" * 31 + "-" + "9" * 30}, 200, DATA, None),
        ({"Range": "bytes=1-" + "9" * 5000}, 206, DATA[1:], "bytes 1-9/10"),
        ({"Range": "bytes=-" + "9" * 5000}, 206, DATA, "bytes 0-9/10"),
        ({"Range": "bytes=" + "0" * 30 + "2-" + "0" * 40 + "4"}, 206, b"234", "bytes 2-4/10"),
        ({"Range": "Bytes=2-4"}, 206, b"234", "bytes 2-4/10"),
        ({"Range": "bytes=\xb2-"}, 200, DATA, None),
        ({"Range": "bytes=1-2", "If-Range": ETAG}, 206, b"12", "bytes 1-2/10"),
        ({"Range": "bytes=1-2", "If-Range": '"other"'}, 200, DATA, None),
        ({"Range": "bytes=1-2", "If-Range": "W/" + ETAG}, 200, DATA, None),
        ({"Range": "bytes=1-2", "If-Range": MODIFIED}, 206, b"12", "bytes 1-2/10"),
        ({"Range": "bytes=1-2", "If-Range": "Tue, 14 Nov 2023 22:13:21 GMT"}, 200, DATA, None),
        ({"Range": "bytes=1-2", "If-Range": "nonsense"}, 200, DATA, None),
        ({"If-None-Match": ETAG}, 304, b"", None),
        ({"If-None-Match": f'"a", W/{ETAG}'}, 304, b"", None),
        ({"If-None-Match": "*"}, 304, b"", None),
        ({"If-None-Match": '"other"'}, 200, DATA, None),
        ({"If-Modified-Since": MODIFIED}, 304, b"", None),
        ({"If-Modified-Since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 200, DATA, None),
        ({"If-Modified-Since": "nonsense"}, 200, DATA, None),
        ({"If-None-Match": '"other"', "If-Modified-Since": MODIFIED}, 200, DATA, None),
        ({"If-Match": ETAG}, 200, DATA, None),
        ({"If-Match": "*"}, 200, DATA, None),
        ({"If-Match": '"other"'}, 412, None, None),
        ({"If-Match": '"other"', "If-None-Match": ETAG}, 412, None, None),
        ({"If-Unmodified-Since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 412, None, None),
        ({"If-Unmodified-Since": MODIFIED}, 200, DATA, None),
        ({"If-Unmodified-Since": "nonsense"}, 200, DATA, None),
        ({"If-Match": ETAG, "If-Unmodified-Since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 200, DATA, None),
    ],
)
async def test_conditions_and_ranges(
    http: httpx.AsyncClient,
    operations: FakeOperations,
    headers: dict[str, str],
    status: int,
    content: bytes | None,
    content_range: str | None,
) -> None:
    id = await job(operations)
    operations.write(id, "f", DATA)
    address = f"/v1/activities/{id}/files/f"
    response = await http.get(address, headers={k: v.encode("latin-1") for k, v in headers.items()})
    assert response.status_code == status
    assert response.headers.get("content-range") == content_range
    assert response.headers["etag"] == ETAG
    if content is None:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == status
    else:
        assert response.content == content
        assert response.headers["last-modified"] == MODIFIED
        assert response.headers["accept-ranges"] == "bytes"
    if status in (200, 206):
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-length"] == str(len(response.content))
    assert operations.open_files == 0


async def test_head_tells_the_same_without_the_content(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    id = await job(operations)
    operations.write(id, "f", DATA, executable=True)
    response = await http.head(f"/v1/activities/{id}/files/f", headers={"Range": "bytes=1-2"})
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == "10"
    assert response.headers["etag"] == ETAG
    assert response.headers["x-executable"] == "true"
    assert operations.open_files == 0


async def test_an_empty_file_is_empty(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    id = await job(operations)
    operations.write(id, "f", b"")
    address = f"/v1/activities/{id}/files/f"
    assert (await http.get(address)).content == b""
    assert (await http.get(address, headers={"Range": "bytes=0-"})).status_code == 416
    assert (await http.get(address, headers={"Range": "bytes=-0"})).status_code == 416
    assert (await http.get(address, headers={"Range": "bytes=-5"})).status_code == 200, "its last bytes: there are none"


async def test_a_large_file_comes_in_pieces(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    id = await job(operations)
    data = os.urandom(3_000_001)
    operations.write(id, "f", data)
    assert (await http.get(f"/v1/activities/{id}/files/f")).content == data
    part = await http.get(f"/v1/activities/{id}/files/f", headers={"Range": "bytes=1000-2000999"})
    assert part.content == data[1000:2001000]
    assert operations.open_files == 0


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("plain.txt", "plain.txt"),
        ("a/b", "a/b"),
        ("a%2Fb", "a/b"),
        ("a%20b%0Ac%09", "a b\nc\t"),
        ("%C3%A9%E2%82%AC%F0%9F%9A%80", "é€🚀"),
        ("%25%32%35", "%25"),
        ("%2541", "%41"),
        ("a+b", "a+b"),
        ("a%3Fb%23c", "a?b#c"),
        ("%FF%FE", "\udcff\udcfe"),
        ("a;b=c", "a;b=c"),
        ("sub/%2e%2e/x", "sub/../x"),
        ("a%5Cb", "a\\b"),
    ],
)
async def test_paths_arrive_decoded_once(
    http: httpx.AsyncClient, operations: FakeOperations, written: str, path: str
) -> None:
    id = await job(operations)
    put = await http.put(f"/v1/activities/{id}/files/{written}", content=DATA)
    assert put.status_code == 201, put.text
    assert list(operations.files[id]) == [session_path(path)]
    got = await http.get(f"/v1/activities/{id}/files/{written}")
    assert got.content == DATA
    assert (await http.get(put.json()["href"])).content == DATA
    assert (await http.put(f"/v1/activities/{id}/files/{written}", content=b"")).status_code == 200
    assert (await http.delete(f"/v1/activities/{id}/files/{written}")).status_code == 204
    assert operations.files[id] == {}


@pytest.mark.parametrize(
    "written", ["%2e%2e", "%2e%2e/x", "%2e%2e%2fx", "/etc/passwd", "%2Fetc%2Fpasswd", "a/%2e%2e/%2e%2e/x", "%00"]
)
async def test_paths_that_lead_out_are_refused_by_the_service(
    http: httpx.AsyncClient, operations: FakeOperations, written: str
) -> None:
    id = await job(operations)
    for method in ("GET", "PUT", "DELETE"):
        response = await http.request(method, f"/v1/activities/{id}/files/{written}")
        assert (response.status_code, response.json()["code"]) == (422, "invalid-input"), method


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=20))
async def test_any_name_is_a_name(http: httpx.AsyncClient, operations: FakeOperations, name: str) -> None:
    if name in (".", ".."):
        return
    id = await job(operations)
    put = await http.put(f"/v1/activities/{id}/files/{quote(name, safe='')}", content=DATA)
    assert put.status_code == 201
    assert list(operations.files[id]) == [name]
    listed = (await http.get(f"/v1/activities/{id}/files")).json()["items"]
    assert [item["path"] for item in listed] == [name]
    assert (await http.get(listed[0]["href"])).content == DATA


async def test_directories_are_listed_in_pages(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    id = await job(operations)
    for name in ("b", "a", "sub/one", "sub/two\udcff", "c d"):
        operations.write(id, name, DATA, executable=name == "a")
    for address in (f"/v1/activities/{id}/files", f"/v1/activities/{id}/files/"):
        entries = (await http.get(address)).json()["items"]
        assert [(e["path"], e["type"], e.get("executable", False)) for e in entries] == [
            ("a", "file", True),
            ("b", "file", False),
            ("c d", "file", False),
            ("sub", "directory", False),
        ]
    for address in (f"/v1/activities/{id}/files/sub", f"/v1/activities/{id}/files/sub/"):
        first = (await http.get(address, params={"limit": 1})).json()
        assert [e["path"] for e in first["items"]] == ["sub/one"]
        second = (await http.get(address, params={"limit": 1, "cursor": first["next"]})).json()
        assert [e["path"] for e in second["items"]] == ["sub/two\ufffd"]
        assert second["next"] is None
        assert (await http.get(second["items"][0]["href"])).content == DATA


async def test_an_upload_may_be_executable_and_may_be_refused(
    http: httpx.AsyncClient, operations: FakeOperations
) -> None:
    id = await job(operations)
    address = f"/v1/activities/{id}/files/"
    assert (await http.put(address + "a?executable=true", content=b"")).json()["executable"] is True
    assert (await http.put(address + "b", content=b"", headers={"X-Executable": "true"})).json()["executable"] is True
    assert "executable" not in (await http.put(address + "c", content=b"")).json()
    assert (await http.delete(address + "nothing")).status_code == 404
    operations.advance(id, ActivityState.LRMS_RUNNING)
    refused = await http.put(address + "d", content=DATA)
    assert (refused.status_code, refused.json()["code"]) == (409, "invalid-state")
    assert "d" not in operations.files[id]


@pytest.mark.parametrize(
    ("headers", "there", "absent"),
    [
        ({"If-None-Match": "*"}, False, True),
        ({"If-None-Match": f'"a", W/{ETAG}'}, False, True),
        ({"If-None-Match": '"other"'}, True, True),
        ({"If-Match": "*"}, True, False),
        ({"If-Match": f'"a", {ETAG}'}, True, False),
        ({"If-Match": '"other"'}, False, False),
        ({"If-Match": f"W/{ETAG}"}, False, False),
        ({"If-Match": ETAG, "If-None-Match": "*"}, False, False),
        ({"If-Unmodified-Since": "Tue, 14 Nov 2023 22:13:19 GMT"}, False, True),
        ({"If-Unmodified-Since": MODIFIED}, True, True),
        ({"If-Unmodified-Since": "nonsense"}, True, True),
        ({"If-Modified-Since": MODIFIED}, True, True),
    ],
)
async def test_a_file_is_changed_only_where_it_is_as_the_request_says(
    http: httpx.AsyncClient, operations: FakeOperations, headers: dict[str, str], there: bool, absent: bool
) -> None:
    id = await job(operations)
    address = f"/v1/activities/{id}/files/"
    for name, expected, status in (("there", there, 200), ("absent", absent, 201)):
        operations.write(id, "there", DATA)
        put = await http.put(address + name, content=b"new", headers=headers)
        assert put.status_code == (status if expected else 412), name
        assert (operations.files[id].get(name) == (b"new", False)) == expected
        if not expected:
            assert put.json()["code"] == "precondition-failed"
    operations.write(id, "there", DATA)
    removed = await http.delete(address + "there", headers=headers)
    assert removed.status_code == (204 if there else 412)
    assert ("there" in operations.files[id]) == (not there)


async def test_a_part_of_a_file_is_not_taken_for_all_of_it(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    id = await job(operations)
    operations.write(id, "f", DATA)
    address = f"/v1/activities/{id}/files/f"
    refused = await http.put(address, content=DATA[4:], headers={"Content-Range": "bytes 4-9/10"})
    assert (refused.status_code, refused.json()["code"]) == (400, "content-range")
    assert operations.files[id]["f"] == (DATA, False)


def test_dates_are_in_the_form_of_http() -> None:
    assert http_date(784111777.9) == "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e300, -1e300, float("inf"), float("-inf"), float("nan"), 2.0**63])
def test_any_time_that_a_file_or_a_token_claims_can_be_shown(seconds: float) -> None:
    assert http_date(seconds).endswith(" GMT")
    assert render.utc(seconds).endswith("Z")


@given(st.text(max_size=20), st.integers(0, 30))
def test_any_range_is_within_the_file_or_ignored(value: str, size: int) -> None:
    for header in (value, "bytes=" + value):
        part = decide({"range": header}, size=size, etag='"e"', modified=0.0)
        assert 0 <= part.start <= part.end <= size
        assert part.status in (200, 206, 416)
        assert (part.status == 206) <= (part.start < part.end)


def test_what_may_wait_long_is_counted_as_a_stream() -> None:
    def counted(path: str, query: bytes = b"", method: str = "GET") -> bool:
        return _is_stream({"method": method, "path": path, "query_string": query})

    assert counted("/v1/events")
    assert counted("/v1/activities/x/stream")
    assert counted("/v1/activities/x", b"wait=5")
    assert counted("/v1/activities/x/files/f", b"follow=true")
    assert not counted("/v1/activities/x/files/stream")
    assert not counted("/v1/activities/x/files/f", b"start=3")
    assert not counted("/v1/activities/x/files/f", b"follow=true", method="PUT")
