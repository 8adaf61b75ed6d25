"""What both clients have for sweeps: many jobs in one request, watched and ended as a whole."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from argosy.languages.faults import invalid
from argosy.languages.sweeps.answers import SweepDocument, SweepEventDocument, SweepEventPage, SweepPage
from argosy.languages.sweeps.document import SweepDescription
from argosy.model import NotFound

from .calls import POLL, Call, submission_id
from .sse import SWEEPS, D, Subscription

T = TypeVar("T")

#: A sweep as an object, as the JSON values of one, or as a document in any language.
Sweepable = SweepDescription | Mapping[str, Any] | bytes

_PAGE = 1000


class _Raw(Call[bytes]):
    """A request whose answer is taken as it is."""

    def decode(self, response: httpx.Response) -> bytes:
        return response.content


class _Status(Call[int]):
    """A request whose answer is its status code."""

    def decode(self, response: httpx.Response) -> int:
        return response.status_code


def _address(id: str, *below: str) -> str:
    return "/".join(["/v1/sweeps", quote(id, safe=""), *below])


def _submit(
    sweep: Sweepable,
    key: str | None,
    media_type: str,
    params: Mapping[str, Any],
) -> Call[SweepDocument]:
    if isinstance(sweep, bytes):
        content = sweep
    else:
        if not isinstance(sweep, SweepDescription):
            try:
                sweep = msgspec.convert(sweep, SweepDescription)
            except msgspec.ValidationError as error:
                raise invalid(error) from None
        content = msgspec.json.encode(sweep)
    return Call(
        "POST",
        "/v1/sweeps",
        SweepDocument,
        params={name: "true" if value is True else value for name, value in params.items() if value is not False},
        content=content,
        headers={"Idempotency-Key": submission_id(key), "Content-Type": media_type},
    )


def _one(id: str, wait: float = 0.0) -> Call[SweepDocument]:
    return Call("GET", _address(id), SweepDocument, params={"wait": f"{wait:.3f}"} if wait else {}, wait=wait)


def _page(states: Sequence[str], cursor: str | None) -> Call[SweepPage]:
    return Call("GET", "/v1/sweeps", SweepPage, params={"state": list(states) or None, "limit": 200, "cursor": cursor})


def _events(id: str, after: int) -> Call[SweepEventPage]:
    return Call("GET", _address(id, "events"), SweepEventPage, params={"after": after, "limit": _PAGE})


def _act(id: str, verb: str) -> Call[SweepDocument]:
    return Call("POST", _address(id, verb), SweepDocument)


def _purge(id: str, terminate: bool) -> Call[int]:
    params = {"terminate": "true"} if terminate else {}
    return _Status("DELETE", _address(id), None, params=params, idempotent=False, wait=60.0)


def _too_late(record: SweepDocument, timeout: float | None) -> TimeoutError:
    return TimeoutError(f"{record.id} is {record.state} after {timeout:g} seconds: {record.ended} of {record.total}")


class SweepMethods(ABC):
    """The methods about sweeps of the synchronous client."""

    @abstractmethod
    def _do(self, call: Call[T]) -> T: ...

    @abstractmethod
    def _follow(self, address: str, params: Mapping[str, Any], subscription: Subscription[D]) -> Iterator[D]: ...

    def submit_sweep(
        self,
        sweep: Sweepable,
        *,
        key: str | None = None,
        media_type: str = "application/json",
        strict: bool = False,
        name: str | None = None,
        share: str | None = None,
        window: int | None = None,
        stop_after_failures: int | None = None,
        held: bool = False,
    ) -> SweepDocument:
        """Create a sweep of an object, or of a document in a language (bytes, with its `media_type`).

        A repeat with the same `key` answers with the first one. What is said here comes before what the document says.
        """
        params = {"strict": strict, "name": name, "window": window, "stop_after_failures": stop_after_failures}
        return self._do(_submit(sweep, key, media_type, params | {"share": share, "held": held}))

    def sweep(self, id: str) -> SweepDocument:
        """The sweep as it is now; `list` gives its activities."""
        return self._do(_one(id))

    def sweeps(self, *, states: Sequence[str] = ()) -> Iterator[SweepDocument]:
        """Your sweeps, newest first, fetched page by page as they are asked for."""
        cursor = None
        while True:
            page = self._do(_page(states, cursor))
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def wait_sweep(self, id: str, timeout: float | None = None) -> SweepDocument:
        """The sweep once it is over. Raises TimeoutError after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = POLL if deadline is None else max(0.0, deadline - time.monotonic())
            record = self._do(_one(id, min(left, POLL)))
            if record.final:
                return record
            if deadline is not None and time.monotonic() >= deadline:
                raise _too_late(record, timeout)

    def sweep_events(self, id: str, *, after: int = 0) -> Iterator[SweepEventDocument]:
        """What has happened to the sweep itself."""
        while True:
            page = self._do(_events(id, after))
            yield from page.items
            if len(page.items) < _PAGE:
                return
            after = page.items[-1].seq

    def stream_sweep(self, id: str, *, after: int = 0) -> Iterator[SweepEventDocument]:
        """What happens to the sweep itself, as it happens, until it is over; those after `after` come first."""
        yield from self._follow(_address(id, "stream"), {}, Subscription(after, SWEEPS))

    def sweep_description(self, id: str) -> bytes:
        """What was asked for, as it was sent."""
        return self._do(_Raw("GET", _address(id, "description"), None))

    def hold_sweep(self, id: str) -> SweepDocument:
        """Make no more of its activities; those that are there go on."""
        return self._do(_act(id, "hold"))

    def release_sweep(self, id: str) -> SweepDocument:
        """Go on with one that is held."""
        return self._do(_act(id, "release"))

    def terminate_sweep(self, id: str) -> SweepDocument:
        """Make no more of its activities and begin to end those that are there; `wait_sweep` for its end."""
        return self._do(_act(id, "terminate"))

    def purge_sweep(self, id: str, *, terminate: bool = False) -> None:
        """Remove a sweep that has ended with all its activities; with `terminate`, end it first. Returns when all is
        gone; the service goes on with it by itself in any case."""
        if self._do(_purge(id, terminate)) != httpx.codes.ACCEPTED:
            return
        with contextlib.suppress(NotFound):  # it is gone
            while self._do(_purge(id, terminate)) == httpx.codes.ACCEPTED:
                pass  # each answer takes as long as it may, unless it is gone


class AsyncSweepMethods(ABC):
    """The same of the asynchronous client."""

    @abstractmethod
    async def _do(self, call: Call[T]) -> T: ...

    @abstractmethod
    def _follow(self, address: str, params: Mapping[str, Any], subscription: Subscription[D]) -> AsyncIterator[D]: ...

    async def submit_sweep(
        self,
        sweep: Sweepable,
        *,
        key: str | None = None,
        media_type: str = "application/json",
        strict: bool = False,
        name: str | None = None,
        share: str | None = None,
        window: int | None = None,
        stop_after_failures: int | None = None,
        held: bool = False,
    ) -> SweepDocument:
        """Create a sweep of an object, or of a document in a language (bytes, with its `media_type`).

        A repeat with the same `key` answers with the first one. What is said here comes before what the document says.
        """
        params = {"strict": strict, "name": name, "window": window, "stop_after_failures": stop_after_failures}
        return await self._do(_submit(sweep, key, media_type, params | {"share": share, "held": held}))

    async def sweep(self, id: str) -> SweepDocument:
        """The sweep as it is now; `list` gives its activities."""
        return await self._do(_one(id))

    async def sweeps(self, *, states: Sequence[str] = ()) -> AsyncIterator[SweepDocument]:
        """Your sweeps, newest first, fetched page by page as they are asked for."""
        cursor = None
        while True:
            page = await self._do(_page(states, cursor))
            for item in page.items:
                yield item
            cursor = page.next
            if cursor is None:
                return

    async def wait_sweep(self, id: str, timeout: float | None = None) -> SweepDocument:
        """The sweep once it is over. Raises TimeoutError after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = POLL if deadline is None else max(0.0, deadline - time.monotonic())
            record = await self._do(_one(id, min(left, POLL)))
            if record.final:
                return record
            if deadline is not None and time.monotonic() >= deadline:
                raise _too_late(record, timeout)

    async def sweep_events(self, id: str, *, after: int = 0) -> AsyncIterator[SweepEventDocument]:
        """What has happened to the sweep itself."""
        while True:
            page = await self._do(_events(id, after))
            for item in page.items:
                yield item
            if len(page.items) < _PAGE:
                return
            after = page.items[-1].seq

    async def stream_sweep(self, id: str, *, after: int = 0) -> AsyncIterator[SweepEventDocument]:
        """What happens to the sweep itself, as it happens, until it is over; those after `after` come first."""
        async for event in self._follow(_address(id, "stream"), {}, Subscription(after, SWEEPS)):
            yield event

    async def sweep_description(self, id: str) -> bytes:
        """What was asked for, as it was sent."""
        return await self._do(_Raw("GET", _address(id, "description"), None))

    async def hold_sweep(self, id: str) -> SweepDocument:
        """Make no more of its activities; those that are there go on."""
        return await self._do(_act(id, "hold"))

    async def release_sweep(self, id: str) -> SweepDocument:
        """Go on with one that is held."""
        return await self._do(_act(id, "release"))

    async def terminate_sweep(self, id: str) -> SweepDocument:
        """Make no more of its activities and begin to end those that are there; `wait_sweep` for its end."""
        return await self._do(_act(id, "terminate"))

    async def purge_sweep(self, id: str, *, terminate: bool = False) -> None:
        """Remove a sweep that has ended with all its activities; with `terminate`, end it first. Returns when all is
        gone; the service goes on with it by itself in any case."""
        if await self._do(_purge(id, terminate)) != httpx.codes.ACCEPTED:
            return
        with contextlib.suppress(NotFound):  # it is gone
            while await self._do(_purge(id, terminate)) == httpx.codes.ACCEPTED:
                pass  # each answer takes as long as it may, unless it is gone
