"""Files between session directories of accounts and URLs, moved by the account's agent; and its side of that."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from argosy.accounts.agent import Handler, Request
from argosy.model import NotAllowed
from argosy.outbound import OutboundConfig, OutboundPolicy
from argosy.service.files.transfers import Mover
from argosy.staging import Fetch, Fetched, Progress, Push, Pushed, Staging
from argosy.staging.config import StagingConfig

from .seats import Seats, account_of


class AccountMover(Mover):
    """Moves what is an account's as that account, and the rest with `plain`."""

    def __init__(self, plain: Mover, seats: Seats) -> None:
        self._plain = plain
        self._seats = seats

    async def fetch(self, request: Fetch, progress: Progress | None = None) -> Fetched:
        account = account_of(request.directory)
        if account is None:
            return await self._plain.fetch(request, progress)
        return msgspec.convert(await self._ask(account, "fetch", request, progress), Fetched)

    async def push(self, request: Push, progress: Progress | None = None) -> Sequence[Pushed]:
        account = account_of(request.directory)
        if account is None:
            return await self._plain.push(request, progress)
        return msgspec.convert(await self._ask(account, "push", request, progress), list[Pushed])

    async def _ask(self, account: str, what: str, request: Fetch | Push, progress: Progress | None) -> Any:
        def told(value: Any) -> None:
            if progress is not None:
                progress(*msgspec.convert(value, tuple[int, int | None]))

        return await self._seats.agent(account).ask(what, told=told, request=msgspec.to_builtins(request))


def greeting(staging: StagingConfig, outbound: OutboundConfig) -> dict[str, Any]:
    """What an agent is told of the service's configuration."""
    return {"staging": msgspec.to_builtins(staging), "outbound": msgspec.to_builtins(outbound)}


def mover_handlers(
    account: str, configuration: Mapping[str, Any]
) -> tuple[dict[str, Handler], Callable[[], Awaitable[None]]]:
    """The agent's side. `configuration` is complete when something is asked for first."""
    made: list[Staging] = []

    def staging() -> Staging:
        if not made:
            policy = OutboundPolicy.of(msgspec.convert(configuration["outbound"], OutboundConfig))
            settings = msgspec.convert(configuration["staging"], StagingConfig)
            made.append(Staging(settings, policy, os.path.expanduser("~/.cache/argosy/staging")))
        return made[0]

    def own(directory: str) -> None:
        if account_of(directory) != account:
            raise NotAllowed(f"{directory} is no session directory of {account}")

    async def fetch(request: Request) -> Any:
        asked = msgspec.convert(request.args["request"], Fetch)
        own(asked.directory)
        return msgspec.to_builtins(await staging().fetch(asked, _progress(request)))

    async def push(request: Request) -> Any:
        asked = msgspec.convert(request.args["request"], Push)
        own(asked.directory)
        return msgspec.to_builtins(await staging().push(asked, _progress(request)))

    async def close() -> None:
        for one in made:
            await one.close()

    return {"fetch": fetch, "push": push}, close


def _progress(request: Request) -> Progress:
    def progress(moved: int, total: int | None) -> None:
        request.tell_soon([moved, total])

    return progress
