"""Where a driver and its job scripts meet: the status spool's layout.

tmp/      records being written
new/      records that nobody has taken care of yet (see argosy.batch.records)
claims/   one directory for each job that has begun to run: the proof that it must not run again
groups/   which jobs an array is made of, written before it is submitted
out/      what the job scripts themselves printed
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from argosy.batch.records import SPOOL_DIRECTORIES, claim_path, safe_id


@dataclass(slots=True)
class Spool:
    """The paths of one spool; `root` is absolute on the host that the transport reaches, once the driver is open."""

    root: str

    @property
    def new(self) -> str:
        """Where finished records appear."""
        return f"{self.root}/new"

    @property
    def groups(self) -> str:
        """Where the arrays' lists are."""
        return f"{self.root}/groups"

    def directories(self) -> list[str]:
        """All directories, to be made."""
        return [f"{self.root}/{name}" for name in (*SPOOL_DIRECTORIES, "groups")]

    def record(self, name: str) -> str:
        """The path of a record."""
        return f"{self.new}/{name}"

    def claim(self, tag: str) -> str:
        """The directory whose existence says that the job has begun to run."""
        return claim_path(self.root, tag)

    def output(self, native_id: str) -> str:
        """What the job's script itself printed."""
        return f"{self.root}/out/{safe_id(native_id)}.out"

    def node_file(self, native_id: str) -> str:
        """Which hosts the job's processes are on."""
        return f"{self.root}/out/{safe_id(native_id)}.nodes"

    def group(self, tag: str) -> str:
        """The list of an array's members."""
        return f"{self.groups}/{tag}"


def encode_group(members: Sequence[str]) -> bytes:
    """An array's list: the members' tags in the order of their index."""
    return json.dumps(list(members)).encode()


def decode_group(data: bytes) -> list[str]:
    """The members' tags. Raises ValueError where the list is damaged."""
    members = json.loads(data)
    if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
        raise ValueError("not a list of tags")
    return members
