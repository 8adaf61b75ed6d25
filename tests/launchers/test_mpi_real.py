"""A real MPI program (Open MPI) over two nodes of a real Slurm, by mpirun, by srun, and inside an allocation."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from argosy import Job, JobExecutor, JobSpec, JobState, JobStatus, ResourceSpecV1
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig
from argosy.model import JobAttributes
from tests.servers.needs import absent

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(180)]

SOURCE = Path(__file__).with_name("mpi_program.c")
LONG = timedelta(seconds=120)
# Open MPI refuses to start as root without these; the tests may be run as root.
ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_btl": "self,tcp"}
OPTIONS: dict[str, dict[str, object]] = {
    "mpirun": {"mpirun.map-by": "node", "mpirun.oversubscribe": True, "mpirun.bind-to": "none"},
    "srun": {"srun.mpi": "pmix"},
}


@pytest.fixture(scope="module")
def program(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled with what the cluster's script has installed."""
    if shutil.which("mpicc") is None or shutil.which("gcc") is None:
        message = "there is no MPI compiler: mpicc, of libopenmpi-dev, and gcc"
        absent(message)
    path = tmp_path_factory.mktemp("mpi") / "program"
    subprocess.run(["mpicc", "-Wall", "-Werror", "-o", path, SOURCE], check=True, timeout=60)
    return path


@pytest.fixture(scope="module")
def pmix(slurm: None) -> None:
    """Slurm's daemons have the PMIx library: one that was started before it was installed leaves such steps hanging."""
    daemons = [path.parent for path in Path("/proc").glob("[0-9]*/comm") if read(path) == "slurmd\n"]
    without = [path.name for path in daemons if "libpmix.so" not in read(path / "maps") and read(path / "maps")]
    if without or not daemons:
        message = f"slurmd, process {', '.join(without)}, runs without PMIx; end the cluster with slurm-down.sh first"
        absent(message)


def read(path: Path) -> str:
    """A file of a process; empty where the process has ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def run(spec: JobSpec, tmp_path: Path) -> JobStatus:
    executor = JobExecutor.get_instance(
        "slurm", config=BatchExecutorConfig(work_directory=tmp_path / "work", batch=BatchConfig(poll=1.0))
    )
    job = Job(spec)
    executor.submit(job)
    status = job.wait(LONG)
    assert status is not None, job
    return status


def check_ranks(text: str) -> None:
    """Four ranks, once each, over exactly two nodes, all with the same sum; the input reached the first alone."""
    rows = [line.split() for line in text.splitlines()]
    assert [int(row[0]) for row in rows] == [0, 1, 2, 3]
    assert {row[1] for row in rows} == {"4"}
    nodes = [row[2] for row in rows]
    assert sorted(nodes.count(node) for node in set(nodes)) == [2, 2]
    assert {row[3] for row in rows} == {"10"}
    assert [row[4] for row in rows] == ["input", "-", "-", "-"]


@pytest.mark.parametrize("launcher", ["mpirun", "srun"])
def test_four_ranks_over_two_nodes(
    request: pytest.FixtureRequest, program: Path, tmp_path: Path, launcher: str
) -> None:
    if launcher == "srun":
        request.getfixturevalue("pmix")
    (tmp_path / "in").write_text("input\n")
    (tmp_path / "nodes").write_text('cp "$PSIJ_NODEFILE" hosts\n')
    spec = JobSpec(
        str(program),
        ["3"],
        directory=tmp_path,
        environment=ENVIRONMENT,
        stdin_path="in",
        stdout_path="out",
        stderr_path="err",
        launcher=launcher,
        pre_launch=tmp_path / "nodes",
        resources=ResourceSpecV1(node_count=2, processes_per_node=2),
        attributes=JobAttributes(custom_attributes=OPTIONS[launcher]),
    )
    status = run(spec, tmp_path)
    assert (status.state, status.exit_code) == (JobState.FAILED, 3), (tmp_path / "err").read_text()
    check_ranks((tmp_path / "out").read_text())
    hosts = (tmp_path / "hosts").read_text().split()
    used = {line.split()[2] for line in (tmp_path / "out").read_text().splitlines()}
    assert set(hosts) == used


def test_four_ranks_inside_an_allocation(pmix: None, program: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("input\n")
    inside = f"""
from argosy import Job, JobExecutor, JobSpec, ResourceSpecV1
spec = JobSpec({str(program)!r}, ["3"], environment={ENVIRONMENT!r}, stdin_path="in", stdout_path="out",
               stderr_path="err", launcher="srun", resources=ResourceSpecV1(node_count=2, processes_per_node=2))
spec.attributes.set_custom_attribute("srun.mpi", "pmix")
job = Job(spec)
JobExecutor.get_instance("nested", url="slurm:").submit(job)
raise SystemExit(job.wait().exit_code + 10)
"""
    spec = JobSpec(
        sys.executable,
        ["-c", inside],
        directory=tmp_path,
        stderr_path="inside",
        resources=ResourceSpecV1(node_count=2, processes_per_node=2, memory=512 * 1024 * 1024),
    )
    assert run(spec, tmp_path).exit_code == 13, (tmp_path / "inside").read_text()
    check_ranks((tmp_path / "out").read_text())
