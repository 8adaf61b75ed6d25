"""aprun and jsrun, and extra options for any launcher."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.launchers import Style, extra_options, get_launcher
from argosy.model import InvalidJobException, JobAttributes, JobSpec, ResourceSpecV1


def line(name: str, attributes: dict[str, object] | None = None, **resources: int) -> str:
    """What the launcher is started with, without `exec NAME` and the command."""
    spec = JobSpec("x", resources=ResourceSpecV1(**resources), attributes=JobAttributes(custom_attributes=attributes))
    last = get_launcher(name).render("x", spec).splitlines()[-1]
    assert last.startswith(f"exec {name} ")
    assert last.endswith(" x")
    return last.removeprefix(f"exec {name} ").removesuffix(" x")


@pytest.mark.parametrize(
    ("resources", "options"),
    [
        ({}, "-n 1 -q"),
        ({"process_count": 4}, "-n 4 -q"),
        ({"node_count": 2, "processes_per_node": 3}, "-n 6 -N 3 -q"),
        ({"node_count": 2, "process_count": 4, "cpu_cores_per_process": 8}, "-n 4 -N 2 -d 8 -q"),
        ({"process_count": 2, "gpu_cores_per_process": 1}, "-n 2 -q"),
    ],
)
def test_aprun(resources: dict[str, int], options: str) -> None:
    assert line("aprun", **resources) == options


@pytest.mark.parametrize(
    ("resources", "options"),
    [
        ({}, "-n 1 -a 1 -c 1 -g 0"),
        ({"process_count": 4}, "-n 4 -a 1 -c 1 -g 0"),
        (
            {"node_count": 2, "processes_per_node": 3, "cpu_cores_per_process": 7, "gpu_cores_per_process": 1},
            "-n 6 -a 1 -c 7 -g 1 -r 3 -b rs",
        ),
    ],
)
def test_jsrun(resources: dict[str, int], options: str) -> None:
    assert line("jsrun", **resources) == options


def test_what_a_job_chooses_itself_is_not_set_beside_it() -> None:
    assert line("jsrun", {"jsrun.bind": "packed:4"}, cpu_cores_per_process=4) == "-n 1 -a 1 -c 4 -g 0 --bind=packed:4"
    assert line("aprun", {"aprun.D": 3}) == "-n 1 -D 3"


@pytest.mark.parametrize(
    ("name", "attributes", "options"),
    [
        ("mpirun", {"mpirun.map-by": "node", "mpirun.x": "A=b c"}, "--map-by node -x 'A=b c'"),
        ("mpirun", {"mpirun.mca": "btl self,tcp", "mpirun.oversubscribe": True}, "--mca btl self,tcp --oversubscribe"),
        ("srun", {"srun.mpi": "pmix", "srun.K": True, "srun.v": False, "srun.time": 5}, "--mpi=pmix -K --time=5"),
        ("aprun", {"aprun.cc": "depth", "aprun.j": 1, "aprun.node-list": "1-4"}, "-cc depth -j 1 --node-list=1-4"),
        ("jsrun", {"jsrun.smpiargs": "-gpu", "jsrun.l": "gpu-cpu"}, "--smpiargs=-gpu -l gpu-cpu"),
        ("srun", {"mpirun.map-by": "node", "slurm.constraint": "x"}, ""),
    ],
)
def test_extra_options(name: str, attributes: dict[str, object], options: str) -> None:
    plain, text = line(name), line(name, attributes)
    rest = " --" if name == "srun" else " -q" if name == "aprun" else ""
    assert text == " ".join(filter(None, [plain.removesuffix(rest), options])) + rest


@pytest.mark.parametrize(
    ("name", "attribute", "value"),
    [
        ("mpirun", "mpirun.np", 4),
        ("mpirun", "mpirun.mca", "btl"),
        ("mpirun", "mpirun.map-by", ""),
        ("mpirun", "mpirun.Version", True),
        ("srun", "srun.N", 2),
        ("srun", "srun.output", "x"),
        ("srun", "srun.multi", True),
        ("aprun", "aprun.d", 2),
        ("jsrun", "jsrun.nrs", 2),
        ("single", "single.x", True),
        ("multiple", "multiple.x", True),
    ],
)
def test_options_that_are_refused(name: str, attribute: str, value: object) -> None:
    with pytest.raises(InvalidJobException) as caught:
        line(name, {attribute: value})
    assert caught.value.element == f"attributes.custom_attributes.{attribute}"


@pytest.mark.parametrize("name", ["a b", "a=b", "-x", "a;b", ""])
def test_what_cannot_be_an_option(name: str) -> None:
    # Attributes are checked before, too; a launcher does not count on that.
    spec = JobSpec("x", attributes=JobAttributes(custom_attributes={f"mpirun.{name}": "v"}))
    with pytest.raises(InvalidJobException):
        extra_options("mpirun", spec, style=Style.JOINED)


@given(st.text(st.characters(exclude_characters="\0\n", exclude_categories=["Cs"]), min_size=1))
def test_a_value_is_one_word_whatever_stands_in_it(value: str) -> None:
    attributes: dict[str, object] = {"srun.comment": value, "srun.x": value}
    spec = JobSpec("x", attributes=JobAttributes(custom_attributes=attributes))
    words = shlex.split(get_launcher("srun").render("x", spec).partition("exec srun ")[2])
    assert words[4:] == [f"--comment={value}", "-x", value, "--", "x"]


@pytest.mark.parametrize("name", ["mpirun", "aprun", "jsrun", "srun"])
def test_what_the_launcher_gets(name: str, tmp_path: Path) -> None:
    """The text run by a shell, with a launcher that shows its arguments one by one."""
    program = tmp_path / name
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    program.chmod(0o755)
    attributes: dict[str, object] = {f"{name}.l": "a 'b' $HOME; `id`"}
    spec = JobSpec("x", ["y z"], attributes=JobAttributes(custom_attributes=attributes))
    text = get_launcher(name).render("x 'y z'", spec)
    environ = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=30, env=environ)
    assert done.returncode == 7
    lines = done.stdout.splitlines()
    assert lines[-2:] == ["x", "y z"]
    assert lines[lines.index("-l") + 1] == "a 'b' $HOME; `id`"
