"""What an agent can do, by name."""

from __future__ import annotations

import os
import pwd
from collections.abc import Awaitable, Callable
from typing import Any

from .agent import Handler, Request
from .commands import command_handlers


async def _hello(request: Request) -> list[Any]:
    """Who the agent runs as: the account's name and number."""
    del request
    uid = os.geteuid()
    return [pwd.getpwuid(uid).pw_name, uid]


def all_handlers() -> tuple[dict[str, Handler], Callable[[], Awaitable[None]]]:
    """The handlers, and what closes what they hold."""
    commands, close = command_handlers()
    return {"hello": _hello, **commands}, close
