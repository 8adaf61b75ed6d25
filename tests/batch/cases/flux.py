"""Flux, in the words of flux-core 0.88."""

from __future__ import annotations

import json
from collections.abc import Mapping

from argosy.batch import Control
from argosy.batch.flux import Flux
from argosy.model import Phase

from . import Answer, Case, Controlled, said

_DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def f58(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _DIGITS[digit] + text
    return "\u0192" + text


def environ(native_id: str, run: int, index: int | None) -> Mapping[str, str]:
    element = {} if index is None else {"FLUX_JOB_CC": str(index)}
    return {"FLUX_JOB_ID": f58(int(native_id)), "FLUX_TASK_RANK": "0", "FLUX_JOB_SIZE": "1", **element}


def record(number: int, state: str, **more: object) -> dict[str, object]:
    return {
        "id": number,
        "jobid": f58(number),
        "name": 'a|b "c" é',
        "queue": "batch",
        "state": state,
        "status": state,
        "urgency": 16,
        "t_submit": 1795257947.872418,
        "annotations": {},
        "exception": {"occurred": False},
        **more,
    }


RAN = {"t_run": 1795257948.5, "t_cleanup": 1795257949.5, "nodelist": "fake[0-1]", "runtime": 1.0}
CANCELLED = {"occurred": True, "severity": 0, "type": "cancel", "note": ""}
MIX = (
    record(7, "RUN", t_run=1795257947.9, nodelist="fake0"),
    record(8, "SCHED", annotations={"sched": {"t_estimate": 1795260435.2}}),
    record(9, "SCHED", urgency=0),
    record(10, "DEPEND", dependencies=["after-success=\u01925BM1bpK"]),
    record(11, "INACTIVE", status="COMPLETED", result="COMPLETED", returncode=0, **RAN),
    record(12, "INACTIVE", status="FAILED", result="FAILED", returncode=7, **RAN),
    record(13, "INACTIVE", status="CANCELED", result="CANCELED", returncode=-128, exception=CANCELLED),
    record(14, "CLEANUP", t_run=1795257947.9),
)
PHASES = {
    "7": Phase.RUNNING,
    "8": Phase.QUEUED,
    "9": Phase.HELD,
    "10": Phase.QUEUED,
    "11": Phase.ENDED,
    "12": Phase.ENDED,
    "13": Phase.ENDED,
    "14": Phase.ENDING,
}
IDS = (*PHASES, "99")
AWAY = said(
    stderr="flux-jobs: ERROR: Unable to connect to Flux: broker socket /run/flux/local was not found\n", returncode=1
)
NAMES = "7 a@argosy:tag-1\n8 a b@argosy:group-1[1]\n9 a b@argosy:group-1[0]\n10 other\n11 a b@argosy:group-1[2]\n"

CASE = Case(
    system=Flux(),
    environ=environ,
    accepted=(said("\u01925TRXp5D\n"), "169617653760"),
    other_id="159064784896",
    # The ids in another order than the elements; the names tell.
    accepted_array=(
        said(
            f"{f58(1001)}\n{f58(1002)}\n{f58(1003)}\nargosy-names:\n"
            "1001 a@argosy:t[1]\n1002 a@argosy:t[0]\n1003 a@argosy:t[2]\n"
        ),
        ("1002", "1001", "1003"),
    ),
    refused=(
        said(stderr="[Errno 1] Invalid queue 'nosuch' specified\n", returncode=1),
        said(stderr="[Errno 22] requested duration (3h) exceeds policy limit of 45m for queue debug\n", returncode=1),
        said(stderr="flux submit: error: unrecognized arguments: --nosuch\n", returncode=2),
    ),
    refused_for_now=(
        said(stderr="[Errno 22] job submission to debug is disabled: closed\n", returncode=1),
        said(stderr="flux-submit: ERROR: Unable to connect to Flux: broker socket /x was not found\n", returncode=1),
        said(stderr="sh: 1: flux: not found\n", returncode=127),
    ),
    submit_unanswered=(
        said(""),
        said(stderr="flux-submit: ERROR: [Errno 104] Connection reset by peer\n", returncode=1),
    ),
    status=(
        Answer(
            said(json.dumps({"jobs": MIX}), "JobID 99 unknown\n"),
            IDS,
            PHASES,
            said(json.dumps({"jobs": [*MIX, {**record(15, "RUN"), "state": None}]})),
            "15",
        ),
        Answer(said(json.dumps(MIX[0])), ("f8", "7"), {"7": Phase.RUNNING}),
        Answer(said(stderr="JobID 99 unknown\n", returncode=1), ("99",), {}),
    ),
    status_unanswered=(AWAY, said("{"), said(""), said("7")),
    find=((said(NAMES),), {"tag-1": "7", "group-1": "9,8,11"}),
    find_unanswered=(AWAY,),
    listed=(said("7 a\n8 b c\n"), ("7", "8")),
    list_unanswered=(AWAY,),
    controlled=(
        Controlled(Control.CANCEL, said(), ("7", "8")),
        Controlled(
            Control.CANCEL, said(stderr=f"flux-cancel: ERROR: {f58(70)}: job is inactive\n", returncode=1), ("70",)
        ),
        Controlled(
            Control.CANCEL, said(stderr=f"flux-cancel: ERROR: {f58(70)}: unknown job id\n", returncode=1), ("70",)
        ),
        Controlled(
            Control.CANCEL,
            said(
                stderr=f"flux-cancel: ERROR: {f58(7000)}: not your job\n",
                returncode=1,
            ),
            ("7000", "8"),
            frozenset(["7000"]),
        ),
        Controlled(
            Control.HOLD,
            said(
                stderr="argosy-job 7\nargosy-job 8\n"
                "flux-job: 8: urgency cannot be changed once resources are allocated\n",
                returncode=1,
            ),
            ("7", "8"),
            frozenset(["8"]),
        ),
        Controlled(Control.RELEASE, said(stderr="argosy-job 7\nold urgency: job held\n"), ("7",)),
    ),
    control_unanswered=(
        (Control.CANCEL, AWAY),
        (Control.HOLD, said(stderr=f"argosy-job 7\n{AWAY.stderr}", returncode=1)),
    ),
    shares=(
        (
            said(
                "batch: Job submission is enabled\nbatch: Scheduling is started\n"
                "debug: Job submission is disabled: closed\ndebug: Scheduling is stopped: maintenance\n"
            ),
            said("batch|1800.0|7200.0\ndebug|1800.0|2700.0\n"),
            said("free|batch,debug|2|12|4\nallocated|batch,debug|2|4|0\ndown|batch|0|0|0\n"),
            said('{"policy":{"jobspec":{"defaults":{"system":{"queue":"batch","duration":"30m"}}}}}'),
        ),
        ("batch", "debug"),
    ),
    shares_unanswered=((AWAY, AWAY, AWAY, AWAY),),
    odd_ids=("7; touch x", "-rf", "$(id)", "7'", "a\nb", "abc!"),
    harmless_values=("short", "my-job_1.x", "a b", "é", "123"),
    directive_prefix="#",
)
