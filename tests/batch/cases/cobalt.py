"""Cobalt's case; its outputs are as its manuals have them, there being no recordings."""

from __future__ import annotations

from argosy.batch import Control
from argosy.batch.cobalt import Cobalt
from argosy.model import Phase

from . import Answer, Case, Controlled, said

_TITLE = "JobID  State      Queue    Location\n=====================================\n"
_ROWS = "7      running    default  nid1,nid2\n8      queued     default  None\n9      user_hold  debug    None\n"
_AWAY = "Failed to connect to queue manager\n"


def environ(native_id: str, run: int, index: int | None) -> dict[str, str]:
    del run, index
    return {"COBALT_JOBID": native_id, "COBALT_NODEFILE": "${SPOOL}/nodes", "COBALT_JOBSIZE": "2"}


CASE = Case(
    system=Cobalt(),
    environ=environ,
    files={"nodes": "nid1\nnid2\n"},
    accepted=(said('Job routed to queue "debug-cache-quad".\nMemory mode set to cache quad for queue debug\n7\n'), "7"),
    other_id="9",
    accepted_array=None,
    refused=(said("", "'projects' are required: project not set\n", 1),),
    refused_for_now=(said("", _AWAY, 1),),
    submit_unanswered=(said("strange\n"), said("", "", -9), said("", "connection timed out\n", 1)),
    status=(
        Answer(
            said(_TITLE + _ROWS),
            ("7", "8", "9", "10"),
            {"7": Phase.RUNNING, "8": Phase.QUEUED, "9": Phase.HELD},
            said(_TITLE + _ROWS + "11\n"),
            "11",
        ),
        Answer(said("", "", 1), ("10",), {}),
    ),
    status_unanswered=(said("", _AWAY, 1),),
    find=(
        (said("JobID  Command\n=====\n12  /home/u/spool/out/one.cobalt\n13  /u/x.sh\n14  /s/out/of-another.cobalt\n"),),
        {"one": "12"},
    ),
    find_unanswered=(said("", _AWAY, 1),),
    listed=(said("JobID  State\n=====\n7      running\n8      queued\n"), ("7", "8")),
    list_unanswered=(said("", _AWAY, 1),),
    controlled=(
        Controlled(Control.CANCEL, said("      Deleted Jobs\nJobID  User\n=====\n7  u\n"), ("7",)),
        Controlled(
            Control.CANCEL,
            said("", "qdel: job 9 not found\nqdel: job 8: permission denied\n", 1),
            ("8", "9"),
            frozenset({"8"}),
        ),
    ),
    control_unanswered=((Control.HOLD, said("", _AWAY, 1)),),
    shares=(
        (said("Name     State    MaxTime\n=====\ndefault  running  06:00:00\ndebug    stopped  60\n"),),
        ("default", "debug"),
    ),
    shares_unanswered=((said("", _AWAY, 1),),),
    directive_prefix="#COBALT",
)
