"""scontrol show node: what each node is."""

from __future__ import annotations

import re
from collections import defaultdict

from argosy.model import Command, Completed, NodeKind
from argosy.model.numbers import whole

from . import fields
from .environment import query

_NODE = re.compile(r"^NodeName=\S+ .*?$", re.MULTILINE)
_NAMES = (
    "ActiveFeatures", "Arch", "CPUEfctv", "CPUTot", "Gres", "OS", "Partitions", "RealMemory", "Sockets", "State",
    "ThreadsPerCore",
)  # fmt: skip
_FACT = {name: re.compile(rf"(?:^| ){name}=(\S+)", re.ASCII) for name in _NAMES}
#: ``OS=Linux 5.14.0-70.el9.x86_64 #1 SMP ...``: the second word is the release.
_RELEASE = re.compile(r" OS=\S+ ([^\s=]+)(?: |$)")
#: States and flags in which a node is given no new jobs. Those that are powered down are woken for one.
_OUT = frozenset({
    "DOWN", "DRAIN", "DRAINED", "DRAINING", "ERROR", "FAIL", "FAILING", "FUTURE", "INVAL", "MAINT", "NOT_RESPONDING",
    "REBOOT", "UNKNOWN",
})  # fmt: skip


def nodes() -> Command:
    """The command that shows all nodes, one a line."""
    return query("scontrol", "show", "node", "-o")


def parse_nodes(answer: Completed) -> dict[str, list[NodeKind]]:
    """The nodes by partition, each as a kind of its own."""
    found: defaultdict[str, list[NodeKind]] = defaultdict(list)
    for line in _NODE.findall(answer.stdout):
        facts = {name: match[1] for name, pattern in _FACT.items() if (match := pattern.search(line))}
        node = _node(facts, _RELEASE.search(line))
        for partition in facts.get("Partitions", "").split(","):
            found[partition].append(node)
    return found


def _node(facts: dict[str, str], release: re.Match[str] | None) -> NodeKind:
    state = facts.get("State", "UNKNOWN").upper()
    features = _told(facts.get("ActiveFeatures"))
    memory = whole(facts.get("RealMemory"))
    return NodeKind(
        up=int("*" not in state and _OUT.isdisjoint(re.split(r"\W+", state))),
        cores=whole(facts.get("CPUEfctv") or facts.get("CPUTot")),
        memory=None if memory is None else memory * 1024 * 1024,
        gpus=fields.gpus(facts.get("Gres", "")),
        sockets=whole(facts.get("Sockets")),
        threads=whole(facts.get("ThreadsPerCore")),
        architecture=_lower(facts.get("Arch")),
        system=_lower(facts.get("OS")),
        release=None if release is None or release[1].startswith("(") else release[1],
        features=() if features is None else tuple(sorted(feature for feature in features.split(",") if feature)),
    )


def _told(value: str | None) -> str | None:
    return None if value is None or value.startswith("(") else value


def _lower(value: str | None) -> str | None:
    told = _told(value)
    return None if told is None else told.lower()
