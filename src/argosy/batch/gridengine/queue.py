"""qstat: where jobs are, why they wait, and which there are."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from argosy.model import Command, Completed, Observation, Phase, Snapshot, Unavailable
from argosy.model.numbers import whole

from . import xml
from .directives import CONTEXT
from .environment import ID, base_id, shell
from .states import read_state

#: Of so many jobs that wait the reason is asked for, besides all in error.
MOST_REASONS = 50
#: The most tasks of one array that are told one by one.
MOST_TASKS = 100_000

# All of the user's jobs. `qstat -j` alone has the words, and is dear: it prints everything about a job.
_STATUS = (
    r"""
jobs=$(qstat -xml -s prs -u "$(id -un)") || exit
printf '%s\n' "$jobs"
which=$(printf '%s\n' "$jobs" | awk '
    /<JB_job_number>/ { id = $0; gsub(/[^0-9]/, "", id) }
    /<state>/ && id != "" && !(id in seen) {
        if ($0 ~ /<state>[^<]*E/ || ($0 ~ /<state>[^<]*q/ && waiting++ < """
    + str(MOST_REASONS)
    + r""")) {
            seen[id] = 1
            printf "%s%s", comma, id
            comma = ","
        }
    }')
[ -z "$which" ] || qstat -j "$which" -xml 2>/dev/null
exit 0
"""
)
# Everything about everybody's jobs, and who asks.
_FIND = r"""id -un && exec qstat -j '*' -xml"""
_LIST = r"""exec qstat -xml -s prs -u "$(id -un)" """

_TASKS = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?\Z", re.ASCII)


def status() -> Command:
    """The user's jobs that have not ended, and the words on those that wait. Ended ones are gone at once."""
    return shell(_STATUS, "status")


def parse_status(done: Completed, ids: Sequence[str]) -> Snapshot:
    """What was shown of these ids."""
    table, *details = xml.documents(done.stdout) or [""]
    if done.returncode != 0:
        raise Unavailable(f"Grid Engine's queue could not be read: {done.words}")
    wanted: defaultdict[str, dict[int | None, str]] = defaultdict(dict)
    for native_id in ids:
        if ID.match(native_id):
            index = native_id.partition(".")[2]
            wanted[base_id(native_id)][int(index) if index else None] = native_id
    found: dict[str, Observation] = {}
    unreadable: list[tuple[str | None, str]] = []
    words = _Words()
    for text in details:
        try:
            words.read(xml.parse(text))
        except ValueError as odd:
            unreadable.append((None, f"qstat -j: {odd}"))
    for job, text in _table(table):
        number = job.value("JB_job_number") if job is not None else None
        if job is None or number is None or not number.isdecimal():
            unreadable.append((_id_in(text, wanted), text))
            continue
        if number not in wanted:
            continue
        try:
            for task, native_id in _meant(job.value("tasks"), wanted[number]):
                found[native_id] = _observation(job, native_id, words.of(number, task))
        except ValueError:
            unreadable.append((number, text))
    return Snapshot(found, tuple(unreadable))


def _id_in(text: str, wanted: dict[str, dict[int | None, str]]) -> str | None:
    """The id of a job whose element cannot be read, where that much can."""
    match = re.search(r"<JB_job_number>(\d+)</JB_job_number>", text, re.ASCII)
    return match[1] if match and match[1] in wanted else None


def _table(text: str) -> Iterator[tuple[xml.Element | None, str]]:
    try:
        yield from xml.jobs(text)
    except ValueError as odd:
        raise Unavailable(f"Grid Engine's queue could not be read: {odd}: {text[:500]!r}") from odd


def _meant(tasks: str | None, wanted: dict[int | None, str]) -> list[tuple[int | None, str]]:
    """Those of the wanted tasks that an element is about. Raises ValueError for odd tasks."""
    if tasks is None:
        return [(None, wanted[None])] if None in wanted else []
    ranges = list(_ranges(tasks))
    if len(ranges) == 1 and ranges[0].start + 1 == ranges[0].stop:
        task = ranges[0].start
        return [(task, wanted[task])] if task in wanted else []
    return [(task, native_id) for task, native_id in wanted.items() if any(task in some for some in ranges)]


def _ranges(tasks: str) -> Iterator[range]:
    """``2,10-18:4`` is task 2, and 10, 14, 18."""
    for part in tasks.split(","):
        match = _TASKS.match(part.strip())
        if match is None or match[3] == "0":
            raise ValueError(f"{part!r} are no tasks")
        yield range(int(match[1]), int(match[2] or match[1]) + 1, int(match[3] or 1))


def _observation(job: xml.Element, native_id: str, words: str | None) -> Observation:
    letters = job.value("state") or ""
    phase = read_state(letters)
    queue, _, host = (job.value("queue_name") or "").partition("@")
    waits = phase in (Phase.QUEUED, Phase.HELD)
    return Observation(
        native_id=native_id,
        phase=phase,
        word=letters,
        reason=words if waits else None,
        name=job.value("JB_name"),
        queue=queue or None,
        hosts=(host,) if host and not waits else (),
        submitted=_time(job.value("JB_submission_time")),
        started=None if waits else _time(job.value("JAT_start_time")),
        run=1 if "R" in letters else 0,
    )


def _time(text: str | None) -> float | None:
    """A time in UTC, which the command was told to print. None where it says nothing."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class _Words:
    """Why jobs wait, in Grid Engine's words: errors of single tasks first, else the scheduler's messages on the job."""

    def __init__(self) -> None:
        self._errors: dict[tuple[str, int], str] = {}
        self._messages: defaultdict[str, list[str]] = defaultdict(list)

    def read(self, document: xml.Element) -> None:
        """Take in what ``qstat -j -xml`` printed."""
        for job in (one for info in document.all("djob_info") for one in info.children):
            number = job.value("JB_job_number")
            for task in (one for tasks in job.all("JB_ja_tasks") for one in tasks.children):
                text = "; ".join(error.text.strip() for error in task.all("QIM_message"))
                if number and text:
                    self._errors[number, whole(task.value("JAT_task_number")) or 1] = text
        for message in (one for some in document.all("SME_message_list") for one in some.children):
            text = message.value("MES_message") or ""
            for number in (one.text.strip() for one in message.all("ULNG_value")):
                if text and len(self._messages[number]) < 3:
                    self._messages[number].append(text)

    def of(self, number: str, task: int | None) -> str | None:
        """On one job, or one task of an array."""
        return self._errors.get((number, task or 1)) or "; ".join(self._messages.get(number, ())) or None


def find() -> Command:
    """Everybody's jobs that have not ended, with their contexts."""
    return shell(_FIND, "find")


def parse_find(done: Completed, tags: Sequence[str]) -> dict[str, str]:
    """The tags that are among the user's own jobs, each with the id of its job or array."""
    user, _, text = done.stdout.partition("\n")
    if done.returncode != 0:
        raise Unavailable(f"Grid Engine's queue could not be read: {done.words}")
    try:
        document = xml.parse(text)
    except ValueError as odd:
        raise Unavailable(f"Grid Engine's queue could not be read: {odd}: {text[:500]!r}") from odd
    if document.name not in ("detailed_job_info", "unknown_jobs"):
        # It may also say, with success, that it could not reach the queue master.
        raise Unavailable(f"Grid Engine's queue could not be read: {text[:500]!r}")
    wanted = set(tags)
    found: dict[str, str] = {}
    for job in (one for info in document.all("djob_info") for one in info.children):
        number = job.value("JB_job_number") or ""
        if job.value("JB_owner") == user.strip() and ID.match(number):
            for entry in (one for some in job.all("JB_context") for one in some.children):
                tag = entry.value("VA_value")
                if entry.value("VA_variable") == CONTEXT and tag in wanted and tag is not None:
                    found[tag] = number
    return found


def list_jobs() -> Command:
    """The user's jobs that have not ended."""
    return shell(_LIST, "list")


def parse_list(done: Completed) -> list[str]:
    """Their ids, tasks one by one."""
    if done.returncode != 0:
        raise Unavailable(f"Grid Engine's queue could not be read: {done.words}")
    ids: dict[str, None] = {}
    for job, _ in _table(done.stdout):
        number = job.value("JB_job_number") if job is not None else None
        if job is None or number is None or not number.isdecimal():
            continue
        tasks = job.value("tasks")
        if tasks is None:
            ids[number] = None
            continue
        try:
            for some in _ranges(tasks):
                ids.update((f"{number}.{task}", None) for task in some[: MOST_TASKS - len(ids)])
        except ValueError:
            continue
    return list(ids)
