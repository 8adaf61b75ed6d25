"""What an information model is: a table from the service's states to its own, and which of its states may follow which.

Which row of a table holds may depend on more than the state: on how the application exited, on whether it had begun
before. Such rows stand in the table under the state together with a `Case`; all cases are told apart here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from argosy.model.activity import ActivityState

_S = ActivityState


@dataclass(frozen=True, slots=True)
class Facts:
    """What a projection may depend on.

    `submitted`: the batch system has, or had, the job. `started`: the application has begun, in this run or in one
    that was requeued. `ended`: it is over. `exit_code` is None where it is not known.
    """

    state: ActivityState
    exit_code: int | None = None
    submitted: bool = False
    started: bool = False
    ended: bool = False


class Case(StrEnum):
    """What, beside the state, a row of a table may be for. The first that holds and has a row is taken."""

    NEVER_SUBMITTED = "never-submitted"
    """The batch system has never had the job."""
    UNSUCCESSFUL = "unsuccessful"
    """The application has ended with another exit code than 0, or with one that nobody knows."""
    ENDED = "ended"
    """The application is over."""
    STARTED = "started"
    """The application has begun, in this run or an earlier one."""


def _holds(case: Case, facts: Facts) -> bool:
    match case:
        case Case.UNSUCCESSFUL:
            return facts.exit_code != 0
        case Case.ENDED:
            return facts.ended
        case Case.STARTED:
            return facts.started
        case Case.NEVER_SUBMITTED:
            return not facts.submitted


@dataclass(frozen=True, slots=True)
class Projected:
    """A state in a model's own words. `attributes` are its sub-states or attributes, where the model has such."""

    state: str
    attributes: tuple[str, ...] = ()


#: A table: every state has a row, and some have more, for a case.
Table = Mapping[ActivityState | tuple[ActivityState, Case], Projected]


@dataclass(frozen=True, slots=True)
class InformationModel:
    """A vocabulary for the states of activities.

    `follows` says which state may come next, where the model says so itself; None where it does not.
    """

    name: str
    source: str
    table: Table
    follows: Mapping[str, frozenset[str]] | None = None

    def project(self, facts: Facts) -> Projected:
        """The state in this model."""
        for case in Case:
            row = self.table.get((facts.state, case))
            if row is not None and _holds(case, facts):
                return row
        return self.table[facts.state]

    def history(self, states: Iterable[ActivityState], exit_code: int | None = None) -> list[tuple[int, Projected]]:
        """A history as this model tells it: which of `states` (by index) each step is from, and the step.

        It is legal in the model: states that it has in between are put in, and where it knows no way from one to the
        next (a job that was requeued, in a model whose jobs cannot go back), it stays where it is. A final state that
        something follows was restarted from; what follows is a history of its own.
        """
        told: list[tuple[int, Projected]] = []
        over = False
        for index, facts in enumerate(_facts_along(states, exit_code)):
            now = self.project(facts)
            before = told[-1][1] if told and not over else None
            over = facts.state.final
            if before == now:
                continue
            if before is not None and self.follows is not None and before.state != now.state:
                way = _way(self.follows, before.state, now.state)
                if way is None:
                    continue
                told += [(index, Projected(state)) for state in way]
            told.append((index, now))
        return told


def _facts_along(states: Iterable[ActivityState], exit_code: int | None) -> Iterable[Facts]:
    submitted = started = ended = over = False
    for state in states:
        if over and not state.within("running:stage-out"):
            # It was restarted, and begins anew; only what comes after the application goes on where it was.
            submitted = started = ended = False
        over = state.final
        submitted = submitted or state.in_lrms
        started = started or state in (_S.LRMS_RUNNING, _S.SUSPENDED, _S.LRMS_FINISHED)
        ended = ended or state is _S.LRMS_FINISHED
        yield Facts(state, exit_code, submitted, started, ended)


def _way(follows: Mapping[str, frozenset[str]], start: str, goal: str) -> list[str] | None:
    """The states between two, by the shortest way; None where there is no way."""
    came_from: dict[str, str | None] = {start: None}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for there in sorted(follows[here]):
            if there in came_from:
                continue
            came_from[there] = here
            if there == goal:
                between: list[str] = []
                step = here
                while step != start:
                    between.append(step)
                    step = came_from[step] or start
                return between[::-1]
            waiting.append(there)
    return None
