"""The accounting through slurmrestd: what became of jobs that the controller has forgotten, and what they used.

It tells the exit code 0 of jobs that FAILED with another one (22.05). Of a job that FAILED the code is therefore not
told; the record that the job's script wrote has it. A code of 0 with COMPLETED is certain, and so is a signal.
A requeued job has a record for each of its runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from argosy.batch.hosts import expand_hosts
from argosy.batch.slurm import fields
from argosy.batch.slurm.queue import MARK, base_id
from argosy.batch.slurm.states import read_ending, read_state
from argosy.model import Command, Completed, Observation, Outcome, Phase, Snapshot, Unavailable, Usage

from . import requests, values
from .server import Server

#: slurmrestd's number for "Nothing found with query".
NOTHING = 9003


def accounting(server: Server, ids: Sequence[str]) -> Command | None:
    """All runs of these jobs, with their steps: those alone know the memory. None where none of these is an id."""
    bases = dict.fromkeys(base_id(native_id) for native_id in ids if fields.ID.match(native_id))
    return requests.ask(server, [server.accounting(f"job/{base}") for base in bases]) if bases else None


def parse_accounting(done: Completed, ids: Sequence[str]) -> Snapshot:
    """The last run of each of these ids. Raises Unavailable where there is no accounting, or it did not answer."""
    wanted = set(ids)
    jobs: dict[str, Observation] = {}
    rests: list[tuple[Observation, list[int]]] = []
    unreadable: list[tuple[str | None, str]] = []
    try:
        answers = requests.whole(done, NOTHING)
    except Unavailable as error:
        raise Unavailable(f"Slurm's accounting did not answer: {error.message}") from error
    for answer in answers:
        if answer.failed(NOTHING):
            unreadable.append((None, answer.words))
        for record in answer.rows("jobs"):
            try:
                native_id, rest = _id(record)
            except (ValueError, TypeError, AttributeError) as odd:
                unreadable.append((None, f"{odd}: {record!r}"))
                continue
            if rest is None and native_id not in wanted:
                continue
            try:
                seen = _observation(record, native_id, jobs.get(native_id))
            except (ValueError, TypeError, AttributeError) as odd:
                unreadable.append((native_id, f"{odd}: {record!r}"))
                continue
            if rest is None:
                jobs[native_id] = seen
            else:
                rests.append((seen, rest))
    for one, rest in rests:
        if one.outcome is Outcome.CANCELLED:
            for native_id in (f"{one.native_id}_{index}" for index in rest):
                if native_id in wanted:
                    jobs.setdefault(native_id, replace(one, native_id=native_id))
    return Snapshot(jobs, tuple(unreadable))


def _id(record: Any) -> tuple[str, list[int] | None]:
    """The id of what a record is about; of what was left of an array while it waited, the elements' indices too."""
    number = values.number(record.get("job_id"))
    if number is None:
        raise ValueError("the id is missing")
    array = record.get("array") or {}
    base, task, left = values.number(array.get("job_id")), values.number(array.get("task_id")), array.get("task")
    if not base:
        return str(number), None
    if task is not None:
        return f"{base}_{task}", None
    return str(base), _bits(left) if isinstance(left, str) and left.startswith("0x") else []


def _bits(text: str) -> list[int]:
    """The indices of ``0x5``: each bit is an element."""
    mask = int(text, 16)
    return [index for index in range(mask.bit_length()) if mask >> index & 1]


def _observation(record: dict[str, Any], native_id: str, earlier: Observation | None) -> Observation:
    told = record.get("state") or {}
    word = values.state(told.get("current") if isinstance(told, dict) else None)
    reason = fields.text(str(told.get("reason") or ""))
    nodes = record.get("nodes")
    hosts = expand_hosts(fields.text(nodes) or "") if isinstance(nodes, str) else ()
    phase, outcome = read_state(word, reason)
    ending = read_ending(outcome, 0, values.signal(record.get("exit_code")), hosts) if outcome is not None else None
    certain = ending.exit_code if ending else None
    if ending and ending.outcome is Outcome.EXITED and ending.signal is None and word == "FAILED":
        certain, reason = None, f"{word}, and the accounting does not say with which exit code"
    times = record.get("time") or {}
    waiting = phase in (Phase.QUEUED, Phase.HELD)
    comment = record.get("comment") or {}
    mark = comment.get("job") if isinstance(comment, dict) else comment
    return Observation(
        native_id=native_id,
        phase=phase,
        word=word,
        outcome=ending.outcome if ending else None,
        reason=reason,
        exit_code=certain,
        signal=ending.signal if ending else None,
        tag=mark.removeprefix(MARK) if isinstance(mark, str) and mark.startswith(MARK) else None,
        queue=record.get("partition") or None,
        hosts=hosts,
        submitted=values.time(times.get("submission")),
        started=None if waiting or (ending and not hosts) else values.time(times.get("start")),
        ended=values.time(times.get("end")) if phase is Phase.ENDED else None,
        usage=_usage(record, times) if phase is Phase.ENDED else None,
        run=0 if earlier is None else earlier.run + 1,
    )


def _usage(record: dict[str, Any], times: dict[str, Any]) -> Usage:
    """What all steps used together, and the memory of the largest: the job's own record has no times of CPUs."""
    cpu, memory = 0.0, 0
    steps = [step for step in record.get("steps") or () if isinstance(step, dict)]
    for step in steps:
        total = (step.get("time") or {}).get("total") or {}
        cpu += (values.number(total.get("seconds")) or 0) + (values.number(total.get("microseconds")) or 0) / 1e6
        largest = ((step.get("tres") or {}).get("requested") or {}).get("max") or ()
        counts = [values.number(one.get("count")) or 0 for one in largest if one.get("type") == "mem"]
        memory = max(memory, *counts, 0)
    return Usage(cpu if steps else None, values.number(times.get("elapsed")), memory or None)
