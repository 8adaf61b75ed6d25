"""Sends each activity to a share, or says what it waits for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from argosy.model import ActivityDescription, ArgosyError, InvalidInput, RuntimeEnvironment, Unavailable
from argosy.store import Activity

from .environments import check_requests
from .resources import Resource
from .verdicts import Candidate, Fit, Requirements, Verdict, Waiting, Who, choose, held_back, judge_all, rank

#: How many verdicts are remembered, of jobs that need the same, until the shares are looked at again.
_REMEMBERED = 1000

#: Raises InvalidInput for what the resource's batch system can never be asked.
CheckSystem = Callable[[Verdict], None]


class Router:
    """Matching over the resources as they were last seen."""

    def __init__(self, resources: Mapping[str, Resource], environments: Sequence[RuntimeEnvironment] = ()) -> None:
        self._resources = resources
        self.environments = tuple(environments)
        self._by_id = {one.id: one for one in self.environments}
        self._looks: list[tuple[int, bool, str | None]] = []
        self._candidates: list[Candidate] = []
        self._judged: dict[tuple[Requirements, Who], list[Verdict]] = {}
        self._using: dict[tuple[str, str | None, str], int] = {}
        self._ranks: dict[tuple[Requirements, Who], list[Verdict]] = {}
        self._changes = 0

    def candidates(self) -> list[Candidate]:
        """All shares, in the configured order."""
        looks = [resource.look for resource in self._resources.values()]
        if looks != self._looks:
            self._looks = looks
            self._judged.clear()
            self._changed()
            self._candidates = [
                candidate for one in self._resources.values() for candidate in one.candidates(self.environments)
            ]
        return self._candidates

    @property
    def state(self) -> int:
        """Grows whenever the same question may get another answer."""
        self.candidates()
        return self._changes

    def _changed(self) -> None:
        self._changes += 1
        self._ranks.clear()

    def named(self, ids: Sequence[str]) -> list[RuntimeEnvironment]:
        """The environments of these ids. Raises Unavailable where one is not configured any more."""
        for id in ids:
            if id not in self._by_id:
                raise Unavailable(f"the environment {id}, chosen for it, is not configured here any more")
        return [self._by_id[id] for id in ids]

    def given(self) -> dict[tuple[str, str], int]:
        """CPU cores that were given away since the shares were looked at."""
        return {
            (resource.name, queue): cores
            for resource in self._resources.values()
            for queue, cores in resource.given.items()
        }

    def _ranked(self, needed: Requirements, who: Who) -> list[Verdict]:
        candidates = self.candidates()
        key = (needed, who)
        ranked = self._ranks.get(key)
        if ranked is not None:
            return ranked
        verdicts = self._judged.get(key)
        if verdicts is None:
            verdicts = judge_all(needed, candidates, who)
            if len(self._judged) >= _REMEMBERED:
                self._judged.clear()
                self._ranks.clear()
            self._judged[key] = verdicts
        if any(verdict.candidate.per_user is not None for verdict in verdicts):
            verdicts = held_back(verdicts, lambda verdict: self._using.get(_place(verdict, who.name), 0))
        ranked = self._ranks[key] = verdicts if len(verdicts) == 1 else rank(needed, verdicts, self.given())
        return ranked

    def route(self, description: ActivityDescription, who: Who, check: CheckSystem) -> Verdict | Waiting:
        """Where a new activity goes, as long as `state` is the same. Raises InvalidInput or NotAllowed, naming the
        element, where that is nowhere."""
        check_requests(description.environments)
        needed = Requirements.of(description)
        verdicts = self._ranked(needed, who)
        chosen = choose(needed, verdicts)
        fitting = [verdict for verdict in verdicts if verdict.fit is not Fit.NEVER]
        refused: InvalidInput | None = None
        for verdict in fitting if isinstance(chosen, Waiting) else chosen:
            try:
                check(verdict)
            except InvalidInput as error:
                refused = refused or error
                continue
            if isinstance(chosen, Waiting):
                return chosen
            return verdict
        if refused is not None and not isinstance(chosen, Waiting) and len(fitting) > len(chosen):
            later = [verdict for verdict in fitting if verdict.fit is Fit.LATER]
            return self._later(needed, later, check, refused)
        assert refused is not None
        raise refused

    @staticmethod
    def _later(needed: Requirements, later: Sequence[Verdict], check: CheckSystem, refused: InvalidInput) -> Waiting:
        """All that would take it now refuse it: whether one of those that would later is to be waited for."""
        for verdict in later:
            try:
                check(verdict)
            except InvalidInput:
                continue
            waiting = choose(needed, [verdict])
            assert isinstance(waiting, Waiting)
            return waiting
        raise refused

    def again(self, needed: Requirements, who: Who) -> Verdict | Waiting:
        """Where an activity goes that was taken on earlier. What cannot be any more, the configuration having changed,
        waits too: it may be again."""
        try:
            chosen = choose(needed, self._ranked(needed, who))
        except ArgosyError as error:
            return Waiting(error.message)
        return chosen if isinstance(chosen, Waiting) else chosen[0]

    @property
    def limited(self) -> bool:
        """Whether there is a share of which one user may have only so much."""
        return any(candidate.per_user is not None for candidate in self.candidates())

    def recount(self, unfinished: Iterable[Activity]) -> None:
        """How much each user has of the shares, from all unfinished activities."""
        if not self.limited:
            return
        self._using = dict(Counter((one.resource, one.queue, one.owner) for one in unfinished if one.resource))
        self._changed()

    def give(self, verdict: Verdict, cores: int, owner: str) -> None:
        """Take note that a job of this owner goes there."""
        if verdict.candidate.per_user is not None:
            place = _place(verdict, owner)
            self._using[place] = self._using.get(place, 0) + 1
            self._changed()
        share = verdict.candidate.share
        if share is not None:
            given = self._resources[verdict.candidate.resource].given
            given[share.name] = given.get(share.name, 0) + cores
            if share.free_cores is not None:
                self._changed()  # nothing else in the ranking depends on what was given


def _place(verdict: Verdict, owner: str) -> tuple[str, str | None, str]:
    """Resource, queue and owner, as they stand in an activity that goes there."""
    return verdict.candidate.resource, verdict.queue, owner
