"""PBS's job states, exit statuses and comments (OpenPBS 23.06; the PBS Professional Reference Guide, "Job Exit Codes").

``Exit_status`` is the exit code of the job's shell up to 255; 256 + n where PBS saw it ended by signal n; negative
where PBS ended it, or could not start it. It is missing where the job never ran.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from argosy.model import Outcome, Phase

from .attributes import Described

_STATES: dict[str, Phase] = {
    "Q": Phase.QUEUED,
    "T": Phase.QUEUED,  # in transit to or from another server
    "W": Phase.QUEUED,  # waits for its time, or for its files
    "H": Phase.HELD,
    "R": Phase.RUNNING,
    "B": Phase.RUNNING,  # an array of which something has begun
    "S": Phase.SUSPENDED,
    "U": Phase.SUSPENDED,  # the workstation's owner is back
    "E": Phase.ENDING,
    "X": Phase.ENDED,  # an element of an array
    "F": Phase.ENDED,
}
_WORDS: dict[str, str] = {
    "Q": "queued", "T": "in transit", "W": "waiting", "H": "held", "R": "running", "B": "begun", "S": "suspended",
    "U": "suspended by the keyboard", "E": "exiting", "X": "finished", "F": "finished", "M": "moved",
}  # fmt: skip

#: Held until another job has ended as it must.
_SUBSTATE_DEPENDENCY = 22
#: Ended by a request to delete it.
_SUBSTATE_TERMINATED = 91

# Negative exit statuses that say why PBS ended a job; the others say that it could not be started.
_ENDED_BY_PBS: dict[int, Outcome] = {
    -24: Outcome.CANCELLED,  # it used more CPUs than it had
    -25: Outcome.CANCELLED,
    -26: Outcome.OUT_OF_MEMORY,  # vmem
    -27: Outcome.OUT_OF_MEMORY,  # mem
    -28: Outcome.TIMEOUT,  # cput
    -29: Outcome.TIMEOUT,  # walltime
    -4: Outcome.NODE_FAILURE,  # the host came up again, and the job was not there
    -5: Outcome.NODE_FAILURE,
    -6: Outcome.NODE_FAILURE,
    -20: Outcome.NODE_FAILURE,
}
_EXCEEDED = re.compile(r"exceeded resource (\w+)", re.ASCII)
_EXCEEDED_OUTCOME = {
    "walltime": Outcome.TIMEOUT, "cput": Outcome.TIMEOUT, "mem": Outcome.OUT_OF_MEMORY, "vmem": Outcome.OUT_OF_MEMORY,
    "pmem": Outcome.OUT_OF_MEMORY, "pvmem": Outcome.OUT_OF_MEMORY,
}  # fmt: skip
_OUT_OF_MEMORY = re.compile(r"mem(?:ory|sw)? limit exceeded", re.IGNORECASE | re.ASCII)
# What is needed and there changes from one look to the next, and the reason with it.
_COUNTS = re.compile(r" \(R: [^()]*\)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended: `exit_code` only with EXITED, and there None where PBS does not say it truly."""

    outcome: Outcome
    exit_code: int | None = None
    signal: int | None = None


def read_phase(job: Described) -> tuple[Phase, str]:
    """The phase, and PBS's word for it. Raises ValueError where there is no state."""
    letter = job.get("job_state")
    if letter is None:
        raise ValueError("the state is missing")
    phase = _STATES.get(letter, Phase.OTHER)
    if phase is Phase.HELD and job.whole("substate") == _SUBSTATE_DEPENDENCY:
        phase = Phase.QUEUED
    return phase, f"{letter} ({_WORDS[letter]})" if letter in _WORDS else letter


def read_reason(job: Described) -> str | None:
    """What PBS says about the job, without what changes all the time."""
    comment = job.get("comment")
    if comment is not None:
        return _COUNTS.sub("", comment)
    if job.get("job_state") == "H" and job.whole("substate") == _SUBSTATE_DEPENDENCY:
        return "waits for another job"
    if _failed_dependency(job):
        return "the job that it depends on did not end as it must"
    return None


def _failed_dependency(job: Described) -> bool:
    return job.get("Exit_status") is None and job.get("depend") is not None and "s" in (job.get("Hold_Types") or "")


def read_ending(job: Described) -> Ending:
    """The ending of a job that has ended."""
    status, comment = job.whole("Exit_status"), job.get("comment") or ""
    deleted = job.whole("substate") == _SUBSTATE_TERMINATED or "terminated by" in comment
    if match := _EXCEEDED.search(comment):
        return Ending(_EXCEEDED_OUTCOME.get(match[1], Outcome.CANCELLED))
    if status is None:
        # It never ran.
        return Ending(Outcome.NOT_STARTED if _failed_dependency(job) and not deleted else Outcome.CANCELLED)
    if status < 0:
        return Ending(_ENDED_BY_PBS.get(status, Outcome.NOT_STARTED))
    if comment == "Subjob finished" and deleted:
        # Of elements that had ended before, all is forgotten when their array is deleted: the status is another one.
        return Ending(Outcome.EXITED)
    if deleted and status != 0:
        return Ending(Outcome.CANCELLED)
    if _OUT_OF_MEMORY.search(comment):
        return Ending(Outcome.OUT_OF_MEMORY)
    if 256 < status <= 256 + 64:
        return Ending(Outcome.EXITED, 128 + status - 256, status - 256)
    return Ending(Outcome.EXITED, status if status <= 255 else None)
