"""Status in three verbosities and seven information models, as REST clients see it (GES 3.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from argosy.endpoints.door import Door
from argosy.endpoints.rest import bearer, make_app
from argosy.executors.contract import Report
from argosy.languages import glue2
from argosy.model import ActivityState, Outcome, Phase, Usage
from argosy.model.projections import MODELS
from argosy.service.information.monitoring import PHASES, spent
from argosy.service.service import ExecutionService
from argosy.store import Event
from tests.information.schemas import check_json, check_xml
from tests.service.driving import ALICE, BOB, ToldDriver, create, record, told_service, until

pytestmark = pytest.mark.anyio

_XML = {"Accept": "text/xml, application/json;q=0.5"}
_BES = "{http://schemas.ggf.org/bes/2006/08/bes-factory}"
_FS = "{http://schemas.ogf.org/hpcp/2007/01/fs}"
_EMI = "{http://www.eu-emi.eu/es/2010/12/types}"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[tuple[ExecutionService, ToldDriver, httpx.AsyncClient]]:
    async with told_service(directory) as (service, driver):
        app = make_app(service, Door(bearer("alices-token", ALICE)), version="0.test")
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://test",
            headers={"Authorization": "Bearer alices-token"},
        ) as http:
            yield service, driver, http


async def ended(service: ExecutionService, driver: ToldDriver, exit_code: int = 3) -> str:
    """An activity that ran from 100 seconds after its creation on, for 50, and ended with this exit code."""
    id = await create(service, name="model run", arguments=["-x"])
    await until(lambda: driver.submitted)
    submitted = (await record(service, id)).created
    await until(lambda: _is(service, id, "running:lrms"))
    await driver.on_reports([Report(id, id, Phase.QUEUED, submitted + 1, message="Priority")])
    await driver.on_reports([Report(id, id, Phase.RUNNING, submitted + 100, hosts=("n1", "n2"))])
    usage = Usage(cpu_seconds=90.5, wall_seconds=50.0, max_rss=2_000_000)
    end = Report(
        id,
        id,
        Phase.ENDED,
        submitted + 150,
        outcome=Outcome.EXITED,
        exit_code=exit_code,
        hosts=("n1", "n2"),
        usage=usage,
    )
    await driver.on_reports([end])
    await until(lambda: _is(service, id, "finished"))
    return id


async def _is(service: ExecutionService, id: str, state: str) -> bool:
    return (await record(service, id)).state.within(state)


async def get(http: httpx.AsyncClient, id: str, **parameters: str) -> dict[str, Any]:
    answer = await http.get(f"/v1/activities/{id}", params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_three_verbosities(tmp_path: Path) -> None:
    async with serving(tmp_path) as (service, driver, http):
        id = await ended(service, driver)
        basic = await get(http, id, verbosity="basic")
        assert set(basic) == {"id", "state", "psij_state", "final", "owner", "created", "changed", "version"}
        detailed = await get(http, id, verbosity="detailed")
        assert detailed == await get(http, id)
        assert (detailed["exit_code"], detailed["hosts"]) == (3, ["n1", "n2"])
        assert detailed["usage"] == {"cpu_seconds": 90.5, "wall_seconds": 50.0, "max_rss": 2_000_000}
        full = await get(http, id, verbosity="full")
        assert full["description"]["arguments"] == ["-x"]
        assert (full["history"][0]["kind"], full["history"][0]["by"]) == ("created", "alice")
        assert "Priority" in [event.get("message") for event in full["history"]]
        assert full["history"][-1]["state"] == "finished"
        assert full["spent"]["ran"] == pytest.approx(50, abs=1)
        submitted = next(event for event in full["history"] if event["state"].startswith("running:lrms"))
        after = datetime.fromisoformat(submitted["time"]) - datetime.fromisoformat(full["created"])
        assert full["spent"]["waited"] == pytest.approx(100 - after.total_seconds(), abs=0.1)
        assert {name: full[name] for name in detailed} == detailed


@pytest.mark.parametrize("model", list(MODELS))
async def test_every_model_has_the_state_and_a_history(tmp_path: Path, model: str) -> None:
    async with serving(tmp_path) as (service, driver, http):
        id = await ended(service, driver)
        found = await get(http, id, verbosity="full", model=model)
        assert found["state"] == "finished"
        if model == "ges":
            assert "told" not in found
            return
        told = found["told"]
        assert told["model"] == model
        assert told["history"][-1]["state"] == told["state"]
        assert told["history"][0]["time"] == found["created"]
        assert (await get(http, id, verbosity="basic", model=model))["told"]["state"] == told["state"]


async def test_the_models_own_documents(tmp_path: Path) -> None:
    async with serving(tmp_path) as (service, driver, http):
        id = await ended(service, driver)

        async def document(model: str, verbosity: str = "detailed") -> dict[str, Any]:
            found: dict[str, Any] = (await get(http, id, model=model, verbosity=verbosity))["told"]["document"]
            return found

        assert await document("bes") == {"ActivityStatus": {"state": "Finished", "SubState": []}}
        emi = (await document("emi-es"))["ActivityStatus"]
        assert (emi["Status"], emi["Attribute"]) == ("terminal", ["client-stageout-possible", "app-failure"])
        drmaa2 = (await document("drmaa2"))["JobInfo"]
        assert (drmaa2["exitStatus"], drmaa2["jobState"], drmaa2["allocatedMachines"]) == (3, "FAILED", ["n1", "n2"])
        assert (await document("psij"))["exit_code"] == 3
        activity = await document("glue2", "full")
        assert activity["State"][:2] == ["bes:finished", "nordugrid:failed"]
        assert {"arcrest:FAILED", "emies:terminal", "ges:finished"} <= set(activity["State"])
        assert (activity["ExitCode"], activity["UsedTotalWallTime"], activity["UsedMainMemory"]) == (3, 50, 2)
        assert (activity["StdOut"], activity["RequestedSlots"], activity["Owner"]) == ("stdout", 1, "alice")


async def test_xml_of_the_models_that_have_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as (service, driver, http):
        id = await create(service)
        await until(lambda: _is(service, id, "running:lrms"))
        await driver.on_reports([Report(id, id, Phase.RUNNING, (await record(service, id)).created)])
        await until(lambda: _is(service, id, "running:lrms:running"))

        async def xml(model: str) -> bytes:
            answer = await http.get(f"/v1/activities/{id}", params={"model": model}, headers=_XML)
            assert answer.headers["content-type"] == "application/xml", answer.text
            return answer.content

        status = check_xml("bes-factory-messages.xsd", await xml("bes"))
        assert (status.tag, status.get("state")) == (_BES + "ActivityStatus", "Running")
        assert [child.tag for child in status] == [_FS + "Executing"]
        emi = etree.fromstring(await xml("emi-es"))
        assert [emi.findtext(_EMI + name) for name in ("Status", "Attribute")] == ["processing-running", "app-running"]
        wrapped = b'<GLUE2 xmlns="%s">%s</GLUE2>' % (
            glue2.NAMESPACE.encode(),
            (await xml("glue2")).partition(b"?>")[2],
        )
        check_xml("glue2.xsd", wrapped)
        for model in ("ges", "drmaa2"):
            answer = await http.get(f"/v1/activities/{id}", params={"model": model}, headers={"Accept": "text/xml"})
            assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable")


async def test_many_at_once_each_in_its_place(tmp_path: Path) -> None:
    async with serving(tmp_path) as (service, _, http):
        mine, other = await create(service), await create(service, BOB)
        ids = [mine, other, "nobody", mine]
        for verbosity in ("basic", "detailed", "full"):
            for model in MODELS:
                answer = await http.post(
                    "/v1/activities/status", json=ids, params={"verbosity": verbosity, "model": model}
                )
                assert answer.status_code == 200, answer.text
                results = answer.json()
                assert [found.get("activity", {}).get("id") for found in results] == [mine, None, None, mine]
                assert [found.get("problem", {}).get("status") for found in results] == [None, 404, 404, None]
                assert (results[0]["activity"].get("told") is None) == (model == "ges")
        messages = {
            model: (await http.post("/v1/activities/status", json=ids, params={"model": model}, headers=_XML)).content
            for model in ("bes", "glue2", "emi-es")
        }
        bes = check_xml("bes-factory-messages.xsd", messages["bes"])
        statuses = [response.find(_BES + "ActivityStatus") for response in bes]
        assert [status is None for status in statuses] == [False, True, True, False]
        assert len(list(bes.iter(_BES + "UnknownActivityIdentifierFault"))) == 2
        document = check_xml("glue2.xsd", messages["glue2"])
        assert len(document) == 4
        emi = etree.fromstring(messages["emi-es"])
        assert [item[0].text for item in emi] == ids
        assert [item[1].tag.partition("}")[2] for item in emi] == [
            "ActivityStatus",
            "ActivityNotFoundFault",
            "ActivityNotFoundFault",
            "ActivityStatus",
        ]


async def test_what_is_not_known_is_refused_by_name(tmp_path: Path) -> None:
    async with serving(tmp_path) as (service, _, http):
        id = await create(service)
        for parameters in ({"model": "cim"}, {"verbosity": "chatty"}):
            for answer in (
                await http.get(f"/v1/activities/{id}", params=parameters),
                await http.post("/v1/activities/status", json=[id], params=parameters),
            ):
                assert answer.status_code == 422, answer.text
                assert answer.json()["element"] == next(iter(parameters))
        answer = await http.post("/v1/activities/status", json=[id] * 1001, params={"verbosity": "full"})
        assert answer.status_code == 413


def test_every_state_is_of_a_phase_or_final() -> None:
    assert set(PHASES) == set(ActivityState)
    assert {state for state, phase in PHASES.items() if phase is None} == {s for s in ActivityState if s.final}


def test_time_is_counted_by_phase_and_goes_on_until_now() -> None:
    def event(time: float, state: ActivityState) -> Event:
        return Event("a", time, "state", state)

    history = [
        event(0, ActivityState.HELD),
        event(10, ActivityState.STAGED_IN),
        event(11, ActivityState.QUEUED),
        event(20, ActivityState.LRMS_RUNNING),
        event(50, ActivityState.QUEUED),
        event(70, ActivityState.LRMS_RUNNING),
    ]
    assert spent(history, 100.0) == {"held": 10, "staged_in": 1, "waited": 29, "ran": 60}
    assert spent(history, 60.0)["ran"] == 30, "a clock that goes back takes no time away"
    assert spent([], 1.0) == {}


def test_a_single_document_is_valid_json_of_glue2() -> None:
    check_json(b"{}")
