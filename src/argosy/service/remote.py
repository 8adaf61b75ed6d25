"""A batch system on another host, for the service: the host must see the session directories as this machine does."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Sequence

from argosy.batch import BatchSystem
from argosy.executors.batch.driver import BatchConfig, BatchDriver
from argosy.executors.contract import JobRequest
from argosy.model import ArgosyError, SubmitException, Unavailable
from argosy.transport import Transport


class RemoteDriver(BatchDriver):
    """As `BatchDriver`; before the first job it makes sure that `sessions` is the same directory there as here."""

    def __init__(
        self,
        system: BatchSystem,
        transport: Transport,
        spool: str,
        config: BatchConfig,
        *,
        sessions: str,
        fault: Callable[[str], None],
    ) -> None:
        super().__init__(system, transport, spool, config, fault=fault)
        self._to = transport
        self._sessions = sessions
        self._seen = False

    async def submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
        if not self._seen:
            try:
                await self._look()
            except ArgosyError as error:
                return [error for _ in requests]
        return await self._submit(requests)

    async def _submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
        return await super().submit(requests)

    def _show(self, path: str) -> None:
        """Do what the account on the host needs for reading this file."""

    async def _look(self) -> None:
        name = f".argosy-{secrets.token_hex(8)}"
        path = os.path.join(self._sessions, name)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError as error:
            raise Unavailable(f"{self._sessions} cannot be written: {error.strerror}") from error
        try:
            self._show(path)
            self._seen = await self._to.read(path) is not None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        if not self._seen:
            raise SubmitException(
                f"{self._to.where} does not see the session directories, {self._sessions}: set `sessions` in [service] "
                "to a directory on a file system that both share under the same path",
                transient=True,
            )
