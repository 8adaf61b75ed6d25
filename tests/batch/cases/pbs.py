"""PBS's case; its outputs are those of a real OpenPBS 23.06, shortened."""

from __future__ import annotations

from argosy.batch import Control
from argosy.batch.pbs import PBS
from argosy.model import Completed, Phase

from . import Answer, Case, Controlled, said

_AWAY = "Connection refused\nqstat: cannot connect to server vm (errno=15010)\n"
_UNKNOWN = "qstat: Unknown Job Id 10.vm\n"


def environ(native_id: str, run: int, index: int | None) -> dict[str, str]:
    del run  # PBS does not tell its jobs
    variables = {
        "PBS_ENVIRONMENT": "PBS_BATCH",
        "PBS_JOBID": native_id,
        "PBS_JOBNAME": "job",
        "PBS_NODEFILE": "${SPOOL}/nodes",
        "PBS_O_WORKDIR": "/",
        "PBS_QUEUE": "workq",
        "TMPDIR": "/tmp",
    }
    if index is not None:
        variables |= {"PBS_ARRAY_ID": native_id.replace(f"[{index}]", "[]"), "PBS_ARRAY_INDEX": str(index)}
    return variables


def described(native_id: str, state: str, *more: str, tag: str | None = None) -> str:
    variables = "PBS_O_HOME=/home/u,PBS_O_WORKDIR=/home/u" + (f",ARGOSY_TAG={tag}" if tag else "")
    lines = [
        "Job_Name = job",
        "Job_Owner = u@vm",
        f"job_state = {state}",
        "queue = workq",
        "ctime = Sat Nov 21 10:17:48 2026",
        "mtime = Sat Nov 21 10:17:51 2026",
        *more,
        f"Variable_List = {variables},PBS_O_QUEUE=workq",
        "project = _pbs_project_default",
    ]
    return f"Job Id: {native_id}\n" + "".join(f"    {line}\n" for line in lines) + "\n"


_LIVE = (
    described("7.vm", "R", "exec_host = vm/0*2", "stime = Sat Nov 21 10:17:48 2026", "substate = 42")
    + described("8[0].vm", "X", "substate = 92", "Exit_status = 0")
    + described("8[1].vm", "Q", "substate = 10", "comment = Not Running: Queue not started.")
    + described("9.vm", "H", "Hold_Types = u", "substate = 20")
)
_PHASES = {"7.vm": Phase.RUNNING, "8[0].vm": Phase.ENDED, "8[1].vm": Phase.QUEUED, "9.vm": Phase.HELD}
_IDS = (*_PHASES, "10.vm")
_ODD = "Job Id: 11.vm\n    Job_Name = job\n\n"
_ENDED = described("7.vm", "F", "substate = 93", "Exit_status = 7") + described("8[1].vm", "F", "substate = 91")
_QUEUES = """\
Queue: workq
    queue_type = Execution
    state_count = Transit:0 Queued:2 Held:7 Waiting:1 Running:8 Exiting:0 Begun
\t:1
    enabled = True
    started = True

Queue: recdis
    queue_type = Execution
    resources_max.walltime = 00:10:00
    enabled = False
    started = True

"""
_SERVER = "Server: vm\n    server_state = Active\n    default_queue = workq\n\n"
_NODES = """\
vm
     Mom = vm
     state = free
     resources_available.mem = 64gb
     resources_available.ncpus = 128
     resources_assigned.ncpus = 9

"""


def refused(words: str, code: int, program: str = "qsub") -> Completed:
    return said("", f"{program}: {words}\n", code)


CASE = Case(
    system=PBS(),
    environ=environ,
    files={"nodes": "n1\nn1\nn2\n"},
    accepted=(said("7.vm\n"), "7.vm"),
    other_id="9.vm",
    accepted_array=(said("8[].vm\n"), ("8[0].vm", "8[1].vm", "8[2].vm")),
    refused=(
        refused("Unknown queue", 170),
        refused("Job violates queue and/or server resource limits", 188),
        refused("Unauthorized Request ", 159),
        refused("cannot send environment with the job", 1),
    ),
    refused_for_now=(
        refused("cannot connect to server vm (errno=15010)", 162),
        refused("Queue is not enabled", 173),
    ),
    submit_unanswered=(refused("End of File", 15031 % 256), said("strange\n"), said("", "", 1)),
    status=(
        Answer(said(_LIVE, _UNKNOWN, 153), _IDS, _PHASES, said(_LIVE + _ODD, _UNKNOWN, 153), "11.vm"),
        Answer(said(_LIVE), ("7", "12"), {"7": Phase.RUNNING}),
        Answer(said("", _UNKNOWN, 153), ("10.vm",), {}),
    ),
    status_unanswered=(said("", _AWAY, 255), said("", "", 1)),
    accounting=(
        Answer(
            said(_ENDED, _UNKNOWN, 153),
            ("7.vm", "8[1].vm", "10.vm"),
            {"7.vm": Phase.ENDED, "8[1].vm": Phase.ENDED},
            said(_ENDED + _ODD),
            "11.vm",
        ),
    ),
    accounting_unanswered=(said("", _AWAY, 255), said("", "qstat: job_history_enable is set to false 7.vm\n", 1)),
    find=(
        (
            said(described("12.vm", "R", tag="one") + described("5.vm", "Q"), argv=("sh",)),
            said(described("13[].vm", "F", tag="two"), _UNKNOWN, 123, argv=("sh",)),
        ),
        {"one": "12.vm", "two": "13[].vm"},
    ),
    find_unanswered=(said("", _AWAY, 99),),
    listed=(said(_LIVE + described("14[].vm", "B"), _UNKNOWN, 123), ("7.vm", "8[1].vm", "9.vm")),
    list_unanswered=(said("", _AWAY, 99),),
    controlled=(
        Controlled(Control.CANCEL, said(""), ("7.vm", "8[1].vm")),
        Controlled(
            Control.CANCEL,
            said(
                "",
                "qdel: Job has finished 7.vm\nqdel: Unknown Job Id 9.vm\nqdel: Unauthorized Request  8[0-1].vm\n",
                35,
            ),
            ("7.vm", "8[0].vm", "8[1].vm", "9.vm"),
            frozenset({"8[0].vm", "8[1].vm"}),
        ),
        Controlled(Control.HOLD, refused("Job has finished", 35, "qhold"), ("7.vm",), frozenset({"7.vm"})),
        Controlled(
            Control.SUSPEND, refused("Unauthorized Request  7.vm", 159, "qsig"), ("7.vm", "9.vm"), frozenset({"7.vm"})
        ),
    ),
    control_unanswered=(
        (Control.CANCEL, said("", "Connection refused\nCouldn't connect to cluster: vm\n", 162)),
        (Control.CANCEL, said("", "", -6)),
        (Control.HOLD, said("", _AWAY, 162)),
    ),
    shares=((said(_QUEUES), said(_SERVER), said(_NODES)), ("workq", "recdis")),
    shares_unanswered=((said("", _AWAY, 255), said(_SERVER), said(_NODES)),),
    directive_prefix="#PBS",
)
