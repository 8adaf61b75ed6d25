"""LSF's job states (bjobs(1)) and reasons of termination (bjobs(1), bhist(1), "TERM_")."""

from __future__ import annotations

import re

from argosy.model import Outcome, Phase

_P = Phase
_O = Outcome

#: The states of jobs that have not ended. DONE and EXIT are the others.
STATES: dict[str, Phase] = {
    "PEND": _P.QUEUED,
    "WAIT": _P.QUEUED,  # a member of a chunk of jobs, which waits for those before it
    "PROV": _P.QUEUED,  # its host is being made ready
    "FWD_PEND": _P.QUEUED,
    "PSUSP": _P.HELD,
    "RUN": _P.RUNNING,
    "USUSP": _P.SUSPENDED,
    "SSUSP": _P.SUSPENDED,
    "ZOMBI": _P.ENDING,  # it was killed, or requeued, while its host could not be reached
    "UNKWN": _P.OTHER,  # its host cannot be reached
}

_TERMINATIONS: dict[str, Outcome] = {
    **dict.fromkeys(("OWNER", "ADMIN", "FORCE_OWNER", "FORCE_ADMIN", "BUCKET_KILL", "ORPHAN_SYSTEM"), _O.CANCELLED),
    **dict.fromkeys(("RUNLIMIT", "CPULIMIT", "DEADLINE", "WINDOW", "THREADLIMIT_TIME"), _O.TIMEOUT),
    **dict.fromkeys(("MEMLIMIT", "SWAP"), _O.OUT_OF_MEMORY),
    **dict.fromkeys(("PREEMPT", "LOAD", "RC_RECLAIM"), _O.PREEMPTED),
    **dict.fromkeys(("ZOMBI", "UNKNOWN_HOST", "RMS", "SLURM"), _O.NODE_FAILURE),
    **dict.fromkeys(("CWD_NOTEXIST", "PRE_EXEC_FAIL", "DATA", "CSM_ALLOC", "KUBE"), _O.NOT_STARTED),
}
_TERM = re.compile(r"\bTERM_([A-Z_]+)\b")

#: Exit codes by which LSF's own signals show: INT and TERM of bkill, KILL, USR2 of the run limit.
SIGNALLED = frozenset({130, 137, 140, 143})


def termination(words: str) -> Outcome | None:
    """What a reason says; None where there is none, or it says no more than that the job was signalled."""
    match = _TERM.search(words)
    return _TERMINATIONS.get(match[1]) if match else None
