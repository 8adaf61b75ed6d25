"""What the service is, in GLUE 2 (GES 3.4, getServiceInfo).

It is put together from what was last seen of the batch systems and from one count of activities, which are kept for a
moment: asking often costs little, and asking for the activities reads them page by page.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from argosy._version import __version__
from argosy.languages import registry
from argosy.languages.glue2 import Document, Entity
from argosy.model import ActivityState, RuntimeEnvironment, clock
from argosy.service.matching.resources import Resource
from argosy.staging import Capability
from argosy.store import Activity, Query, Store

from .about import About
from .activities import activity_id, computing_activity, utc
from .capabilities import Actions, Capabilities
from .published import Interface, Published
from .shares import Tally, jobs, of_resource

#: How long a count of activities is good for, in seconds.
COUNTED = 5.0
#: How many activities are read at a time.
PAGE = 100
#: How long what is published is to be believed, in seconds.
VALIDITY = 300

#: The ways for files to come and go that GES 3.6 knows; GLUE 2's Staging has no words for them.
WAYS = ("stagein", "pushin", "stageout", "pullout", "runtime")

#: GLUE 2's names for description languages (JobDescription_t), where they are other than ``argosy:NAME``.
LANGUAGES = {"jsdl": "ogf:jsdl", "adl": "emi:adl", "xrsl": "nordugrid:xrsl"}

_CAPABILITIES = (
    "executionmanagement.jobdescription",
    "executionmanagement.jobexecution",
    "executionmanagement.jobmanager",
    "information.monitoring",
    "information.model",
    "data.transfer",
    "security.authentication",
    "security.authorization",
)


class Extent(StrEnum):
    """How much is told of the service (GES 3.4)."""

    BASIC = "basic"
    """The service."""
    MEDIUM = "medium"
    """And the ids of its activities, as far as the caller may see them."""
    FULL = "full"
    """And the activities themselves."""


class Inquiry:
    """Answers about the service."""

    def __init__(
        self,
        store: Store,
        resources: Mapping[str, Resource],
        about: About,
        environments: Sequence[RuntimeEnvironment] = (),
        *,
        draining: Callable[[], str | None] = lambda: None,
        staging: Callable[[], Sequence[Capability]] = tuple,
    ) -> None:
        """`draining` gives the administrator's words where no new activities are taken; `staging` tells what can be
        done with which URLs now."""
        self._store = store
        self._resources = resources
        self._about = about
        self._environments = environments
        self._draining = draining
        self._staging = staging
        self._started = clock.now()
        self._tally: Tally = {}
        self._counted = float("-inf")

    async def document(self, owner: str | None, extent: Extent, published: Published) -> Document:
        """The document. `owner`: whose activities are in it; None for everybody's. In `published` the interfaces have
        whole URLs."""
        tally = await self._counts()
        document = Document(self._entities(tally, published))
        if extent is Extent.MEDIUM:
            document.ids = self._ids(owner)
        elif extent is Extent.FULL:
            document.activities = self._activities(owner)
        return document

    def capabilities(self) -> Capabilities:
        """What can be asked of the service."""
        resources = [
            Actions(one.name, one.driver.name, tuple(sorted(str(verb) for verb in one.driver.controls)))
            for one in self._resources.values()
        ]
        return Capabilities(tuple(resources), tuple(self._staging()))

    async def _counts(self) -> Tally:
        if time.monotonic() - self._counted > COUNTED:
            self._tally = await self._store.tally()
            self._counted = time.monotonic()
        return self._tally

    # -- activities -------------------------------------------------------------------------------

    async def _activities(self, owner: str | None) -> AsyncIterator[Sequence[Entity]]:
        async for records in self._pages(owner):
            yield [computing_activity(record, self._about) for record in records]

    async def _ids(self, owner: str | None) -> AsyncIterator[Sequence[str]]:
        async for records in self._pages(owner):
            yield [activity_id(self._about, record.id) for record in records]

    async def _pages(self, owner: str | None) -> AsyncIterator[Sequence[Activity]]:
        query: Query | None = Query(owner=owner, limit=PAGE)
        while query is not None:
            records, following = await self._store.page(query)
            yield records
            query = None if following is None else replace(query, after=following)

    # -- the service ------------------------------------------------------------------------------

    def _entities(self, tally: Tally, published: Published) -> list[Entity]:
        about = self._about
        interfaces = published.interfaces
        when = utc(clock.now()) or ""
        service = about.urn("ComputingService")
        endpoint_ids = [about.urn("ComputingEndpoint", one.key) for one in interfaces]
        behind = [
            entity
            for resource in self._resources.values()
            for entity in of_resource(
                resource, about, service, endpoint_ids, when, self._environments, tally.get(resource.name, {})
            )
        ]
        share_ids = [entity.id for entity in behind if entity.kind == "ComputingShare"]
        counted = jobs(_sum(tally))
        found = [
            *self._place(service),
            Entity(
                "ComputingService",
                service,
                {
                    "Capability": list(_CAPABILITIES),
                    "Type": "org.argosy.execution",
                    "QualityLevel": about.quality,
                    "Complexity": f"endpointType={len(interfaces)}, share={len(share_ids)}, "
                    f"resource={sum(entity.kind == 'ExecutionEnvironment' for entity in behind)}",
                    **counted,
                },
                {
                    "EndpointID": endpoint_ids,
                    "ShareID": share_ids,
                    "ManagerID": [entity.id for entity in behind if entity.kind == "ComputingManager"],
                    "ContactID": [about.urn("Contact")] if about.contact else [],
                    "LocationID": [about.urn("Location")] if _has_place(about) else [],
                    "ServiceID": [storage.service for storage in about.storage],
                },
                name=about.name,
                created=when,
                validity=VALIDITY,
            ),
            *(self._endpoint(one, published, service, share_ids, counted, when) for one in interfaces),
            *behind,
            *(self._access(one.key) for one in interfaces),
        ]
        found += [
            Entity(
                "ToStorageService",
                about.urn("ToStorageService", str(number)),
                {"LocalPath": storage.local_path, "RemotePath": storage.remote_path},
                {"ServiceID": [service, storage.service]},
            )
            for number, storage in enumerate(about.storage, 1)
        ]
        return found

    def _endpoint(
        self,
        interface: Interface,
        published: Published,
        service: str,
        shares: list[str],
        counted: Mapping[str, int],
        when: str,
    ) -> Entity:
        draining = self._draining()
        languages = [one.name for one in registry.languages()] if interface.languages is None else interface.languages
        unseen = {name: one.why_unknown for name, one in self._resources.items() if one.why_unknown is not None}
        health = "ok" if not unseen else "critical" if len(unseen) == len(self._resources) else "warning"
        about = self._about
        return Entity(
            "ComputingEndpoint",
            about.urn("ComputingEndpoint", interface.key),
            {
                "URL": interface.url,
                "Capability": list(_CAPABILITIES),
                "Technology": "REST",
                "InterfaceName": interface.name,
                "InterfaceVersion": [interface.version],
                "Implementor": "Argosy",
                "ImplementationName": "argosy",
                "ImplementationVersion": __version__,
                "QualityLevel": about.quality,
                "HealthState": health,
                "HealthStateInfo": "; ".join(f"{name} cannot be seen: {why}" for name, why in unseen.items()) or None,
                "ServingState": "production" if draining is None else "draining",
                "DowntimeInfo": draining,
                "StartTime": utc(self._started),
                "IssuerCA": published.issuer,
                "Staging": "staginginout",
                "JobDescription": [LANGUAGES.get(name, f"argosy:{name}") for name in languages],
                **counted,
            },
            {"ServiceID": [service], "ShareID": shares, "PolicyID": [_policy(about, interface.key)]},
            name=f"{about.name} {interface.key}",
            created=when,
            validity=VALIDITY,
            other_info=[f"authentication={way}" for way in published.authentication]
            + [f"staging={way}" for way in WAYS]
            + [f"staging-scheme={one.scheme}" for one in self._staging() if one.missing is None],
        )

    def _access(self, key: str) -> Entity:
        about = self._about
        return Entity(
            "AccessPolicy",
            _policy(about, key),
            {"Scheme": "basic", "Rule": about.access or ["argosy:owner-and-configured-users"]},
            {"EndpointID": [about.urn("ComputingEndpoint", key)], "DomainID": [about.urn("UserDomain")]},
        )

    def _place(self, service: str) -> list[Entity]:
        about = self._about
        domain = [] if about.domain is None else [about.domain]
        found = []
        if _has_place(about):
            found.append(
                Entity(
                    "Location",
                    about.urn("Location"),
                    {
                        "Place": about.place,
                        "Country": about.country,
                        "Latitude": about.latitude,
                        "Longitude": about.longitude,
                    },
                    {"ServiceID": [service], "DomainID": domain},
                )
            )
        if about.contact:
            found.append(
                Entity(
                    "Contact",
                    about.urn("Contact"),
                    {"Detail": about.contact, "Type": "general"},
                    {"ServiceID": [service], "DomainID": domain},
                )
            )
        if about.domain is not None:
            found.append(Entity("AdminDomain", about.domain, {}, {"ServiceID": [service]}))
        found.append(
            Entity("UserDomain", about.urn("UserDomain"), {"Description": "those who may use the service"}, {})
        )
        return found


def _policy(about: About, key: str) -> str:
    return about.urn("AccessPolicy", key)


def _has_place(about: About) -> bool:
    return any(value is not None for value in (about.place, about.country, about.latitude, about.longitude))


def _sum(tally: Tally) -> dict[ActivityState, int]:
    total: dict[ActivityState, int] = {}
    for states in tally.values():
        for state, count in states.items():
            total[state] = total.get(state, 0) + count
    return total
