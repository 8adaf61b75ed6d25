"""What Flux is told: options, scripts and commands."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from argosy.batch import Control
from argosy.batch.flux import Flux
from argosy.batch.flux.ids import TO_DECIMAL, number
from argosy.model import InvalidJobException, JobAttributes, JobSpec, ResourceSpecV1

from .systems import group, run, telling

SYSTEM = Flux()


def lines(spec: JobSpec) -> list[str]:
    return [line.removeprefix("#argosy-flux: ") for line in SYSTEM.directives(group(spec).members[0])]


def test_attributes() -> None:
    attributes = JobAttributes(
        duration=timedelta(minutes=1, milliseconds=1),
        queue_name="batch",
        account="123",
        custom_attributes={"flux.requires": "host:a b", "flux.flags": "debug", "flux.x": False},
    )
    with pytest.raises(InvalidJobException):
        lines(JobSpec("/bin/a", attributes=attributes))
    attributes.custom_attributes = {"flux.requires": "host:a b", "flux.flags": "debug", "flux.exclusive": True}
    assert lines(JobSpec("/bin/a", name="n", attributes=attributes)) == [
        *(
            "# name: n",
            "#argosy-flux-command: submit",
            "--queue=batch",
            '--setattr=system.bank="123"',
            "--time-limit=61s",
        ),
        *("--ntasks=1", "--cores-per-task=1", "--requires=host:a b", "--flags=debug", "--exclusive"),
    ]


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (ResourceSpecV1(process_count=4, cpu_cores_per_process=2), ["submit", "--ntasks=1", "--cores-per-task=8"]),
        (
            ResourceSpecV1(process_count=2, gpu_cores_per_process=1, exclusive_node_use=True),
            ["submit", "--nodes=1", "--ntasks=1", "--cores-per-task=2", "--gpus-per-task=2", "--exclusive"],
        ),
        (
            ResourceSpecV1(node_count=2, processes_per_node=2, gpu_cores_per_process=1),
            ["batch", "--nodes=2", "--nslots=4", "--cores-per-slot=1", "--gpus-per-slot=1"],
        ),
    ],
)
def test_resources(resources: ResourceSpecV1, expected: list[str]) -> None:
    spec = JobSpec("/bin/a", resources=resources, attributes=JobAttributes(duration=None))
    assert [line.removeprefix("#argosy-flux-command: ") for line in lines(spec)[1:]] == expected


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("written", ["\u01925TRXp5D", "f5TRXp5D", "fff", "\u0192fz1"])
def test_the_script_writes_ids_as_submission_does(written: str, locale: str) -> None:
    done = subprocess.run(
        ["/bin/bash", "-c", TO_DECIMAL + 'argosy_flux_id "$FLUX_JOB_ID"'],
        env={"PATH": os.environ["PATH"], "LC_ALL": locale, "FLUX_JOB_ID": written},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == number(written)


def test_the_command_line_is_made_of_the_scripts_lines(tmp_path: Path) -> None:
    place = telling(tmp_path / "bin", "flux")
    spec = JobSpec("/bin/echo", ["\n#argosy-flux: --queue=evil\n"], name="a 'b' \"$c\" é")
    script = SYSTEM.script(group(spec), "/sp ool")
    (place / "flux.says").write_text("f5TRXp5D\n")
    done = run(SYSTEM.submit(script), place, TMPDIR=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "f5TRXp5D\n", "")
    ((arguments, given, held),) = json.loads((place / "flux.given").read_text())
    assert arguments[0] == "submit"
    assert arguments[1:6] == [
        *("--time-limit=600s", "--ntasks=1", "--cores-per-task=1", "--job-name=a 'b' \"$c\" é@argosy:t"),
        "--output=/sp ool/out/{{id.dec}}.out",
    ]
    assert arguments[6].startswith("--add-file=script=")
    assert arguments[7:] == ["/bin/bash", "{{tmpdir}}/script"]
    assert (given, held) == ("", [script])
    assert list(tmp_path.glob("argosy.*")) == []


def test_a_job_of_several_nodes_has_an_instance_of_its_own(tmp_path: Path) -> None:
    place = telling(tmp_path / "bin", "flux")
    script = SYSTEM.script(group(JobSpec("/bin/a", resources=ResourceSpecV1(node_count=2))), "/spool")
    run(SYSTEM.submit(script), place, TMPDIR=str(tmp_path))
    ((arguments, _, held),) = json.loads((place / "flux.given").read_text())
    assert arguments[0] == "batch"
    assert held == [script]
    assert "FLUX_ENCLOSING_ID" in script


def test_an_array(tmp_path: Path) -> None:
    place = telling(tmp_path / "bin", "flux")
    (place / "flux.says").write_text("\u01922\n\u01923\n")
    script = SYSTEM.script(group(JobSpec("/bin/a"), 2), "/spool")
    done = run(SYSTEM.submit(script), place, TMPDIR=str(tmp_path))
    submitted, listed = json.loads((place / "flux.given").read_text())
    assert {"--cc=0-1", "--job-name=a@argosy:t[{cc}]"} <= set(submitted[0])
    assert listed[0] == ["jobs", "-a", "-n", "-c", "100000", "-o", "{id.dec} {name}", "\u01922", "\u01923"]
    assert done.stdout.startswith("\u01922\n\u01923\nargosy-names:\n")


def test_braces_cannot_be_in_an_array() -> None:
    spec = JobSpec("/bin/a", name="a{0}")
    assert SYSTEM.script(group(spec), "/spool")
    with pytest.raises(InvalidJobException):
        SYSTEM.script(group(spec, 2), "/spool")


def test_urgency_is_one_command_a_job_and_each_is_told(tmp_path: Path) -> None:
    place = telling(tmp_path / "bin", "flux")
    done = run(SYSTEM.control(Control.HOLD, ["7", "f5TRXp5D", "odd;"]), place)
    assert [one[0] for one in json.loads((place / "flux.given").read_text())] == [
        ["job", "urgency", "7", "hold"],
        ["job", "urgency", "169617653760", "hold"],
    ]
    assert done.stderr == "argosy-job 7\nargosy-job 169617653760\n"


def test_the_elements_of_an_array_that_was_found() -> None:
    assert [SYSTEM.element_id("7,,9", index) for index in range(4)] == ["7", "none-1", "9", "none-3"]


@pytest.mark.parametrize("option", ["cc", "dry-run", "dry", "add-fi"])
def test_options_that_are_refused_also_when_they_are_abbreviated(option: str) -> None:
    attributes = JobAttributes(custom_attributes={f"flux.{option}": "x"})
    with pytest.raises(InvalidJobException) as caught:
        lines(JobSpec("/bin/a", attributes=attributes))
    assert caught.value.element == f"attributes.custom_attributes.flux.{option}"
