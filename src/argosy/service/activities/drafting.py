"""From a description to what is to be recorded of an activity: everything that can be wrong is found here."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from argosy.languages import native
from argosy.languages.native import Description
from argosy.model import ActivityDescription, ActivityState, InvalidInput, clock
from argosy.outbound import OutboundPolicy
from argosy.service.contract import CreateRequest
from argosy.service.engine.requests import job_request
from argosy.service.files.files_asked import check_files
from argosy.service.files.sessions import Sessions
from argosy.service.ids import new_id
from argosy.service.lifecycle import Begun, Decision, Matched, Needs, decide, needs_of, tell, wait
from argosy.service.matching.resources import Resource
from argosy.service.matching.routing import Router
from argosy.service.matching.verdicts import Verdict, Waiting, Who
from argosy.service.notifications import NotificationConfig
from argosy.service.notifications.operations import of_description
from argosy.service.policy import ServicePolicy
from argosy.staging import Staging
from argosy.store import Activity, NewActivity


@dataclass(slots=True)
class Draft:
    """What is to be recorded of one activity, and how it goes on from there."""

    new: NewActivity
    description: ActivityDescription
    decision: Decision
    who: Who
    needs: Needs


@dataclass(slots=True)
class _Way:
    """Where descriptions go: `route`, with the router's state then, and the verdicts whose batch systems take them.

    `refused`: some batch system did not.
    """

    route: tuple[int, Verdict | Waiting] | None = None
    refused: bool = False
    passed: set[tuple[str, str | None, tuple[str, ...]]] = field(default_factory=set)


@dataclass(slots=True)
class _Frame:
    """What has been found out about descriptions that are equal but for what `native.frame` leaves out.

    `way` is that of `first`, and of all with its name, its streams and the same variables, whatever their values.
    """

    first: Description
    model: ActivityDescription
    needs: Needs
    cores: int
    nodes: int
    processes: int
    way: _Way = field(default_factory=_Way)


@dataclass(slots=True)
class _Asked:
    """What has been found out about one description, and holds for every activity that is asked for with it."""

    wire: Description
    description: ActivityDescription
    frame: _Frame
    name: str
    stored: bytes
    digest: bytes
    way: _Way


class Vector:
    """One request's descriptions: where several of its elements have the same object, that is looked at once; and of
    those that have most in common only what is different is."""

    def __init__(self) -> None:
        self._asked: dict[int, _Asked] = {}
        self._frames: dict[bytes, _Frame] = {}

    def of(self, wire: Description, check: Callable[[Description], _Frame]) -> _Asked:
        """What is known of a description; `check` finds it out, and raises what is wrong with it."""
        asked = self._asked.get(id(wire))
        if asked is None:
            common = native.frame(wire)
            frame = self._frames.get(common)
            if frame is None:
                frame = self._frames[common] = check(wire)
                asked = _asked(wire, frame.model, frame)
            else:
                asked = _asked(wire, native.in_frame(wire, frame.model), frame)
            # Each holds its description, so that no other object gets the same id.
            self._asked[id(wire)] = asked
        return asked


def _asked(wire: Description, description: ActivityDescription, frame: _Frame) -> _Asked:
    plain = native.without_secrets(wire)
    stored = native.encode(plain)
    whole = stored if plain is wire else native.encode(wire)
    first = frame.first
    same = (
        wire.name == first.name
        and (wire.stdin, wire.stdout, wire.stderr) == (first.stdin, first.stdout, first.stderr)
        and wire.environment.keys() == first.environment.keys()
    )
    return _Asked(
        wire,
        description,
        frame,
        wire.name or os.path.basename(wire.executable),
        stored,
        hashlib.sha256(whole).digest(),
        # What a batch system refuses does not depend on the rest (`Driver.check`).
        frame.way if same else _Way(),
    )


@dataclass(slots=True)
class Drafting:
    """Drafts over the resources as they were last seen. Nothing is recorded here."""

    resources: Mapping[str, Resource]
    router: Router
    sessions: Sessions
    staging: Staging
    policy: ServicePolicy
    outbound: OutboundPolicy
    notifying: NotificationConfig
    worker: str

    def draft(
        self,
        who: Who,
        request: CreateRequest,
        vector: Vector | None = None,
        *,
        proxy: str | None = None,
        looking: bool = False,
    ) -> Draft:
        """The draft of one activity; `looking`: only to see what is wrong with it. Raises that, naming the element.

        `vector` is that of the same request and caller. `proxy` is the kept one that came with the request.
        """
        wire = request.description
        if vector is None:
            frame = self._frame(wire)
            asked = _asked(wire, frame.model, frame)
        else:
            asked = vector.of(wire, self._frame)
        id = new_id()
        session = self.sessions.path(id, who.account)
        chosen: Verdict | Waiting = self._route(asked, who, lambda verdict: self._check(asked, verdict, id, session))
        if asked.description.held:
            chosen = Waiting("")  # it is looked at again when it is let go
        activity = self._recorded(id, session, asked, who, request, chosen, proxy)
        decision = self._begun(activity, asked, who, request, chosen, looking=looking)
        now = activity.created
        new = NewActivity(
            decision.activity,
            asked.stored,
            tuple(decision.events),
            key=request.key,
            digest=asked.digest,
            key_expires=now + self.policy.key_lifetime,
            subscriptions=of_description(asked.description.notify, who.name, id, now, self.outbound, self.notifying),
        )
        return Draft(new, asked.description, decision, who, asked.frame.needs)

    def _recorded(
        self,
        id: str,
        session: str,
        asked: _Asked,
        who: Who,
        request: CreateRequest,
        chosen: Verdict | Waiting,
        proxy: str | None,
    ) -> Activity:
        """The record as it is first."""
        description, frame = asked.description, asked.frame
        now = clock.now()
        takes = isinstance(chosen, Waiting) or self.resources[chosen.candidate.resource].by_owner
        return Activity(
            id=id,
            owner=who.name,
            state=ActivityState.PENDING,
            version=0,
            created=now,
            changed=now,
            name=asked.name,
            resource=None if isinstance(chosen, Waiting) else chosen.candidate.resource,
            queue=None if isinstance(chosen, Waiting) else chosen.queue,
            session=session,
            noted=now,
            worker=self.worker,
            tags=dict(description.tags),
            groups=who.groups,
            local_account=who.account,
            credentials=(*description.credentials, *((proxy,) if proxy is not None and takes else ())),
            environments=() if isinstance(chosen, Waiting) else chosen.environments,
            sweep=request.sweep,
            parameters=None if request.parameters is None else dict(request.parameters),
            cores=frame.cores,
            nodes=frame.nodes,
            processes=frame.processes,
            account=description.spec.attributes.account,
        )

    def _begun(
        self,
        activity: Activity,
        asked: _Asked,
        who: Who,
        request: CreateRequest,
        chosen: Verdict | Waiting,
        *,
        looking: bool,
    ) -> Decision:
        """What becomes of the record at once: it is held, waits, or goes to where it was matched."""
        now = activity.created
        decision = Decision(activity, [], [])
        decision.note("created", now, by=who.name)
        for words in request.notes:
            decision.note("note", now, words)
        if asked.description.held:
            decision.move(ActivityState.HELD, now, "waiting for its owner to let it start", by=who.name)
        elif isinstance(chosen, Waiting):
            wait(decision, chosen.reason, now)
        else:
            candidate = chosen.candidate
            if not looking:
                self.router.give(chosen, asked.frame.cores, who.name)
            tell(decision, Matched(candidate.resource, None, candidate.name, chosen.environments, chosen.left_out), now)
            began = decide(decision.activity, Begun(), asked.frame.needs, now, self.policy.retention)
            return Decision(began.activity, decision.events + began.events, began.instructions)
        return decision

    def _route(self, asked: _Asked, who: Who, check: Callable[[Verdict], None]) -> Verdict | Waiting:
        """Where it goes, which `check` may refuse. Raises why that is nowhere."""
        way, common = asked.way, asked.frame.way
        state = self.router.state
        if way.route is not None and way.route[0] == state:
            return way.route[1]
        if way is not common and common.route is not None and common.route[0] == state and not common.refused:
            # The best place for others like it is the best for it, unless the batch system there refuses it.
            best = common.route[1]
            if isinstance(best, Verdict):
                with contextlib.suppress(InvalidInput):
                    check(best)
                    way.route = common.route
                    return best
        way.route = (state, self.router.route(asked.description, who, check))
        return way.route[1]

    def _frame(self, wire: Description) -> _Frame:
        """All of a description that has nothing to do with where it goes, checked. Raises what is wrong with it."""
        description = native.to_model(wire)
        check_files(description, self.staging)
        needs = description.spec.effective_resources
        return _Frame(
            wire,
            description,
            needs_of(description),
            needs.computed_core_count,
            needs.computed_node_count,
            needs.computed_process_count,
        )

    def _check(self, asked: _Asked, verdict: Verdict, id: str, session: str) -> None:
        """Have the batch system looked at that a verdict leads to, once for all descriptions of this way."""
        way = (verdict.candidate.resource, verdict.queue, verdict.environments)
        if way not in asked.way.passed:
            try:
                self._check_system(verdict, id, asked.description, session)
            except InvalidInput:
                asked.way.refused = True
                raise
            asked.way.passed.add(way)

    def _check_system(self, verdict: Verdict, id: str, description: ActivityDescription, session: str) -> None:
        """Raise InvalidInput, in the description's own terms, for what the batch system can never be asked."""
        resource = self.resources[verdict.candidate.resource]
        environments = self.router.named(verdict.environments)
        try:
            resource.driver.check(job_request(id, description, session, verdict.queue, environments))
        except InvalidInput as error:
            raise native.in_its_terms(error) from None
