"""What the service says of many activities: one event stream for all of them, and a look behind it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

from argosy.client.asynchronous import AsyncClient
from argosy.executors.tasks import Tasks
from argosy.languages.documents import ActivityDocument, EventDocument
from argosy.model import ActivityState, ArgosyError, NotFound

log = logging.getLogger(__name__)

#: The most activities that one request asks about.
_AT_ONCE = 1000
#: How often everything is looked at, though the stream says nothing, in seconds.
_LOOK = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
#: How often it is asked about one whose end was told, and is not shown.
_TRIES = 10


class Follower:
    """Follows the caller's activities that are in `open`, an activity's id being its key.

    `changed` is called with an event that is not final, `ended` with how an activity is now that it has ended (None
    where the service does not know it any more). `away` is called with the reason and since when the service has not
    answered.
    """

    def __init__(
        self,
        client: AsyncClient,
        changed: Callable[[EventDocument], Awaitable[None]],
        ended: Callable[[str, ActivityDocument | None], Awaitable[None]],
        away: Callable[[str, float], Awaitable[None]],
    ) -> None:
        self._client = client
        self._changed = changed
        self._ended = ended
        self._away = away
        self.open: set[str] = set()
        self._seen = 0
        self._final: set[str] = set()
        self._behind: dict[str, int] = {}
        self._expecting = 0
        self._early: list[EventDocument] = []
        self._look_at = asyncio.Event()
        self._tasks = Tasks("following activities")
        self._streaming: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def expecting(self) -> Iterator[None]:
        """Meanwhile activities are created: what is told of them before it is known which they are, `follow` takes."""
        self._expecting += 1
        try:
            yield
        finally:
            self._expecting -= 1
            if not self._expecting:
                self._early.clear()

    async def follow(self, ids: Sequence[str]) -> None:
        """Follow these too, beginning with what has happened to them already: see `expecting`."""
        self.open.update(ids)
        early, self._early = self._early, []
        for event in early:
            await self._take(event)  # or it is kept for others that are expected
        if self._streaming is None and ids:
            async for event in self._client.events(ids[0]):
                # The stream begins where the first one does, so that nothing falls between.
                self._seen = max(0, event.seq - 1)
                break
            self._streaming = self._tasks.start(self._stream())
            self._tasks.start(self._look())

    def look(self) -> None:
        """Ask for the state of all that are open."""
        self._look_at.set()

    async def close(self) -> None:
        """Stop."""
        await self._tasks.stop()

    async def _stream(self) -> None:
        pause, since = _FIRST_PAUSE, None
        while True:
            try:
                async for event in self._client.stream(after=self._seen):
                    self._seen, pause, since = event.seq, _FIRST_PAUSE, None
                    await self._take(event)
            except ArgosyError as error:
                since = since or time.time()
                log.warning("the service does not tell what happens: %s", error)
                await self._away(error.message, since)
            except Exception:
                log.exception("a defect while following activities; it goes on")
            # The stream has no end of its own. Whatever was missed, the look behind it finds.
            self._look_at.set()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _take(self, event: EventDocument) -> None:
        if event.activity not in self.open:
            if self._expecting:
                self._early.append(event)
            return
        if ActivityState(event.state).final:
            self._final.add(event.activity)
            self._look_at.set()
        else:
            self._final.discard(event.activity)  # it was restarted
            await self._changed(event)

    async def _look(self) -> None:
        """How those that ended ended: in one request for all that did meanwhile. With the last one, all stops."""
        while self.open:
            # Not wait_for, which on Python 3.11 can swallow a cancellation.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._look_at.wait()
            self._look_at.clear()
            final, self._final = self._final & self.open, set()
            ids = list(final or self.open)
            try:
                for begin in range(0, len(ids), _AT_ONCE):
                    await self._ask(ids[begin : begin + _AT_ONCE])
                self._again(final & self.open)
            except ArgosyError as error:
                log.warning("the service cannot be asked: %s", error)
                self._final |= final
                await asyncio.sleep(_FIRST_PAUSE)
                if final:
                    self._look_at.set()
            except Exception:
                log.exception("a defect while looking at activities; it goes on")
        streaming, self._streaming = self._streaming, None
        if streaming is not None:
            streaming.cancel()

    def _again(self, behind: set[str]) -> None:
        """Of these the service has told the end, and does not show it: it is asked again in a moment."""
        self._behind = {id: self._behind.get(id, 0) + 1 for id in behind}
        # One that was restarted at once, say, is left to the look behind the stream.
        soon = {id for id, times in self._behind.items() if times <= _TRIES}
        if soon:
            self._final |= soon
            asyncio.get_running_loop().call_later(_FIRST_PAUSE, self._look_at.set)

    async def _ask(self, ids: Sequence[str]) -> None:
        for id, result in zip(ids, await self._client.statuses(ids), strict=True):
            if id not in self.open:
                continue
            if result.activity is not None:
                now = result.activity
                if now.final:
                    self.open.discard(id)
                    await self._ended(id, now)
                else:
                    await self._changed(
                        EventDocument(
                            seq=0, activity=id, time=now.changed, kind="state", state=now.state, message=now.reason
                        )
                    )
            elif result.problem is not None and result.problem.code == NotFound.code:
                self.open.discard(id)
                await self._ended(id, None)
