"""bqueues, bhosts and lshosts: the queues, and the hosts that they use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from argosy.model import Command, Completed, Share, Unavailable
from argosy.model.numbers import whole

from .environment import query

_QUEUE = re.compile(r"^QUEUE: (\S+)\s*$", re.MULTILINE)
_LIMIT = re.compile(r"RUNLIMIT[^\n]*\n\s*(\d{1,9}(?:\.\d{1,9})?) min", re.ASCII)
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)([KMGTP]?)\Z", re.ASCII)
#: Host types of LSF that tell what ``uname`` does.
_ARCHITECTURES = {"x86_64": "x86_64", "linux86": "x86_32", "linux_arm64": "aarch64", "linuxppc64le": "ppc64le"}
_SYSTEMS = dict.fromkeys((*_ARCHITECTURES, "linux"), "linux")
#: Hosts that take jobs, now or as soon as others have ended.
_UP = frozenset({"ok", "closed", "closed_Full", "closed_Busy", "closed_Excl", "closed_Cu_Excl"})


def shares() -> tuple[Command, ...]:
    """What the queues allow, what the hosts do, what they have."""
    return (query("bqueues", "-l"), query("bhosts", "-w"), query("lshosts", "-w"))


def parse_shares(done: Sequence[Completed]) -> list[Share]:
    """The queues, in LSF's order. Hosts that cannot be read leave their numbers away."""
    queues, slots, machines = done
    found = list(_QUEUE.finditer(queues.stdout))
    if queues.returncode != 0 or not found:
        raise Unavailable(f"LSF's queues could not be read: {queues.words}")
    hosts = {row["HOST_NAME"]: row for row in _table(slots)}
    kinds = {row["HOST_NAME"]: row for row in _table(machines)}
    ends = [*(match.start() for match in found[1:]), len(queues.stdout)]
    return [
        _share(match[1], queues.stdout[match.end() : end], hosts, kinds) for match, end in zip(found, ends, strict=True)
    ]


def _table(done: Completed) -> list[dict[str, str]]:
    lines = done.stdout.splitlines()
    header = lines[0].split() if lines else []
    if "HOST_NAME" not in header:
        return []
    rows = (dict(zip(header, line.split(), strict=False)) for line in lines[1:])
    return [row for row in rows if row.get("HOST_NAME")]


def _share(name: str, text: str, hosts: dict[str, dict[str, str]], kinds: dict[str, dict[str, str]]) -> Share:
    status = _status(text)
    available = status.startswith("Open")
    used = _hosts(text, hosts)
    slots = [number for host in used or () if (number := whole(hosts[host].get("MAX"))) is not None]
    busy = [number for host in used or () if (number := whole(hosts[host].get("NJOBS"))) is not None]
    memory = [size for host in used or () if (size := _size(kinds.get(host, {}).get("maxmem", "-"))) is not None]
    limits = text.partition("DEFAULT LIMITS:")
    most = text.partition("MAXIMUM LIMITS:")[2] if "MAXIMUM LIMITS:" in text else limits[0]
    default = limits[2].partition("MAXIMUM LIMITS:")[0]
    return Share(
        name=name,
        available=available,
        default="default queue" in text.partition("PARAMETERS/STATISTICS")[0],
        why_not=None if available else f"the queue is {status or 'in an unknown state'}",
        nodes=len(used) if used else None,
        cores=sum(slots) or None,
        cores_per_node=max(slots, default=0) or None,
        free_cores=max(0, sum(slots) - sum(busy)) if slots else None,
        memory_per_node=max(memory, default=0) or None,
        max_wall=_minutes(most),
        default_wall=_minutes(default),
        nodes_up=None if used is None else sum(hosts[host].get("STATUS", "ok") in _UP for host in used),
        jobs_running=_number(text, "RUN"),
        jobs_waiting=_number(text, "PEND"),
        architectures=_kinds(kinds, used, _ARCHITECTURES),
        operating_systems=_kinds(kinds, used, _SYSTEMS),
        restricted=_is_restricted(text),
    )


def _kinds(kinds: dict[str, dict[str, str]], used: list[str] | None, words: dict[str, str]) -> tuple[str, ...]:
    types = {kinds.get(host, {}).get("type", "").lower() for host in used or ()}
    return tuple(sorted({words[kind] for kind in types if kind in words}))


def _is_restricted(text: str) -> bool:
    match = re.search(r"^USERS:\s+(.*)$", text, re.MULTILINE)
    return match is not None and match[1].split()[:1] not in (["all"], [])


def _status(text: str) -> str:
    return _statistic(text, "STATUS")


def _number(text: str, name: str) -> int | None:
    """How many job slots of its jobs are in a state."""
    return whole(_statistic(text, name))


def _statistic(text: str, name: str) -> str:
    lines = text.splitlines()
    for header, row in pairwise(lines):
        names, values = header.split(), row.split()
        if "STATUS" in names and name in names and len(values) > names.index(name):
            return values[names.index(name)]
    return ""


def _hosts(text: str, known: dict[str, dict[str, str]]) -> list[str] | None:
    """The queue's hosts; None where they are told as groups, or there is no word about them."""
    match = re.search(r"^HOSTS:\s+(.*)$", text, re.MULTILINE)
    if match is None:
        return None
    words = match[1].split()
    if "all" in words and len(words) == 1:
        return list(known)
    hosts = [word.partition("+")[0] for word in words]
    return hosts if all(host in known for host in hosts) else None


def _size(value: str) -> int | None:
    match = _SIZE.match(value)
    return int(float(match[1]) * 1024 ** " KMGTP".index(match[2] or " ")) if match else None


def _minutes(text: str) -> int | None:
    match = _LIMIT.search(text)
    return int(float(match[1]) * 60) if match else None
