"""A job's own copies of credentials: files that only its account can read, named by the variables that tools look at.

Where they are, `copies` says. With local accounts they are written and removed by the account's agent.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Sequence

import msgspec

from argosy.delegation import Keeper
from argosy.delegation.keeper import Expired
from argosy.executors.tasks import Tasks
from argosy.languages import native
from argosy.model import ActivityDescription, ArgosyError, Unavailable
from argosy.service.files.copies import place_of
from argosy.service.files.sessions import Sessions
from argosy.store import Activity, Store, StoredCredential

log = logging.getLogger(__name__)

#: The kinds that jobs are given, the file of each, and the variable that names it (the second: WLCG Bearer Token
#: Discovery, 2).
FILES = {"proxy": ("x509", "X509_USER_PROXY"), "token": ("token", "BEARER_TOKEN_FILE")}


class Offering:
    """The copies of one service's jobs."""

    def __init__(self, sessions: Sessions, keeper: Keeper, store: Store) -> None:
        self._sessions = sessions
        self._keeper = keeper
        self._store = store
        self._tasks = Tasks("looking after the credentials of jobs")
        #: The session directories of those that have copies, by the activity's id; what was there before is found when
        #: its account is first heard of.
        self._given: dict[str, str] = {}
        self._heard_of: set[str | None] = set()
        self._renewals: Counter[str] = Counter()

    def start(self) -> None:
        """Look through what is left of before, and follow renewals from now on."""
        self._keeper.on_renewed.append(self._renewed)
        self._keeper.on_added.append(self._renewed)
        self._hear_of(None)

    async def stop(self) -> None:
        """Stop what is under way."""
        await self._tasks.stop()

    def attend(self, activities: Sequence[Activity]) -> None:
        """These jobs are there already; what they have been given is looked after from now on."""
        for activity in activities:
            self._hear_of(activity.local_account)

    def renewals(self, owner: str) -> int:
        """Grows each time that the owner has another credential, or one of theirs another secret."""
        return self._renewals[owner]

    async def prepare(self, activity: Activity, description: ActivityDescription) -> dict[str, str]:
        """Put a job's copies where it finds them, and say which variables tell it. Raises Expired, Unavailable."""
        if not description.offer_credentials:
            return {}
        renewals = self._renewals[activity.owner]
        try:
            opened = await self._keeper.open(activity.owner, description.credentials)
        except Expired as error:
            if self._renewals[activity.owner] != renewals:
                # The new one came while this was found out: nobody will say again that there is one.
                raise Unavailable(error.message) from None
            raise
        contents: dict[str, str] = {}
        told: dict[str, str] = {}
        for one in opened:
            if one.kind in FILES:
                name, variable = FILES[one.kind]
                contents[name] = (one.secret.pem if one.kind == "proxy" else one.secret.token) or ""
                told[variable] = os.path.join(place_of(activity.session), name)
        if contents:
            self._given[activity.id] = activity.session
            self._hear_of(activity.local_account)
            await asyncio.to_thread(self._sessions.offer, activity.session, contents)
        return told

    async def withdraw(self, ids: Sequence[str]) -> None:
        """Remove the copies of activities that have ended, unless they have been restarted meanwhile."""
        given = [id for id in ids if id in self._given]
        if not given:
            return
        records = await self._store.get(given)
        over = [self._given.pop(id) for id in given if id not in records or records[id].state.final]
        by_account: dict[str | None, list[str]] = {}
        for session in over:
            by_account.setdefault(self._sessions.account_of(session), []).append(session)
        for account, sessions in by_account.items():
            # An account that cannot be reached keeps up nobody else's.
            self._tasks.start(self._remove(account, sessions))

    async def _remove(self, account: str | None, sessions: list[str]) -> None:
        try:
            await asyncio.to_thread(self._sessions.withdraw, sessions)
        except (ArgosyError, OSError) as error:
            words = "the credentials of %d ended jobs stay until those are purged%s: %s"
            log.warning(words, len(sessions), f" (account {account})" if account else "", error)

    def _renewed(self, credential: StoredCredential) -> None:
        self._renewals[credential.owner] += 1
        self._tasks.start(self._refresh(list(self._given), credential.id))

    def _hear_of(self, account: str | None) -> None:
        if account not in self._heard_of:
            self._heard_of.add(account)
            self._tasks.start(self._look_through(account))

    async def _look_through(self, account: str | None) -> None:
        """Take up what was given before this service began: remove what has ended since, and bring the rest up to date,
        since it may have been renewed meanwhile."""
        try:
            found = await asyncio.to_thread(self._sessions.offered, account)
        except (ArgosyError, OSError) as error:
            self._heard_of.discard(account)  # with its next job it is looked through again
            log.warning("the credentials that jobs of %s have cannot be found now: %s", account or "the service", error)
            return
        self._given |= {id: self._sessions.path(id, account) for id in found if id not in self._given}
        await self.withdraw(found)
        await self._refresh([id for id in found if id in self._given])

    async def _refresh(self, ids: list[str], credential: str | None = None) -> None:
        """New content for copies: those of one credential, or all."""
        for activity in (await self._store.get(ids)).values():
            try:
                data = await self._store.description(activity.id)
                if activity.state.final or data is None:
                    continue
                description = native.to_model(msgspec.json.decode(data, type=native.Description))
                if credential is None or credential in description.credentials:
                    await self.prepare(activity, description)
                    await self.withdraw([activity.id])  # if it has ended while they were written
            except (ArgosyError, msgspec.DecodeError) as error:
                log.warning("the job of %s keeps the credentials that it has: %s", activity.id, error)
            except OSError as error:
                log.warning("the credentials of %s cannot be written: %s", activity.id, error)
