"""Slurm through slurmrestd, its daemon for HTTP; tried with 22.05 (v0.0.36 to v0.0.38)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar

from argosy.batch.contract import Control, Group, Submission
from argosy.batch.slurm import Slurm
from argosy.batch.slurm import accounting as sacct
from argosy.model import Command, Completed, Share, Snapshot

from . import accounting, control, jobs, shares, submit
from .properties import properties
from .server import Server


class Slurmrestd(Slurm):
    """Slurm reached by HTTP, with curl, on the host where the commands are run.

    `options` are those of `argosy.batch.slurmrestd.server.Server`. Jobs are marked as by `Slurm`, and have the
    environment of whoever runs curl.
    """

    name: ClassVar[str] = "slurmrestd"
    signs: ClassVar[tuple[str, ...]] = ()
    controls: ClassVar[frozenset[Control]] = control.CONTROLS

    def __init__(self, options: Mapping[str, object] | None = None) -> None:
        self._server = Server.configured(options or {})

    # -- submitting -------------------------------------------------------------------------------

    def directives(self, submission: Submission) -> tuple[str, ...]:
        """The job's properties, each as a line of JSON."""
        asked = properties(submission, self._server.number)
        return tuple(json.dumps({name: value}, ensure_ascii=False) for name, value in asked.items())

    def script(self, group: Group, spool: str) -> str:
        """The document to send, whose second line begins with what follows the environment."""
        return submit.document(self._server, group, spool)

    def submit(self, script: str) -> Command:
        return submit.submit(self._server, script)

    def parse_submit(self, done: Completed, group: Group) -> list[str]:
        native_id = submit.parse_id(done)
        if group.is_array:
            return [self.element_id(native_id, index) for index in range(len(group.members))]
        return [native_id]

    # -- watching ---------------------------------------------------------------------------------

    def status(self, ids: Sequence[str]) -> Command:
        return jobs.status(self._server, ids)

    def parse_status(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        return jobs.parse_status(done, ids)

    def accounting(self, ids: Sequence[str]) -> Command | None:
        return accounting.accounting(self._server, ids)

    def parse_accounting(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        return accounting.parse_accounting(done, ids)

    def find(self, tags: Sequence[str]) -> tuple[Command, ...]:
        """What the controller remembers; then sacct where there is one.

        slurmrestd's own accounting has no way to ask for one user's jobs, and takes minutes for those of all.
        """
        del tags
        return (jobs.everything(self._server), sacct.find())

    def parse_find(self, done: Completed, tags: Sequence[str]) -> dict[str, str]:
        if done.argv[0].endswith("sacct"):
            return sacct.parse_find(done, tags)
        return jobs.parse_find(done, tags)

    def list_jobs(self) -> Command:
        return jobs.everything(self._server)

    def parse_list(self, done: Completed) -> list[str]:
        return jobs.parse_list(done)

    # -- acting -----------------------------------------------------------------------------------

    def control(self, verb: Control, ids: Sequence[str]) -> Command:
        return control.control(self._server, verb, ids)

    def parse_control(self, verb: Control, done: Completed, ids: Sequence[str]) -> dict[str, str]:
        return control.parse_control(verb, done, ids)

    # -- what there is ----------------------------------------------------------------------------

    def shares(self) -> tuple[Command, ...]:
        return shares.shares(self._server)

    def parse_shares(self, done: Sequence[Completed]) -> list[Share]:
        return shares.parse_shares(done)
