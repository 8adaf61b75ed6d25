"""The resources behind the service: a driver each, and its shares as they were last seen."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field

from argosy.executors.contract import Driver
from argosy.model import InvalidInput, NotAllowed, RuntimeEnvironment, Share, Unavailable, clock
from argosy.service.owners.whose import whose
from argosy.store import Activity

from .environments import installed
from .share_config import SharesConfig, configured, names, of_queue
from .verdicts import Candidate, Standing

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LastError:
    """What went wrong with a resource: when (seconds since the epoch), while doing what, and in which words."""

    time: float
    doing: str
    words: str


@dataclass(slots=True)
class Resource:
    """A cluster, or this machine. `config` is what its administrator says of its shares."""

    name: str
    driver: Driver
    shares: list[Share] = field(default_factory=list)
    """As they were last seen, with what the configuration says; empty where they never were."""
    why_unknown: str | None = None
    unknown_since: float | None = None
    """Since when its shares could not be seen; `closed_since`: since when it could not be opened."""
    closed_since: float | None = None
    opened: bool = False
    config: SharesConfig = field(default_factory=SharesConfig)
    why_closed: str | None = None
    """Why it could not be opened yet, in the outside system's words."""
    given: dict[str, int] = field(default_factory=dict)
    """CPU cores that jobs were sent for since the shares were looked at, by queue."""
    looks: int = 0
    """How often it was looked at."""
    _warned: set[str] = field(default_factory=set)
    last_error: LastError | None = None
    by_owner: bool = False
    """Whether everything is done there as the activity's owner, with a proxy of theirs."""

    def whose(self, activity: Activity) -> str | None:
        """As whom the driver is to do what it does for an activity; None: as the service."""
        return whose(activity.owner, activity.credentials) if self.by_owner else activity.local_account

    async def refresh(self) -> None:
        """Look at the shares. What was seen last stays where nobody answers."""
        try:
            seen = await self.driver.shares()
        except Unavailable as error:
            if self.why_unknown is None:
                self.unknown_since = clock.now()
                log.warning("the queues of %s cannot be seen: %s", self.name, error)
            self.why_unknown = error.message
            self.failed("looking at its queues", error.message)
        else:
            self.shares = [configured(share, of_queue(self.config, share.name)) for share in seen]
            self.why_unknown = self.unknown_since = None
            self.given = {}
            unknown = self.config.shares.keys() - {share.name for share in seen} - self._warned
            for queue in sorted(unknown if seen else ()):
                log.warning("the configuration tells of %s/%s, but there is no such queue", self.name, queue)
                self._warned.add(queue)
        self.looks += 1

    def check_allowed(self, name: str, groups: Collection[str]) -> None:
        """Raise NotAllowed where the resource as a whole is not for a caller."""
        allow = names(self.config.allow)
        if allow is not None and not allow.include(name, groups):
            raise NotAllowed(f"{self.name} is not for {name}; its administrator can allow it", element="share")

    @property
    def look(self) -> tuple[int, bool, str | None]:
        """Changes with whatever `candidates` is made of."""
        return self.looks, self.opened, self.why_closed

    def candidates(self, environments: tuple[RuntimeEnvironment, ...] = ()) -> list[Candidate]:
        """Its shares for matching, its default queues first."""
        away = None
        if not self.opened:
            away = f"{self.name} cannot be used yet" + (f": {self.why_closed}" if self.why_closed else "")
        doubtful = self.why_unknown is not None
        common = {"preference": self.config.preference, "away": away, "doubtful": doubtful}
        if not self.shares:
            return [
                Candidate(
                    self.name,
                    standing=Standing.BY_NAME if self.config.detected else Standing.DEFAULT,
                    allow=names(self.config.allow),
                    per_user=self.config.per_user,
                    environments=installed(environments, self.name, ""),
                    **common,  # type: ignore[arg-type]
                )
            ]
        has_default = any(share.default for share in self.shares)
        found = []
        for share in self.shares:
            said = of_queue(self.config, share.name)
            standing = _standing(share, said.automatic, has_default)
            named = has_default or bool(self.config.shares) or bool(self.config.labels)
            found.append(
                Candidate(
                    self.name,
                    share,
                    share.name if share.name and named and not share.default else None,
                    standing=standing,
                    allow=names(said.allow),
                    per_user=said.per_user,
                    environments=installed(environments, self.name, share.name),
                    **common,  # type: ignore[arg-type]
                )
            )
        found.sort(key=lambda candidate: candidate.standing)
        return found

    def closed(self, words: str) -> None:
        """It could not be opened, as these words say."""
        self.why_closed = words
        self.closed_since = self.closed_since or clock.now()

    @property
    def away(self) -> tuple[float, str] | None:
        """Since when it cannot be used, and why; None where it can, or has not been tried yet."""
        if not self.opened:
            return None if self.closed_since is None else (self.closed_since, self.why_closed or "")
        return None if self.why_unknown is None else (self.unknown_since or 0.0, self.why_unknown)

    def failed(self, doing: str, words: str) -> None:
        """Remember what went wrong last."""
        self.last_error = LastError(clock.now(), doing, words)


def _standing(share: Share, automatic: bool | None, has_default: bool) -> Standing:
    if automatic is not None:
        return Standing.DEFAULT if automatic else Standing.BY_NAME
    if share.default:
        return Standing.DEFAULT
    if share.restricted:
        return Standing.BY_NAME
    return Standing.OTHER if has_default else Standing.DEFAULT


def find_resource(resources: dict[str, Resource], name: str) -> Resource:
    """The resource of that name. Raises InvalidInput naming those that there are."""
    try:
        return resources[name]
    except KeyError:
        known = ", ".join(resources)
        raise InvalidInput(f"there is no resource {name!r} here; there are {known}", element="share") from None
