"""What LSF is told: directives, scripts and commands."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.batch.lsf import LSF
from argosy.batch.lsf.directives import protect
from argosy.model import InvalidJobException, JobAttributes, JobSpec, ResourceSpecV1
from argosy.model.shell import quote

from .systems import group, run, telling

SYSTEM = LSF()
GIB = 1024**3


def lines(spec: JobSpec, *, rerunnable: bool = False) -> list[str]:
    return [line.removeprefix("#BSUB ") for line in SYSTEM.directives(group(spec, rerunnable=rerunnable).members[0])]


def test_attributes() -> None:
    attributes = JobAttributes(
        duration=timedelta(minutes=90, seconds=1),
        queue_name="long",
        account="proj 1",
        reservation_id="user1#0",
        custom_attributes={"lsf.G": "group", "lsf.B": True, "lsf.N": False, "slurm.qos": "x"},
    )
    assert lines(JobSpec("/bin/a", name="n", attributes=attributes), rerunnable=True) == [
        *("# name: n", "-q long", '-P "proj 1"', '-U "user1#0"', "-W 91", "-r", "-G group", "-B"),
    ]


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (ResourceSpecV1(), ["-n 1"]),
        (ResourceSpecV1(process_count=4), ["-n 4"]),
        (ResourceSpecV1(cpu_cores_per_process=4), ["-n 4", '-R "span[hosts=1]"']),
        (ResourceSpecV1(process_count=4, cpu_cores_per_process=2), ["-n 8", '-R "span[block=2]"']),
        (
            ResourceSpecV1(node_count=2, processes_per_node=3, cpu_cores_per_process=2, memory=4 * GIB),
            ["-n 12", '-R "span[ptile=6]"', '-R "rusage[mem=2048]"'],
        ),
        (
            ResourceSpecV1(node_count=1, process_count=2, gpu_cores_per_process=1, exclusive_node_use=True),
            ["-n 2", '-R "span[hosts=1]"', "-gpu num=2", "-x"],
        ),
        (ResourceSpecV1(process_count=2, gpu_cores_per_process=1), ["-n 2", "-gpu num=1/task"]),
    ],
)
def test_resources(resources: ResourceSpecV1, expected: list[str]) -> None:
    spec = JobSpec("/bin/a", resources=resources, attributes=JobAttributes(duration=None))
    assert lines(spec)[1:] == expected


@pytest.mark.parametrize("name", ["a[1-5]", "a'\"", "#a", "-a", " a", "a\\", "x" * 500])
def test_names_that_mean_something_else_are_refused(name: str) -> None:
    with pytest.raises(InvalidJobException) as caught:
        lines(JobSpec("/bin/a", name=name))
    assert caught.value.element == "name"


@pytest.mark.parametrize("option", ["J", "o", "i", "K", "I", "pack", "env"])
def test_what_the_script_needs_cannot_be_set(option: str) -> None:
    with pytest.raises(InvalidJobException) as caught:
        lines(JobSpec("/bin/a", attributes=JobAttributes(custom_attributes={f"lsf.{option}": "x"})))
    assert caught.value.element == f"attributes.custom_attributes.lsf.{option}"


def test_the_script() -> None:
    script = SYSTEM.script(group(JobSpec("/bin/a", name="a b"), 3), "/spool")
    assert '\n#BSUB -J "a b[1-3]"\n#BSUB -Jd argosy:t\n#BSUB -o /spool/out/%J_%I_.out\n' in script
    single = SYSTEM.script(group(JobSpec("/bin/a", name="a b")), "/spool")
    assert '\n#BSUB -J "a b"\n#BSUB -Jd argosy:t\n#BSUB -o /spool/out/%J.out\n' in single


def bsub_sees(script: str) -> list[str]:
    """The lines that a bsub takes for directives: at any place, with blanks before and after the ``#``."""
    return [line for line in script.split("\n") if re.match(r"\s*#\s*BSUB", line)]


@given(
    st.lists(
        st.sampled_from(["\n", "#", "BSUB", " ", "\t", "-q x", "\\", "_USER_SCRIPT_", "a", "'", '"', "\v", "\r"]),
        max_size=12,
    ).map("".join)
)
def test_no_value_is_taken_for_a_directive_and_none_is_changed(value: str) -> None:
    text = protect(f"printf %s {quote(value)}\n")
    assert bsub_sees(text) == []
    assert not any(line.startswith("_USER_") for line in text.split("\n"))
    done = subprocess.run(["/bin/bash", "-c", text], capture_output=True, check=True)
    assert done.stdout.decode() == value


@pytest.mark.parametrize(("unit", "expected"), [("", "mem=100]"), ("LSF_UNIT_FOR_LIMITS = GB\n", "mem=100MB]")])
def test_memory_has_the_unit_where_the_site_has_one_of_its_own(tmp_path: Path, unit: str, expected: str) -> None:
    place = telling(tmp_path / "bin", "bsub")
    (tmp_path / "lsf.conf").write_text(f"LSF_CONFDIR=/x\n{unit}")
    spec = JobSpec("/bin/echo", ['\n#BSUB -R "rusage[mem=7]"\n'], resources=ResourceSpecV1(memory=100 * 1024 * 1024))
    script = SYSTEM.script(group(spec), "/spool")
    done = run(SYSTEM.submit(script), place, LSF_ENVDIR=str(tmp_path), BSUB_QUIET="1")
    assert (done.returncode, done.stderr) == (0, "")
    ((arguments, given, _),) = json.loads((place / "bsub.given").read_text())
    assert arguments == []
    assert f'#BSUB -R "rusage[{expected}"' in given
    # Nothing else was changed.
    assert given.replace("mem=100MB]", "mem=100]") == script


def test_bjobs_is_asked_for_less_where_it_does_not_know_all_fields(tmp_path: Path) -> None:
    place = telling(tmp_path / "bin", "bjobs")
    command = SYSTEM.status(["7", "8[1]", "8[2]", "odd", "0"])
    done = run(command, place)
    asked = [arguments for arguments, _, _ in json.loads((place / "bjobs.given").read_text())]
    assert [one[:3] for one in asked] == [["-a", "-json", "-o"]] * 2
    assert "exit_reason" in asked[0][3]
    assert "exit_reason" not in asked[1][3]
    assert [one[4:] for one in asked] == [["7", "8"]] * 2
    assert done.stdout.strip().isdigit()
    (place / "bjobs.given").unlink()
    (place / "bjobs.says").write_text('{"COMMAND":"bjobs","JOBS":0,"RECORDS":[]}\n')
    assert '"RECORDS"' in run(command, place).stdout
    assert len(json.loads((place / "bjobs.given").read_text())) == 1
