"""Node files: one line for each process, in a file that is really there."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argosy.batch import Group
from argosy.batch.hosts import expand_hosts
from argosy.batch.script import body
from argosy.batch.slurm.nodes import NODE_LIST
from argosy.model import JobSpec, ResourceSpecV1

from .scripts import Spool, submission

_HERE = os.uname().nodename


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def nodes(spool: Spool, processes: int, *, hosts: str = '"$HOSTNAME"', node_list: str | None = None) -> list[str]:
    """What a job finds in its node file."""
    spec = JobSpec(
        "sh",
        ["-c", 'cat "${PSIJ_NODEFILE:?}"'],
        stdout_path="printed",
        resources=ResourceSpecV1(process_count=processes),
    )
    member = submission(spec, str(spool.path))
    text = body(Group("job", (member,)), str(spool.path), "7", "0", '""', hosts=hosts, node_list=node_list)
    status, said = spool.run(text)
    assert status == 0, said
    return (spool.path / "printed").read_text().splitlines()


@pytest.mark.parametrize("processes", [1, 3])
def test_without_more_it_is_this_host(spool: Spool, processes: int) -> None:
    assert nodes(spool, processes) == [_HERE] * processes


def test_plain_hosts_are_filled_in_blocks(spool: Spool) -> None:
    spec = JobSpec("sh", ["-c", 'cat "$PSIJ_NODEFILE"'], stdout_path="printed")
    spec.resources = ResourceSpecV1(node_count=2, processes_per_node=2)
    member = submission(spec, str(spool.path))
    text = body(Group("job", (member,)), str(spool.path), "7", "0", '""', hosts='"a,b"')
    assert spool.run(text)[0] == 0
    assert (spool.path / "printed").read_text().split() == ["a", "a", "b", "b"]


def test_a_batch_system_gives_its_own(spool: Spool) -> None:
    assert nodes(spool, 2, node_list="printf '%s\\n' x y") == ["x", "y"]


def test_it_is_in_the_spool_and_where_pre_launch_sees_it(spool: Spool) -> None:
    (spool.path / "pre").write_text('cp "$PSIJ_NODEFILE" seen\n')
    spec = JobSpec("true", pre_launch="pre", arguments=["${PSIJ_NODEFILE}"])
    assert spool.run(spool.script(submission(spec, str(spool.path))))[0] == 0
    assert (spool.path / "seen").read_text() == f"{_HERE}\n"
    assert (spool.path / "out" / "7.nodes").exists()


def test_a_list_that_cannot_be_made_is_no_list(spool: Spool) -> None:
    spec = JobSpec("sh", ["-c", "echo ${PSIJ_NODEFILE-none}"], stdout_path="printed")
    member = submission(spec, str(spool.path))
    text = body(Group("job", (member,)), str(spool.path), "7", "0", '""', node_list="no-such-command")
    status, said = spool.run(text, environ={"PSIJ_NODEFILE": "of an enclosing job"})
    assert status == 0
    assert (spool.path / "printed").read_text() == "none\n"
    assert "PSIJ_NODEFILE is not set" in said
    assert "no-such-command" in said


def slurm_nodes(hosts: str, tasks: str, *, ntasks: str | None = "1", processes: int = 1) -> list[str] | None:
    environ = {"SLURM_JOB_NODELIST": hosts, "SLURM_TASKS_PER_NODE": tasks, "LC_ALL": "C"}
    if ntasks is not None:
        environ["SLURM_NTASKS"] = ntasks
    text = f"f() {{\n{NODE_LIST}\n}}\nargosy_processes={processes}\nf"
    done = subprocess.run(["/bin/bash", "-c", text], env=environ, capture_output=True, text=True, timeout=30)
    return done.stdout.splitlines() if done.returncode == 0 else None


@pytest.mark.parametrize(
    ("hosts", "tasks", "expected"),
    [
        ("n1", "3", ["n1"] * 3),
        ("n[1-2]", "2(x2)", ["n1", "n1", "n2", "n2"]),
        ("n[1-3,07],login", "2(x3),1,4", ["n1", "n1", "n2", "n2", "n3", "n3", "n07", *["login"] * 4]),
        ("r[1-2]n[08-10]", "1(x6)", ["r1n08", "r1n09", "r1n10", "r2n08", "r2n09", "r2n10"]),
        ("a-[1-2]-b", "2,1", ["a-1-b", "a-1-b", "a-2-b"]),
        ("a,b", "1(x3)", None),
        ("a]b[", "2", ["a]b["] * 2),
    ],
)
def test_slurm(hosts: str, tasks: str, expected: list[str] | None) -> None:
    assert slurm_nodes(hosts, tasks) == expected


def test_slurm_without_a_number_of_tasks() -> None:
    assert slurm_nodes("n[1-2]", "64(x2)", ntasks=None, processes=1) == ["n1"]


_PARTS = st.from_regex(r"[a-z][a-z0-9-]{0,4}(\[[0-9]{1,2}(,[0-9]{1,2})?\][a-z]{0,2}){0,2}", fullmatch=True)


@settings(max_examples=30, deadline=None)
@given(st.lists(_PARTS, min_size=1, max_size=4))
def test_hosts_are_expanded_as_they_are_elsewhere(parts: list[str]) -> None:
    text = ",".join(parts)
    hosts = expand_hosts(text)
    assert slurm_nodes(text, f"1(x{len(hosts)})") == list(hosts)


def test_local_jobs_have_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from argosy.executors.local import nodes as local

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(local, "_made", {})
    path = local.node_file(3)
    assert path is not None
    assert Path(path).read_text() == f"{socket.gethostname()}\n" * 3
    assert local.node_file(3) == path
    Path(path).unlink()
    assert local.node_file(3) == path  # made again
    assert Path(path).exists()
