"""Agents by account, and which account's a session directory is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from argosy.accounts import AccountsConfig, Agent
from argosy.executors.tasks import Tasks, at_intervals, tell

#: .../@ACCOUNT/XX/ID: the account stands in the path, which only the service writes.
_SESSION = re.compile(r"/@([a-z_][a-z0-9_.-]{0,31})/[0-9a-z]{2}/[0-9a-z]+\Z", re.ASCII)


def account_of(session: str) -> str | None:
    """The account whose session directory it is; None of one that is the service's own."""
    found = _SESSION.search(session)
    return found[1] if found is not None and ".." not in session.split("/") else None


def session_path(base: str, account: str, id: str) -> str:
    """Where an account's session directory of an activity is."""
    return f"{base}/@{account}/{id[-2:]}/{id}"


class Seats:
    """One agent for each account that has something to do. An agent without work ends after a while."""

    def __init__(self, config: AccountsConfig, greeting: Mapping[str, Any]) -> None:
        self.config = config
        self._greeting = greeting
        self._agents: dict[str, Agent] = {}
        self._used: dict[str, float] = {}
        self._tasks = Tasks("giving agents a rest")

    def agent(self, account: str) -> Agent:
        """The account's agent; it is started when something is asked of it."""
        if not self._agents:
            self._tasks.start(at_intervals(self._tidy, "giving agents a rest", self.config.idle / 2))
        self._used[account] = asyncio.get_running_loop().time()
        if account not in self._agents:
            self._agents[account] = Agent(account, self.config.command(account), self._greeting)
        return self._agents[account]

    def accounts(self) -> list[str]:
        """Those that have had something to do since the service began."""
        return list(self._agents)

    async def close(self) -> None:
        """End all agents."""
        await self._tasks.stop()
        await asyncio.gather(*(self._close(agent) for agent in self._agents.values()))

    async def _close(self, agent: Agent) -> None:
        try:
            await agent.close()
        except Exception as error:
            tell(f"ending the agent of {agent.account} failed", error)

    async def _tidy(self) -> None:
        now = asyncio.get_running_loop().time()
        for account, agent in list(self._agents.items()):
            if agent.busy:
                self._used[account] = now
            elif now - self._used[account] > self.config.idle:
                try:
                    await agent.rest()
                except Exception as error:
                    tell(f"giving the agent of {account} a rest failed", error)
