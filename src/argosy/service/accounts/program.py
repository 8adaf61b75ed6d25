"""The program ``argosy-agent``: what the service has done as one of its users' accounts."""

from __future__ import annotations

import os
import pwd
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from argosy.accounts import agent
from argosy.accounts.agent import Handler
from argosy.accounts.commands import command_handlers

from .handlers import session_handlers
from .mover import mover_handlers


def _make(configuration: Mapping[str, Any]) -> tuple[dict[str, Handler], Callable[[], Awaitable[None]]]:
    account = pwd.getpwuid(os.geteuid()).pw_name
    commands, close_commands = command_handlers()
    moves, close_moves = mover_handlers(account, configuration)

    async def close() -> None:
        await close_commands()
        await close_moves()

    return {**commands, **moves, **session_handlers(account)}, close


def main() -> None:
    """The program."""
    agent.run(_make)


if __name__ == "__main__":
    main()
