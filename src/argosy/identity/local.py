"""Callers by the Unix socket: the kernel says which user's process is at its other end."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from grp import getgrgid
from pathlib import Path
from typing import Any, ClassVar, Self

from msgspec import Struct

from .caller import Caller
from .contract import Authenticator, Evidence, Refused, read_options


class _Options(Struct, forbid_unknown_fields=True):
    pass


class LocalUsers(Authenticator):
    """The user of the process that connected, and the Unix groups of that user."""

    implicit: ClassVar[bool] = True

    @classmethod
    def from_config(cls, options: Mapping[str, Any], directory: Path) -> Self:
        del directory
        read_options(options, _Options, "local")
        return cls()

    async def authenticate(self, evidence: Evidence) -> Caller | None:
        if evidence.socket is None:
            return None
        try:
            account = pwd.getpwuid(evidence.socket.uid)
        except KeyError:
            raise Refused("unknown", f"there is no user {evidence.socket.uid} on this machine") from None
        groups = set()
        for number in os.getgrouplist(account.pw_name, account.pw_gid):
            try:
                groups.add(getgrgid(number).gr_name)
            except KeyError:
                continue  # a group without a name cannot be named in the configuration either
        return Caller(account.pw_name, method="local", groups=frozenset(groups))
