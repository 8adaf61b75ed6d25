"""qstat -g c and qconf -sq: the queues, how full they are and what they allow."""

from __future__ import annotations

import re
from collections.abc import Sequence

from argosy.model import Command, Completed, Share, Unavailable

from . import xml
from .environment import query

_SLOTS = re.compile(r"(\d{1,9})(?:\b|\Z)", re.ASCII)
_OF_HOST = re.compile(r"\[[^=\]]+=(\d{1,9})\]", re.ASCII)
_CLOCK = re.compile(r"(\d{1,9}):(\d{1,2}):(\d{1,2})\Z", re.ASCII)
#: What Grid Engine calls operating systems, in the words of ``uname``.
_SYSTEMS = {"lx": "linux", "lx24": "linux", "lx26": "linux", "sol": "sunos", "darwin": "darwin"}


def shares() -> tuple[Command, ...]:
    """What the queues are now, how they are configured, and what the hosts are."""
    return (query("qstat", "-g", "c", "-xml"), query("qconf", "-sq", "*"), query("qhost"))


def parse_shares(done: Sequence[Completed]) -> list[Share]:
    """The queues. Nodes and memory are told by host, not by queue: they are left out. Architecture and operating system
    are those of all hosts."""
    summary, configuration, hosts = done
    for answer in (summary, configuration):
        if answer.returncode != 0:
            raise Unavailable(f"Grid Engine's queues could not be read: {answer.words}")
    configured = {facts["qname"]: facts for facts in _queues(configuration.stdout)}
    try:
        queues = list(xml.parse(summary.stdout).all("cluster_queue_summary"))
    except ValueError as odd:
        raise Unavailable(f"Grid Engine's queues could not be read: {odd}") from odd
    kinds = _kinds(hosts.stdout) if hosts.returncode == 0 else set()
    return [
        _share(queue, configured.get(name, {}), kinds) for queue in queues if (name := queue.value("name")) is not None
    ]


def _kinds(text: str) -> set[tuple[str, str]]:
    """Operating system and architecture of each host, as ``lx-amd64`` tells them."""
    rows = [line.split() for line in text.splitlines()[2:]]
    words = {row[1] for row in rows if len(row) > 2 and row[1] != "-"}
    return {
        (_SYSTEMS[system], kind) for word in words for system, _, kind in [word.partition("-")] if system in _SYSTEMS
    }


def _queues(text: str) -> list[dict[str, str]]:
    """The configurations, one after another, each begun by its name. A backslash carries a line on."""
    found: list[dict[str, str]] = []
    for line in text.replace("\\\n", "").splitlines():
        words = line.split(None, 1)
        if len(words) == 2 and words[0] == "qname":
            found.append({})
        if len(words) == 2 and found:
            found[-1][words[0]] = words[1].strip()
    return found


def _share(queue: xml.Element, facts: dict[str, str], kinds: set[tuple[str, str]]) -> Share:
    total, free = _count(queue.value("total")), _count(queue.value("available"))
    closed = (_count(queue.value("temp_disabled")) or 0) + (_count(queue.value("manual_intervention")) or 0)
    open_ = total is None or closed < total
    why_not = "it has no slots" if total == 0 else "all of its instances are disabled, in error or unreachable"
    return Share(
        name=queue.value("name") or "",
        available=open_,
        why_not=None if open_ else why_not,
        cores=total,
        cores_per_node=_slots(facts.get("slots")),
        free_cores=free,
        max_wall=_limit(facts.get("h_rt")),
        architectures=tuple(sorted({kind for _, kind in kinds})),
        operating_systems=tuple(sorted({system for system, _ in kinds})),
        restricted=any(facts.get(name, "NONE") != "NONE" for name in ("user_lists", "projects")),
    )


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 18 else None


def _slots(text: str | None) -> int | None:
    """The most slots of one host: ``16``, ``1,[n1=16],[n2=64]``."""
    if text is None:
        return None
    numbers = [int(number) for number in _OF_HOST.findall(text)]
    if match := _SLOTS.match(text):
        numbers.append(int(match[1]))
    return max(numbers, default=None)


def _limit(text: str | None) -> int | None:
    """A limit in seconds; None for INFINITY, and where hosts differ."""
    match = _CLOCK.match(text or "")
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3]) if match else None
