"""condor_q and condor_history: where jobs are, how they ended, and which there are."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from argosy.model import Command, Completed, Observation, Outcome, Phase, Snapshot, Unavailable, Usage

from .environment import query
from .submit import away

#: One job of a cluster.
ID = re.compile(r"([1-9]\d{0,14})\.(\d{1,9})\Z", re.ASCII)
#: Beyond so many jobs all of the user's are asked for.
MOST_NAMED = 1000

_ATTRIBUTES = (
    *("ClusterId", "ProcId", "JobStatus", "ExitBySignal", "ExitCode", "ExitSignal", "HoldReason", "HoldReasonCode"),
    *("RemoveReason", "NumJobStarts", "QDate", "JobStartDate", "JobCurrentStartDate", "EnteredCurrentStatus"),
    *("CompletionDate", "RemoteHost", "LastRemoteHost", "ArgosyTag", "RemoteUserCpu", "RemoteSysCpu"),
    *("RemoteWallClockTime", "ResidentSetSize", "LastRejMatchReason", "VacateReason"),
)
#: JobStatus (HTCondor manual, appendix "Job ClassAd Attributes").
_STATES = {
    1: ("IDLE", Phase.QUEUED),
    2: ("RUNNING", Phase.RUNNING),
    3: ("REMOVED", Phase.ENDED),
    4: ("COMPLETED", Phase.ENDED),
    5: ("HELD", Phase.HELD),
    6: ("TRANSFERRING_OUTPUT", Phase.ENDING),
    7: ("SUSPENDED", Phase.SUSPENDED),
}
_RECORD = re.compile(r'\{\s*"')
_NEXT = re.compile(r"\n\s*\{")
_decoder = json.JSONDecoder(strict=False)


def valid(ids: Sequence[str]) -> list[str]:
    """The ids, each once; what is no id is left out."""
    return list(dict.fromkeys(one for one in ids if ID.match(one)))


def status(ids: Sequence[str]) -> Command:
    """One query for all these jobs. HTCondor takes a job out of its queue when it ends."""
    named = valid(ids)
    return query(
        "condor_q", "-json", "-attributes", ",".join(_ATTRIBUTES), *(named if len(named) <= MOST_NAMED else ())
    )


def accounting(ids: Sequence[str]) -> Command:
    """The history. It is read from its end, and no further than where all these jobs have been found."""
    # Without an id it would be all that there is: 0.0 is no job.
    named = valid(ids) or ["0.0"]
    return query("condor_history", "-json", "-attributes", ",".join(_ATTRIBUTES), "-limit", str(len(named)), *named)


def parse_jobs(done: Completed, ids: Sequence[str]) -> Snapshot:
    """What either showed of these ids."""
    wanted = frozenset(ids)
    jobs: dict[str, Observation] = {}
    unreadable: list[tuple[str | None, str]] = []
    for record, line in records(done):
        native_id = _id(record)
        if record is None or native_id is None:
            unreadable.append((None, line))
        elif native_id in wanted:
            try:
                jobs[native_id] = _observation(native_id, record)
            except (ValueError, TypeError, OverflowError):
                unreadable.append((native_id, line))
    return Snapshot(jobs, tuple(unreadable))


def records(done: Completed) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """The ClassAds, each read by itself; None where one cannot be. Where there are none, nothing may be printed."""
    text = done.stdout
    if done.returncode != 0 or away(done.stderr):
        raise Unavailable(f"HTCondor's jobs could not be read: {done.words}")
    begin = 0
    while (match := _RECORD.search(text, begin)) is not None:
        try:
            record, end = _decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            following = _NEXT.search(text, match.end())
            end = following.start() if following else len(text)
            record = None
        begin = max(end, match.end())
        yield record if isinstance(record, dict) else None, text[match.start() : end][:500]
    if text.strip() and "{" not in text and text.split() not in (["[", "]"], ["[]"]):
        raise Unavailable(f"HTCondor's jobs could not be read: {done.words}")


def _id(record: dict[str, Any] | None) -> str | None:
    if record is None:
        return None
    cluster, process = record.get("ClusterId"), record.get("ProcId")
    return f"{cluster}.{process}" if type(cluster) is int and type(process) is int else None


def _observation(native_id: str, record: dict[str, Any]) -> Observation:
    status = record.get("JobStatus")
    if type(status) is not int:
        raise ValueError("the state is missing")
    word, phase = _STATES.get(status, (f"JobStatus {status}", Phase.OTHER))
    outcome, exit_code, signal, reason = None, None, None, None
    if status == 4:
        outcome = Outcome.EXITED
        if record.get("ExitBySignal") is True:
            signal = _whole(record.get("ExitSignal"), 64)
            exit_code = 128 + signal if signal else None
        else:
            exit_code = _whole(record.get("ExitCode"), 255)
    elif status == 3:
        reason = _text(record.get("RemoveReason"))
        outcome = Outcome.TIMEOUT if reason and "PeriodicRemove" in reason else Outcome.CANCELLED
    elif status == 5:
        reason = _text(record.get("HoldReason"))
    elif status == 1:
        reason = _text(record.get("LastRejMatchReason"))
    starts = _whole(record.get("NumJobStarts"), 10**9) or 0
    host = _text(record.get("RemoteHost")) or _text(record.get("LastRemoteHost"))
    cpu = [value for key in ("RemoteUserCpu", "RemoteSysCpu") if (value := _number(record.get(key))) is not None]
    memory = _whole(record.get("ResidentSetSize"), 10**15)
    return Observation(
        native_id=native_id,
        phase=phase,
        word=word,
        outcome=outcome,
        reason=reason,
        exit_code=exit_code,
        signal=signal,
        tag=_text(record.get("ArgosyTag")),
        hosts=(host.rpartition("@")[2],) if host else (),
        submitted=_time(record.get("QDate")),
        started=_time(record.get("JobCurrentStartDate")) if starts else None,
        ended=(_time(record.get("CompletionDate")) or _time(record.get("EnteredCurrentStatus"))) if outcome else None,
        usage=Usage(
            sum(cpu) if cpu else None, _number(record.get("RemoteWallClockTime")), memory * 1024 if memory else None
        )
        if outcome
        else None,
        run=max(0, starts - 1),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: object, most: int) -> int | None:
    return value if type(value) is int and 0 <= value <= most else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        return None
    return float(value)


def _time(value: object) -> float | None:
    return _number(value) or None


def find() -> tuple[Command, ...]:
    """The user's jobs that Argosy has marked: those in the queue, and those of late that have left it."""
    asked = ("-json", "-attributes", "ClusterId,ProcId,ArgosyTag", "-constraint", "ArgosyTag =!= undefined")
    return (query("condor_q", *asked), query("condor_history", *asked, "-limit", "10000"))


def parse_find(done: Completed, tags: Sequence[str]) -> dict[str, str]:
    """The tags that are among them, each with its job's id; of an array that of the cluster."""
    wanted = frozenset(tags)
    found: dict[str, str] = {}
    for record, _ in records(done):
        native_id = _id(record)
        if record is None or native_id is None:
            continue
        tag = record.get("ArgosyTag")
        if isinstance(tag, str):
            name, is_array, _ = tag.partition("/")
            if name in wanted:
                found[name] = native_id.partition(".")[0] if is_array else native_id
    return found


def list_jobs() -> Command:
    """The user's jobs that have not ended."""
    return query("condor_q", "-json", "-attributes", "ClusterId,ProcId,JobStatus")


def parse_list(done: Completed) -> list[str]:
    """Their ids."""
    listed = ((_id(record), record) for record, _ in records(done))
    return [native_id for native_id, record in listed if native_id and record and record.get("JobStatus") not in (3, 4)]
