"""Whether new activities may be recorded: the administrator's drain, and what each owner may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from argosy.model import ArgosyError, LimitExceeded, Unavailable, clock
from argosy.store import NewActivity, Store

from .limits import Limits

_DRAIN = "drain"
#: When to ask again where an owner has too much, in seconds.
_SOON, _LATER = 10.0, 60.0
#: More than anybody makes in one go.
_ANY = 1 << 40


class Drained(Unavailable):
    """No new activities are taken now; everything else goes on."""

    code = "drained"


@dataclass(frozen=True, slots=True)
class Drain:
    """That no new activities are taken: who said so, when (seconds since the epoch), what callers are told, and after
    how many seconds they may ask again."""

    by: str
    since: float
    message: str | None = None
    retry_after: float = 300.0

    def refusal(self) -> Drained:
        """What a caller is told."""
        words = f": {self.message}" if self.message else "; everything else goes on"
        return Drained(f"no new activities are taken for the time being{words}", retry_after=self.retry_after)


@dataclass(slots=True)
class _Used:
    """How many an owner has at most: it grows with creations, and is counted anew when it reaches the limit."""

    count: int = -1
    under_way: int = 0
    done: int = 0


class Admission:
    """What is taken in, for one worker. Counts are of the store, so those of several workers agree but for requests
    that are under way at the same moment."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self.limits = limits
        self.drain: Drain | None = None
        self.stopping = False
        self.on_open: list[Callable[[], None]] = []
        """Called in the event loop when new activities are taken again."""
        self._store = store
        self._used: dict[tuple[str, bool], _Used] = {}

    async def open(self) -> None:
        """Read what was set before the restart."""
        await self.refresh()

    async def refresh(self) -> None:
        """See what another worker was told."""
        value = await self._store.setting(_DRAIN)
        self._set(None if value is None else msgspec.convert(value, Drain))

    async def close_door(self, drain: Drain) -> None:
        """Take no new activities, until `open_door`, restarts included."""
        await self._store.set_setting(_DRAIN, msgspec.to_builtins(drain))
        self.drain = drain

    async def open_door(self) -> None:
        """Take new activities again."""
        await self._store.set_setting(_DRAIN, None)
        self._set(None)

    def _set(self, drain: Drain | None) -> None:
        opened, self.drain = self.drain is not None and drain is None, drain
        if opened:
            for told in self.on_open:
                told()

    @property
    def words(self) -> str | None:
        """Why no new activities are taken; None where they are."""
        refusal = self.refusal()
        return None if refusal is None else refusal.message

    def refusal(self) -> Drained | None:
        """Why no new activities are taken, where they are not."""
        if self.stopping:
            return Drained("the service is stopping; ask again when it is back", retry_after=_SOON)
        return None if self.drain is None else self.drain.refusal()

    async def admit(self, owner: str, new: Sequence[NewActivity]) -> list[ArgosyError | None]:
        """For each of an owner's new activities why it is not taken, None where it is. Repeats are taken in any case.

        What is taken counts as used; `done` says that it has been recorded, or was not.
        """
        refusal = self.refusal()
        if refusal is not None:
            repeats = await self._repeats(owner, new)
            return self._take(owner, [None if one.key in repeats else refusal for one in new])
        exceeded = False
        for unfinished, most in self._limits():
            used = self._used.setdefault((owner, unfinished), _Used())
            if used.count < 0 or used.count + len(new) > most:
                await self._count(used, owner, unfinished, most)
                exceeded = exceeded or used.count + len(new) > most
        repeats = await self._repeats(owner, new) if exceeded else set()
        # From here to the end nothing else is done, so that what is decided on is what is counted.
        answers: list[ArgosyError | None] = [None] * len(new)
        for unfinished, most in self._limits():
            wanted = [index for index, answer in enumerate(answers) if answer is None and new[index].key not in repeats]
            room = max(0, most - self._used[owner, unfinished].count)
            for index in wanted[room:]:
                answers[index] = _too_many(most, unfinished=unfinished)
        return self._take(owner, answers)

    async def spare(self, owner: str) -> tuple[int, ArgosyError | None]:
        """How many more of an owner's would be taken now, and why no more than that; None where nothing limits it."""
        refusal = self.refusal()
        if refusal is not None:
            return 0, refusal
        least, why = _ANY, None
        for unfinished, most in self._limits():
            used = self._used.setdefault((owner, unfinished), _Used())
            if used.count < 0 or used.count >= most:
                await self._count(used, owner, unfinished, most)
            if most - used.count < least:
                least, why = max(0, most - used.count), _too_many(most, unfinished=unfinished)
        return least, why

    async def room(self, owner: str, new: Sequence[NewActivity]) -> int:
        """How many of these, the first ones, are taken; they count as `admit` has it."""
        if not new:
            return 0
        answers = await self.admit(owner, new)
        return next((place for place, answer in enumerate(answers) if answer is not None), len(answers))

    def _take(self, owner: str, answers: list[ArgosyError | None]) -> list[ArgosyError | None]:
        taken = sum(answer is None for answer in answers)
        for unfinished, _ in self._limits():
            used = self._used.setdefault((owner, unfinished), _Used())
            used.count += taken if used.count >= 0 else 0
            used.under_way += taken
        return answers

    def done(self, owner: str, taken: int) -> None:
        """So many of those that were taken are no longer under way."""
        for unfinished, _ in self._limits():
            used = self._used.get((owner, unfinished))
            if used is not None and taken:
                used.under_way -= taken
                used.done += taken

    def _limits(self) -> list[tuple[bool, int]]:
        found = [(True, self.limits.unfinished), (False, self.limits.sessions)]
        return [(unfinished, most) for unfinished, most in found if most]

    async def _count(self, used: _Used, owner: str, unfinished: bool, most: int) -> None:
        done = used.done
        stored = await self._store.owned(owner, unfinished=unfinished, most=most)
        # What was recorded meanwhile may have been counted, or not: rather once too often.
        used.count = stored + used.under_way + used.done - done

    async def _repeats(self, owner: str, new: Sequence[NewActivity]) -> set[str | None]:
        keys = {one.key for one in new if one.key is not None}
        return set(await self._store.known_keys(owner, keys, clock.now())) if keys else set()


def _too_many(most: int, *, unfinished: bool) -> LimitExceeded:
    if unfinished:
        words = f"you have {most} activities that have not ended, the most that you may; wait until some have"
        return LimitExceeded(words, retry_after=_SOON)
    words = f"you have {most} activities with their session directories, the most that you may; purge some"
    return LimitExceeded(words, retry_after=_LATER)
