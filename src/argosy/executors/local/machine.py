"""What this machine is."""

from __future__ import annotations

import os
import platform

from argosy.model import NodeKind
from argosy.model.numbers import whole

_CPUINFO = "/proc/cpuinfo"


def this_machine(slots: int, memory: int | None) -> NodeKind:
    """This machine as a node with so many cores for jobs, and so much memory in bytes."""
    try:
        with open(_CPUINFO, encoding="utf-8", errors="replace") as file:
            told = file.read()
    except OSError:
        told = ""
    return described(told, slots, memory)


def described(cpuinfo: str, slots: int, memory: int | None) -> NodeKind:
    """The same, by what Linux says of the processors."""
    facts: dict[str, set[str]] = {}
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if value.strip():
            facts.setdefault(name.strip(), set()).add(value.strip())

    def one(name: str) -> str | None:
        # Where processors differ nothing is said of all of them.
        values = facts.get(name, set())
        return next(iter(values)) if len(values) == 1 else None

    siblings, cores = whole(one("siblings")), whole(one("cpu cores"))
    return NodeKind(
        up=1,
        cores=slots,
        memory=memory,
        sockets=len(facts["physical id"]) if "physical id" in facts else None,
        threads=siblings // cores if siblings and cores else None,
        cpu_model=one("model name"),
        cpu_vendor=one("vendor_id"),
        architecture=platform.machine().lower(),
        system=platform.system().lower(),
        release=os.uname().release,
    )
