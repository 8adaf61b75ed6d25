"""The service in GLUE 2: valid, the same in XML and JSON, and as the caller may see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from lxml import etree

from argosy.endpoints.door import Door
from argosy.endpoints.rest import bearer, make_app
from argosy.identity.policy import Role
from argosy.languages import glue2
from argosy.model import NodeKind, RuntimeEnvironment, Share, Unavailable
from argosy.service.caller import Caller
from argosy.service.information import inquiry
from argosy.service.information.about import About, Storage
from argosy.service.information.inquiry import Extent
from argosy.service.information.published import Interface, Published
from argosy.service.matching.share_config import Allow, ShareConfig, SharesConfig
from argosy.service.service import ExecutionService
from argosy.store import Activity
from tests.information.schemas import check_json, check_xml
from tests.service.driving import ALICE, BOB, ToldDriver, create, told_service

pytestmark = pytest.mark.anyio

_XML = {"Accept": "application/xml"}
_NS = f"{{{glue2.NAMESPACE}}}"

NODES = {"cores": 64, "cores_per_node": 16, "memory_per_node": 64 * 2**30, "nodes": 4}
SHARES = [
    Share("batch", True, default=True, free_cores=12, max_wall=86_400, default_wall=600, max_nodes=2, **NODES),
    Share("all", True, free_cores=12, **NODES),
    Share("gpu", False, why_not="the partition is DOWN", gpus_per_node=4, features=("a100", "ib"), cores=8),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class SharesDriver(ToldDriver):
    """Has queues."""

    name = "slurm"

    async def shares(self) -> list[Share]:
        return SHARES


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[tuple[ExecutionService, httpx.AsyncClient]]:
    async with told_service(directory) as (service, _):
        service._resources["told"].shares = SHARES
        app = make_app(service, Door(bearer("alices-token", ALICE)), version="0.test")
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://site.example.org:8080",
            headers={"Authorization": "Bearer alices-token"},
        ) as http:
            yield service, http


async def read(source: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in source])


@pytest.mark.parametrize("verbosity", ["basic", "medium", "full"])
async def test_both_renderings_are_valid_and_tell_the_same(tmp_path: Path, verbosity: str) -> None:
    async with serving(tmp_path) as (service, http):
        ids = [await create(service, name=f"job <{number}> & \x01") for number in range(3)]
        xml = await http.get("/v1/service", params={"verbosity": verbosity}, headers=_XML)
        json = await http.get("/v1/service", params={"verbosity": verbosity, "model": "glue2"})
        assert xml.headers["content-type"] == "application/xml"
        assert json.headers["content-type"] == "application/json"
        root = check_xml("glue2.xsd", xml.content)
        document = check_json(json.content)
        for kind, entities in document.items():
            elements = root.findall(_NS + kind)
            assert [one.findtext(_NS + "ID") for one in elements] == [one["ID"] for one in entities]
            for element, entity in zip(elements, entities, strict=True):
                told = {etree.QName(child).localname for child in element} - {"Associations", "Extensions"}
                assert told <= set(entity), kind
        named = document["ComputingEndpoint"][0]["Associations"].get("ActivityID", [])
        detailed = [one["ID"] for one in document.get("ComputingActivity", [])]
        expected = [f"urn:glue2:ComputingActivity:{service.about.authority}:{id}" for id in reversed(ids)]
        assert named == (expected if verbosity == "medium" else [])
        assert detailed == (expected if verbosity == "full" else [])


async def test_what_the_batch_system_publishes_is_in_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as (service, http):
        await create(service)
        document = check_json((await http.get("/v1/service")).content)
        batch, everything, gpu = document["ComputingShare"]
        assert (batch["MappingQueue"], batch["Name"]) == ("batch", "told/batch")
        assert (batch["MaxWallTime"], batch["DefaultWallTime"], batch["MaxSlotsPerJob"]) == (86_400, 600, 32)
        assert (batch["FreeSlots"], batch["UsedSlots"], batch["ServingState"]) == (12, 52, "production")
        assert (gpu["ServingState"], gpu["Description"]) == ("closed", "the partition is DOWN")
        assert gpu["Tag"] == ["a100", "ib"]
        nodes, gpu_nodes = document["ExecutionEnvironment"]
        assert nodes["Associations"]["ShareID"] == [batch["ID"], everything["ID"]], "queues of the same nodes"
        assert (nodes["LogicalCPUs"], nodes["TotalInstances"]) == (16, 4)
        assert nodes["MainMemorySize"] == 64 * 2**30 // 1_000_000
        assert gpu_nodes["Extension"] == {"GPUs": "4"}
        assert gpu_nodes["MainMemorySize"] == glue2.UNKNOWN_NUMBER
        (manager,) = document["ComputingManager"]
        assert set(manager["Associations"]["ResourceID"]) == {nodes["ID"], gpu_nodes["ID"]}
        (endpoint,) = document["ComputingEndpoint"]
        assert endpoint["URL"] == "http://site.example.org:8080/v1"
        assert (endpoint["HealthState"], endpoint["ServingState"], endpoint["Staging"]) == (
            "ok",
            "production",
            "staginginout",
        )
        assert {"ogf:jsdl", "argosy:json", "argosy:script"} <= set(endpoint["JobDescription"])
        (told,) = document["ComputingService"]
        assert told["TotalJobs"] == endpoint["TotalJobs"] == 1
        everything_named = {one["ID"] for entities in document.values() for one in entities}
        for entities in document.values():
            for entity in entities:
                for role, ids in entity["Associations"].items():
                    for id in ids if isinstance(ids, list) else [ids]:
                        assert id is None or id in everything_named, (entity["ID"], role)


async def test_what_its_owner_says_of_it(tmp_path: Path) -> None:
    about = About(
        authority="hpc.example.org",
        name="Example",
        contact="mailto:help@example.org",
        domain="urn:glue2:AdminDomain:example.org",
        place="Geneva",
        country="Switzerland",
        latitude=46.2,
        longitude=6.1,
        access=["VO:atlas"],
        storage=[Storage(service="urn:storage:1", local_path="/data", remote_path="/pool/data")],
    )
    async with told_service(tmp_path) as (service, _):
        asked = inquiry.Inquiry(service._store, service._resources, about)
        here = Published(interfaces=(Interface("org.argosy.rest", "1", "https://hpc.example.org/v1"),))
        xml = await read((await asked.document(None, Extent.BASIC, here)).xml())
        root = check_xml("glue2.xsd", xml)
        check_json(await read((await asked.document(None, Extent.BASIC, here)).json()))
        assert root.findtext(f".//{_NS}ComputingService/{_NS}Name") == "Example"
        assert root.findtext(f".//{_NS}Location/{_NS}Place") == "Geneva"
        assert root.findtext(f".//{_NS}Contact/{_NS}Detail") == "mailto:help@example.org"
        assert root.findtext(f".//{_NS}AccessPolicy/{_NS}Rule") == "VO:atlas"
        assert root.findtext(f".//{_NS}ToStorageService/{_NS}LocalPath") == "/data"
        ids = [element.text for element in root.iter(_NS + "ID")]
        assert len(ids) == len(set(ids))
        assert "urn:glue2:ComputingService:hpc.example.org" in ids


KIND = NodeKind(8, 7, 64, 256 * 10**9, 0, 2, 2, "Fast CPU", "Maker", 2400, "x86_64", "linux", "5.14", None, ("hdr",))


async def test_nodes_are_told_as_the_batch_system_knows_them(tmp_path: Path) -> None:
    async with serving(tmp_path) as (service, http):
        gpus = replace(KIND, count=2, up=2, gpus=4, architecture="aarch64")
        service._resources["told"].shares = [
            Share("all", True, kinds=(KIND, gpus)),
            Share("cpu", True, kinds=(KIND,), labels=("slingshot",)),
        ]
        document = check_json((await http.get("/v1/service")).content)
        check_xml("glue2.xsd", (await http.get("/v1/service", headers=_XML)).content)
        first, second = document["ExecutionEnvironment"]
        everything, cpu = document["ComputingShare"]
        assert everything["Associations"]["ResourceID"] == [first["ID"], second["ID"]]
        assert cpu["Associations"]["ResourceID"] == [first["ID"]]
        told = {
            "Platform": "amd64",
            "TotalInstances": 8,
            "UnavailableInstances": 1,
            "PhysicalCPUs": 2,
            "LogicalCPUs": 64,
            "CPUMultiplicity": "multicpu-multicore",
            "CPUModel": "Fast CPU",
            "CPUClockSpeed": 2400,
            "MainMemorySize": 256_000,
            "OSFamily": "linux",
            "OSVersion": "5.14",
            "NetworkInfo": ["infiniband", "slingshot"],
        }
        assert {name: first[name] for name in told} == told
        assert (second["Platform"], second["Extension"]) == ("aarch64", {"GPUs": "4"})


ENVIRONMENTS = (
    RuntimeEnvironment("python", "3.11", "CPython", modules=("python/3.11",), shares=("told/batch", "told/gpu")),
    RuntimeEnvironment("elsewhere", "1", shares=("other",)),
)


async def test_environments_are_told_where_they_are(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        service._resources["told"].shares = SHARES
        asked = inquiry.Inquiry(service._store, service._resources, service.about, ENVIRONMENTS)
        document = check_json(await read((await asked.document(None, Extent.BASIC, Published())).json()))
        check_xml("glue2.xsd", await read((await asked.document(None, Extent.BASIC, Published())).xml()))
        (python,) = document["ApplicationEnvironment"]
        assert (python["AppName"], python["AppVersion"], python["Description"]) == ("python", "3.11", "CPython")
        nodes = [one["ID"] for one in document["ExecutionEnvironment"]]
        assert python["Associations"]["ExecutionEnvironmentID"] == nodes
        handles = [(one["Type"], one["Value"]) for one in document["ApplicationHandle"]]
        assert handles == [("argosy:environment", "python-3.11"), ("module", "python/3.11")]
        assert document["ComputingManager"][0]["Associations"]["ApplicationEnvironmentID"] == [python["ID"]]


async def test_who_may_use_a_share_is_told_without_the_names_of_users(tmp_path: Path) -> None:
    async with serving(tmp_path) as (service, http):
        allow = Allow(users=("/CN=Alice",), groups=("atlas",))
        service._resources["told"].config = SharesConfig(shares={"gpu": ShareConfig(allow=allow)})
        answer = await http.get("/v1/service")
        document = check_json(answer.content)
        check_xml("glue2.xsd", (await http.get("/v1/service", headers=_XML)).content)
        (policy,) = document["MappingPolicy"]
        assert policy["Rule"] == ["group:atlas", "argosy:named-users"]
        gpu = document["ComputingShare"][2]
        assert policy["Associations"]["ShareID"] == gpu["ID"]
        assert gpu["Associations"]["MappingPolicyID"] == [policy["ID"]]
        assert "Alice" not in answer.text


async def test_a_drained_service_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path) as (service, http):
        administrator = Caller("root", roles=frozenset({Role.ADMINISTRATOR}))

        async def endpoint() -> tuple[str, str | None]:
            (found,) = check_json((await http.get("/v1/service")).content)["ComputingEndpoint"]
            return found["ServingState"], found.get("DowntimeInfo")

        await service.drain(administrator, "closed until Monday")
        state, words = await endpoint()
        assert state == "draining"
        assert words is not None
        assert "closed until Monday" in words
        check_xml("glue2.xsd", (await http.get("/v1/service", headers=_XML)).content)
        await service.admit(administrator)
        assert await endpoint() == ("production", None)


async def test_ids_are_the_same_each_time_and_after_a_restart(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        async with serving(tmp_path) as (_, http):
            seen += [(await http.get("/v1/service")).json() for _ in range(2)]
    ids = [[one["ID"] for kind in sorted(document) for one in document[kind]] for document in seen]
    assert ids[0] == ids[1] == ids[2] == ids[3]


async def test_nobody_is_told_of_activities_that_are_not_his(tmp_path: Path) -> None:
    async with serving(tmp_path) as (service, http):
        mine, other = await create(service), await create(service, BOB)
        for verbosity in ("medium", "full"):
            text = (await http.get("/v1/service", params={"verbosity": verbosity})).text
            assert mine in text
            assert other not in text


async def test_a_resource_that_cannot_be_seen_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as (service, http):

        async def away() -> list[Share]:
            raise Unavailable("slurmctld does not answer")

        resource = service._resources["told"]
        resource.driver.shares = away
        resource.shares = []
        await resource.refresh()
        document = check_json((await http.get("/v1/service")).content)
        check_xml("glue2.xsd", (await http.get("/v1/service", headers=_XML)).content)
        (endpoint,) = document["ComputingEndpoint"]
        assert endpoint["HealthState"] == "critical"
        assert "slurmctld does not answer" in endpoint["HealthStateInfo"]


async def test_other_models_and_verbosities_are_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, http):
        for parameters in ({"model": "cim"}, {"verbosity": "chatty"}):
            answer = await http.get("/v1/service", params=parameters)
            assert answer.status_code == 422, answer.text
            assert answer.json()["element"] == next(iter(parameters))
        answer = await http.get("/v1/service", headers={"Accept": "image/png"})
        assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable")


class ManyStore:
    """A store with very many activities, that counts what is read of it."""

    def __init__(self, activity: Activity, count: int) -> None:
        self._activity = activity
        self.left = count
        self.tallies = 0
        self.pages = 0

    async def tally(self) -> dict[None, dict[None, int]]:
        self.tallies += 1
        return {}

    async def page(self, query: object) -> tuple[list[Activity], str | None]:
        del query
        self.pages += 1
        size = min(self.left, inquiry.PAGE)
        self.left -= size
        return [self._activity] * size, "more" if self.left else None


async def test_a_hundred_thousand_activities_are_told_of_page_by_page(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        (activity,) = await service.status(ALICE, [await create(service)])
        assert isinstance(activity, Activity)
        store = ManyStore(activity, 100_000)
        asked = inquiry.Inquiry(store, service._resources, service.about)
        document = await asked.document("alice", Extent.MEDIUM, Published())
        most = count = 0
        async for part in document.json():
            most = max(most, len(part))
            count += part.count(b"urn:glue2:ComputingActivity:")
        assert count == 100_000
        assert store.pages == 100_000 // inquiry.PAGE
        assert most < 200 * inquiry.PAGE, "never more than a page at once"
        await asked.document("alice", Extent.BASIC, Published())
        assert store.tallies == 1, "counts are kept for a moment"
