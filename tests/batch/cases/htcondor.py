"""HTCondor, in the forms that its manual (23.0) describes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from argosy.batch import Control
from argosy.batch.htcondor import HTCondor
from argosy.model import Phase

from . import Answer, Case, Controlled, said


def environ(native_id: str, run: int, index: int | None) -> Mapping[str, str]:
    return {"ARGOSY_CONDOR_ID": native_id, "ARGOSY_CONDOR_INDEX": native_id.partition(".")[2]}


def ad(native_id: str, status: int, **more: object) -> dict[str, object]:
    cluster, _, process = native_id.partition(".")
    return {"ClusterId": int(cluster), "ProcId": int(process), "JobStatus": status, "QDate": 1795257947, **more}


QUEUE = (
    ad("7.0", 2, NumJobStarts=1, RemoteHost="slot1_1@n1", JobCurrentStartDate=1795257948),
    ad("8.0", 1),
    ad("9.0", 5, HoldReason="via condor_hold (by user lrm1)", HoldReasonCode=1),
    ad("9.1", 7, NumJobStarts=2),
    ad("10.0", 6),
)
HISTORY = (
    ad("11.0", 4, ExitBySignal=False, ExitCode=7, CompletionDate=1795257949, RemoteUserCpu=0.5),
    ad("12.0", 4, ExitBySignal=True, ExitSignal=9),
    ad("13.0", 3, RemoveReason="via condor_rm (by user lrm1)"),
    ad("14.0", 3, RemoveReason="The job attribute PeriodicRemove expression '...' evaluated to TRUE"),
)
AWAY = said(
    stderr="Error: Couldn't contact the condor_schedd daemon on vm.\n\nExtra Info: the condor_schedd is not running\n",
    returncode=1,
)
BROKEN = json.dumps(QUEUE, indent=1).replace("[\n", '[\n{ "ClusterId": 15, "ProcId": 0, "JobStatus": }\n,\n', 1)
TAGGED = (
    {"ClusterId": 7, "ProcId": 0, "ArgosyTag": "tag-1"},
    {"ClusterId": 9, "ProcId": 0, "ArgosyTag": "group-1/"},
    {"ClusterId": 9, "ProcId": 1, "ArgosyTag": "group-1/"},
)

CASE = Case(
    system=HTCondor(),
    environ=environ,
    accepted=(said("12.0 - 12.0\n"), "12.0"),
    other_id="13.0",
    accepted_array=(said("20.0 - 20.2\n", "WARNING: something unused\n"), ("20.0", "20.1", "20.2")),
    refused=(
        said(stderr="ERROR: on Line 7 of submit file: \n\nERROR: Failed to parse command file\n", returncode=1),
        said(stderr="argosy: the job is too large for a submit description\n", returncode=1),
    ),
    refused_for_now=(
        said(stderr="\nERROR: Can't find address of local schedd\n", returncode=1),
        said(stderr="\nERROR: Number of submitted jobs would exceed MAX_JOBS_SUBMITTED\n", returncode=1),
    ),
    submit_unanswered=(
        said(""),
        said(stderr="\nERROR: Failed to commit job submission into the queue.\n", returncode=1),
        said("20.0 - 20.2\n"),
    ),
    status=(
        Answer(
            said(json.dumps(QUEUE, indent=1)),
            ("7.0", "8.0", "9.0", "9.1", "10.0", "99.0"),
            {
                "7.0": Phase.RUNNING,
                "8.0": Phase.QUEUED,
                "9.0": Phase.HELD,
                "9.1": Phase.SUSPENDED,
                "10.0": Phase.ENDING,
            },
            said(BROKEN),
            "15.0",
        ),
        Answer(said(""), ("99.0",), {}),
        Answer(said("[\n]\n"), ("99.0",), {}),
    ),
    status_unanswered=(AWAY, said("-- Failed to fetch ads from: <127.0.0.1:9618> : vm\n")),
    accounting=(
        Answer(
            said(json.dumps(HISTORY)),
            ("11.0", "12.0", "13.0", "14.0", "99.0"),
            dict.fromkeys(("11.0", "12.0", "13.0", "14.0"), Phase.ENDED),
        ),
    ),
    accounting_unanswered=(AWAY,),
    find=((said(json.dumps(TAGGED[:1])), said(json.dumps(TAGGED[1:]))), {"tag-1": "7.0", "group-1": "9"}),
    find_unanswered=(AWAY,),
    listed=(said(json.dumps(QUEUE)), ("7.0", "8.0", "9.0", "9.1", "10.0")),
    list_unanswered=(AWAY,),
    controlled=(
        Controlled(Control.CANCEL, said("Job 12.0 marked for removal\nJob 13.0 not found\n"), ("12.0", "13.0")),
        Controlled(
            Control.CANCEL,
            said(stderr="Permission denied to remove job 12.0\n", returncode=1),
            ("12.0",),
            frozenset(["12.0"]),
        ),
        Controlled(Control.RELEASE, said("Job 12.0 not held to be released\n", "", 1), ("12.0",), frozenset(["12.0"])),
        Controlled(Control.HOLD, said("Job 12.0 held\n"), ("12.0",)),
    ),
    control_unanswered=((Control.CANCEL, AWAY),),
    shares=(
        (
            said(
                json.dumps(
                    [
                        {
                            "Machine": "n1",
                            "SlotType": "Partitionable",
                            "State": "Unclaimed",
                            "Cpus": 2,
                            "TotalSlotCpus": 8,
                        }
                    ]
                )
            ),
        ),
        ("",),
    ),
    shares_unanswered=((AWAY,),),
    odd_ids=("7; touch x", "-rf", "$(id)", "'", "a\nb", "", "7", "7.0.0"),
    harmless_values=("short", "my-job_1.x"),
    directive_prefix="#CONDOR",
)
