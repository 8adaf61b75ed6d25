"""From a description to what is to be recorded of an activity: everything that can be wrong is found here."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from argosy.languages import native
from argosy.model import ActivityDescription, ActivityState, InvalidInput
from argosy.outbound import OutboundPolicy
from argosy.service.contract import CreateRequest
from argosy.service.engine.requests import job_request
from argosy.service.files.files_asked import check_files
from argosy.service.files.sessions import Sessions
from argosy.service.ids import new_id
from argosy.service.lifecycle import Begun, Decision, Matched, decide, needs_of, tell, wait
from argosy.service.matching.resources import Resource
from argosy.service.matching.routing import Router
from argosy.service.matching.verdicts import Verdict, Waiting, Who
from argosy.service.notifications import NotificationConfig
from argosy.service.notifications.operations import of_description
from argosy.service.policy import ServicePolicy
from argosy.staging import Staging
from argosy.store import Activity, NewActivity


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be recorded of one activity, and how it goes on from there."""

    new: NewActivity
    description: ActivityDescription
    decision: Decision
    who: Who


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

    def draft(self, who: Who, request: CreateRequest, *, looking: bool = False) -> Draft:
        """The draft of one activity; `looking`: only to see what is wrong with it. Raises that, naming the element."""
        description = native.to_model(request.description)
        check_files(description, self.staging)
        now = time.time()
        id = new_id()
        session = self.sessions.path(id, who.account)

        def check(verdict: Verdict) -> None:
            self._check_system(verdict, id, description, session)

        chosen = self.router.route(description, who, check)
        if description.held:
            chosen = Waiting("")  # it is looked at again when it is let go
        needs = description.spec.effective_resources
        activity = Activity(
            id=id,
            owner=who.name,
            state=ActivityState.PENDING,
            version=0,
            created=now,
            changed=now,
            name=description.spec.given_name or os.path.basename(request.description.executable),
            resource=None if isinstance(chosen, Waiting) else chosen.candidate.resource,
            queue=None if isinstance(chosen, Waiting) else chosen.queue,
            session=session,
            worker=self.worker,
            tags=dict(description.tags),
            groups=who.groups,
            local_account=who.account,
            environments=() if isinstance(chosen, Waiting) else chosen.environments,
            sweep=request.sweep,
            parameters=None if request.parameters is None else dict(request.parameters),
            cores=needs.computed_core_count,
            nodes=needs.computed_node_count,
            processes=needs.computed_process_count,
            account=description.spec.attributes.account,
        )
        decision = Decision(activity, [], [])
        decision.note("created", now, by=who.name)
        for words in request.notes:
            decision.note("note", now, words)
        activity = decision.activity
        if description.held:
            decision.move(ActivityState.HELD, now, "waiting for its owner to let it start", by=who.name)
        elif isinstance(chosen, Waiting):
            wait(decision, chosen.reason, now)
        else:
            candidate = chosen.candidate
            if not looking:
                self.router.give(chosen, description.spec.effective_resources.computed_core_count, who.name)
            tell(decision, Matched(candidate.resource, None, candidate.name, chosen.environments, chosen.left_out), now)
            activity = decision.activity
            began = decide(activity, Begun(), needs_of(description), now, self.policy.retention)
            decision = Decision(began.activity, decision.events + began.events, began.instructions)
        plain = native.without_secrets(request.description)
        stored = native.encode(plain)
        asked = stored if plain is request.description else native.encode(request.description)
        subscriptions = of_description(description.notify, who.name, id, now, self.outbound, self.notifying)
        new = NewActivity(
            decision.activity,
            stored,
            tuple(decision.events),
            key=request.key,
            digest=hashlib.sha256(asked).digest(),
            key_expires=now + self.policy.key_lifetime,
            subscriptions=subscriptions,
        )
        return Draft(new, description, decision, who)

    def _check_system(self, verdict: Verdict, id: str, description: ActivityDescription, session: str) -> None:
        """Raise InvalidInput, in the description's own terms, for what the batch system can never be asked."""
        resource = self.resources[verdict.candidate.resource]
        environments = self.router.named(verdict.environments)
        try:
            resource.driver.check(job_request(id, description, session, verdict.queue, environments))
        except InvalidInput as error:
            raise native.in_its_terms(error) from None
