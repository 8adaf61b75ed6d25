"""The clients' part about usage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, TypeVar

import httpx

from argosy.languages.documents_usage import UsageRecordDocument, UsageSummary

from . import calls
from .calls import Call

T = TypeVar("T")

_PAGE = 1000
_SUMS, _RECORDS = "/v1/usage", "/v1/usage/records"


def _params(form: str, **given: Any) -> dict[str, Any]:
    named = {"from" if name == "since" else name: value for name, value in given.items()}
    return {"format": form} | {name: value for name, value in named.items() if value not in (None, [])}


class Accounting:
    """Mixed into `Client`."""

    def _do(self, call: Call[T]) -> T:
        raise NotImplementedError

    def _open(self, method: str, url: str, **request: Any) -> AbstractContextManager[httpx.Response]:
        raise NotImplementedError

    def usage(
        self,
        by: Sequence[str] = (),
        *,
        since: str | None = None,
        until: str | None = None,
        user: str | None = None,
        resource: str | None = None,
    ) -> UsageSummary:
        """What your jobs have used that ended from `since` on and before `until` (RFC 3339, or UTC days), summed up by
        ``user``, ``share``, ``resource``, ``account``, ``day``. For administrators: everybody's, or that of `user`."""
        return self._do(calls.usage(by, since, until, user, resource))

    def usage_records(
        self,
        *,
        activity: str | None = None,
        since: str | None = None,
        until: str | None = None,
        user: str | None = None,
        resource: str | None = None,
    ) -> Iterator[UsageRecordDocument]:
        """What each job has used, by the time of its end."""
        cursor = None
        while True:
            page = self._do(calls.usage_records(since, until, user, resource, activity, _PAGE, cursor))
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def usage_text(
        self,
        form: str = "csv",
        *,
        by: Sequence[str] | None = None,
        activity: str | None = None,
        since: str | None = None,
        until: str | None = None,
        user: str | None = None,
        resource: str | None = None,
    ) -> Iterator[bytes]:
        """The same as text, in pieces: ``csv``, or ``ur``, the OGF's usage records; sums where `by` is given."""
        given = {"since": since, "until": until, "user": user, "resource": resource}
        path = _RECORDS if by is None else _SUMS
        params = _params(form, **given, activity=activity, by=None if by is None else list(by))
        with self._open("GET", path, params=params) as response:
            yield from response.iter_raw()


class AsyncAccounting:
    """Mixed into `AsyncClient`: `Accounting`, method by method."""

    async def _do(self, call: Call[T]) -> T:
        raise NotImplementedError

    def _open(self, method: str, url: str, **request: Any) -> AbstractAsyncContextManager[httpx.Response]:
        raise NotImplementedError

    async def usage(
        self,
        by: Sequence[str] = (),
        *,
        since: str | None = None,
        until: str | None = None,
        user: str | None = None,
        resource: str | None = None,
    ) -> UsageSummary:
        """What your jobs have used, summed up; see `Accounting.usage`."""
        return await self._do(calls.usage(by, since, until, user, resource))

    async def usage_records(
        self,
        *,
        activity: str | None = None,
        since: str | None = None,
        until: str | None = None,
        user: str | None = None,
        resource: str | None = None,
    ) -> AsyncIterator[UsageRecordDocument]:
        """What each job has used, by the time of its end."""
        cursor = None
        while True:
            page = await self._do(calls.usage_records(since, until, user, resource, activity, _PAGE, cursor))
            for item in page.items:
                yield item
            cursor = page.next
            if cursor is None:
                return

    async def usage_text(
        self,
        form: str = "csv",
        *,
        by: Sequence[str] | None = None,
        activity: str | None = None,
        since: str | None = None,
        until: str | None = None,
        user: str | None = None,
        resource: str | None = None,
    ) -> AsyncIterator[bytes]:
        """The same as text, in pieces; see `Accounting.usage_text`."""
        given = {"since": since, "until": until, "user": user, "resource": resource}
        path = _RECORDS if by is None else _SUMS
        params = _params(form, **given, activity=activity, by=None if by is None else list(by))
        async with self._open("GET", path, params=params) as response:
            async for piece in response.aiter_raw():
                yield piece
