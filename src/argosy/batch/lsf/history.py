"""``bjobs -UF`` and ``bhist -l``: how jobs ended, in LSF's sentences, and which job has which description.

bjobs knows the ends of jobs as long as LSF remembers them; bhist reads the log of events, and tells of kills and
requeues as well. Both write a paragraph for each job: a line of properties, then lines that begin with the time of an
event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from argosy.model import Command, Completed, Observation, Outcome, Phase, Snapshot, Unavailable, Usage

from . import fields
from .environment import query
from .queue import MARK
from .states import SIGNALLED, termination
from .submit import away

# bjobs is asked too because bhist needs the log, which not every host can read. It stays silent about what it forgot.
_ACCOUNTING = r"""
date +%s
bjobs -a -UF "$@" 2>/dev/null
exec bhist -l "$@"
"""

_JOB = re.compile(r"^Job <(\d{1,18})(?:\[(\d{1,9})\])?>,", re.ASCII | re.MULTILINE)
_NOW = re.compile(r"(\d{9,11})\s*\n", re.ASCII)
_EVENT = re.compile(
    r"^(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d(?: \d{4})?): (?P<words>.*)$",
    re.ASCII | re.MULTILINE,
)
_STATUS = re.compile(r", Status <([A-Z_]+)>", re.ASCII)
_QUEUE = re.compile(r"[Qq]ueue <([^>]*)>")
_TAG = re.compile(rf"Job Description <{re.escape(MARK)}([A-Za-z0-9._-]+)>", re.ASCII)
_CODE = re.compile(r"Exited (?:with exit code|by exit code) (\d{1,9})\b", re.ASCII)
_SIGNAL = re.compile(r"Exited by signal (\d{1,3})\b", re.ASCII)
_ENDED = re.compile(r"(?:Done successfully|Exited|Completed <(?:exit|done)>)")
_STARTED = re.compile(r"(?:\[\d+\] )?(?:[Ss]tarted |Dispatched |Starting )")
_STARTED_ON = re.compile(r"<([^<>]+)>")
_KILLED = re.compile(
    r"Signal <(?:KILL|TERM|INT)> requested by|Termination requested|Exited by kill|killed by (?:user|owner)"
)
_REQUEUED = re.compile(r"(?:Pending: )?(?:Job has been requeued|Pending: )|Migration|Requeued")
_CPU = re.compile(r"CPU time used is (\d{1,12}(?:\.\d{1,9})?) seconds", re.ASCII)
_MEMORY = re.compile(r"MAX MEM: (\d{1,12}(?:\.\d{1,9})?) ([KMGT])bytes", re.ASCII)
_RUN_LIMIT = re.compile(r"RUNLIMIT\s*\n\s*(\d{1,9}(?:\.\d{1,9})?) min", re.ASCII)


@dataclass(slots=True)
class _Story:
    """What one paragraph says of a job."""

    state: str | None = None
    queue: str | None = None
    ended: bool = False
    done: bool = False
    code: int | None = None
    signal: int | None = None
    started: float | None = None
    end_time: float | None = None
    hosts: tuple[str, ...] = ()
    was_started: bool = False
    killed: bool = False
    requeues: int = 0
    words: str | None = None
    usage: Usage | None = None
    run_limit: float | None = None


def accounting(ids: Sequence[str]) -> Command:
    """Both, for all these jobs. Without an id that can be one, for one that no job has: not for all jobs."""
    return query("sh", "-c", _ACCOUNTING, "bhist", *(fields.bases(ids) or ["999999999999"]))


def parse_accounting(done: Completed, ids: Sequence[str]) -> Snapshot:
    """How those of these jobs ended that have ended."""
    wanted = frozenset(ids)
    begun = _NOW.match(done.stdout)
    now = float(begun[1]) if begun else None
    stories: dict[str, list[_Story]] = {}
    spoken = False
    for base, index, text in _paragraphs(done.stdout):
        spoken = True
        native_id = fields.shown_id(base, index, wanted)
        if native_id is not None:
            stories.setdefault(native_id, []).append(_read(text, now))
    if not spoken and done.returncode != 0:
        if "No matching job found" in done.words and not away(done.words):
            return Snapshot({})
        raise Unavailable(f"LSF's history could not be read: {done.words}")
    jobs = {native_id: seen for native_id, told in stories.items() if (seen := _judge(native_id, told)) is not None}
    return Snapshot(jobs)


def _paragraphs(text: str) -> Iterator[tuple[str, str, str]]:
    """Id, index and text of each paragraph. bhist breaks lines anywhere and begins the next with 21 blanks."""
    joined = re.sub(r"\n {21}", "", text)
    found = list(_JOB.finditer(joined))
    for match, end in zip(found, [*(one.start() for one in found[1:]), len(joined)], strict=False):
        yield match[1], match[2] or "", joined[match.start() : end]


def _read(text: str, now: float | None) -> _Story:
    story = _Story()
    # What a user chose (names, commands, directories) is in the line of properties and in that of the submission.
    head = text.partition("\n")[0]
    if state := _STATUS.search(head):
        story.state = state[1]
    if queue := _QUEUE.search(head):
        story.queue = queue[1]
    if limit := _RUN_LIMIT.search(text):
        story.run_limit = float(limit[1]) * 60
    for event in _EVENT.finditer(text):
        words, time = event["words"], fields.time(event["time"], now)
        if words.startswith("Submitted from"):
            story.queue = story.queue or (queue[1] if (queue := _QUEUE.search(words)) else None)
        elif _STARTED.match(words):
            _start(story, words, time)
        elif _ENDED.match(words):
            _end(story, words, time)
        elif _REQUEUED.match(words):
            story.requeues += story.ended or story.was_started
            story.ended, story.killed = False, False
        elif _KILLED.search(words):
            story.killed = True
    if memory := _MEMORY.search(text):
        size = int(float(memory[1]) * 1024 ** " KMGT".index(memory[2]))
        cpu = story.usage.cpu_seconds if story.usage else None
        story.usage = Usage(cpu, max_rss=size)
    return story


def _start(story: _Story, words: str, time: float | None) -> None:
    if story.ended:
        # An end, and a start after it: it was requeued between them, which not every version says.
        story.requeues += 1
        story.ended, story.killed = False, False
    story.was_started = True
    if not words.startswith("Starting"):
        story.started = time
        place = words.partition(", ")[0].partition(";")[0]
        hosts = [host for part in _STARTED_ON.findall(place) for host in fields.hosts(part)]
        story.hosts = tuple(dict.fromkeys(hosts)) or story.hosts


def _end(story: _Story, words: str, time: float | None) -> None:
    if words.startswith("Completed"):
        # A second line about the same end: it has the reason.
        story.ended, story.words = True, words.rstrip("; ")
        story.done = story.done or "<done>" in words
        return
    story.ended, story.end_time = True, time
    story.done = words.startswith("Done")
    story.code = int(code[1]) if (code := _CODE.search(words)) else None
    story.signal = int(signal[1]) if (signal := _SIGNAL.search(words)) else None
    story.words = words.rstrip("; ")
    if cpu := _CPU.search(words):
        story.usage = Usage(float(cpu[1]))


def _judge(native_id: str, told: list[_Story]) -> Observation | None:
    """The end that the paragraphs about one job tell of; None where it has not ended."""
    if any(story.state not in (None, "DONE", "EXIT") for story in told):
        return None
    ended = [story for story in told if story.ended]
    if not ended:
        return None
    # The one that knows the code; of these the last, which is bhist's.
    story = ([one for one in ended if one.done or one.code is not None or one.signal is not None] or ended)[-1]
    words = next((one.words for one in reversed(ended) if one.words and "TERM_" in one.words), story.words) or ""
    limits = [one.run_limit for one in told if one.run_limit]
    ran = story.end_time - story.started if story.end_time is not None and story.started is not None else None
    was_started = any(one.was_started for one in ended)
    killed = any(one.killed for one in ended)
    signalled = story.code in SIGNALLED or story.signal is not None
    code, outcome = story.code, termination(words)
    if story.done:
        outcome, code = Outcome.EXITED, 0
    elif outcome is None and not was_started:
        outcome = Outcome.CANCELLED
    elif outcome is None and signalled and limits and ran is not None and ran >= min(limits):
        outcome = Outcome.TIMEOUT
        words = f"{words}; its run limit was {min(limits) / 60:g} min"
    elif outcome is None and killed:
        outcome = Outcome.CANCELLED
    elif outcome is None:
        outcome = Outcome.EXITED
        code = 128 + story.signal if story.signal is not None else code
    if code is not None and not 0 <= code <= 255:
        code = None
    signal = code - 128 if code is not None and 128 < code <= 192 else None
    return Observation(
        native_id=native_id,
        phase=Phase.ENDED,
        word="DONE" if story.done else "EXIT",
        outcome=outcome,
        reason=None if story.done else words or None,
        exit_code=code if outcome is Outcome.EXITED else None,
        signal=signal if outcome is Outcome.EXITED else None,
        queue=next((one.queue for one in told if one.queue), None),
        hosts=story.hosts,
        started=story.started,
        ended=story.end_time,
        usage=story.usage,
        run=max(one.requeues for one in told),
    )


def find() -> Command:
    """All of the user's jobs that LSF remembers, with their descriptions."""
    return query("bjobs", "-a", "-UF")


def parse_find(done: Completed, tags: Sequence[str]) -> dict[str, str]:
    """The tags that are among them, each with the id of its job or array."""
    wanted = frozenset(tags)
    found: dict[str, str] = {}
    spoken = False
    for base, _, text in _paragraphs(done.stdout):
        spoken = True
        for tag in _TAG.findall(text.partition("\n")[0]):
            if tag in wanted:
                found[tag] = base
    none = any(words in done.words for words in ("No unfinished job found", "No job found", "No matching job found"))
    if not spoken and not (none and not away(done.words)):
        raise Unavailable(f"LSF's jobs could not be read: {done.words}")
    return found
