"""A job's own copies of credentials: files that only its user can read, named by the variables that tools look at.

They lie beside the session directories and not in them, so that nobody is shown them who is shown a job's files: in
``.credentials/ID`` below the root of the session directories.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from argosy.delegation import Keeper
from argosy.languages import native
from argosy.model import ActivityDescription, ArgosyError
from argosy.store import Activity, Store, StoredCredential

log = logging.getLogger(__name__)

_FOLDER = ".credentials"
#: The kinds that jobs are given, the file of each, and the variable that names it (the second: WLCG Bearer Token
#: Discovery, 2).
FILES = {"proxy": ("x509", "X509_USER_PROXY"), "token": ("token", "BEARER_TOKEN_FILE")}


class Offering:
    """The copies of one service. `root` is that of the session directories."""

    def __init__(self, root: str, keeper: Keeper, store: Store) -> None:
        self._root = os.path.join(root, _FOLDER)
        self._keeper = keeper
        self._store = store
        self._tasks: set[asyncio.Task[None]] = set()
        self._given: set[str] = set()

    def start(self) -> None:
        """Look through what is left of before, and follow renewals from now on."""
        self._keeper.on_renewed.append(self._renewed)
        self._begin(self._sweep())

    async def stop(self) -> None:
        """Stop what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def prepare(self, activity: Activity, description: ActivityDescription) -> dict[str, str]:
        """Put a job's copies where it finds them, and say which variables tell it. Raises Expired, Unavailable."""
        if not description.offer_credentials:
            return {}
        opened = await self._keeper.open(activity.owner, description.credentials)
        contents: dict[str, str] = {}
        told: dict[str, str] = {}
        for one in opened:
            if one.kind in FILES:
                name, variable = FILES[one.kind]
                contents[name] = (one.secret.pem if one.kind == "proxy" else one.secret.token) or ""
                told[variable] = os.path.join(self._root, activity.id, name)
        if contents:
            self._given.add(activity.id)
            await asyncio.to_thread(self._write, activity.id, contents)
        return told

    async def withdraw(self, ids: Sequence[str]) -> None:
        """Remove the copies of activities that have ended, unless they have been restarted meanwhile."""
        given = self._given.intersection(ids)
        if not given:
            return
        records = await self._store.get(list(given))
        over = [id for id in given if id not in records or records[id].state.final]
        self._given.difference_update(over)
        await asyncio.to_thread(self._remove, over)

    def _renewed(self, credential: StoredCredential) -> None:
        self._begin(self._refresh(credential.id))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _refresh(self, credential: str) -> None:
        """New content for the copies of one credential."""
        for activity in (await self._with_copies()).values():
            try:
                data = await self._store.description(activity.id)
                if activity.state.final or data is None:
                    continue
                description = native.to_model(msgspec.json.decode(data, type=native.Description))
                if credential in description.credentials:
                    await self.prepare(activity, description)
            except ArgosyError as error:
                log.warning("the job of %s keeps the credentials that it has: %s", activity.id, error)
            except OSError as error:
                log.warning("the credentials of %s cannot be written: %s", activity.id, error)

    async def _sweep(self) -> None:
        """Remove the copies of what ended while no service ran."""
        self._given.update(await asyncio.to_thread(self._listed))
        await self.withdraw(list(self._given))

    async def _with_copies(self) -> dict[str, Activity]:
        return await self._store.get(await asyncio.to_thread(self._listed))

    def _listed(self) -> list[str]:
        try:
            return os.listdir(self._root)
        except FileNotFoundError:
            return []

    def _write(self, id: str, contents: dict[str, str]) -> None:
        directory = os.path.join(self._root, id)
        os.makedirs(self._root, mode=0o700, exist_ok=True)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        for name, content in contents.items():
            partial = os.path.join(directory, f".{name}.new")
            fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(fd, "w", encoding="latin-1") as file:
                os.fchmod(fd, 0o600)
                file.write(content)
            # Whoever reads it reads the old one or the new one whole.
            os.replace(partial, os.path.join(directory, name))

    def _remove(self, ids: Sequence[str]) -> None:
        for id in ids:
            try:
                shutil.rmtree(os.path.join(self._root, id))
            except FileNotFoundError:
                continue
            except OSError as error:
                log.warning("the credentials of %s are still in %s: %s", id, self._root, error)
