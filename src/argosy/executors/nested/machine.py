"""This machine as an allocation: jobs are its processes, as many as it has CPU cores for."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from argosy.executors.local.child import Prepared
from argosy.executors.local.processes import Leader, Table, send
from argosy.executors.local.spawn import prepare
from argosy.model import JobSpec, Origin

from .allocation import local_node
from .executor import Starter, directory_of
from .packing import Need, Placement, Pool

#: How often all processes of a cancelled job are looked for and killed.
_KILL_ROUNDS = 20


class ThisMachine(Starter):
    """The CPU cores that this program may use."""

    where = "this machine"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.pool = Pool([local_node(environ)])

    def need(self, spec: JobSpec) -> Need:
        return Need.of(spec.effective_resources)

    def prepare(self, spec: JobSpec, placement: Placement, tag: str, note: str, origin: Origin) -> Prepared:
        return prepare(spec, directory_of(spec, origin), origin.environ, tag, note)

    def end(self, tag: str, leader: Leader) -> None:
        # Its processes may be starting others: until no living one is left, or the system will not end them.
        for _ in range(_KILL_ROUNDS):
            if not send(Table().members(tag, leader), signal.SIGKILL):
                break

    def force(self, tag: str, leader: Leader) -> None:
        self.end(tag, leader)
