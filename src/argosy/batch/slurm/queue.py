"""squeue: where jobs are, and which there are."""

from __future__ import annotations

from collections.abc import Sequence

from argosy.batch.hosts import expand_hosts
from argosy.model import Command, Completed, Observation, Phase, Snapshot, Unavailable

from . import fields
from .environment import SEPARATOR, query
from .states import Ending, read_ending, read_state, split_wait_status

MARK = "argosy:"

#: Beyond so many jobs and arrays squeue is asked for all of the user's: its command line has an end.
MOST_NAMED = 100

# The comment is last: it may be anything where the user changes it.
_COLUMNS = (
    *("JobArrayID", "State", "exit_code", "RestartCnt", "SubmitTime", "StartTime", "EndTime", "NodeList", "Partition"),
    *("Reason", "Comment"),
)


def _format(columns: Sequence[str]) -> str:
    """Columns of any width: squeue cuts one at 20 characters where nothing is said after it."""
    return ",".join(f"{column}:{SEPARATOR}" for column in columns)


def base_id(native_id: str) -> str:
    """The id of the array that this is an element of, or its own."""
    return native_id.partition("_")[0]


def status(ids: Sequence[str]) -> Command:
    """One query for all these jobs, ended ones included as long as the controller remembers them."""
    # One word that is no id would be an error for all.
    bases = list(dict.fromkeys(base_id(native_id) for native_id in ids if fields.ID.match(native_id)))
    # A single id that is not there any more is an error to squeue; of several it leaves out those not there.
    which = ["--me"] if not 0 < len(bases) <= MOST_NAMED else ["-j", ",".join(bases * 2 if len(bases) == 1 else bases)]
    return query("squeue", "-h", "-r", "-t", "all", *which, "-O", _format(_COLUMNS))


def parse_status(done: Completed, ids: Sequence[str]) -> Snapshot:
    """What squeue showed of these ids."""
    wanted = set(ids)
    jobs: dict[str, Observation] = {}
    unreadable: list[tuple[str | None, str]] = []
    for line in done.stdout.split("\n"):
        if not line.strip():
            continue
        native_id = line.partition(SEPARATOR)[0]
        if fields.ID.match(native_id) is None:
            if "+" not in native_id:
                unreadable.append((None, line))
        elif native_id in wanted:
            try:
                jobs[native_id] = _observation(line)
            except ValueError:
                unreadable.append((native_id, line))
    if done.returncode != 0 and not jobs and "Invalid job id specified" not in done.stderr:
        raise Unavailable(f"Slurm's queue could not be read: {done.words}")
    return Snapshot(jobs, tuple(unreadable))


def _observation(line: str) -> Observation:
    values = line.split(SEPARATOR, len(_COLUMNS) - 1)
    if len(values) != len(_COLUMNS):
        raise ValueError("columns are missing")
    native_id, word, wait_status, restarts, submitted, started, ended, nodes, queue, why, comment = values
    if not word:
        raise ValueError("the state is missing")
    reason = fields.text(why)
    hosts = expand_hosts(fields.text(nodes) or "")
    phase, outcome = read_state(word, reason)
    code, signal = split_wait_status(int(wait_status))
    ending = read_ending(outcome, code, signal, hosts) if outcome is not None else None
    waiting = phase in (Phase.QUEUED, Phase.HELD)
    mark = comment.removesuffix(SEPARATOR)
    return Observation(
        native_id=native_id,
        phase=phase,
        word=word,
        outcome=ending.outcome if ending else None,
        reason=reason,
        exit_code=ending.exit_code if ending else None,
        signal=ending.signal if ending else None,
        tag=mark.removeprefix(MARK) if mark.startswith(MARK) else None,
        queue=fields.text(queue),
        hosts=hosts,
        submitted=fields.time(submitted),
        started=None if waiting or _never_started(ending, hosts) else fields.time(started),
        ended=fields.time(ended) if phase is Phase.ENDED else None,
        start_estimate=fields.time(started) if waiting else None,
        run=int(restarts),
    )


def _never_started(ending: Ending | None, hosts: tuple[str, ...]) -> bool:
    """Whether an ended job had no host: Slurm then shows the time of its end as that of its start."""
    return ending is not None and not hosts


def find() -> Command:
    """All of the user's jobs that the controller remembers, with their comments."""
    return query("squeue", "-h", "--me", "-t", "all", "-O", _format(("ArrayJobID", "State", "NodeList", "Comment")))


def parse_find(done: Completed, tags: Sequence[str]) -> dict[str, str]:
    """The tags that are among them, each with the id of its job or array."""
    if done.returncode != 0:
        raise Unavailable(f"Slurm's queue could not be read: {done.words}")
    wanted = set(tags)
    found: dict[str, str] = {}
    for line in done.stdout.split("\n"):
        values = line.split(SEPARATOR, 3)
        if len(values) != 4 or not values[3].startswith(MARK):
            continue
        native_id, state, nodes, comment = values
        tag = comment.removesuffix(SEPARATOR).removeprefix(MARK)
        if tag in wanted and native_id.isdecimal() and not was_refused(state, nodes):
            found[tag] = native_id
    return found


def was_refused(state: str, nodes: str) -> bool:
    """Whether this is what stays of a submission that was refused: Slurm keeps some as jobs that FAILED on no node."""
    return state == "FAILED" and fields.text(nodes) is None


def list_jobs() -> Command:
    """The user's jobs that have not ended."""
    return query("squeue", "-h", "-r", "--me", "-O", _format(("JobArrayID",)))


def parse_list(done: Completed) -> list[str]:
    """Their ids."""
    if done.returncode != 0:
        raise Unavailable(f"Slurm's queue could not be read: {done.words}")
    ids = (line.removesuffix(SEPARATOR) for line in done.stdout.split("\n"))
    return [native_id for native_id in ids if fields.ID.match(native_id)]
