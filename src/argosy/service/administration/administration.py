"""For those who run the service: drain it, see what it is doing, stop it gently."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable

from argosy.model import clock
from argosy.service.engine.engine import Engine
from argosy.service.engine.performer import Performer
from argosy.service.matching.resources import Resource
from argosy.store import Store

from .admission import Admission
from .figures import Overview, ResourceFigures, Trouble, Work

log = logging.getLogger(__name__)

#: How often it is looked whether a service that stops gently has come to rest, in seconds.
_LOOK = 0.05


class Administration:
    """What administrators may do with one worker."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        performer: Performer,
        resources: dict[str, Resource],
        admission: Admission,
        worker: str,
    ) -> None:
        self._store = store
        self._engine = engine
        self._performer = performer
        self._resources = resources
        self._admission = admission
        self._worker = worker
        self._started = clock.now()
        self._stopping: asyncio.Task[None] | None = None

    async def overview(self) -> Overview:
        """What the service is doing."""
        unfinished: dict[str, Counter[str]] = {name: Counter() for name in self._resources}
        trying = 0
        for live in self._engine.lives():
            unfinished.setdefault(live.record.resource or "", Counter())[live.record.state.value] += 1
            trying += live.timer is not None
        waiting, recording = self._engine.backlog()
        return Overview(
            worker=self._worker,
            started=self._started,
            now=clock.now(),
            drain=self._admission.drain,
            stopping=self._admission.stopping,
            resources=[
                ResourceFigures(
                    resource=name,
                    system=resource.driver.name,
                    opened=resource.opened,
                    why_unknown=resource.why_unknown,
                    unfinished=dict(unfinished[name]),
                    last_error=resource.last_error,
                )
                for name, resource in self._resources.items()
            ],
            unplaced=dict(unfinished.get("", ())),
            work=Work(waiting, recording, self._performer.under_way(), trying),
            store=await self._store.figures(),
            troubles=await self.troubles(),
        )

    @property
    def unready(self) -> list[str]:
        """The parts without which nothing can be asked for. Asks nobody."""
        parts = ["store"] if self._store.trouble is not None else []
        return [*parts, "stopping"] if self._admission.stopping else parts

    async def troubles(self) -> list[Trouble]:
        """What keeps the service from its work, all of it or a part."""
        found = []
        if (trouble := self._store.trouble) is not None:
            found.append(Trouble("store", trouble.since, trouble.words))
        for count, what in (
            (await self._store.sealed_credentials_out(), "credentials"),
            (await self._store.sealed_out(), "subscriptions"),
        ):
            if count:
                words = f"{count} {what} are sealed with a key that is not there; give it back, as a further one"
                found.append(Trouble("sealing", self._started, words, what))
        for name, resource in self._resources.items():
            if (away := resource.away) is not None:
                found.append(Trouble("resource", away[0], away[1], name))
        return found

    def stop(self, within: float, stop: Callable[[], None]) -> None:
        """Take nothing new, let what is being done come to its end for `within` seconds at most, then call `stop`."""
        self._admission.stopping = True
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(time.monotonic() + within, stop))

    async def _stop(self, deadline: float, stop: Callable[[], None]) -> None:
        # One look alone may fall between the end of one step and the beginning of the next.
        quiet = 0
        while quiet < 2 and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK)
            quiet = quiet + 1 if self._at_rest() else 0
        if quiet < 2:
            log.warning("stopped before everything had come to its end: %s", self._performer.under_way())
        stop()

    def _at_rest(self) -> bool:
        return not any(self._engine.backlog()) and not self._performer.under_way()

    async def close(self) -> None:
        """Forget that it was to stop: it does."""
        if self._stopping is not None:
            self._stopping.cancel()
            await asyncio.gather(self._stopping, return_exceptions=True)
