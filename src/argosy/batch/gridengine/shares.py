"""qstat -g c and qconf -sq: the queues, how full they are and what they allow."""

from __future__ import annotations

import re
from collections.abc import Sequence

from argosy.model import Command, Completed, NodeKind, Share, Unavailable, kinds_of
from argosy.model.numbers import whole

from . import hosts, xml
from .environment import query

_SLOTS = re.compile(r"(\d{1,9})(?:\b|\Z)", re.ASCII)
_OF_HOST = re.compile(r"\[[^=\]]+=(\d{1,9})\]", re.ASCII)
_CLOCK = re.compile(r"(\d{1,9}):(\d{1,2}):(\d{1,2})\Z", re.ASCII)


def shares() -> tuple[Command, ...]:
    """What the queues are now, how they are configured, and what the hosts are."""
    return (query("qstat", "-g", "c", "-xml"), query("qconf", "-sq", "*"), hosts.hosts())


def parse_shares(done: Sequence[Completed]) -> list[Share]:
    """The queues. Nodes and memory of a queue are not told: hosts belong to groups, and groups to queues. What hosts
    are is told of those that its configuration names, and otherwise of all."""
    summary, configuration, single = done
    for answer in (summary, configuration):
        if answer.returncode != 0:
            raise Unavailable(f"Grid Engine's queues could not be read: {answer.words}")
    configured = {facts["qname"]: facts for facts in _queues(configuration.stdout)}
    try:
        queues = list(xml.parse(summary.stdout).all("cluster_queue_summary"))
    except ValueError as odd:
        raise Unavailable(f"Grid Engine's queues could not be read: {odd}") from odd
    known = hosts.parse_hosts(single.stdout) if single.returncode == 0 else {}
    return [
        _share(queue, configured.get(name, {}), known) for queue in queues if (name := queue.value("name")) is not None
    ]


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


def _share(queue: xml.Element, facts: dict[str, str], known: dict[str, NodeKind]) -> Share:
    nodes = hosts.hosts_of(facts.get("hostlist"), known)
    total, free = whole(queue.value("total")), whole(queue.value("available"))
    closed = (whole(queue.value("temp_disabled")) or 0) + (whole(queue.value("manual_intervention")) or 0)
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
        architectures=tuple(sorted({node.architecture for node in nodes if node.architecture})),
        operating_systems=tuple(sorted({node.system for node in nodes if node.system})),
        restricted=any(facts.get(name, "NONE") != "NONE" for name in ("user_lists", "projects")),
        kinds=kinds_of(nodes),
    )


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
