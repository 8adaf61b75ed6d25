"""A batch system on a host that takes its users' own proxies: for each owner with jobs there a driver and logins."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from argosy.executors.contract import Driver, JobRequest, OnReports, Preparation
from argosy.model import ArgosyError, Command, Share, SubmitException, Unavailable
from argosy.service.accounts import AccountDriver
from argosy.service.files.copies import place_of
from argosy.service.remote import RemoteDriver

from . import access

#: Logins that nobody has used for so long are ended, unless there are jobs to be watched with them. Seconds.
_IDLE = 600.0
#: For a word from the host, in seconds.
_ASKED = 60.0
_SEATS = 3


class OwnerDriver(AccountDriver):
    """Gives each job to the driver of as whom it is (`whose`). The host is never logged in to as the service itself:
    what is the same for everybody is asked as somebody who is there already."""

    def __init__(self, base: Driver, make: Callable[[str], Driver]) -> None:
        """`base` knows the batch system, and is not opened."""
        super().__init__(base, make, _IDLE)

    async def _open_base(self, on_reports: OnReports) -> None:
        del on_reports

    async def shares(self) -> list[Share]:
        error = Unavailable("its queues are seen once somebody has logged in there with a proxy of their own")
        seats = sorted((seat for seat in self._seats.values() if seat.opened), key=lambda seat: -seat.used)
        for seat in seats[:_SEATS]:
            try:
                return await seat.driver.shares()
            except Unavailable as failed:
                error = failed
        raise error

    async def list_jobs(self) -> list[str]:
        found: dict[str, None] = {}
        for seat in list(self._seats.values()):
            if seat.opened:
                found |= dict.fromkeys(await seat.driver.list_jobs())
        return list(found)


class OwnerSeat(RemoteDriver):
    """One owner's driver. Where the owner has another account on the host than the service has here, that account is
    let into the session directory of each job before it is submitted."""

    #: Gives the session directory of a tag.
    session_of: Callable[[str], str]
    _other: int | None = None

    async def _look(self) -> None:
        done = await self._to.run(Command(("id", "-u")), timeout=_ASKED)
        number = done.stdout.strip()
        if done.returncode != 0 or not number.isdecimal():
            raise Unavailable(f"{self._to.where} does not say which account this is: {done.words}")
        self._other = int(number) if int(number) != os.geteuid() else None
        try:
            await super()._look()
        except Unavailable as error:
            if self._other is None or "Permission denied" not in error.message:
                raise
            raise SubmitException(
                f"the account {self._other} on {self._to.where} does not come to the session directories: each "
                f"directory above {self._sessions} must let others pass (chmod o+x); in [service] set `sessions` to "
                "one that is not in the service's own directory",
                transient=True,
            ) from error

    def _show(self, path: str) -> None:
        if self._other is not None:
            access.show(self._sessions, path, self._other)

    async def _submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
        if (uid := self._other) is None:
            return await super()._submit(requests)
        refused: dict[str, ArgosyError] = {}
        taken: list[JobRequest] = []
        for request in requests:
            session = self.session_of(request.tag)
            try:
                await asyncio.to_thread(self._let_in, session, uid)
            except ArgosyError as error:
                refused[request.tag] = error
            else:
                before, after = ("", "") if (own := request.preparation) is None else (own.before, own.after)
                taken.append(replace(request, preparation=Preparation(before, after + access.let_back(session))))
        answers = iter(await super()._submit(taken))
        return [refused[request.tag] if request.tag in refused else next(answers) for request in requests]

    def _let_in(self, session: str, uid: int) -> None:
        access.share(self._sessions, session, uid)
        if os.path.isdir(place := place_of(session)):  # its copies of credentials
            access.share(self._sessions, place, uid)
