"""``flux jobs``: where jobs are, and which there are."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from argosy.batch.hosts import expand_hosts
from argosy.model import Command, Completed, Observation, Outcome, Phase, Snapshot, Unavailable, Usage

from .environment import query
from .ids import number
from .submit import NAME, away

#: Beyond so many jobs all of the user's are asked for.
MOST_NAMED = 1000
#: More than anybody has: without it ``flux jobs -a`` leaves out all but the newest thousand.
_ALL = ("-a", "-c", "1000000")

_PHASES = {
    "NEW": Phase.QUEUED,
    "DEPEND": Phase.QUEUED,
    "PRIORITY": Phase.QUEUED,
    "SCHED": Phase.QUEUED,
    "RUN": Phase.RUNNING,
    "CLEANUP": Phase.ENDING,
}
_NOT_STARTED = ("start failed", "shell_init", "exec failed", "unable to execute")
_NODE = ("node failure", "lost contact", "broker exited", "lost connection to")


def numbers(ids: Sequence[str]) -> list[str]:
    """The ids as numbers, each once; what is no id is left out."""
    return list(dict.fromkeys(str(value) for one in ids if (value := number(one)) is not None))


def status(ids: Sequence[str]) -> Command:
    """One query for all these jobs, ended ones included as long as Flux remembers them."""
    named = numbers(ids)
    if 0 < len(named) <= MOST_NAMED:
        return query("flux", "jobs", "--json", *named)
    return query("flux", "jobs", "--json", *(_ALL if named else ("-a", "-c", "1")))


def parse_status(done: Completed, ids: Sequence[str]) -> Snapshot:
    """What it showed of these ids, however they are written."""
    wanted = {value: one for one in ids if (value := number(one)) is not None}
    jobs: dict[str, Observation] = {}
    unreadable: list[tuple[str | None, str]] = []
    for record in _records(done):
        value = record.get("id") if isinstance(record, dict) else None
        if type(value) is not int:
            unreadable.append((None, repr(record)[:500]))
            continue
        native_id = wanted.get(value)
        if native_id is None:
            continue
        try:
            jobs[native_id] = _observation(native_id, record)
        except (ValueError, TypeError, AttributeError, OverflowError):
            unreadable.append((native_id, repr(record)[:500]))
    return Snapshot(jobs, tuple(unreadable))


def _records(done: Completed) -> list[Any]:
    """The jobs in the answer: a list of them, or one alone. Raises Unavailable where there was no answer."""
    text = done.stdout.strip()
    if text:
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Unavailable(f"flux jobs printed what cannot be read: {text[:500]}") from error
        if isinstance(answer, dict):
            jobs = answer.get("jobs", [answer])
            if isinstance(jobs, list):
                return jobs
        raise Unavailable(f"flux jobs printed what cannot be read: {text[:500]}")
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if lines and all(line.startswith("JobID ") and line.endswith(" unknown") for line in lines):
        return []
    raise Unavailable(f"Flux's jobs could not be read: {done.words}")


def _observation(native_id: str, record: dict[str, Any]) -> Observation:
    state = record["state"] if isinstance(record.get("state"), str) else None
    if not state:
        raise ValueError("the state is missing")
    word = record["status"] if isinstance(record.get("status"), str) else state
    phase = _PHASES.get(state, Phase.OTHER)
    exception = record.get("exception") or {}
    happened = exception.get("type") if exception.get("occurred") else None
    outcome, exit_code, reason = None, None, None
    if state == "INACTIVE":
        phase = Phase.ENDED
        outcome, exit_code = _ending(record, happened, exception.get("note") or "")
        reason = ": ".join(str(part) for part in (happened, exception.get("note")) if part) or None
    elif state == "SCHED" and record.get("urgency") == 0:
        phase, reason = Phase.HELD, "its urgency is 0"
    elif state == "DEPEND":
        reason = ", ".join(str(one) for one in record.get("dependencies") or ()) or None
    waiting = phase in (Phase.QUEUED, Phase.HELD)
    scheduler = (record.get("annotations") or {}).get("sched") or {}
    if waiting and reason is None and isinstance(scheduler.get("reason_pending"), str):
        reason = scheduler["reason_pending"]
    mark = NAME.search(str(record.get("name", "")))
    runtime = _number(record.get("runtime"))
    return Observation(
        native_id=native_id,
        phase=phase,
        word=word,
        outcome=outcome,
        reason=reason,
        exit_code=exit_code,
        signal=exit_code - 128 if exit_code is not None and 128 < exit_code <= 192 else None,
        tag=mark[1] if mark and mark[2] is None else None,
        queue=str(record["queue"]) if record.get("queue") else None,
        hosts=expand_hosts(str(record.get("nodelist") or "")),
        submitted=_number(record.get("t_submit")),
        started=None if waiting else _number(record.get("t_run")),
        ended=_number(record.get("t_cleanup")) if phase is Phase.ENDED else None,
        start_estimate=_number(scheduler.get("t_estimate")) if waiting else None,
        usage=Usage(wall_seconds=runtime) if phase is Phase.ENDED and runtime else None,
    )


def _ending(record: dict[str, Any], happened: object, note: str) -> tuple[Outcome, int | None]:
    """How a job ended, and its exit code where the script said it itself."""
    result = record.get("result")
    if result == "COMPLETED":
        return Outcome.EXITED, 0
    if result == "CANCELED":
        return Outcome.CANCELLED, None
    if result == "TIMEOUT" or happened == "timeout":
        return Outcome.TIMEOUT, None
    if happened == "cancel":
        return Outcome.CANCELLED, None
    if happened == "preempt":
        return Outcome.PREEMPTED, None
    if happened == "oom" or "out of memory" in note.lower():
        return Outcome.OUT_OF_MEMORY, None
    if happened in ("node-failure", "lost-shell") or any(sign in note for sign in _NODE):
        return Outcome.NODE_FAILURE, None
    if not record.get("t_run") or any(sign in note for sign in _NOT_STARTED):
        return Outcome.NOT_STARTED, None
    code = record.get("returncode")
    return Outcome.EXITED, code if type(code) is int and 0 < code <= 255 and happened is None else None


def _number(value: object) -> float | None:
    """A time or duration; 0 stands for none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        return None
    return float(value)


def list_jobs() -> Command:
    """The user's jobs that have not ended."""
    return query("flux", "jobs", "-n", "-c", "1000000", "-o", "{id.dec} {name}")


def parse_list(done: Completed) -> list[str]:
    """Their ids."""
    return [str(value) for value, _ in _named(done)]


def find() -> Command:
    """All of the user's jobs that Flux remembers, with their names."""
    return query("flux", "jobs", *_ALL, "-n", "-o", "{id.dec} {name}")


def parse_find(done: Completed, tags: Sequence[str]) -> dict[str, str]:
    """The tags that are among them, each with the id of its job; of an array the ids of its elements, with commas."""
    wanted = frozenset(tags)
    found: dict[str, str] = {}
    arrays: dict[str, dict[int, int]] = {}
    for value, name in _named(done):
        mark = NAME.search(name)
        if mark is None or mark[1] not in wanted:
            continue
        if mark[2] is None:
            found[mark[1]] = str(value)
        else:
            arrays.setdefault(mark[1], {})[int(mark[2])] = value
    for tag, elements in arrays.items():
        if max(elements) < 100_000:
            found[tag] = ",".join(str(elements.get(index, "")) for index in range(max(elements) + 1))
    return found


def _named(done: Completed) -> list[tuple[int, str]]:
    if done.returncode != 0 or away(done.stderr):
        raise Unavailable(f"Flux's jobs could not be read: {done.words}")
    found = []
    for line in done.stdout.split("\n"):
        written, _, name = line.partition(" ")
        value = number(written) if written[:1].isdecimal() else None
        if value is not None:
            found.append((value, name))
    return found


def element_id(array_id: str, index: int) -> str:
    """The id of an element, of an array as `parse_find` tells it; one that was not found has an id that no job has."""
    ids = array_id.split(",")
    return (ids[index] if index < len(ids) else "") or f"none-{index}"
