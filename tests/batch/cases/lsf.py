"""LSF, in the words of a volclava 2.2 and in those of IBM's LSF 10.1."""

from __future__ import annotations

import json
from collections.abc import Mapping

from argosy.batch import Control
from argosy.batch.lsf import LSF
from argosy.model import Phase

from . import Answer, Case, Controlled, said

NOW = "1795257950\n"
NOT_FOUND = {"JOBID": "9999999", "ERROR": "Job <9999999> is not found"}


def environ(native_id: str, run: int, index: int | None) -> Mapping[str, str]:
    base = native_id.partition("[")[0]
    return {
        "LSB_JOBID": base,
        "LSB_JOBINDEX": "0" if index is None else str(index + 1),
        "LSB_HOSTS": "vm vm",
        "LSB_MCPU_HOSTS": "vm 2 ",
        "LS_SUBCWD": "/",
        "LSB_NTRIES": "1",
    }


def record(job: str, state: str, **more: str) -> dict[str, str]:
    began = state in ("RUN", "USUSP", "DONE", "EXIT")
    return {
        "JOBID": job,
        "STAT": state,
        "QUEUE": "normal",
        "JOB_NAME": "we<i>\"rd'&é|x",
        "EXEC_HOST": "2*vm:vm2" if began else "",
        "SUBMIT_TIME": "Nov 21 10:45",
        "START_TIME": "11/21-10:45:43" if began else "-",
        "FINISH_TIME": "11/21-10:45:44" if state in ("DONE", "EXIT") else "-",
        **more,
    }


def answer(*records: dict[str, str], also: str = "") -> str:
    text = json.dumps(
        {"COMMAND": "bjobs", "JOBS": len(records), "RECORDS": list(records)}, indent=1, ensure_ascii=False
    )
    return NOW + (text if not also else text.replace('"RECORDS": [', f'"RECORDS": [{also},'))


PLAIN = (
    record("7", "RUN"),
    record("8", "PEND"),
    record("9", "PSUSP"),
    record("10", "DONE"),
    record("11", "EXIT"),  # with which code is not said: that is left to the accounting
    record("12", "EXIT", EXEC_HOST="   -   ", START_TIME="-"),
    record("13", "RUN", JOB_NAME="a[1]"),
    record("13", "USUSP", JOB_NAME="a[2]"),
    NOT_FOUND,
)
RICH = tuple(
    record(job, state, JOBINDEX=index, EXIT_CODE=code, EXIT_REASON=reason, PEND_REASON="-", ESTIMATED_START_TIME="-")
    for job, state, index, code, reason in (
        ("7", "RUN", "0", "-", "-"),
        ("10", "DONE", "0", "-", "-"),
        ("11", "EXIT", "0", "7", "-"),
        ("12", "EXIT", "0", "140", "TERM_RUNLIMIT: job killed after reaching LSF run time limit"),
        ("13", "PROV", "2", "-", "-"),
        ("14", "UNKWN", "0", "-", "-"),
    )
)

LONG = """
Job <11>, Job Name <x>, User <lrm1>, Project <default>, Status <EXIT>, Queue <normal>, Command <#!/bin/bash;#BSUB>, \
Job Description <argosy:tag-1>
Sat Nov 21 10:18:34: Submitted from host <vm>, CWD <$HOME/work>, Output File </spool/out/%J.out>;
Sat Nov 21 10:18:36: Started 1 Task(s) on Host(s) <vm>, Allocated 1 Slot(s) on Host(s) <vm>;
Sat Nov 21 10:18:36: Exited with exit code 7. The CPU time used is 0.0 seconds;

 MEMORY USAGE:
 MAX MEM: 22 Mbytes;  AVG MEM: 22 Mbytes
------------------------------------------------------------------------------

Job <13[2]>, Job Name <a[2]>, User <lrm1>, Project <default>, Status <RUN>, Queue <normal>, Command <x>, \
Job Description <argosy:group-1>
Sat Nov 21 10:18:34: Submitted from host <vm>, CWD <$HOME/work>;
"""
HISTORY = """
Job <14>, Job Name <mix-carun>, User <lrm1>, Project <default>, Command <./sleep.sh>
Sat Nov 21 10:18:34: Submitted from host <vm>, to Queue <normal>, CWD <$HOME/work>, Output File </dev/null>;
Sat Nov 21 10:18:36: Dispatched to <vm>;
Sat Nov 21 10:18:36: Running with execution home </home/lrm1>, Execution CWD </
                     home/lrm1/work>, Execution Pid <7211>;
Sat Nov 21 10:18:36: Signal <KILL> requested by user or administrator <lrm1>;
Sat Nov 21 10:18:46: Exited with exit code 143. The CPU time used is 0.0 second
                     s;

Summary of time in seconds spent in various states by  Sat Nov 21 10:18:46
  PEND     PSUSP    RUN      USUSP    SSUSP    UNKWN    TOTAL
  2        0        10       0        0        0        12
"""
QUEUES = """
QUEUE: normal
  -- For normal low priority jobs.  This is the default queue.

PARAMETERS/STATISTICS
PRIO NICE STATUS          MAX JL/U JL/P JL/H NJOBS  PEND   RUN SSUSP USUSP  RSV
 30   20  Open:Active       -    -    -    -   269   259     9     0     1    0

DEFAULT LIMITS:
 RUNLIMIT
 60.0 min of vm

MAXIMUM LIMITS:
 RUNLIMIT
 1440.0 min of vm

USERS:  all
HOSTS:  all
-------------------------------------------------------------------------------

QUEUE: closed

PARAMETERS/STATISTICS
PRIO NICE STATUS          MAX JL/U JL/P JL/H NJOBS  PEND   RUN SSUSP USUSP  RSV
 30   20  Closed:Active     -    -    -    -     0     0     0     0     0    0

USERS:  all
HOSTS:  group1/
"""
HOSTS = """HOST_NAME          STATUS       JL/U    MAX  NJOBS    RUN  SSUSP  USUSP    RSV
vm                 ok              -    256     10      9      0      1      0
"""
MACHINES = """HOST_NAME                       type       model  cpuf ncpus maxmem maxswp server RESOURCES
vm                             linux     IntelI5 100.0     2 24105M      -    Yes (cs)
"""
DOWN = said(stderr="ls_getclustername(): LIM is down; try later\n", returncode=255)
NO_CONF = said(stderr="lsb_init: Failed in an LSF library call: Unable to open file lsf.conf\n", returncode=255)

CASE = Case(
    system=LSF(),
    environ=environ,
    accepted=(said("Job <923> is submitted to default queue <normal>.\n"), "923"),
    other_id="924",
    accepted_array=(
        said("Job <963> is submitted to queue <normal>.\n", "Job will be scheduled after Thu Dec 31 23:59:00 2026\n"),
        ("963[1]", "963[2]", "963[3]"),
    ),
    refused=(
        said(stderr="nosuch: No such queue. Job not submitted.\n", returncode=255),
        said(stderr="Bad resource requirement syntax. Job not submitted.\n", returncode=255),
        said(stderr="Request aborted by esub. Job not submitted.\n", returncode=255),
    ),
    refused_for_now=(
        said(stderr="User <lrm1>: Pending job threshold reached. Job not submitted.\n", returncode=255),
        DOWN,
        said(stderr="lsb_init: Unable to open file lsf.conf. Job not submitted.\n", returncode=255),
    ),
    submit_unanswered=(
        said(stderr="Failed in an LSF library call: Connection timed out. Job not submitted.\n", returncode=255),
        said(""),
    ),
    status=(
        Answer(
            said(answer(*PLAIN), returncode=0),
            ("7", "8", "9", "10", "11", "12", "13[1]", "13[2]", "9999999"),
            {
                "7": Phase.RUNNING,
                "8": Phase.QUEUED,
                "9": Phase.HELD,
                "10": Phase.ENDED,
                "12": Phase.ENDED,
                "13[1]": Phase.RUNNING,
                "13[2]": Phase.SUSPENDED,
            },
            said(answer(*PLAIN, also='{"JOBID": "15", "STAT": "RUN", "JOB_NAME": "a "broken" name"}')),
            "15",
        ),
        Answer(
            said(answer(*RICH)),
            ("7", "10", "11", "12", "13[2]", "14", "16"),
            {
                "7": Phase.RUNNING,
                "10": Phase.ENDED,
                "11": Phase.ENDED,
                "12": Phase.ENDED,
                "13[2]": Phase.QUEUED,
                "14": Phase.OTHER,
            },
        ),
        Answer(said(answer(NOT_FOUND), returncode=255), ("9999999",), {}),
        Answer(said(NOW, "Job <9999999> is not found\n", 255), ("9999999",), {}),
    ),
    status_unanswered=(
        DOWN,
        NO_CONF,
        said(NOW, "batch system daemon not responding ... still trying\n", 255),
        said(""),
    ),
    accounting=(
        Answer(said(NOW + LONG + HISTORY), ("11", "13[2]", "14", "15"), {"11": Phase.ENDED, "14": Phase.ENDED}),
        Answer(said(NOW + "No matching job found\n", returncode=255), ("15",), {}),
    ),
    accounting_unanswered=(said(NOW, "LSF daemon (LIM) not responding ... still trying\n", 255),),
    find=((said(LONG),), {"tag-1": "11", "group-1": "13"}),
    find_unanswered=(DOWN, NO_CONF),
    listed=(said(answer(*PLAIN)), ("7", "8", "9", "13[1]", "13[2]")),
    list_unanswered=(DOWN, NO_CONF),
    controlled=(
        Controlled(
            Control.CANCEL,
            said("Job <955> is being terminated\n", "Job <9999999>: No matching job found\n", 255),
            ("955", "9999999"),
        ),
        Controlled(
            Control.CANCEL,
            said(stderr="Job <952>: User permission denied\n", returncode=255),
            ("952",),
            frozenset(["952"]),
        ),
        Controlled(
            Control.RELEASE,
            said("Job <945> is being resumed\n", "Job <949>: Operation is in progress\n", 255),
            ("945", "949"),
            frozenset(["949"]),
        ),
        Controlled(Control.HOLD, said("Job <963[2]> is being stopped\n"), ("963[2]",)),
    ),
    control_unanswered=((Control.CANCEL, DOWN), (Control.HOLD, NO_CONF)),
    shares=((said(QUEUES), said(HOSTS), said(MACHINES)), ("normal", "closed")),
    shares_unanswered=((DOWN, DOWN, DOWN),),
    odd_ids=("7; touch x", "-rf", "$(id)", "7'", "a\nb", "", "0", "7[", "7[0]"),
    harmless_values=("short", "my-job_1.x", "a b", "é"),
    # What is no directive of bsub's is looked at too: the name is a comment.
    directive_prefix="#",
)
