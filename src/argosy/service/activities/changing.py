"""Changing the status of activities on request (GES 3.1.3, 3.1.4): checked, recorded, and waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from argosy.identity.policy import Operation
from argosy.model import ArgosyError, InvalidInput, InvalidStateException
from argosy.model.actions import Action, action_named, action_towards, allowed, satisfied
from argosy.service.caller import Caller
from argosy.service.contract import ChangeRequest
from argosy.service.engine.controls import CONTROLS
from argosy.service.lifecycle.wishes import Wished, held_here, pending
from argosy.service.matching.resources import Resource
from argosy.store import Activity, Event, Store, Wish

Answer = Activity | ArgosyError
#: What an action needs to be allowed as.
OPERATIONS = {Action.START: Operation.START, Action.TERMINATE: Operation.TERMINATE, Action.RESTART: Operation.RESTART}

Find = Callable[[Caller, Operation, Sequence[str]], Awaitable[list[Answer]]]
Act = Callable[[Caller, Sequence[str]], Awaitable[list[Answer]]]
Post = Callable[[Activity, Wished], Awaitable[Activity]]


class StateConflict(InvalidStateException):
    """The state does not allow the action; `allowed` are those that it does."""

    def __init__(self, message: str, allowed: Sequence[Action]) -> None:
        super().__init__(message)
        self.allowed = tuple(allowed)


class Changes:
    """The changes of one service that are asked for now, and what they wait for."""

    def __init__(self, store: Store, resources: Mapping[str, Resource], find: Find, post: Post) -> None:
        self._store = store
        self._resources = resources
        self._find = find
        self._post = post
        self._waiting: dict[str, list[_Waiter]] = {}
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to listen to the store."""
        self._unsubscribe = self._store.subscribe(self._committed)

    def stop(self) -> None:
        """Wait for nothing any more: what was asked for is recorded."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        for waiters in self._waiting.values():
            for waiter in waiters:
                waiter.over = True
                waiter.news.set()

    async def change(
        self, caller: Caller, requests: Sequence[ChangeRequest], wait: float, others: Mapping[Action, Act]
    ) -> list[Answer]:
        """Ask for each in order; those of one activity one after the other. Waits `wait` seconds at most in all."""
        deadline = time.monotonic() + wait
        answers: list[Answer | None] = [None] * len(requests)
        by_id: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            by_id.setdefault(request.id, []).append(index)

        async def all_of(indexes: list[int]) -> None:
            for index in indexes:
                try:
                    answers[index] = await self._one(caller, requests[index], deadline, others)
                except ArgosyError as error:
                    answers[index] = error

        await asyncio.gather(*(all_of(indexes) for indexes in by_id.values()))
        return [answer for answer in answers if answer is not None]

    async def _one(
        self, caller: Caller, request: ChangeRequest, deadline: float, others: Mapping[Action, Act]
    ) -> Answer:
        action = await self._action(caller, request)
        (found,) = await self._find(caller, OPERATIONS.get(action, Operation.CHANGE), [request.id])
        if isinstance(found, ArgosyError):
            return found
        if action in others:
            (answer,) = await others[action](caller, [request.id])
            return answer
        self._check(found, action)
        waiter = _Waiter()
        self._waiting.setdefault(found.id, []).append(waiter)
        try:
            record = await self._post(found, Wished(action, caller.name))
            wish = pending(record)
            if wish is None or wish.action is not action:
                if satisfied(record.state, action, held=held_here(record)):
                    return record
                raise self._refusal(record, action)
            return await waiter.outcome(record, wish, deadline)
        finally:
            self._waiting[found.id].remove(waiter)
            if not self._waiting[found.id]:
                del self._waiting[found.id]

    async def _action(self, caller: Caller, request: ChangeRequest) -> Action:
        if (request.action is None) == (request.state is None):
            raise InvalidInput("say either the action or the state to go to", element="action")
        if request.action is not None:
            return action_named(request.action)
        # The same state is asked for by different actions, depending on where it is.
        (found,) = await self._find(caller, Operation.CHANGE, [request.id])
        if isinstance(found, ArgosyError):
            raise found
        return action_towards(request.state or "", found.state)

    def _check(self, activity: Activity, action: Action) -> None:
        """Raise StateConflict where the state, or the batch system, does not allow it."""
        held = held_here(activity)
        wish = pending(activity)
        if action in allowed(activity.state, held=held):
            resource = self._resources.get(activity.resource or "")
            if resource is not None and activity.native_id and CONTROLS[action] not in resource.driver.controls:
                raise StateConflict(f"{resource.driver.name} cannot {action} jobs", self._allowed(activity))
        elif wish is None and not satisfied(activity.state, action, held=held):
            raise self._refusal(activity, action)

    def _refusal(self, activity: Activity, action: Action) -> StateConflict:
        can = self._allowed(activity)
        words = ", ".join(can) or "nothing any more"
        return StateConflict(f"it is {activity.state}, which does not allow to {action} it; it allows: {words}", can)

    def _allowed(self, activity: Activity) -> list[Action]:
        can = allowed(activity.state, held=held_here(activity))
        resource = self._resources.get(activity.resource or "")
        if activity.native_id is None or resource is None:
            return can
        return [action for action in can if action not in CONTROLS or CONTROLS[action] in resource.driver.controls]

    def _committed(self, events: Sequence[Event], activities: dict[str, Activity]) -> None:
        if not self._waiting:
            return
        for event in events:
            if event.kind == "refused" and event.detail is not None:
                for waiter in self._waiting.get(event.activity, ()):
                    waiter.refused[event.detail["asked"]] = event.message or ""
        for id, record in activities.items():
            for waiter in self._waiting.get(id, ()):
                waiter.record = record
                waiter.news.set()


class _Waiter:
    """One who waits for a wish to come about."""

    def __init__(self) -> None:
        self.record: Activity | None = None
        self.refused: dict[float, str] = {}
        self.news = asyncio.Event()
        self.over = False

    async def outcome(self, record: Activity, wish: Wish, deadline: float) -> Activity:
        """The record once the wish has come about, or as it is when time is up. Raises what it was refused with."""
        while True:
            self.news.clear()
            if (words := self.refused.get(wish.at)) is not None:
                raise InvalidStateException(words)
            record = self.record or record
            now = pending(record)
            if now is None or now.at != wish.at or self.over:
                return record
            left = deadline - time.monotonic()
            if left <= 0:
                return record
            try:
                async with asyncio.timeout(left):
                    await self.news.wait()
            except TimeoutError:
                continue
