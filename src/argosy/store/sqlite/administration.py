"""Settings, counts and figures in SQLite."""

from __future__ import annotations

import asyncio
import contextlib
import json
from abc import abstractmethod
from collections.abc import Collection
from pathlib import Path
from typing import Any

from argosy.model import ActivityState
from argosy.store.administration import AdministrationStore, StoreFigures, StoreTrouble

from . import operations
from .queries import SQL
from .reader import Reader
from .rows import json_text
from .secrets import Secrets
from .writer import Writer

_UNFINISHED = json_text([state.value for state in ActivityState if not state.final])


class SQLiteAdministration(AdministrationStore):
    """The part of the store for those who run the service."""

    _path: Path
    _secrets: Secrets

    @property
    @abstractmethod
    def _writer(self) -> Writer: ...

    @property
    @abstractmethod
    def _reader(self) -> Reader: ...

    @property
    def trouble(self) -> StoreTrouble | None:
        return self._writer.trouble or self._reader.trouble

    async def sealed_credentials_out(self) -> int:
        names = self._secrets.names
        if names is None:
            return 0
        return int((await self._reader.rows(SQL["count_sealed_credentials_out"], (json_text(names),)))[0][0])

    async def setting(self, name: str) -> dict[str, Any] | None:
        rows = await self._reader.rows(SQL["select_setting"], (name,))
        return dict(json.loads(rows[0][0])) if rows else None

    async def set_setting(self, name: str, value: dict[str, Any] | None) -> None:
        if value is None:
            await self._writer.submit([operations.statement("delete_setting", (name,))])
        else:
            await self._writer.submit([operations.statement("set_setting", (name, json_text(value)))])

    async def owned(self, owner: str, *, unfinished: bool, most: int) -> int:
        if unfinished:
            rows = await self._reader.rows(SQL["count_unfinished"], (owner, _UNFINISHED, most))
        else:
            rows = await self._reader.rows(SQL["count_owned"], (owner, most))
        return int(rows[0][0])

    async def states(self, owner: str | None) -> dict[str, int]:
        if owner is None:
            return dict(await self._reader.rows(SQL["count_by_state"]))
        return dict(await self._reader.rows(SQL["count_by_state_of_owner"], (owner,)))

    async def known_keys(self, owner: str, keys: Collection[str], now: float) -> set[str]:
        rows = await self._reader.rows(SQL["known_keys"], (owner, json_text(sorted(keys)), now))
        return {key for (key,) in rows}

    async def figures(self) -> StoreFigures:
        chores = await self._reader.rows(SQL["count_chores"])
        return StoreFigures(
            states=await self.states(None),
            chores=int(chores[0][0]),
            workers=dict(await self._reader.rows(SQL["select_workers"])),
            bytes=await asyncio.to_thread(self._size),
        )

    def _size(self) -> int:
        total = 0
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):  # the log comes and goes
                total += self._path.with_name(self._path.name + suffix).stat().st_size
        return total
