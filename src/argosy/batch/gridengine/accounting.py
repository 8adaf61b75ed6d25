"""qacct: what became of jobs that have left the queue, and what they used.

qacct knows one job at a time, or all of a user's: few are asked for one by one, many in one go through the whole file.
It lags behind by the site's flush_time (15 seconds unless set), has no record of a job that was deleted before it ran,
and one for each run of a job that was put back into the queue, or that ended in error and waits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from argosy.model import Command, Completed, Observation, Outcome, Phase, Snapshot, Unavailable, Usage

from .directives import MARK
from .environment import ID, base_id, shell
from .script import NOT_AS_IT_IS
from .states import RUNS_AGAIN, Facts, read_ending

#: Up to so many jobs are asked for one by one.
FEW = 8

_KEYS = (
    "qname|hostname|jobnumber|taskid|account|slots|qsub_time|start_time|end_time|failed|deleted_by|exit_status|"
    "ru_wallclock|wallclock|ru_maxrss|cpu|maxvmem|category"
)
# The lines that matter, of the records that matter.
_FILTER = (
    r"""
    /^=====/ { if (keep) printf "%s", text; text = $0 "\n"; keep = all; next }
    $1 == "jobnumber" && ($2 in want) { keep = 1 }
    $1 == "account" && index($2, mark) == 1 { keep = keep || marked }
    /^("""
    + _KEYS
    + r""")[ \t]/ { text = text $0 "\n" }
    END { if (keep) printf "%s", text }
"""
)
_ONE_BY_ONE = f"""for id; do qacct -j "$id"; done | awk -v all=1 '{_FILTER}'"""
_TOGETHER = (
    """qacct -o "$(id -un)" -j | awk -v ids="$*" 'BEGIN { n = split(ids, some, " "); """
    f"""for (i = 1; i <= n; i++) want[some[i]] = 1 }} {_FILTER}'"""
)
_MARKED = f"""qacct -o "$(id -un)" -j | awk -v marked=1 -v mark="$1" '{_FILTER}'"""

_NOT_FOUND = re.compile(r"error: job (?:id|name) .* not found|^\s*$", re.ASCII)
_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([KMGTP]?)(?:B|s|Bs)?\Z", re.ASCII)
_LIMIT = re.compile(r"(?:^|[\s,])(h_rt|h_vmem)=([^,\s]+)", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+):)?(?:(\d+):)?(\d+)\Z", re.ASCII)
_TIMES = ("%a %b %d %H:%M:%S %Y", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S.%f")


def accounting(ids: Sequence[str]) -> Command | None:
    """All runs of these jobs."""
    bases = list(dict.fromkeys(base_id(native_id) for native_id in ids if ID.match(native_id)))
    if not bases:
        return None
    return shell(_ONE_BY_ONE if len(bases) <= FEW else _TOGETHER, "accounting", *bases)


def parse_accounting(done: Completed, ids: Sequence[str]) -> Snapshot:
    """The last run of each of these ids. Raises Unavailable where there is no accounting, or it did not answer."""
    jobs: dict[str, Observation] = {}
    unreadable: list[tuple[str | None, str]] = []
    wanted = set(ids)
    records = list(_records(done.stdout))
    if not records and not all(_NOT_FOUND.search(line) for line in done.stderr.split("\n")):
        raise Unavailable(f"Grid Engine's accounting did not answer: {done.words}")
    for record, text in records:
        native_id = _id_of(record)
        if native_id is None:
            unreadable.append((None, text))
        elif native_id in wanted:
            try:
                seen = _observation(native_id, record)
            except ValueError:
                unreadable.append((native_id, text))
                jobs.pop(native_id, None)
            else:
                if seen is None:
                    # Put back into the queue: an earlier end was not the end.
                    jobs.pop(native_id, None)
                else:
                    jobs[native_id] = seen
    return Snapshot(jobs, tuple(unreadable))


def find() -> Command:
    """The user's jobs that carry a mark of Argosy's in their account."""
    return shell(_MARKED, "find-accounting", MARK)


def parse_find(done: Completed, tags: Sequence[str]) -> dict[str, str]:
    """The tags that are among them."""
    wanted = set(tags)
    found: dict[str, str] = {}
    records = list(_records(done.stdout))
    if not records and done.stderr.strip():
        raise Unavailable(f"Grid Engine's accounting did not answer: {done.words}")
    for record, _ in records:
        account, native_id = record.get("account", ""), record.get("jobnumber", "")
        tag = account.removeprefix(MARK)
        if account.startswith(MARK) and tag in wanted and ID.match(native_id):
            found[tag] = native_id
    return found


def _records(text: str) -> Iterator[tuple[dict[str, str], str]]:
    """Each record's values, and its text."""
    for part in re.split(r"^=+[ \t]*$", text, flags=re.MULTILINE):
        record = {}
        for line in part.split("\n"):
            key, _, value = line.partition(" ")
            record[key] = value.strip()
        if part.strip() and "jobnumber" in record:
            yield record, part
        elif part.strip() and ("exit_status" in record or "failed" in record):
            yield {}, part


def _id_of(record: Mapping[str, str]) -> str | None:
    number, task = record.get("jobnumber", ""), record.get("taskid", "undefined")
    native_id = number if task in ("undefined", "0", "") else f"{number}.{task}"
    return native_id if ID.match(native_id) else None


def _observation(native_id: str, record: Mapping[str, str]) -> Observation | None:
    """The end of one run, None where it was put back into the queue. Raises ValueError for an odd record."""
    try:
        failure, _, why = record["failed"].partition(":")
        failed = int(failure)
        status = int(record["exit_status"].split()[0])
    except (KeyError, IndexError) as missing:
        raise ValueError("it does not say how the job ended") from missing
    if failed in RUNS_AGAIN:
        return None
    started, ended = _time(record.get("start_time")), _time(record.get("end_time"))
    lasted = ended - started if started is not None and ended is not None else None
    limits = dict(_LIMIT.findall(record.get("category", "")))
    slots = int(record["slots"]) if record.get("slots", "").isdecimal() else 1
    wall = _amount(record.get("ru_wallclock") or record.get("wallclock"))
    cpu, memory = _amount(record.get("cpu")), _amount(record.get("maxvmem"))
    per_slot = _amount(limits.get("h_vmem"))
    deleted_by = record.get("deleted_by", "NONE")
    ending = read_ending(
        Facts(
            failed=failed,
            status=status,
            started=started,
            lasted=lasted,
            wall=wall,
            cpu=cpu,
            memory=memory,
            wall_limit=_seconds(limits.get("h_rt")),
            memory_limit=None if per_slot is None else per_slot * slots,
            deleted=failed != 0 and deleted_by not in ("NONE", ""),
        )
    )
    # The kernel counts resident memory in KiB, qacct prints the number as bytes.
    resident = _amount(record.get("ru_maxrss"))
    # The script's own status where the application's would mean something else: its record has the true one.
    certain = None if ending.exit_code == NOT_AS_IT_IS else ending.exit_code
    return Observation(
        native_id=native_id,
        phase=Phase.ENDED,
        word=f"failed {failed}" + (f": {why.strip()}" if why.strip() else ""),
        outcome=ending.outcome,
        reason=None if ending.outcome is Outcome.EXITED else f"exit_status {record['exit_status']}",
        exit_code=certain,
        signal=ending.signal,
        queue=record.get("qname") or None,
        hosts=(record["hostname"],) if record.get("hostname") and started is not None else (),
        submitted=_time(record.get("qsub_time")),
        started=started,
        ended=ended,
        usage=Usage(cpu, lasted, int(resident * 1024) if resident else None) if started is not None else None,
    )


def _time(text: str | None) -> float | None:
    """A time in UTC, which the command was told to print; None for none, and for one in a form that is not known."""
    for form in _TIMES:
        try:
            moment = datetime.strptime(text or "", form).replace(tzinfo=UTC).timestamp()
        except (ValueError, OverflowError):
            continue
        return moment or None
    return None


def _amount(text: str | None) -> float | None:
    """Seconds or bytes: ``5s``, ``1.645MB``, ``0.007``, ``10M``; None where it says nothing or is in another form."""
    match = _NUMBER.match(text or "")
    if match is None:
        return None
    return float(match[1]) * 1024.0 ** " KMGTP".index(match[2] or " ")


def _seconds(text: str | None) -> float | None:
    """A limit of time: ``60``, ``1:0:0``."""
    match = _CLOCK.match(text or "")
    if match is None:
        return None
    total = 0
    for part in match.groups():
        if part is not None:
            total = total * 60 + int(part)
    return float(total)
