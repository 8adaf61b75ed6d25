"""bjobs: where jobs are, and which there are.

What bjobs can be asked for differs between versions, and one field that is not known is an error for all. It is asked
for what IBM's LSF 10.1 knows, and where that gives no answer for what every LSF-compatible system with ``-json`` knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from argosy.model import Command, Completed, Observation, Outcome, Phase, Snapshot, Unavailable

from . import fields
from .environment import query
from .states import STATES, termination

#: Argosy's mark, in the job's description.
MARK = "argosy:"

#: Beyond so many jobs and arrays bjobs is asked for all of the user's.
MOST_NAMED = 500

_PLAIN = "jobid stat queue job_name exec_host submit_time start_time finish_time"
_RICH = f"{_PLAIN} jobindex exit_code exit_reason pend_reason estimated_start_time"

# The time now comes first: LSF leaves the year of times away.
_STATUS = r"""
date +%s
rich=$1 plain=$2
shift 2
answer=$(bjobs -a -json -o "$rich" "$@" 2>/dev/null)
case $answer in
*RECORDS*) printf '%s\n' "$answer" ;;
*) exec bjobs -a -json -o "$plain" "$@" ;;
esac
"""

_RECORD = re.compile(r'\{\s*"JOBID"')
_RECORD_ID = re.compile(r'"JOBID"\s*:\s*"?(\d+)', re.ASCII)
_SHOWN_ID = re.compile(r"(\d{1,18})(?:\[(\d{1,9})\])?\Z", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}\Z", re.ASCII)
_INDEX = re.compile(r"\[(\d{1,9})\]\Z", re.ASCII)
_NONE = ("No unfinished job found", "No job found", "No matching job found", "is not found", "No running job found")
_NOW = re.compile(r"(\d{9,11})\s*\n", re.ASCII)

_decoder = json.JSONDecoder(strict=False)


def status(ids: Sequence[str]) -> Command:
    """One query for all these jobs, ended ones included as long as LSF remembers them (its CLEAN_PERIOD)."""
    bases = fields.bases(ids)
    return query("sh", "-c", _STATUS, "bjobs", _RICH, _PLAIN, *(bases if len(bases) <= MOST_NAMED else ()))


def parse_status(done: Completed, ids: Sequence[str]) -> Snapshot:
    """What bjobs showed of these ids.

    A job that ended with another code than 0 is left out where bjobs does not say with which: the accounting does.
    """
    wanted = frozenset(ids)
    begun = _NOW.match(done.stdout)
    now = float(begun[1]) if begun else None
    jobs: dict[str, Observation] = {}
    unreadable: list[tuple[str | None, str]] = []
    for record, line in _records(_answer(done)):
        shown = _shown(record) if record is not None else None
        if record is None or shown is None:
            named = _RECORD_ID.search(line)
            about = fields.shown_id(named[1], "", wanted) if named else None
            if about is not None or not named or any(fields.base_id(one) == named[1] for one in ids):
                unreadable.append((about, line))
            continue
        native_id = fields.shown_id(*shown, wanted)
        if native_id is None or "ERROR" in record:
            continue
        try:
            seen = _observation(native_id, record, now)
        except ValueError:
            unreadable.append((native_id, line))
            continue
        if seen is not None:
            jobs[native_id] = seen
    return Snapshot(jobs, tuple(unreadable))


def _answer(done: Completed) -> str:
    """The text with the records. Raises Unavailable where there was no answer."""
    if '"RECORDS"' in done.stdout:
        return done.stdout
    if any(words in done.stderr or words in done.stdout for words in _NONE):
        return ""
    raise Unavailable(f"LSF's jobs could not be read: {done.words}")


def _records(text: str) -> Iterator[tuple[dict[str, str] | None, str]]:
    """The records, each read by itself: one that cannot be read is None, with its text."""
    begins = [match.start() for match in _RECORD.finditer(text)]
    for begin, end in zip(begins, [*begins[1:], len(text)], strict=False):
        try:
            record, _ = _decoder.raw_decode(text, begin)
        except (ValueError, RecursionError):
            yield None, text[begin:end].strip()
            continue
        yield {str(key): value for key, value in record.items() if isinstance(value, str)}, text[begin:end].strip()


def _shown(record: dict[str, str]) -> tuple[str, str] | None:
    """The job's or array's id of a record, and the element's index, empty where there is none."""
    match = _SHOWN_ID.match(record.get("JOBID", "").strip())
    if match is None:
        return None
    if match[2]:
        return match[1], match[2]
    index = (record.get("JOBINDEX") or "").strip()
    if _NUMBER.match(index):
        return match[1], index
    # In the names of an array's elements only: names with brackets of their own make arrays.
    named = _INDEX.search(record.get("JOB_NAME", ""))
    return match[1], named[1] if named else ""


def _observation(native_id: str, record: dict[str, str], now: float | None) -> Observation | None:
    word = record.get("STAT", "").strip()
    if not word:
        raise ValueError("the state is missing")
    hosts = fields.hosts(record.get("EXEC_HOST", ""))
    started = fields.time(record.get("START_TIME", ""), now)
    reason = fields.text(record.get("PEND_REASON", ""))
    outcome, exit_code = None, None
    phase = STATES.get(word, Phase.OTHER)
    if word == "DONE":
        phase, outcome, exit_code, reason = Phase.ENDED, Outcome.EXITED, 0, None
    elif word == "EXIT":
        phase, reason = Phase.ENDED, fields.text(record.get("EXIT_REASON", ""))
        outcome = termination(reason or "")
        code = (record.get("EXIT_CODE") or "").strip()
        if outcome is None and not hosts and record.get("START_TIME", "").strip() in ("", "-"):
            outcome = Outcome.CANCELLED  # nothing but a kill ends a job that was never started
        elif outcome is None and _NUMBER.match(code) and 0 < int(code) < 256 and "EXIT_REASON" in record:
            outcome, exit_code = Outcome.EXITED, int(code)
        elif outcome is None:
            return None
    waiting = phase in (Phase.QUEUED, Phase.HELD)
    return Observation(
        native_id=native_id,
        phase=phase,
        word=word,
        outcome=outcome,
        reason=reason,
        exit_code=exit_code,
        signal=exit_code - 128 if exit_code is not None and 128 < exit_code <= 192 else None,
        queue=fields.text(record.get("QUEUE", "")),
        hosts=hosts,
        submitted=fields.time(record.get("SUBMIT_TIME", ""), now),
        started=None if waiting else started,
        ended=fields.time(record.get("FINISH_TIME", ""), now) if phase is Phase.ENDED else None,
        start_estimate=fields.time(record.get("ESTIMATED_START_TIME", ""), now, future=True) if waiting else None,
    )


def list_jobs() -> Command:
    """The user's jobs that have not ended."""
    return query("bjobs", "-json", "-o", "jobid stat job_name")


def parse_list(done: Completed) -> list[str]:
    """Their ids, array elements one by one."""
    ids: list[str] = []
    for record, _ in _records(_answer(done)):
        shown = _shown(record) if record is not None else None
        if record is None or shown is None or record.get("STAT", "DONE").strip() in ("DONE", "EXIT"):
            continue
        base, index = shown
        ids.append(f"{base}[{int(index)}]" if _NUMBER.match(index) and int(index) > 0 else base)
    return ids
