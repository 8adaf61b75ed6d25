"""qstat: where jobs are, what became of them, which there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from argosy.model import Command, Completed, Observation, Phase, Snapshot, Unavailable, Usage

from . import ids as job_ids
from . import values
from .attributes import Described, read
from .environment import TAG, query
from .states import read_ending, read_phase, read_reason
from .submit import away

HEADING = "Job Id: "

#: So many words are put into one command line; more are handed to as many commands one after the other by xargs(1).
MOST_NAMED = 1000

_TAG = re.compile(rf"(?:\A|(?<!\\),)\s*{TAG}=([A-Za-z0-9._-]+)(?=,|\Z)", re.ASCII)
# What is said about ids that are not there, or not there any more.
_GONE = ("unknown job id", "job has finished")


def ask(options: Sequence[str], ids: Sequence[str]) -> Command:
    """qstat with these options about these jobs."""
    named = job_ids.names(ids)
    # Without a name it would show everybody's: one that can be no job's is answered by an error.
    if len(named) <= MOST_NAMED:
        return query("qstat", *options, *(named or ["0"]))
    return query("xargs", "-n", str(MOST_NAMED), "qstat", *options, stdin="\n".join(named) + "\n")


def status(ids: Sequence[str]) -> Command:
    """All these jobs, as long as the server has them in its queues."""
    return ask(("-t", "-f", "-w"), ids)


def history(ids: Sequence[str]) -> Command:
    """All these jobs, also when they have ended, where the server keeps a history."""
    return ask(("-x", "-t", "-f", "-w"), ids)


def parse(
    done: Completed, ids: Sequence[str], observe: Callable[[str, Described], Observation], name: str = "PBS"
) -> Snapshot:
    """What was shown of these ids."""
    asked = job_ids.Asked(ids)
    found, stray = read(done.stdout, HEADING)
    jobs: dict[str, Observation] = {}
    unreadable: list[tuple[str | None, str]] = [(None, line) for line in stray]
    for described in found:
        native_id = asked.find(described.name)
        if native_id is None:
            if not job_ids.is_id(described.name):
                unreadable.append((None, described.text))
            continue
        if native_id in jobs:
            continue
        try:
            jobs[native_id] = observe(native_id, described)
        except ValueError:
            unreadable.append((native_id, described.text))
    if not found and not all_gone(done):
        raise Unavailable(f"{name}'s queue could not be read: {done.words}")
    return Snapshot(jobs, tuple(unreadable))


def all_gone(done: Completed) -> bool:
    """Whether it answered, be it that none of the jobs are there (any more)."""
    if done.returncode == 0:
        return True
    lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("xargs:")]
    return bool(lines) and not away(done.stderr) and all(any(sign in line.lower() for sign in _GONE) for line in lines)


def observation(native_id: str, job: Described) -> Observation:
    """What PBS says of one job. Raises ValueError where it cannot be understood.

    PBS's ``run_count`` is left aside: it counts attempts that came to nothing too, so that it is no number of a run.
    """
    phase, word = read_phase(job)
    ending = read_ending(job) if phase is Phase.ENDED else None
    ended = job.get("obittime") or job.get("history_timestamp") or job.get("mtime") if ending else None
    return Observation(
        native_id=native_id,
        phase=phase,
        word=word,
        outcome=ending.outcome if ending else None,
        reason=read_reason(job),
        exit_code=ending.exit_code if ending else None,
        signal=ending.signal if ending else None,
        tag=tag_of(job),
        name=job.get("Job_Name"),
        queue=job.get("queue"),
        hosts=values.hosts(job.get("exec_host")),
        submitted=values.time(job.get("ctime")),
        started=values.time(job.get("stime")) if phase not in (Phase.QUEUED, Phase.HELD) else None,
        ended=values.time(ended),
        start_estimate=values.time(job.get("estimated.start_time")) if phase is Phase.QUEUED else None,
        usage=usage_of(job) if ending else None,
    )


def tag_of(job: Described) -> str | None:
    """What Argosy marked the job with."""
    match = _TAG.search(job.get("Variable_List") or "")
    return match[1] if match else None


def usage_of(job: Described) -> Usage | None:
    """What the job used, where the server has looked."""
    cpu, wall = values.duration(job.get("resources_used.cput")), values.duration(job.get("resources_used.walltime"))
    memory = values.size(job.get("resources_used.mem"))
    if cpu is None and wall is None and memory is None:
        return None
    return Usage(None if cpu is None else float(cpu), None if wall is None else float(wall), memory or None)


# -- all of the user's ------------------------------------------------------------------------------------------------

# No value is in this text: the shell's part is to hand the ids of the first command to the second.
_MINE = """\
ids=$(qselect SELECT -u "$(id -un)") || exit 99
[ -z "$ids" ] || printf '%s\\n' "$ids" | xargs -n 1000 qstat OPTIONS
"""


def mine(select: str, options: str) -> Command:
    """All jobs of the user: `select` are options of qselect, `options` of qstat; both are Argosy's own."""
    return query("sh", "-c", _MINE.replace("SELECT ", f"{select} " if select else "").replace("OPTIONS", options))


def _answered(done: Completed, name: str) -> list[Described]:
    found, _ = read(done.stdout, HEADING)
    if not all_gone(done):
        raise Unavailable(f"{name}'s queue could not be read: {done.words}")
    return found


def parse_find(done: Completed, tags: Sequence[str], name: str = "PBS") -> dict[str, str]:
    """The tags that are among the user's jobs, each with the id of its job or array."""
    wanted = set(tags)
    found: dict[str, str] = {}
    for job in _answered(done, name):
        tag = tag_of(job)
        if tag in wanted and tag is not None and job_ids.is_id(job.name):
            found.setdefault(tag, job_ids.array_of(job.name) or job.name)
    return found


def parse_list(done: Completed, ended: Sequence[str], name: str = "PBS") -> list[str]:
    """The user's jobs whose state is none of `ended`, without the arrays as a whole."""
    return [
        job.name
        for job in _answered(done, name)
        if job_ids.is_id(job.name) and not job_ids.is_array(job.name) and job.get("job_state") not in ended
    ]
