"""qhost: what each host is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from argosy.model import Command, NodeKind
from argosy.model.numbers import whole

from .environment import query

#: What Grid Engine calls operating systems, in the words of ``uname``.
_SYSTEMS = {"lx": "linux", "lx24": "linux", "lx26": "linux", "sol": "sunos", "darwin": "darwin"}
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([KMGT]?)\Z", re.ASCII)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def hosts() -> Command:
    """The command that shows all hosts."""
    return query("qhost")


def parse_hosts(text: str) -> dict[str, NodeKind]:
    """The hosts by name, each as a kind of its own. One that does not report its load is down."""
    lines = text.splitlines()
    columns = lines[0].split() if lines else []
    found = {}
    for line in lines[2:]:
        words = line.split()
        if len(words) == len(columns) and words[0] != "global":
            row = dict(zip(columns, words, strict=True))
            found[words[0]] = _host(row)
    return found


def _host(row: Mapping[str, str]) -> NodeKind:
    # ``lx-amd64``, ``lx24-x86``: the system and the machine.
    system, _, machine = row.get("ARCH", "-").partition("-")
    known = _SYSTEMS.get(system)
    cores, threads = whole(row.get("NCOR")), whole(row.get("NTHR"))
    return NodeKind(
        up=int(row.get("LOAD", "-") != "-"),
        cores=whole(row.get("NCPU")),
        memory=_size(row.get("MEMTOT")),
        sockets=whole(row.get("NSOC")),
        threads=threads // cores if cores and threads else None,
        architecture=machine or None if known else None,
        system=known,
    )


def hosts_of(hostlist: str | None, known: Mapping[str, NodeKind]) -> list[NodeKind]:
    """Those of a queue's hosts that its configuration names; all where it names groups of hosts, or is not told."""
    if hostlist is None or "@" in hostlist:
        return list(known.values())
    named = hostlist.replace(",", " ").split()
    return [known[name] for name in named if name in known]


def _size(text: str | None) -> int | None:
    match = _SIZE.match(text or "")
    return None if match is None else int(float(match[1]) * 1024 ** _POWERS[match[2]])
