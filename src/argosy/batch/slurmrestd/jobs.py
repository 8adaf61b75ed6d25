"""The controller's jobs: where they are, and which there are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from argosy.batch.hosts import expand_hosts
from argosy.batch.slurm import fields
from argosy.batch.slurm.queue import MARK, base_id, was_refused
from argosy.batch.slurm.states import Ending, read_ending, read_state, split_wait_status
from argosy.model import Command, Completed, Observation, Phase, Snapshot, Unavailable

from . import requests, values
from .server import Server

#: Beyond so many jobs and arrays slurmrestd is asked for all that there are: it answers for named ones one by one.
MOST_NAMED = 100
#: Slurm's number for "Invalid job id specified": the controller has forgotten the job, or never had it.
FORGOTTEN = 2017

_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?\Z", re.ASCII)


def status(server: Server, ids: Sequence[str]) -> Command:
    """One command for all these jobs, ended ones included as long as the controller remembers them."""
    bases = list(dict.fromkeys(base_id(native_id) for native_id in ids if fields.ID.match(native_id)))
    if 0 < len(bases) <= MOST_NAMED:
        return requests.ask(server, [server.slurm(f"job/{base}") for base in bases])
    return requests.ask(server, [server.slurm("jobs")])


def parse_status(done: Completed, ids: Sequence[str]) -> Snapshot:
    """What was shown of these ids."""
    wanted = set(ids)
    jobs: dict[str, Observation] = {}
    unreadable: list[tuple[str | None, str]] = []
    for answer in _read(done):
        if answer.failed(FORGOTTEN):
            unreadable.append((None, answer.words))
        for record in answer.rows("jobs"):
            try:
                shown = _ids(record, ids)
            except ValueError as odd:
                unreadable.append((None, f"{odd}: {record!r}"))
                continue
            for native_id in shown:
                if native_id in wanted:
                    try:
                        jobs[native_id] = _observation(record, native_id)
                    except (ValueError, TypeError, AttributeError) as odd:
                        unreadable.append((native_id, f"{odd}: {record!r}"))
    return Snapshot(jobs, tuple(unreadable))


def _read(done: Completed) -> list[requests.Answer]:
    try:
        return requests.whole(done, FORGOTTEN)
    except Unavailable as error:
        raise Unavailable(f"Slurm's queue could not be read: {error.message}") from error


def _ids(record: Any, ids: Sequence[str]) -> list[str]:
    """The ids of what a record is about: a job, an element, or all elements of an array that wait together.

    The list of the latter may be cut off: then it counts for the elements of `ids` beyond it, too.
    """
    number = values.number(record.get("job_id")) if isinstance(record, dict) else None
    if number is None:
        raise ValueError("the id is missing")
    array = values.number(record.get("array_job_id"))
    if not array:
        return [str(number)]
    task = values.number(record.get("array_task_id"))
    tasks = record.get("array_task_string")
    if task is not None or not isinstance(tasks, str) or not tasks:
        return [str(array) if task is None else f"{array}_{task}"]
    return [f"{array}_{index}" for index in _tasks(tasks, array, ids)]


def _tasks(text: str, array: int, ids: Sequence[str]) -> list[int]:
    """The indices of ``0,2,4-8:2%3``; of ``0,2,...`` also those of `ids` beyond the last."""
    listed = text.partition("%")[0]
    found: list[int] = []
    cut = listed.endswith("...")
    for part in listed.removesuffix("...").strip(",").split(","):
        match = _RANGE.match(part)
        if match is None:
            raise ValueError(f"{text!r} is no list of an array's elements")
        first, last, step = (int(one) if one else None for one in match.groups())
        assert first is not None
        found += range(first, (first if last is None else last) + 1, step or 1)
    if cut:
        prefix = f"{array}_"
        asked = (int(native_id[len(prefix) :]) for native_id in ids if native_id.startswith(prefix))
        found += [index for index in asked if index > found[-1]]
    return found


def _observation(record: dict[str, Any], native_id: str) -> Observation:
    word = values.state(record.get("job_state"))
    reason = fields.text(record.get("state_reason") or "")
    hosts = _hosts(record)
    phase, outcome = read_state(word, reason)
    code, signal = _exit(record.get("exit_code"))
    ending = read_ending(outcome, code, signal, hosts) if outcome is not None else None
    waiting = phase in (Phase.QUEUED, Phase.HELD)
    started = values.time(record.get("start_time"))
    return Observation(
        native_id=native_id,
        phase=phase,
        word=word,
        outcome=ending.outcome if ending else None,
        reason=reason,
        exit_code=ending.exit_code if ending else None,
        signal=ending.signal if ending else None,
        tag=_tag(record),
        queue=record.get("partition") or None,
        hosts=hosts,
        submitted=values.time(record.get("submit_time")),
        started=None if waiting or _never_started(ending, hosts) else started,
        ended=values.time(record.get("end_time")) if phase is Phase.ENDED else None,
        start_estimate=started if waiting else None,
        run=values.number(record.get("restart_cnt")) or 0,
    )


def _never_started(ending: Ending | None, hosts: tuple[str, ...]) -> bool:
    """Whether an ended job had no host: Slurm then shows the time of its end as that of its start."""
    return ending is not None and not hosts


def _hosts(record: dict[str, Any]) -> tuple[str, ...]:
    nodes = record.get("nodes")
    return expand_hosts(fields.text(nodes) or "") if isinstance(nodes, str) else ()


def _exit(value: Any) -> tuple[int | None, int | None]:
    """Exit code and signal: a wait status until v0.0.38, told in words from v0.0.39 on."""
    if isinstance(value, dict):
        return values.number(value.get("return_code")), values.signal(value)
    status = values.number(value)
    if status is None:
        raise ValueError("the exit code is missing")
    return split_wait_status(status)


def _tag(record: dict[str, Any]) -> str | None:
    comment = record.get("comment")
    return comment.removeprefix(MARK) if isinstance(comment, str) and comment.startswith(MARK) else None


def everything(server: Server) -> Command:
    """Who asks, and all jobs that the controller remembers."""
    return requests.ask(server, [server.slurm("jobs")], tell_user=True)


def parse_find(done: Completed, tags: Sequence[str]) -> dict[str, str]:
    """The tags that are among the user's jobs, each with the id of its job or array."""
    wanted = set(tags)
    found: dict[str, str] = {}
    for record in _own(done):
        tag = _tag(record)
        if tag is None or tag not in wanted:
            continue
        try:
            native_id = values.number(record.get("array_job_id")) or values.number(record.get("job_id"))
            refused = was_refused(values.state(record.get("job_state")), str(record.get("nodes") or ""))
        except ValueError:
            continue
        if native_id and not refused:
            found[tag] = str(native_id)
    return found


def parse_list(done: Completed) -> list[str]:
    """The ids of the user's jobs that have not ended."""
    found: list[str] = []
    for record in _own(done):
        try:
            phase, _ = read_state(values.state(record.get("job_state")), None)
            if phase is not Phase.ENDED:
                found += _ids(record, ())
        except ValueError:
            continue
    return found


def _own(done: Completed) -> list[dict[str, Any]]:
    user, rest = requests.told_user(done)
    (answer, *_) = _read(rest)
    return [one for one in answer.rows("jobs") if isinstance(one, dict) and user and one.get("user_name") == user]
