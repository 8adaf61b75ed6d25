"""Launchers: their names, and the shell text they write."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from argosy.launchers import get_launcher
from argosy.model import InvalidJobException, JobSpec, ResourceSpecV1


def test_those_there_are() -> None:
    names = ("single", "multiple", "mpirun", "srun", "aprun", "jsrun")
    assert [get_launcher(name).name for name in names] == list(names)
    assert get_launcher("jrun").name == "jsrun"


def test_an_unknown_one_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidJobException, match="aprun, jrun, jsrun, mpirun, multiple, single, srun") as caught:
        get_launcher("no-such")
    assert caught.value.element == "launcher"


def render(name: str, command: str = "x 'a b'", **resources) -> str:
    spec = JobSpec("x", ["a b"], resources=ResourceSpecV1(**resources))
    return get_launcher(name).render(command, spec)


def test_mpirun() -> None:
    assert render("mpirun", node_count=2, processes_per_node=3).splitlines()[-1] == "exec mpirun -n 6 x 'a b'"


@pytest.mark.parametrize(
    ("resources", "options"),
    [
        ({}, "-n 1"),
        ({"process_count": 4}, "-n 4"),
        ({"node_count": 2, "processes_per_node": 3}, "-n 6 -N 2 --ntasks-per-node=3"),
        ({"process_count": 2, "cpu_cores_per_process": 8}, "-n 2 --cpus-per-task=8"),
    ],
)
def test_srun(resources: dict[str, int], options: str) -> None:
    text = render("srun", **resources)
    assert text.splitlines()[-1] == f"exec srun --export=ALL --input=0 {options} -- x 'a b'"


@pytest.mark.parametrize("name", ["mpirun", "srun", "aprun", "jsrun"])
def test_an_executable_like_an_option_is_refused(name: str) -> None:
    with pytest.raises(InvalidJobException) as caught:
        get_launcher(name).render("-x", JobSpec("-x"))
    assert caught.value.element == "executable"


@pytest.mark.parametrize("name", ["mpirun", "srun", "aprun", "jsrun"])
def test_a_lone_colon_does_not_separate_programs(name: str) -> None:
    text = get_launcher(name).render("x : 'a b'", JobSpec("x", [":", "a b"]))
    assert text.endswith("/bin/sh -c 'exec x : '\\''a b'\\'''")


def run(text: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)


def test_multiple(tmp_path: Path) -> None:
    command = 'sh -c \'echo "$_PSI_J_PROCESS_INDEX_ of $_PSI_J_PROCESS_COUNT"; exit "$((_PSI_J_PROCESS_INDEX_ / 2))"\''
    done = run(render("multiple", command, process_count=4), tmp_path)
    assert sorted(done.stdout.splitlines()) == ["1 of 4", "2 of 4", "3 of 4", "4 of 4"]
    assert done.returncode == 1  # that of the second copy, the first that is not 0
    assert done.stderr == ""


def test_multiple_ends_by_a_copys_signal(tmp_path: Path) -> None:
    command = "sh -c '[ $_PSI_J_PROCESS_INDEX_ != 2 ] || kill -9 $$'"
    assert run(render("multiple", command, process_count=3), tmp_path).returncode == 137


def test_single_starts_programs_only(tmp_path: Path) -> None:
    program = tmp_path / "exit"
    program.write_text("#!/bin/sh\nexit 5\n")
    program.chmod(0o755)
    text = f"PATH={tmp_path}:{os.environ['PATH']}\n" + render("single", "exit 7")
    assert run(text, tmp_path).returncode == 5


def test_multiple_copies_read_standard_input_and_can_be_interrupted(tmp_path: Path) -> None:
    command = "sh -c 'cat; trap \"exit 6\" INT; kill -INT $$; exit 7'"
    done = subprocess.run(
        ["bash", "-c", render("multiple", command, process_count=1)],
        cwd=tmp_path,
        input="data",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("data", 6)
