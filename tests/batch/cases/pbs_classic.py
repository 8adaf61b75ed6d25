"""Torque's case; its outputs are as its manuals and sources have them, there being no recordings."""

from __future__ import annotations

from argosy.batch import Control
from argosy.batch.torque import Torque
from argosy.model import Phase

from . import Answer, Case, Controlled, said
from .pbs import refused

_S = "srv.example.org"
_AWAY = "qstat: cannot connect to server srv (errno=111) Connection refused\n"
_UNKNOWN = f"qstat: Unknown Job Id Error 10.{_S}\n"


def environ(native_id: str, run: int, index: int | None) -> dict[str, str]:
    del run
    variables = {"PBS_JOBID": native_id, "PBS_NODEFILE": "${SPOOL}/nodes", "PBS_O_WORKDIR": "/", "PBS_NUM_PPN": "2"}
    return variables | ({} if index is None else {"PBS_ARRAYID": str(index)})


def described(native_id: str, state: str, *more: str, tag: str | None = None) -> str:
    variables = "PBS_O_QUEUE=batch,PBS_O_HOME=/home/u" + (f",ARGOSY_TAG={tag}" if tag else "")
    lines = [
        "Job_Name = job",
        "Job_Owner = u@login",
        *more,
        f"job_state = {state}",
        "queue = batch",
        "ctime = Sat Nov 21 10:17:48 2026",
        f"Variable_List = {variables},PBS_O_WORKDIR=/home/u",
        "fault_tolerant = False",
    ]
    return f"Job Id: {native_id}\n" + "".join(f"    {line}\n" for line in lines) + "\n"


_LIVE = (
    described(f"7.{_S}", "R", "exec_host = n1/0-3+n2/0", "start_time = 1795255939")
    + described(f"8[0].{_S}", "C", "exit_status = 0", "comp_time = Sat Nov 21 10:17:51 2026")
    + described(f"8[1].{_S}", "Q")
    + described(f"9.{_S}", "H", "Hold_Types = u")
)
_PHASES = {
    f"7.{_S}": Phase.RUNNING,
    f"8[0].{_S}": Phase.ENDED,
    f"8[1].{_S}": Phase.QUEUED,
    f"9.{_S}": Phase.HELD,
}
_IDS = (*_PHASES, f"10.{_S}")
_ODD = f"Job Id: 11.{_S}\n    Job_Name = job\n\n"
_QUEUES = """\
Queue: batch
    queue_type = Execution
    total_jobs = 0
    resources_default.walltime = 01:00:00
    enabled = True
    started = True

"""
_SERVER = "Server: srv.example.org\n    server_state = Active\n    default_queue = batch\n\n"
_NODES = "n1\n     state = free\n     np = 16\n     ntype = cluster\n     gpus = 2\n\n"

CASE = Case(
    system=Torque(),
    environ=environ,
    files={"nodes": "n1\nn1\nn2\n"},
    accepted=(said(f"7.{_S}\n"), f"7.{_S}"),
    other_id=f"9.{_S}",
    accepted_array=(said(f"8[].{_S}\n"), (f"8[0].{_S}", f"8[1].{_S}", f"8[2].{_S}")),
    refused=(refused("submit error (Unknown queue MSG=cannot locate queue)", 170),),
    refused_for_now=(refused("cannot connect to server srv (errno=111) Connection refused", 111),),
    submit_unanswered=(refused("End of File", 1), said("strange\n"), said("", "", 1)),
    status=(
        Answer(said(_LIVE, _UNKNOWN, 153), _IDS, _PHASES, said(_LIVE + _ODD, _UNKNOWN, 153), f"11.{_S}"),
        Answer(said("", _UNKNOWN, 153), (f"10.{_S}",), {}),
    ),
    status_unanswered=(said("", _AWAY, 111), said("", "", 1)),
    find=(
        (said(described(f"12.{_S}", "R", tag="one") + described(f"13[].{_S}", "C", tag="two"), argv=("sh",)),),
        {"one": f"12.{_S}", "two": f"13[].{_S}"},
    ),
    find_unanswered=(said("", _AWAY, 99),),
    listed=(said(_LIVE), (f"7.{_S}", f"8[1].{_S}", f"9.{_S}")),
    list_unanswered=(said("", _AWAY, 99),),
    controlled=(
        Controlled(
            Control.CANCEL,
            said(
                "",
                f"qdel: Unknown Job Id Error 9.{_S}\nqdel: Unauthorized Request  MSG=not the owner 7.{_S}\n"
                f"qdel: Request invalid for state of job MSG=invalid state for job - COMPLETE 8[0].{_S}\n",
                170,
            ),
            (f"7.{_S}", f"8[0].{_S}", f"9.{_S}"),
            frozenset({f"7.{_S}"}),
        ),
    ),
    control_unanswered=((Control.CANCEL, said("", "qdel: cannot connect to server srv (errno=15096)\n", 15096 % 256)),),
    shares=((said(_QUEUES), said(_SERVER), said(_NODES)), ("batch",)),
    shares_unanswered=((said("", _AWAY, 111), said(_SERVER), said(_NODES)),),
    directive_prefix="#PBS",
)
