"""Cobalt's qstat, qdel, qhold and qrls: tables with columns of our choice, none of whose values has a blank."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from argosy.batch.contract import Control
from argosy.batch.signs import has
from argosy.model import Command, Completed, InvalidInput, Observation, Phase, Share, Snapshot, Unavailable

_ID = re.compile(r"\d{1,18}\Z", re.ASCII)
_FILE = re.compile(r"/out/([A-Za-z0-9._-]+)\.cobalt(?=\s|\Z)", re.ASCII)
_ABOUT = re.compile(r"(?<!\d)(\d{1,18})(?!\d)", re.ASCII)
_GONE = ("not found", "no such job", "no match", "does not exist", "no jobs", "invalid job")
_AWAY = ("failed to connect", "connection refused", "can't connect", "cannot connect", "communication", "timed out")

#: The state words of qstat(1), in lower case. A job that has ended is not shown.
_STATES: dict[str, Phase] = {
    "queued": Phase.QUEUED,
    "starting": Phase.QUEUED,
    "dep_hold": Phase.QUEUED,
    "dep_fail": Phase.HELD,
    "maxrun_hold": Phase.QUEUED,
    "hold": Phase.HELD,
    "user_hold": Phase.HELD,
    "admin_hold": Phase.HELD,
    "running": Phase.RUNNING,
    "preempting": Phase.ENDING,
    "preempted": Phase.QUEUED,
    "exiting": Phase.ENDING,
    "killing": Phase.ENDING,
    "done": Phase.ENDING,
}
_COMMANDS = {Control.CANCEL: "qdel", Control.HOLD: "qhold", Control.RELEASE: "qrls"}
_QUERY: dict[str, str | None] = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "QSTAT_HEADER": None, "QSTAT_HEADER_FULL": None}


def query(*argv: str) -> Command:
    """A command that asks, or acts on jobs."""
    return Command(argv, environment=_QUERY)


def _known(ids: Sequence[str]) -> list[str]:
    return [native_id for native_id in dict.fromkeys(ids) if _ID.match(native_id)]


def _rows(text: str) -> Iterator[tuple[str, list[str]]]:
    """The lines below the title, each with its words."""
    for line in text.splitlines():
        words = line.split()
        if words and words[0] not in ("JobID", "Name") and not line.startswith("="):
            yield line, words


def away(words: str) -> bool:
    """Whether the words say that Cobalt could not be reached."""
    return has(words, _AWAY)


def _check(done: Completed) -> None:
    """Raise Unavailable where it did not answer; that nothing is there is an answer."""
    if done.returncode == 0:
        return
    words = (done.stderr + done.stdout).lower()
    if away(words) or done.returncode < 0 or (done.stderr.strip() and not any(sign in words for sign in _GONE)):
        raise Unavailable(f"Cobalt's queue could not be read: {done.words}")


def status(ids: Sequence[str]) -> Command:
    """All these jobs."""
    return query("qstat", "--header", "JobID:State:Queue:Location", *(_known(ids) or ["0"]))


def parse_status(done: Completed, ids: Sequence[str]) -> Snapshot:
    """What qstat showed of these ids."""
    wanted = set(ids)
    jobs: dict[str, Observation] = {}
    unreadable: list[tuple[str | None, str]] = []
    for line, words in _rows(done.stdout):
        if not _ID.match(words[0]):
            unreadable.append((None, line))
        elif words[0] in wanted:
            if len(words) < 2:
                unreadable.append((words[0], line))
                continue
            phase = _STATES.get(words[1].lower(), Phase.OTHER)
            where = words[3] if len(words) > 3 and words[3] != "None" else ""
            reason = words[1] if phase in (Phase.QUEUED, Phase.HELD) and words[1].lower() != "queued" else None
            jobs[words[0]] = Observation(
                native_id=words[0],
                phase=phase,
                word=words[1],
                reason=reason,
                queue=words[2] if len(words) > 2 else None,
                hosts=tuple(where.split(",")) if where and phase is Phase.RUNNING else (),
            )
    if not jobs:
        _check(done)
    return Snapshot(jobs, tuple(unreadable))


def script_path(spool: str, tag: str) -> str:
    """Where a group's script is kept until it has begun."""
    return f"{spool}/out/{tag}.cobalt"


def find() -> Command:
    """All jobs, with their commands: the scripts' names have the tags."""
    return query("qstat", "--header", "JobID:Command")


def parse_find(done: Completed, tags: Sequence[str]) -> dict[str, str]:
    """The tags that are among them."""
    _check(done)
    wanted = set(tags)
    found: dict[str, str] = {}
    for line, words in _rows(done.stdout):
        match = _FILE.search(line)
        if match is not None and match[1] in wanted and _ID.match(words[0]):
            found[match[1]] = words[0]
    return found


def list_jobs() -> Command:
    """The user's jobs."""
    return query("sh", "-c", 'exec qstat -u "$(id -un)" --header JobID:State')


def parse_list(done: Completed) -> list[str]:
    """Their ids."""
    _check(done)
    return [words[0] for _, words in _rows(done.stdout) if _ID.match(words[0])]


def control(verb: Control, ids: Sequence[str]) -> Command:
    """The command that does `verb`."""
    known = _known(ids)
    if not known:
        raise InvalidInput(f"Cobalt has no job with such an id: {', '.join(map(repr, ids))}", element="native_id")
    return query(_COMMANDS[verb], *known)


def parse_control(verb: Control, done: Completed, ids: Sequence[str]) -> dict[str, str]:
    """The ids that it was refused for."""
    if done.returncode == 0:
        return {}
    if away(done.stderr + done.stdout) or done.returncode < 0 or not (done.stderr + done.stdout).strip():
        raise Unavailable(f"Cobalt could not be reached: {done.words}")
    refused: dict[str, str] = {}
    unnamed: list[str] = []
    for line in (done.stderr.strip() or done.stdout.strip()).splitlines():
        if not line.strip() or (verb is Control.CANCEL and any(sign in line.lower() for sign in _GONE)):
            continue
        named = set(_ABOUT.findall(line)) & set(ids)
        refused.update(dict.fromkeys(named, line.strip()))
        if not named:
            unnamed.append(line.strip())
    for native_id in ids if unnamed else ():
        refused.setdefault(native_id, "; ".join(unnamed))
    return refused


def shares() -> tuple[Command, ...]:
    """The queues."""
    return (query("qstat", "-Q", "--header", "Name:State:MaxTime"),)


def parse_shares(done: Sequence[Completed]) -> list[Share]:
    """The queues."""
    (queues,) = done
    if queues.returncode != 0:
        raise Unavailable(f"Cobalt's queues could not be read: {queues.words}")
    found = []
    for _, words in _rows(queues.stdout):
        if len(words) < 2:
            continue
        running = words[1].lower() == "running"
        found.append(
            Share(
                name=words[0],
                available=running,
                why_not=None if running else f"the queue is {words[1]}",
                max_wall=_seconds(words[2]) if len(words) > 2 else None,
            )
        )
    return found


def _seconds(text: str) -> int | None:
    """Seconds of ``HH:MM:SS`` or of a number of minutes; None where there is no limit."""
    parts = text.split(":")
    if not all(part.isdecimal() and part.isascii() and len(part) < 10 for part in parts):
        return None
    if len(parts) == 1:
        return int(text) * 60
    hours, minutes, seconds = ([int(part) for part in parts] + [0, 0])[:3]
    return hours * 3600 + minutes * 60 + seconds
