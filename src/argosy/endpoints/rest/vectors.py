"""Vectors of creations: read as their bytes come, made once all of them have come, answered in their order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar, overload

import msgspec
from litestar.types import Receive

from argosy.languages.documents import Result
from argosy.model import ArgosyError, InvalidInput, Unavailable
from argosy.service.administration.limits import Limits, too_many
from argosy.service.caller import Caller
from argosy.service.contract import Created, CreateRequest, Operations

from . import bodies, render
from .notifications import subscription
from .problems import of_status
from .splitting import ArrayElements, Lines, Splitter
from .streaming import request_body

T = TypeVar("T")

#: A body that has a line for each element, where one that is no JSON concerns itself alone.
LINES = "application/x-ndjson"
#: How many bodies as long as any may be there are in memory at a time, in one process.
_AT_ONCE = 4
#: How long a body waits for others to be done with, in seconds.
_PATIENCE = 30.0
#: How many elements are read, or answered, before others have their turn.
_TURN = 64

_encoder = msgspec.json.Encoder()
#: In the place of an element that was read.
_READ = msgspec.Raw()


class Vectors:
    """Reads and answers vectors within the limits of one process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._room = _Room(_AT_ONCE * limits.vector_body)

    async def create(
        self, operations: Operations, caller: Caller, receive: Receive, length: int | None, *, lines: bool
    ) -> bytes:
        """Create what a body describes, `length` bytes of it where that was said; the answers, as JSON.

        Nothing is made before all of the body has come and has been found well-formed.
        """
        async with contextlib.AsyncExitStack() as stack:
            elements = await self._read(receive, length, Lines if lines else ArrayElements, stack)
            requests = _Requests(elements)
            answers = await operations.create(caller, requests) if elements else []
        return await _answered(answers, requests.notes)

    async def _read(
        self,
        receive: Receive,
        length: int | None,
        kind: type[ArrayElements | Lines],
        stack: contextlib.AsyncExitStack,
    ) -> list[msgspec.Raw]:
        limits = self._limits
        if length is not None and length > limits.vector_body:
            raise of_status(413)
        splitter: Splitter = kind(limits.body)
        elements: list[msgspec.Raw] = []
        size = 0
        large = False
        async for data in request_body(receive):
            size += len(data)
            if size > limits.vector_body:
                raise of_status(413)
            if size > limits.body and not large:
                large = True
                await stack.enter_async_context(self._room.of(length or limits.vector_body))
            elements += splitter.feed(data)
            self._check(len(elements))
            # What has come already is given without a turn for anybody else.
            await asyncio.sleep(0)
        elements += splitter.end()
        self._check(len(elements))
        return elements

    def _check(self, count: int) -> None:
        if count > (most := self._limits.vector):
            raise too_many(None, most)


class _Room:
    """Bytes of memory for those requests that need much of it; others are not counted."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def of(self, size: int) -> AsyncIterator[None]:
        """So much of it. Raises Unavailable where others are not done with theirs in time."""
        try:
            async with asyncio.timeout(_PATIENCE), self._changed:
                await self._changed.wait_for(lambda: self._free >= size)
                self._free -= size
        except TimeoutError:
            words = "other large requests are under way; nothing was changed, ask again"
            raise Unavailable(words, retry_after=_PATIENCE) from None
        try:
            yield
        finally:
            self._free += size
            async with self._changed:
                self._changed.notify_all()


class _Requests(Sequence[CreateRequest | InvalidInput]):
    """Requests that are read when they are asked for, and let go of then: `elements` holds them no more.

    `notes` has those of the elements so far.
    """

    def __init__(self, elements: list[msgspec.Raw]) -> None:
        self._elements = elements
        self._reading = bodies.Reading()
        self.notes: dict[int, list[str]] = {}

    def __len__(self) -> int:
        return len(self._elements)

    @overload
    def __getitem__(self, index: int) -> CreateRequest | InvalidInput: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[CreateRequest | InvalidInput]: ...
    def __getitem__(self, index: int | slice) -> CreateRequest | InvalidInput | Sequence[CreateRequest | InvalidInput]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        raw = self._elements[index]
        if raw is _READ:
            raise RuntimeError(f"element {index} of a vector was read twice")
        self._elements[index] = _READ
        try:
            description, key, notes = self._reading.element(raw)
        except InvalidInput as error:
            error.element = f"[{index}]" + (f".{error.element}" if error.element else "")
            return error
        if notes:
            self.notes[index] = notes
        return CreateRequest(description, key, notes=tuple(notes))


async def _answered(answers: Sequence[Created | ArgosyError], notes: dict[int, list[str]]) -> bytes:
    parts = []
    for index, answer in enumerate(answers):
        made = result(index, answer)
        if index in notes and made.activity is not None:
            made.activity.notes = notes[index]
        parts.append(_encoder.encode(made))
        if index % _TURN == _TURN - 1:
            await asyncio.sleep(0)
    return b"[" + b",".join(parts) + b"]"


def only(answers: Sequence[T | ArgosyError]) -> T:
    """The answer to a vector of one. Raises it where it is an error."""
    (answer,) = answers
    if isinstance(answer, ArgosyError):
        raise answer
    return answer


def result(index: int, answer: Created | ArgosyError) -> Result:
    """One element's answer. The service names elements of a description; here it is in a vector."""
    if isinstance(answer, Created):
        made = render.result(answer.activity)
        if answer.subscriptions and made.activity is not None:
            made.activity.subscriptions = [subscription(one, secret=True) for one in answer.subscriptions]
        return made
    found = render.result(answer)
    at = f"[{index}]"
    named = isinstance(answer, InvalidInput) and answer.element is not None and not answer.element.startswith(at)
    if found.problem is not None and named:
        found.problem.element = f"{at}.description.{answer.element}"
    return found
