"""What PBS and Torque are asked for: directives and commands."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from argosy.batch import Control, Group, Submission
from argosy.batch.pbs import PBS
from argosy.batch.pbs.ids import Asked, names, ranges
from argosy.batch.pbs.nodes import HOSTS, NODE_LIST
from argosy.batch.pbs.values import clock, duration, hosts, size, time
from argosy.batch.torque import Torque
from argosy.model import InvalidInput, InvalidJobException, JobAttributes, JobSpec, ResourceSpecV1

SYSTEM = PBS()


def submission(tag: str = "t", rerunnable: bool = False, **more: object) -> Submission:
    return Submission(tag, JobSpec("/bin/true", **more), "exec -- /bin/true", "/", rerunnable)


def asked(system: PBS | Torque, **resources: object) -> list[str]:
    lines = system.directives(submission(resources=ResourceSpecV1(**resources)))
    return [line.removeprefix("#PBS -l ") for line in lines if line.startswith("#PBS -l ") and "walltime" not in line]


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, ["select=1:ncpus=1:mpiprocs=1:ompthreads=1"]),
        (
            {"node_count": 2, "processes_per_node": 2, "cpu_cores_per_process": 3},
            ["select=2:ncpus=6:mpiprocs=2:ompthreads=3", "place=scatter"],
        ),
        (
            {"process_count": 5, "processes_per_node": 2},
            ["select=2:ncpus=2:mpiprocs=2:ompthreads=1+1:ncpus=1:mpiprocs=1:ompthreads=1", "place=scatter"],
        ),
        ({"process_count": 3}, ["select=3:ncpus=1:mpiprocs=1:ompthreads=1", "place=free"]),
        (
            {"node_count": 2, "gpu_cores_per_process": 4, "memory": 2_000_001 * 1024, "exclusive_node_use": True},
            ["select=2:ncpus=1:mpiprocs=1:ompthreads=1:ngpus=4:mem=1000001kb", "place=scatter:exclhost"],
        ),
        (
            {"node_count": 1, "exclusive_node_use": True},
            ["select=1:ncpus=1:mpiprocs=1:ompthreads=1", "place=pack:exclhost"],
        ),
    ],
)
def test_resources_of_pbs(resources: dict[str, object], expected: list[str]) -> None:
    assert asked(SYSTEM, **resources) == expected


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"node_count": 2, "processes_per_node": 2, "cpu_cores_per_process": 3}, ["nodes=2:ppn=6"]),
        ({"process_count": 5, "processes_per_node": 2}, ["nodes=2:ppn=2+1:ppn=1"]),
        ({"process_count": 3, "memory": 1025}, ["nodes=1:ppn=3", "mem=2kb"]),
        ({"node_count": 2, "gpu_cores_per_process": 1}, ["nodes=2:ppn=1:gpus=1"]),
    ],
)
def test_resources_of_torque(resources: dict[str, object], expected: list[str]) -> None:
    assert asked(Torque(), **resources) == expected


def test_attributes() -> None:
    attributes = JobAttributes(
        duration=timedelta(hours=30, seconds=0.5),
        queue_name="workq",
        account="my project",
        custom_attributes={"pbs.l": "filesystems=home:eagle", "pbspro.P": "p", "pbs.h": True, "slurm.x": 1},
    )
    assert SYSTEM.directives(submission(name="a 'b' é", attributes=attributes)) == (
        "#PBS -N a__b___",
        "#PBS -q workq",
        '#PBS -A "my project"',
        "#PBS -l walltime=30:00:01",
        "#PBS -l filesystems=home:eagle",
        "#PBS -h",
        "#PBS -P p",
        "#PBS -m n",
    )


def test_a_reservation_is_a_queue() -> None:
    lines = SYSTEM.directives(submission(attributes=JobAttributes(queue_name="workq", reservation_id="R12.vm")))
    assert "#PBS -q R12" in lines
    assert "#PBS -q workq" not in lines
    with pytest.raises(InvalidJobException, match="ADVRES"):
        Torque().directives(submission(attributes=JobAttributes(reservation_id="R12")))


@pytest.mark.parametrize("option", ["V", "v", "o", "j", "N", "J", "I", "C", "r", "select"])
def test_what_the_script_needs_cannot_be_changed(option: str) -> None:
    for prefix, system in (("pbs", SYSTEM), ("torque", Torque()), ("pbs_classic", Torque())):
        attributes = JobAttributes(custom_attributes={f"{prefix}.{option}": "x"})
        with pytest.raises(InvalidJobException) as caught:
            system.directives(submission(attributes=attributes))
        assert caught.value.element == f"attributes.custom_attributes.{prefix}.{option}"


def test_resources_are_said_once() -> None:
    attributes = JobAttributes(custom_attributes={"pbs.l": "select=2:ncpus=1"})
    assert "#PBS -l select=2:ncpus=1" in SYSTEM.directives(submission(attributes=attributes))
    with pytest.raises(InvalidJobException):
        SYSTEM.directives(submission(attributes=attributes, resources=ResourceSpecV1(node_count=1)))
    with pytest.raises(InvalidJobException, match="wait"):
        SYSTEM.directives(submission(attributes=JobAttributes(custom_attributes={"pbs.W": "umask=22,block=true"})))


@pytest.mark.parametrize(
    ("name", "pbs", "torque"),
    [
        ("12345", "j12345", "j12345"),
        ("x" * 300, "x" * 230, "x" * 15),
        ("a\tb", "a_b", "a_b"),
        ("_x", "j_x", "j_x"),
    ],
)
def test_names(name: str, pbs: str, torque: str) -> None:
    assert SYSTEM.directives(submission(name=name))[0] == f"#PBS -N {pbs}"
    assert Torque().directives(submission(name=name))[0] == f"#PBS -N {torque}"


def script_lines(system: PBS | Torque, *members: Submission) -> list[str]:
    script = system.script(Group("tag", members), "/spool")
    return [line for line in script.split("\n") if line.startswith("#PBS")]


def test_reruns() -> None:
    assert "#PBS -r n" in script_lines(SYSTEM, submission())
    assert "#PBS -r y" in script_lines(SYSTEM, submission(rerunnable=True))
    # PBS takes no array that may not be run again.
    lines = script_lines(SYSTEM, submission("a"), submission("b"))
    assert ("#PBS -r y" in lines, "#PBS -r n" in lines, "#PBS -J 0-1" in lines) == (True, False, True)
    assert "#PBS -t 0-1" in script_lines(Torque(), submission("a"), submission("b"))


def test_the_environment_goes_along_only_where_it_is_to_be_inherited() -> None:
    assert "#PBS -V" in script_lines(SYSTEM, submission())
    assert "#PBS -V" not in script_lines(SYSTEM, submission(inherit_environment=False))
    assert "#PBS -v ARGOSY_TAG=tag" in script_lines(SYSTEM, submission())
    assert SYSTEM.submit("x").environment["ARGOSY_TAG"] is None


# -- ids --------------------------------------------------------------------------------------------------------------


def test_names_of_many_elements_are_their_array() -> None:
    many = [f"7[{number}].vm" for number in range(100)]
    assert names([*many, "8.vm", "9[1].vm", "nonsense"]) == ["8.vm", "7[].vm", "9[1].vm"]


def test_ranges() -> None:
    assert ranges(["7[2].vm", "7[0].vm", "7[1].vm", "7[5].vm", "8.vm"]) == (["8.vm"], ["7[0-2].vm", "7[5].vm"])


def test_elements_are_deleted_range_by_range() -> None:
    assert SYSTEM.control(Control.CANCEL, ["7.vm", "8.vm"]).argv == ("qdel", "7.vm", "8.vm")
    assert SYSTEM.control(Control.CANCEL, ["7[1].vm", "7[2].vm"]).argv == ("qdel", "7[1-2].vm")
    mixed = SYSTEM.control(Control.CANCEL, ["7.vm", "8.vm", "9[1].vm", "9[3].vm", "10[].vm"])
    assert mixed.argv == ("xargs", "-L", "1", "qdel")
    assert mixed.stdin == "7.vm 8.vm\n10[].vm\n9[1].vm\n9[3].vm\n"
    assert Torque().control(Control.CANCEL, ["7[1].vm", "7[2].vm"]).argv == ("qdel", "7[1].vm", "7[2].vm")
    with pytest.raises(InvalidInput):
        SYSTEM.control(Control.CANCEL, ["$(id)"])


def test_nobody_elses_jobs_are_asked_for() -> None:
    assert SYSTEM.status(["nonsense"]).argv[-1] == "0"
    many = SYSTEM.status([f"{number}.vm" for number in range(3000)])
    assert many.argv[:3] == ("xargs", "-n", "1000")
    assert len(many.stdin.split()) == 3000


def test_words_of_messages() -> None:
    asked_for = Asked(["7[1].vm", "7[2].vm", "8.vm"])
    assert asked_for.find_named("7[2-3].vm") == ["7[2].vm"]
    assert asked_for.find_named("7[].vm.example.org") == ["7[1].vm", "7[2].vm"]
    assert asked_for.find_named("8") == ["8.vm"]
    assert asked_for.find_named("8.other") == []


# -- values -----------------------------------------------------------------------------------------------------------


def test_values() -> None:
    assert time("Sat Nov 21 10:21:30 2026") == 1795256490.0
    assert time("Sat Nov  7 00:00:00 2026") == 1794009600.0
    assert time("1795256490") == 1795256490.0
    assert time(None) is None
    assert (duration("30:00:01"), duration("90"), duration(None)) == (108001, 90, None)
    assert (size("4488kb"), size("64gb"), size("5"), size("2kw")) == (4488 << 10, 64 << 30, 5, 16384)
    assert hosts("n1/0*2+n2/0+n1/3") == ("n1", "n2")
    assert clock(100 * 3600) == "100:00:00"
    for parse, odd in ((time, "Sat Foo 21 10:21:30 2026"), (time, "yesterday"), (duration, "abc"), (size, "x")):
        with pytest.raises(ValueError, match=odd):
            parse(odd)


@pytest.mark.parametrize(
    ("nodefile", "processes", "expected"),
    [
        ("n1\nn1\nn2\nn2\n", 4, "n1\nn1\nn2\nn2\n"),
        ("n1\nn2\nn1\nn2\n", 4, "n1\nn1\nn2\nn2\n"),
        ("n1\nn2\n", 4, "plain\n"),
        (None, 1, "plain\n"),
    ],
)
def test_the_hosts_of_processes(tmp_path: Path, nodefile: str | None, processes: int, expected: str) -> None:
    if nodefile is not None:
        (tmp_path / "nodes").write_text(nodefile)
    text = f"{HOSTS}\nargosy_hosts=$(argosy_pbs_hosts)\nargosy_processes={processes}\n"
    text += "argosy_plain_nodes() { echo plain; }\nargosy_node_list() {" + NODE_LIST + "\n}\nargosy_node_list\n"
    done = subprocess.run(
        ["/bin/bash", "-c", text], env={"PBS_NODEFILE": str(tmp_path / "nodes")}, capture_output=True, check=False
    )
    assert done.stdout.decode() == expected
