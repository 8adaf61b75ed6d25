"""sacct: what became of jobs that the controller has forgotten, and what they used.

sacct shows exit codes without their highest bit: 137 as ``9:0``, 128 as ``0:0``. Of a job that FAILED the code is
therefore not certain, and is not told; the record that the job's script wrote has it. A code of 0 with
COMPLETED is certain, and so is a signal.

sacct lags behind: a job may be missing, or still be shown as running, for a while after its end. A requeued job may be
shown with the end of its earlier run: what is shown counts only for jobs that squeue does not show any more. The
elements of an array that were cancelled before they started have one row together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from argosy.batch.hosts import expand_hosts
from argosy.model import Command, Completed, Observation, Outcome, Phase, Snapshot, Unavailable, Usage

from . import fields
from .environment import SEPARATOR, query
from .queue import MARK, base_id, was_refused
from .states import read_ending, read_state

#: How far back jobs are looked for by their tags.
FIND_SINCE = "now-30days"

_COLUMNS = (
    *("JobID", "State", "ExitCode", "Submit", "Start", "End", "ElapsedRaw", "TotalCPU", "MaxRSS", "Partition"),
    *("NodeList", "Reason"),
)
_CODE = re.compile(r"(\d+):(\d+)\Z", re.ASCII)
_DISABLED = "accounting storage is disabled"


def _sacct(*argv: str) -> Command:
    return query("sacct", "-n", "-P", f"--delimiter={SEPARATOR}", *argv)


def accounting(ids: Sequence[str]) -> Command | None:
    """All runs of these jobs, with their steps: those alone know the memory. None where none of these is an id."""
    bases = dict.fromkeys(base_id(native_id) for native_id in ids if fields.ID.match(native_id))
    return _sacct("-D", "-j", ",".join(bases), "-o", ",".join(_COLUMNS)) if bases else None


def parse_accounting(done: Completed, ids: Sequence[str]) -> Snapshot:
    """The last run of each of these ids. Raises Unavailable where there is no accounting, or it did not answer."""
    if done.returncode != 0:
        raise Unavailable(f"Slurm's accounting did not answer: {done.words}")
    wanted = set(ids)
    arrays = {base_id(native_id) for native_id in ids if "_" in native_id}
    jobs: dict[str, Observation] = {}
    rests: list[Observation] = []
    unreadable: list[tuple[str | None, str]] = []
    for line in done.stdout.split("\n"):
        if not line:
            continue
        native_id, dot, _ = line.partition(SEPARATOR)[0].partition(".")
        is_rest = native_id in arrays or (base_id(native_id) in arrays and not fields.ID.match(native_id))
        if native_id not in wanted and not is_rest:
            if SEPARATOR not in line:
                unreadable.append((None, line))
            continue
        try:
            values = _values(line)
            if is_rest:
                rests.append(_observation(values, None))
            elif dot:
                if native_id in jobs:
                    jobs[native_id] = _with_step(jobs[native_id], values)
            else:
                jobs[native_id] = _observation(values, jobs.get(native_id))
        except ValueError:
            unreadable.append((native_id, line))
    for rest in rests:
        if rest.outcome is Outcome.CANCELLED:
            for native_id in fields.elements(rest.native_id, ids):
                jobs.setdefault(native_id, replace(rest, native_id=native_id))
    return Snapshot(jobs, tuple(unreadable))


def _values(line: str) -> list[str]:
    values = line.split(SEPARATOR)
    if len(values) != len(_COLUMNS):
        raise ValueError("columns are missing or too many")
    return values


def _observation(values: Sequence[str], earlier: Observation | None) -> Observation:
    native_id, word, exit_code, submitted, started, ended, elapsed, cpu, _, queue, nodes, why = values
    match = _CODE.match(exit_code)
    if not word or match is None:
        raise ValueError("state or exit code are missing")
    code, signal = int(match[1]), int(match[2]) or None
    reason = fields.text(why)
    hosts = expand_hosts(fields.text(nodes) or "")
    phase, outcome = read_state(word, reason)
    ending = read_ending(outcome, code, signal, hosts) if outcome is not None else None
    certain = ending.exit_code if ending else None
    if ending and ending.outcome is Outcome.EXITED and ending.signal is None and word == "FAILED" and code < 128:
        certain = None
        reason = f"{word} with exit code {code or 128}" + (f" or {code + 128}" if code else "")
    waiting = phase in (Phase.QUEUED, Phase.HELD)
    return Observation(
        native_id=native_id,
        phase=phase,
        word=word,
        outcome=ending.outcome if ending else None,
        reason=reason,
        exit_code=certain,
        signal=ending.signal if ending else None,
        queue=fields.text(queue),
        hosts=hosts,
        submitted=fields.time(submitted),
        started=None if waiting or (ending and not hosts) else fields.time(started),
        ended=fields.time(ended) if phase is Phase.ENDED else None,
        start_estimate=fields.time(started) if waiting else None,
        usage=Usage(fields.cpu_seconds(cpu), fields.duration(elapsed)) if phase is Phase.ENDED else None,
        run=0 if earlier is None else earlier.run + 1,
    )


def _with_step(job: Observation, values: Sequence[str]) -> Observation:
    """The job with the memory of one of its steps taken into account, the largest counting."""
    memory = fields.size(values[_COLUMNS.index("MaxRSS")])
    if memory is None or job.usage is None:
        return job
    return replace(job, usage=replace(job.usage, max_rss=max(memory, job.usage.max_rss or 0)))


def find() -> Command:
    """The user's jobs of late, with their comments: kept where the site has ``AccountingStoreFlags=job_comment``.

    It takes some seconds more for a job to be in this list than for it to be known by its id.
    """
    return _sacct("-X", "-S", FIND_SINCE, "-o", "JobID,State,NodeList,Comment")


def parse_find(done: Completed, tags: Sequence[str]) -> dict[str, str]:
    """The tags that are among them. A site without accounting knows none."""
    if done.returncode != 0:
        if _DISABLED in done.stderr:
            return {}
        raise Unavailable(f"Slurm's accounting did not answer: {done.words}")
    wanted = set(tags)
    found: dict[str, str] = {}
    for line in done.stdout.split("\n"):
        values = line.split(SEPARATOR)
        if len(values) != 4 or not values[3].startswith(MARK):
            continue
        native_id, state, nodes, comment = values
        tag = comment.removeprefix(MARK)
        if tag in wanted and base_id(native_id).isdecimal() and not was_refused(state, nodes):
            found[tag] = base_id(native_id)
    return found
