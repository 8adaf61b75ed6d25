"""Slurm's case; its outputs are those of a real 22.05, in the columns that are asked for."""

from __future__ import annotations

from argosy.batch import Control
from argosy.batch.slurm import Slurm
from argosy.batch.slurm.environment import SEPARATOR
from argosy.model import Completed, Phase

from . import Answer, Case, Controlled, said

_AWAY = "Unable to contact slurm controller (connect failure)"


def _environ(native_id: str, run: int, index: int | None) -> dict[str, str]:
    base = native_id.partition("_")[0]
    # The last element of an array has the array's id as its own, the others have later ones.
    own = base if index is None else str(int(base) + (index + 1) % 3)
    variables = {"SLURM_JOB_ID": own, "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_SUBMIT_DIR": "/"}
    if index is not None:
        variables |= {"SLURM_ARRAY_JOB_ID": base, "SLURM_ARRAY_TASK_ID": str(index)}
    return variables | ({"SLURM_RESTART_COUNT": str(run)} if run else {})


def _rows(*rows: list[str], end: str = "") -> str:
    return "".join(SEPARATOR.join(row) + end + "\n" for row in rows)


def _squeue(native_id: str, state: str, status: str = "0", reason: str = "None", nodes: str = "n1") -> list[str]:
    times = ["1795255939", "1795255940", "1795255950"]
    return [native_id, state, status, "0", *times, nodes, "debug", reason, f"argosy:t{native_id}"]


def _sacct(native_id: str, state: str, code: str, reason: str = "None") -> list[str]:
    times = ["1795255939", "1795255940", "1795255950"]
    return [native_id, state, code, *times, "10", "00:01.500", "", "debug", "n1", reason]


_QUEUE = [
    _squeue("7", "RUNNING"),
    _squeue("8_0", "COMPLETED"),
    _squeue("8_1", "PENDING", reason="JobHeldUser", nodes=""),
    _squeue("9", "FAILED", "1792", "NonZeroExitCode"),
]
_PHASES = {"7": Phase.RUNNING, "8_0": Phase.ENDED, "8_1": Phase.HELD, "9": Phase.ENDED}
_IDS = (*_PHASES, "10")
_SACCT = [_sacct("7", "TIMEOUT", "0:0"), _sacct("8_0", "COMPLETED", "0:0")]
_NODES = SEPARATOR.join(("debug", "up", "4", "64", "0/256/0/256", "64000", "(null)", "test"))
_NODE = "NodeName=n1 Arch=x86_64 CPUTot=64 OS=Linux 6.1.0 #1 SMP State=IDLE Partitions=debug "
_JOBS = f"debug{SEPARATOR}PD\ndebug{SEPARATOR}R\n"
_PARTITION = (
    "PartitionName=debug Default=YES MaxTime=UNLIMITED DefaultTime=00:01:00 State=UP TotalNodes=4 TotalCPUs=256"
)


def _answer(rows: list[list[str]], phases: dict[str, Phase], end: str) -> Answer:
    odd = said(_rows(*rows, ["11", "RUNNING"], end=end))
    return Answer(said(_rows(*rows, end=end)), _IDS, phases, odd, "11")


def _find(argv: str, row: list[str], end: str = "") -> Completed:
    return said(_rows(row, ["5", "RUNNING", "n1", "of somebody else's"], end=end), argv=(argv,))


CASE = Case(
    system=Slurm(),
    environ=_environ,
    accepted=(said("7\n"), "7"),
    other_id="9",
    accepted_array=(said("8;cluster\n"), ("8_0", "8_1", "8_2")),
    refused=(
        said(
            "",
            "sbatch: error: invalid partition specified: nosuch\nsbatch: error: Batch job submission failed: "
            "Invalid partition name specified\n",
            1,
        ),
    ),
    refused_for_now=(
        said("", f"sbatch: error: Batch job submission failed: {_AWAY}\n", 1),
        said("", "sbatch: error: Batch job submission failed: Resource temporarily unavailable\n", 1),
    ),
    submit_unanswered=(
        said("", "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n", 1),
        said("", "sbatch: error: Batch job submission failed: Unable to contact slurm controller\n", 1),
        said("strange\n"),
    ),
    status=(_answer(_QUEUE, _PHASES, SEPARATOR), Answer(said(""), ("7", "8"), {})),
    status_unanswered=(said("", f"slurm_load_jobs error: {_AWAY}\n", 1),),
    accounting=(_answer(_SACCT, {"7": Phase.ENDED, "8_0": Phase.ENDED}, ""),),
    accounting_unanswered=(said("", "sacct: error: Problem talking to the database: Connection refused\n", 1),),
    find=(
        (
            _find("squeue", ["12", "PENDING", "", "argosy:one"], SEPARATOR),
            _find("sacct", ["13", "COMPLETED", "n1", "argosy:two"]),
        ),
        {"one": "12", "two": "13"},
    ),
    find_unanswered=(said("", f"slurm_load_jobs error: {_AWAY}\n", 1, argv=("squeue",)),),
    listed=(said(_rows(["7"], ["8_1"], end=SEPARATOR)), ("7", "8_1")),
    list_unanswered=(said("", f"slurm_load_jobs error: {_AWAY}\n", 1),),
    controlled=(
        Controlled(Control.CANCEL, said(""), ("7", "8_1")),
        Controlled(
            Control.CANCEL,
            said("", "scancel: error: Kill job error on job id 7: Access/permission denied\n", 210),
            ("7", "8_1"),
            frozenset({"7"}),
        ),
        Controlled(Control.HOLD, said("", "8_0-2: Job has already finished\n", 1), ("8_1", "9"), frozenset({"8_1"})),
    ),
    control_unanswered=(
        (Control.CANCEL, said("", f"scancel: error: Kill job error on job id 7: {_AWAY}\n", 8)),
        (Control.HOLD, said("", f"{_AWAY} for job 7\nslurm_suspend error: {_AWAY}\n", 1)),
    ),
    shares=((said(_NODES + "\n"), said(_PARTITION + "\n"), said(_NODE + "\n"), said(_JOBS)), ("debug",)),
    shares_unanswered=(
        (said("", f"slurm_load_partitions: {_AWAY}\n", 1), said(_PARTITION + "\n"), said(""), said("")),
    ),
    directive_prefix="#SBATCH",
    locale=frozenset({"LC_ALL", "TZ", "SLURM_TIME_FORMAT", "SQUEUE_FORMAT"}),
)
