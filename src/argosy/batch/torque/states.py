"""Torque's job states and exit statuses (Torque Administrator Guide, "Job states" and "Job exit status").

A job that has ended is shown as C for ``keep_completed`` seconds. ``exit_status`` is the exit code of the job's shell,
256 + n where signal n ended it, and negative where Torque ended it or could not start it. A walltime that is over and
a qdel are both 271, so the times must tell which it was.
"""

from __future__ import annotations

from argosy.batch.pbs import values
from argosy.batch.pbs.attributes import Described
from argosy.batch.pbs.jobs import tag_of, usage_of
from argosy.batch.pbs.states import Ending
from argosy.model import Observation, Outcome, Phase

_STATES: dict[str, Phase] = {
    "Q": Phase.QUEUED,
    "T": Phase.QUEUED,
    "W": Phase.QUEUED,
    "H": Phase.HELD,
    "R": Phase.RUNNING,
    "S": Phase.SUSPENDED,
    "E": Phase.ENDING,
    "C": Phase.ENDED,
}
_NEGATIVE: dict[int, Outcome] = {
    -4: Outcome.NODE_FAILURE,  # the node came up again, and the job was not there
    -5: Outcome.NODE_FAILURE,
    -6: Outcome.NODE_FAILURE,
    -10: Outcome.OUT_OF_MEMORY,
    -11: Outcome.TIMEOUT,
    -12: Outcome.TIMEOUT,  # CPU time
}
#: How the server ends jobs: by TERM, and KILL some time after it.
_BY_SERVER = (9, 15)
#: The job's time is looked at from time to time only, so that it seems to end a little early.
_LOOKED_AT = 60


def observation(native_id: str, job: Described) -> Observation:
    """What Torque says of one job. Raises ValueError where it cannot be understood."""
    letter = job.get("job_state")
    if letter is None:
        raise ValueError("the state is missing")
    phase = _STATES.get(letter, Phase.OTHER)
    ending = _ending(job) if phase is Phase.ENDED else None
    return Observation(
        native_id=native_id,
        phase=phase,
        word=letter,
        outcome=ending.outcome if ending else None,
        reason=job.get("comment"),
        exit_code=ending.exit_code if ending else None,
        signal=ending.signal if ending else None,
        tag=tag_of(job),
        name=job.get("Job_Name"),
        queue=job.get("queue"),
        hosts=values.hosts(job.get("exec_host")),
        submitted=values.time(job.get("ctime")),
        started=values.time(job.get("start_time")) if phase not in (Phase.QUEUED, Phase.HELD) else None,
        ended=values.time(job.get("comp_time")) if ending else None,
        usage=usage_of(job) if ending else None,
    )


def _ending(job: Described) -> Ending:
    status = job.whole("exit_status")
    if status is None:
        return Ending(Outcome.CANCELLED)  # before it ran
    if status < 0:
        return Ending(_NEGATIVE.get(status, Outcome.NOT_STARTED))
    if status <= 255:
        return Ending(Outcome.EXITED, status)
    signal = status - 256
    if signal in _BY_SERVER:
        return Ending(Outcome.TIMEOUT if _time_is_over(job) else Outcome.CANCELLED)
    return Ending(Outcome.EXITED, 128 + signal, signal) if 0 < signal <= 64 else Ending(Outcome.EXITED)


def _time_is_over(job: Described) -> bool:
    allowed = values.duration(job.get("Resource_List.walltime"))
    used = values.duration(job.get("resources_used.walltime"))
    return allowed is not None and used is not None and used >= max(allowed - _LOOKED_AT, allowed / 2)
