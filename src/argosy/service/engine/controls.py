"""Asks batch systems for what was asked of activities: hold, release, suspend, resume.

Commands for one resource and account go out one after the other, and each is about the newest wish: two wishes of one
activity cannot overtake each other. What could not be asked is asked again, at growing intervals; what was heard and
does not show is asked again too; both until `ServicePolicy.control_patience` has passed since the wish.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from argosy.batch import Control
from argosy.executors.tasks import Turns
from argosy.model import ArgosyError, Unavailable, clock
from argosy.model.actions import Action
from argosy.service.lifecycle.wishes import WishAnswered, pending
from argosy.service.policy import ServicePolicy

from .requests import handle_of

if TYPE_CHECKING:
    from argosy.service.matching.resources import Resource

    from .engine import Engine, Live

log = logging.getLogger(__name__)

#: What was heard and does not show is asked for again after so many seconds.
_AGAIN = 60.0

CONTROLS = {
    Action.HOLD: Control.HOLD,
    Action.RELEASE: Control.RELEASE,
    Action.SUSPEND: Control.SUSPEND,
    Action.RESUME: Control.RESUME,
}


class Controls:
    """The wishes of all activities of one worker."""

    def __init__(self, resources: dict[str, Resource], policy: ServicePolicy, fault: Callable[[str], None]) -> None:
        self._resources = resources
        self._policy = policy
        self._fault = fault
        self._turns = Turns()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tries: dict[str, tuple[float, int]] = {}
        self._stopped = False

    def work(self, engine: Engine, name: str, account: str | None, lives: Sequence[Live]) -> Coroutine[Any, Any, None]:
        """What is to be done for these activities of one resource and one local account."""
        return self._work(engine, name, account, [live.record.id for live in lives])

    def stop(self) -> None:
        """Ask no more."""
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    async def _work(self, engine: Engine, name: str, account: str | None, ids: Sequence[str]) -> None:
        async with self._turns.of((name, account)):
            by_action: dict[Action, list[tuple[float, Live]]] = {}
            for id in dict.fromkeys(ids):
                live = engine.get(id)
                wish = None if live is None or live.record.native_id is None else pending(live.record)
                if live is None or wish is None or not live.record.state.in_lrms:
                    self._forget(id)
                else:
                    by_action.setdefault(wish.action, []).append((wish.at, live))
            for action, wanted in by_action.items():
                await self._ask(engine, name, action, wanted)

    async def _ask(self, engine: Engine, name: str, action: Action, wanted: list[tuple[float, Live]]) -> None:
        resource = self._resources.get(name)
        handles = [handle_of(live.record, resource) for _, live in wanted]
        answers: Sequence[ArgosyError | None]
        if resource is None or not resource.opened:
            why = "is not configured any more" if resource is None else "cannot be used yet"
            answers = [Unavailable(f"the resource {name!r} {why}") for _ in wanted]
        else:
            self._fault("control-before")
            try:
                answers = await resource.driver.control(CONTROLS[action], handles)
            except ArgosyError as error:
                answers = [error for _ in wanted]
            except Exception as error:
                log.exception("a defect: %s of %d activities", action, len(wanted))
                answers = [Unavailable(f"internal error while doing {action}: {error!r}") for _ in wanted]
            self._fault("control-after")
        for (at, live), answer in zip(wanted, answers, strict=True):
            id = live.record.id
            if answer is None:
                engine.post(id, WishAnswered(at))
                self._later(engine, live, at, f"the batch system heard it, and does not show it: {action}", _AGAIN)
            elif isinstance(answer, Unavailable):
                engine.post(id, WishAnswered(at, away=answer.message))
                self._later(engine, live, at, answer.message)
            else:
                engine.post(id, WishAnswered(at, refused=answer.message))
                self._forget(id)

    def _later(self, engine: Engine, live: Live, at: float, words: str, delay: float | None = None) -> None:
        id = live.record.id
        since, tries = self._tries.get(id, (at, 0))
        tries = tries if since == at else 0
        self._tries[id] = (at, tries + 1)
        if delay is None:
            delay = min(self._policy.retry_first * 2 ** min(tries, 30), self._policy.retry_most)
        left = at + self._policy.control_patience - clock.now()
        if left <= 0:
            engine.post(id, WishAnswered(at, refused=f"given up after {self._policy.control_patience:g} s: {words}"))
            self._forget(id)
            return
        if (timer := self._timers.pop(id, None)) is not None:
            timer.cancel()
        if not self._stopped:
            loop = asyncio.get_running_loop()
            self._timers[id] = loop.call_later(min(delay, left), self._once_more, engine, id)

    def _once_more(self, engine: Engine, id: str) -> None:
        self._timers.pop(id, None)
        live = engine.get(id)
        if live is not None and pending(live.record) is not None:
            engine.ask_again(live)
        else:
            self._forget(id)

    def _forget(self, id: str) -> None:
        self._tries.pop(id, None)
        if (timer := self._timers.pop(id, None)) is not None:
            timer.cancel()
