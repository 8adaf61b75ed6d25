"""Every route of the REST interface x roles x scopes, on what is somebody else's, by the table in the documentation."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from argosy.delegation import proxies
from argosy.endpoints.door import Door
from argosy.endpoints.rest import make_app
from argosy.identity import Caller, Evidence, Role, Scope
from argosy.service.service import ExecutionService
from tests.identity.test_policy import CHAIN, KEY, REQUEST, told
from tests.service.driving import told_service

pytestmark = pytest.mark.anyio

ALICE = Caller("alice")
UNKNOWN = "0" * 32
SECRET = "the-secret-of-alice"

#: Which operations of the table a route that names something stands for (a change of state may be one of several), and
#: the body that it is sent.
ROUTES: dict[str, tuple[str, Any]] = {
    "get_credential": ("credentials", None),
    "replace_credential": ("replace_credential", {"kind": "token", "token": "another"}),
    "remove_credential": ("remove_credential", None),
    "finish_delegation": ("finish_delegation", CHAIN),
    "get_activity": ("status", None),
    "purge_activity": ("purge", None),
    "get_description": ("description", None),
    "start_activity": ("start", None),
    "terminate_activity": ("terminate", None),
    "restart_activity": ("restart", None),
    "list_transfers": ("transfers", None),
    "change_activity": ("change", {"action": "hold"}),
    "list_events": ("events", None),
    "stream_activity": ("stream", None),
    "list_files": ("list_files", None),
    "head_list_files": ("list_files", None),
    "get_file": ("open_file", None),
    "head_get_file": ("open_file", None),
    "put_file": ("put_file", "changed"),
    "delete_file": ("delete_file", None),
    "get_sweep": ("sweep", None),
    "purge_sweep": ("purge_sweep", None),
    "list_sweep_events": ("sweep_events", None),
    "stream_sweep": ("stream_sweep", None),
    "get_sweep_description": ("sweep_document", None),
    "hold_sweep": ("hold_sweep", None),
    "release_sweep": ("release_sweep", None),
    "terminate_sweep": ("terminate_sweep", None),
    "delete_subscription": ("unsubscribe", None),
    "rotate_secret": ("rotate_secret", None),
    # Vectors: the ids are in the body.
    "status_of_activities": ("status", ["ID"]),
    "restart_activities": ("restart", ["ID"]),
    "purge_activities": ("purge", ["ID"]),
    "change_activities": ("change", [{"id": "ID", "action": "hold"}]),
}
#: Routes that list what is the caller's own, and that a role may see more by.
LISTS = {
    "list_activities": "page",
    "list_credentials": "credentials",
    "list_sweeps": "sweep_page",
    "list_subscriptions": "subscriptions",
    "list_dead_letters": "dead_letters",
    "list_usage": "usage_records",
    "sum_usage": "usage",
    "count_activities": "counts",
}


class World:
    """The real REST application over a real service; who calls is said by the tests, in a header."""

    def __init__(self, service: ExecutionService) -> None:
        self.service = service
        app = make_app(service, Door(lambda headers: None, self._identify), version="0.test")
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://test")
        self.ids: dict[str, str] = {}
        self.routes: list[tuple[str, str, str]] = []

    @staticmethod
    async def _identify(evidence: Evidence) -> Caller | None:
        said = json.loads(evidence.headers["x-test-caller"])
        scopes = None if said["scopes"] is None else frozenset(Scope(one) for one in said["scopes"])
        return Caller(said["name"], roles=frozenset(Role(one) for one in said["roles"]), scopes=scopes)

    async def ask(self, caller: Caller, method: str, path: str, body: Any = None) -> httpx.Response:
        said = {
            "name": caller.name,
            "roles": sorted(caller.roles),
            "scopes": None if caller.scopes is None else sorted(caller.scopes),
        }
        headers = {"x-test-caller": json.dumps(said)}
        if isinstance(body, str):
            return await self.http.request(method, path, headers=headers, content=body.encode())
        return await self.http.request(method, path, headers=headers, json=body)

    async def lay(self) -> None:
        """What is Alice's: one of each."""
        document = (await self.http.get("/v1/openapi.json")).json()
        for path, methods in document["paths"].items():
            self.routes += [(method.upper(), path, one["operationId"]) for method, one in methods.items()]

        async def made(path: str, body: Any) -> str:
            answer = await self.ask(ALICE, "POST", path, body)
            assert answer.is_success, answer.text
            return str(answer.json()["id"])

        job = {"executable": "/bin/true", "name": SECRET, "held": True, "inputs": [{"path": "data"}]}
        self.ids["activities"] = await made("/v1/activities", job)
        put = await self.ask(ALICE, "PUT", f"/v1/activities/{self.ids['activities']}/files/data", SECRET)
        assert put.is_success, put.text
        self.ids["credentials"] = await made("/v1/credentials", {"kind": "token", "token": SECRET, "name": SECRET})
        self.ids["delegations"] = await made("/v1/delegations", {"name": SECRET})
        parameter = {"parameter": "x", "values": [1]}
        job = {"executable": "/bin/echo", "arguments": ["{{x}}"], "name": SECRET}
        self.ids["sweeps"] = await made("/v1/sweeps?held=true", {"description": job, "sweep": parameter})
        self.ids["subscriptions"] = await made("/v1/subscriptions", {"url": f"https://receiver.example.org/{SECRET}"})

    async def seen(self) -> list[Any]:
        """All that there is of what is Alice's, as she sees it."""
        here = f"/v1/activities/{self.ids['activities']}"
        looks = [here + more for more in ("", "/events", "/files", "/files/data")]
        looks += [f"/v1/sweeps/{self.ids['sweeps']}", "/v1/credentials", "/v1/subscriptions"]
        answers = [await self.ask(ALICE, "GET", path) for path in looks]
        assert all(one.is_success for one in answers)
        return [one.text for one in answers]

    def address(self, path: str, id: str | None = None) -> str:
        kind = path.split("/")[2]
        return path.replace("{id}", id or self.ids.get(kind, UNKNOWN)).replace("{path}", "data").replace("{name}", "x")


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(proxies, "request", lambda: (KEY, REQUEST))
    async with told_service(tmp_path) as (service, _):
        made = World(service)
        await made.lay()
        yield made
        await made.http.aclose()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


#: Each role as most have it, all of them together, and nobody's.
ROLES = [frozenset[Role](), *(frozenset({Role.USER, one}) for one in Role), frozenset(Role)]
SCOPES = [None, frozenset[Scope](), *(frozenset({one}) for one in Scope), frozenset(Scope)]


def far(operation: str, caller: Caller) -> str:
    """How far a caller reaches: the words of the documentation, and nothing else."""
    scope, *reaches = told()[operation]
    if caller.scopes is not None and not any(f"`{one.value}`" in scope for one in caller.scopes):
        return "no"
    words = dict(zip((Role.USER, Role.OPERATOR, Role.ADMINISTRATOR), reaches, strict=True))
    return max((words[role] for role in caller.roles), key=["no", "own", "any"].index, default="no")


async def test_no_route_is_left_out(world: World) -> None:
    naming = {id for _, path, id in world.routes if "{id}" in path}
    assert naming <= set(ROUTES)
    assert set(ROUTES) | set(LISTS) <= {id for _, _, id in world.routes}


async def test_no_route_shows_or_changes_what_its_caller_may_not(world: World) -> None:
    before = await world.seen()
    tried = 0
    for roles, scopes in itertools.product(ROLES, SCOPES):
        caller = Caller("bob", roles=roles, scopes=scopes)
        for method, path, name in world.routes:
            if name in LISTS and far(LISTS[name], caller) != "any":
                answer = await world.ask(caller, method, path)
                assert answer.is_success or answer.status_code == 403, (name, answer.text)
            elif name in ROUTES and far(ROUTES[name][0], caller) != "any":
                answer = await _foreign(world, caller, method, path, name)
            else:
                continue
            tried += 1
            assert SECRET not in answer.text, (name, caller)
            assert not any(id in answer.text for id in world.ids.values() if id not in answer.request.url.path and
                           id != UNKNOWN and name not in ROUTES), (name, caller)  # fmt: skip
        assert await world.seen() == before, caller
    assert tried > 1000


async def _foreign(world: World, caller: Caller, method: str, path: str, name: str) -> httpx.Response:
    """One call on somebody else's, which must be answered as one on what nobody has."""
    operation, body = ROUTES[name]
    theirs = world.ids.get(path.split("/")[2], UNKNOWN)
    answers = []
    for id in (theirs, UNKNOWN):
        sent = json.loads(json.dumps(body).replace('"ID"', f'"{id}"'))
        answers.append(await world.ask(caller, method, world.address(path, id), sent))
    answer, unknown = answers
    if name == "stream_activity" and far("status", caller) == "any":
        # Who may know that it is there begins a stream, in which the refusal is the only thing.
        assert answer.text.count("event: ") == 1
        assert "event: problem" in answer.text
        return answer
    assert answer.status_code == unknown.status_code, (name, answer.text, unknown.text)
    assert answer.text.replace(theirs, UNKNOWN) == unknown.text, name
    if isinstance(body, list) and answer.status_code == 200:
        (element,) = answer.json()
        assert element.get("problem", element)["status"] in (403, 404), (name, answer.text)
    else:
        wanted = 403 if far(operation, caller) == "no" else 404
        assert answer.status_code == wanted, (name, caller, answer.text)
    return answer


async def test_what_the_table_allows_is_done(world: World) -> None:
    """So that a refusal above is one of the table, and not of a request that is wrong."""
    looks = ["get_activity", "get_description", "list_events", "list_files", "get_file", "list_transfers"]
    for role in Role:
        caller = Caller("boss", roles=frozenset({Role.USER, role}))
        for method, path, name in world.routes:
            if name in looks and far(ROUTES[name][0], caller) == "any":
                answer = await world.ask(caller, method, world.address(path))
                assert answer.status_code == 200, (name, answer.text)
    for method, path, name in world.routes:
        if name in ROUTES and path.startswith(("/v1/credentials/", "/v1/delegations/")) and method != "DELETE":
            answer = await world.ask(ALICE, method, world.address(path), ROUTES[name][1])
            assert answer.is_success, (name, answer.text)
