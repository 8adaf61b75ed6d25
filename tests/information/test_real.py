"""The information of a whole service in a process of its own, over its socket and over TCP."""

from __future__ import annotations

import platform
import time
from pathlib import Path

import pytest

from argosy.client import Client, Endpoint
from argosy.languages.native import Description
from tests.information.schemas import check_json, check_xml
from tests.service.running import RunningService

_CONFIG = """
[resources.local]
type = "local"
slots = 2

[information]
name = "Test"
contact = "mailto:help@example.org"
"""


@pytest.fixture
def service(tmp_path: Path) -> RunningService:
    running = RunningService(tmp_path / "home")
    running.directory.mkdir(mode=0o700)
    (running.directory / "argosy.toml").write_text(_CONFIG)
    running.start()
    yield running
    running.end()


def test_the_service_tells_of_this_machine(service: RunningService) -> None:
    client = service.client()
    begun = time.time()
    made = client.submit(Description(executable="sleep", arguments=["0.2"]))
    ended = client.wait(made.id, 60)
    took = time.time() - begun
    full = client.status(made.id, verbosity="full", model="bes")
    assert full.told is not None
    assert (full.told.state, full.history[-1].state) == ("Finished", "finished")
    assert full.spent is not None
    assert full.spent.ran is not None
    assert 0.1 < full.spent.ran < took
    assert full.usage == ended.usage

    document = client.information("full")
    (share,) = document["ComputingShare"]
    assert (share["Name"], share["ServingState"]) == ("local", "production")
    (nodes,) = document["ExecutionEnvironment"]
    assert (nodes["LogicalCPUs"], nodes["OSFamily"]) == (2, platform.system().lower())
    (activity,) = document["ComputingActivity"]
    assert (activity["ExitCode"], activity["State"][0]) == (0, "bes:finished")
    glue2 = client.status(made.id, model="glue2").told
    assert glue2 is not None
    assert glue2.document is not None
    assert glue2.document["ID"] == activity["ID"], "the same id wherever it is told"
    (contact,) = document["Contact"]
    assert contact["Detail"] == "mailto:help@example.org"
    check_xml("glue2.xsd", client.information_xml("full"))

    # By its socket it is told as it is reached from elsewhere.
    token = (service.directory / "token").read_text().strip()
    with Client(Endpoint("http://localhost", token, str(service.directory / "socket"))) as local:
        (endpoint,) = local.information()["ComputingEndpoint"]
    assert endpoint["URL"] == document["ComputingEndpoint"][0]["URL"] == client.endpoint.url + "/v1"
    check_json(client._http.get("/v1/service").content)


def test_what_can_be_asked_of_it(service: RunningService) -> None:
    found = service.client().capabilities()
    assert {"json", "jsdl", "script"} <= {language.name for language in found.languages}
    assert [model.name for model in found.models if model.xml] == ["bes", "glue2", "emi-es"]
    (local,) = found.resources
    assert (local.resource, local.system) == ("local", "local")
    assert {"cancel", "hold", "suspend"} <= set(local.actions)
    schemes = {scheme.scheme: scheme for scheme in found.staging.schemes}
    assert schemes["https"].fetch
    assert schemes["https"].push
    assert schemes["https"].missing is None
    assert "sha256" in found.staging.checksums
    told = service.client().information()["ComputingEndpoint"][0]["OtherInfo"]
    assert "staging-scheme=https" in told
    assert "staging=pushin" in told


@pytest.fixture
def cluster(slurm: object, tmp_path: Path) -> RunningService:
    running = RunningService(tmp_path / "cluster")
    running.directory.mkdir(mode=0o700)
    (running.directory / "argosy.toml").write_text('[resources.cluster]\ntype = "slurm"\npoll = 1\n')
    running.start()
    yield running
    running.end()


@pytest.mark.slurm
def test_a_slurm_cluster_is_told_as_it_is(cluster: RunningService) -> None:
    client = cluster.client()
    made = client.submit(Description(executable="true", share="cluster/debug"))
    client.wait(made.id, 60)
    document = check_json(client._http.get("/v1/service", params={"verbosity": "full"}).content)
    check_xml("glue2.xsd", client.information_xml("full"))
    assert document["ComputingManager"][0]["ProductName"] == "slurm"
    shares = {share["MappingQueue"]: share for share in document["ComputingShare"]}
    assert shares["debug"]["ServingState"] == "production"
    assert shares["debug"]["RunningJobs"] >= 0
    nodes = {one["ID"]: one for one in document["ExecutionEnvironment"]}
    (kind,) = [nodes[id] for id in shares["debug"]["Associations"]["ResourceID"]]
    assert (kind["OSFamily"], kind["TotalInstances"]) == ("linux", 4)
    assert kind["OSVersion"] == platform.release()
    assert kind["LogicalCPUs"] > 0
    (activity,) = document["ComputingActivity"]
    assert activity["Queue"] == "debug"
    assert activity["Associations"]["ShareID"] == shares["debug"]["ID"]
    assert activity["LocalIDFromManager"].isdigit()
    full = client.status(made.id, verbosity="full")
    assert full.spent is not None
    assert full.spent.total >= full.spent.waited
