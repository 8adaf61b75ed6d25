"""What is wrong with the job that a document became, is told at its place in the document."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from argosy.endpoints.door import Door
from argosy.endpoints.rest import bearer, make_app
from argosy.languages import registry
from argosy.languages.contract import NotValid, Place, in_its_terms
from argosy.languages.native import Description
from argosy.model import InvalidInput, Share
from argosy.service.service import ExecutionService
from argosy.service.sweeps.contract import SweepRequest
from argosy.store import SweepDocument
from tests.languages.documents import arguments, assignment, definition, exact, posix, resources, sweep, values
from tests.service.driving import ALICE, ToldDriver, told_service, until

pytestmark = pytest.mark.anyio

_STAGING = """<jsdl:DataStaging><jsdl:FileName>in/a</jsdl:FileName><jsdl:CreationFlag>overwrite</jsdl:CreationFlag>
<jsdl:Source><jsdl:URI>https://a.example.org/a</jsdl:URI></jsdl:Source></jsdl:DataStaging>
<jsdl:DataStaging><jsdl:FileName>./b</jsdl:FileName><jsdl:CreationFlag>overwrite</jsdl:CreationFlag>
<jsdl:Source><jsdl:URI>https://a.example.org/b</jsdl:URI></jsdl:Source></jsdl:DataStaging>"""
JSDL = definition(
    posix(arguments("x", "y") + '<jsdl-posix:Environment name="A">1</jsdl-posix:Environment>\n'
          '<jsdl-posix:Environment name="B">2</jsdl-posix:Environment>')
    + "\n" + resources(exact("TotalCPUCount", "4") + "\n" + exact("TotalResourceCount", "2"))
    + "\n" + _STAGING
)  # fmt: skip
SCRIPT = b"""#!/bin/sh
#SBATCH --ntasks=3
#SBATCH -p short
#SBATCH --mem=10G
#SBATCH --nodes=2 --ntasks-per-node=5
#SBATCH -t 10
true
"""


@pytest.mark.parametrize(
    ("element", "path", "line"),
    [
        ("resources.processes", "Resources/TotalCPUCount", 3),
        ("resources.nodes", "Resources/TotalResourceCount", 4),
        ("arguments[1]", "Application/POSIXApplication/Argument[2]", 1),
        ("environment.B", "Application/POSIXApplication/Environment[2]", 2),
        ("inputs[1].sources[0]", "DataStaging[2]/Source", 8),
        ("inputs[0].path", "DataStaging[1]", 5),
        ("inputs", None, None),
        ("share", None, None),
        ("inputs[9]", None, None),
    ],
)
def test_of_jsdl(element: str, path: str | None, line: int | None) -> None:
    language = registry.language("jsdl")
    found = language.place(JSDL, element, language.parse(JSDL).one())
    assert found == (None if path is None else Place(f"JobDefinition/JobDescription/{path}", line))


@pytest.mark.parametrize(
    ("element", "directive", "line"),
    [
        ("resources.processes", "#SBATCH --ntasks", 2),
        ("share", "#SBATCH -p", 3),
        ("resources.memory", "#SBATCH --mem", 4),
        ("resources.nodes", "#SBATCH --nodes", 5),
        ("resources.processes_per_node", "#SBATCH --ntasks-per-node", 5),
        ("duration", "#SBATCH -t", 6),
        ("account", None, None),
        ("executable", None, None),
    ],
)
def test_of_a_script(element: str, directive: str | None, line: int | None) -> None:
    found = registry.language("script").place(SCRIPT, element, Description(executable="x"))
    assert found == (None if directive is None else Place(directive, line))


def test_both_names_are_told_and_the_error_itself_is_left_alone() -> None:
    error = InvalidInput("too much", element="resources.memory")
    told = in_its_terms(error, registry.language("script"), SCRIPT, Description(executable="x"))
    assert (told.element, told.message) == ("#SBATCH --mem", str(told))
    assert str(told) == "too much (line 4; resources.memory of the job that it describes)"
    assert (error.element, str(error)) == ("resources.memory", "too much")
    no = InvalidInput("no", element="account")
    unknown = in_its_terms(no, registry.language("script"), SCRIPT, Description(executable="x"))
    assert (unknown.element, str(unknown)) == ("account", "no (account of the job that it describes)")


def test_what_only_the_whole_of_a_script_shows_is_told_at_its_directive() -> None:
    script = b"#!/bin/sh\n#SBATCH --ntasks=3\n#SBATCH --gpus=4\ntrue\n"
    with pytest.raises(NotValid, match="line 3") as caught:
        registry.language("script").parse(script)
    assert (caught.value.element, caught.value.line) == ("#SBATCH --gpus", 3)


async def _small(service: ExecutionService, driver: ToldDriver) -> None:
    driver.offered = [Share("batch", True, default=True, nodes=4, cores=64, cores_per_node=16, max_nodes=1)]
    await until(lambda: service._resources["told"].opened)
    await service._resources["told"].refresh()


async def test_what_the_service_finds_is_told_at_its_place(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        await _small(service, driver)
        app = make_app(service, Door(bearer("t", ALICE)), version="0")
        headers = {"Authorization": "Bearer t"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://x", headers=headers
        ) as client:
            script = await client.post("/v1/activities", content=SCRIPT, headers={"Content-Type": "text/x-shellscript"})
            jsdl = await client.post("/v1/activities", content=JSDL, headers={"Content-Type": "application/jsdl+xml"})
            each = await client.post(
                "/v1/activities/batch", content=JSDL, headers={"Content-Type": "application/jsdl+xml"}
            )
        assert script.status_code == jsdl.status_code == 422
        assert script.json()["element"] == "#SBATCH --ntasks"
        assert jsdl.json()["element"] == "JobDefinition/JobDescription/Resources/TotalResourceCount"
        assert "line 4; resources.nodes of" in jsdl.json()["detail"]
        assert each.json()[0]["problem"]["element"] == jsdl.json()["element"]


async def test_a_sweep_s_job_is_told_at_its_place(tmp_path: Path) -> None:
    job = posix(arguments("a")) + resources(exact("TotalResourceCount", "2"))
    document = definition(job, sweep(assignment("//jsdl-posix:Argument", values("x", "y"))))
    async with told_service(tmp_path) as (service, driver):
        await _small(service, driver)
        with pytest.raises(InvalidInput) as caught:
            await service.create_sweep(ALICE, SweepRequest(SweepDocument("jsdl", False, document)))
        assert "job 0 of the sweep" in str(caught.value)
        assert caught.value.element == "JobDefinition/JobDescription/Resources/TotalResourceCount"
