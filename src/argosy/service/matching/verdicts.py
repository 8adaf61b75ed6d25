"""Where a job can go: a pure function of what it needs, what there is, and who asks.

`judge_all` gives each candidate a verdict: it fits now, it may fit later, or never. `rank` sorts those, in this
order, and `choose` takes the best:

1. fits now;
2. the lowest `preference` of the resource's configuration;
3. the batch system's default queue before others, where the job names none;
4. a resource that answers before one that does not;
5. the shortest expected wait (see `expected_wait`);
6. the configured order of resources, and within one the order of its batch system.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import msgspec

from argosy.identity.members import Names
from argosy.model import (
    ActivityDescription,
    ArgosyError,
    EnvironmentRequest,
    InvalidInput,
    NotAllowed,
    RuntimeEnvironment,
    Share,
)
from argosy.model.choices import listed

from .environments import Unmet, pick

#: Of how many shares a waiting activity tells why they do not take it.
_TOLD = 3

#: Other words for the same, in the words of ``uname``.
_SAME = {
    "amd64": "x86_64",
    "x86-64": "x86_64",
    "x64": "x86_64",
    "arm64": "aarch64",
    "i386": "x86_32",
    "i486": "x86_32",
    "i586": "x86_32",
    "i686": "x86_32",
    "x86": "x86_32",
}


def plain(word: str) -> str:
    """An architecture or operating system by the one name that it has here."""
    word = word.strip().lower()
    return _SAME.get(word, word)


def split_share(share: str) -> tuple[str, str | None]:
    """``RESOURCE/QUEUE`` as its two parts."""
    resource, _, queue = share.partition("/")
    return resource, queue or None


class Requirements(msgspec.Struct, frozen=True):
    """What a job needs of a share, so that those that need the same are looked at once. It is made for each job, so it
    is no dataclass: that takes several times as long.

    `per_node` are cores of one node where nodes are asked for, `gpus` those of one node; `memory` is bytes of the whole
    job, `duration` seconds. `resource` and `queue` are the share that was named.
    """

    resource: str | None = None
    queue: str | None = None
    among: tuple[str, ...] = ()
    nodes: int = 1
    per_node: int | None = None
    cores: int = 1
    memory: int | None = None
    gpus: int = 0
    duration: float | None = None
    architecture: str | None = None
    operating_system: str | None = None
    labels: tuple[str, ...] = ()
    environments: tuple[tuple[str, str, tuple[tuple[str, str], ...], bool], ...] = ()

    @classmethod
    def of(cls, description: ActivityDescription) -> Requirements:
        """What a description asks for."""
        needs = description.spec.effective_resources
        duration = description.spec.attributes.duration
        resource, queue = split_share(description.share) if description.share else (None, None)
        processes = needs.computed_processes_per_node
        per_node = processes * (needs.cpu_cores_per_process or 1)
        return cls(
            resource,
            queue,
            tuple(description.candidates),
            needs.computed_node_count,
            per_node if needs.node_count else None,
            needs.computed_core_count,
            needs.memory,
            (needs.gpu_cores_per_process or 0) * processes,
            None if duration is None else duration.total_seconds(),
            description.architecture,
            description.operating_system,
            tuple(description.labels),
            tuple(
                (one.name, one.version, tuple(one.parameters.items()), one.optional) for one in description.environments
            )
            if description.environments
            else (),
        )

    def requests(self) -> list[EnvironmentRequest]:
        """The environments that it asks for."""
        return [
            EnvironmentRequest(name, version, dict(given), optional)
            for name, version, given, optional in self.environments
        ]


class Standing(IntEnum):
    """To which jobs that name no queue a share offers itself."""

    DEFAULT = 0
    """To all: it is the batch system's default queue, or the configuration says ``automatic = true``."""
    OTHER = 1
    """To those that no default queue takes."""
    BY_NAME = 2
    """To none."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A share as matching sees it. `share` is None where nobody has told of the resource's queues yet.

    `away` says why nothing can go there now; `doubtful`: the resource did not answer when it was looked at last.
    `queue` is what the batch system is told where the job names none: None leaves it to the batch system.
    """

    resource: str
    share: Share | None = None
    queue: str | None = None
    preference: int = 0
    standing: Standing = Standing.DEFAULT
    away: str | None = None
    doubtful: bool = False
    allow: Names | None = None
    environments: tuple[RuntimeEnvironment, ...] = ()
    per_user: int | None = None

    @property
    def name(self) -> str:
        """What people know it by."""
        return f"{self.resource}/{self.share.name}" if self.share is not None and self.share.name else self.resource


#: Free cores that were given away since the shares were looked at, by resource and queue.
Given = Mapping[tuple[str, str], int]


class Fit(IntEnum):
    """Whether a candidate takes a job."""

    NOW = 0
    LATER = 1
    NEVER = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one candidate: whether it takes the job, or which element keeps it from that, and in which words.

    `environments` are the ids of those chosen, `left_out` the names of optional ones that are not to be had.
    """

    candidate: Candidate
    fit: Fit
    words: str = ""
    element: str | None = None
    environments: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    problems: int = 0
    far: int = 0
    """As `Unmet.far`."""
    denied: bool = False
    queue: str | None = None

    def key(self, needed: Requirements, given: Given) -> tuple[float, ...]:
        """What candidates are sorted by."""
        candidate = self.candidate
        wait = expected_wait(needed, candidate, given) if self.fit is Fit.NOW else math.inf
        return (self.fit, candidate.preference, candidate.standing, candidate.doubtful, wait)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing takes the job now, but something may later; `reason` says why, for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Who:
    """On whose behalf."""

    name: str
    groups: tuple[str, ...] = ()
    account: str | None = None


def judge_all(needed: Requirements, candidates: Sequence[Candidate], who: Who) -> list[Verdict]:
    """A verdict on each candidate that the job may mean. Raises InvalidInput where it names one that is not there."""
    meant = [candidate for candidate in candidates if _is_meant(needed, candidate)]
    if not meant:
        raise _unknown(needed, candidates)
    return [judge(needed, candidate, who) for candidate in meant]


def rank(needed: Requirements, verdicts: Sequence[Verdict], given: Given) -> list[Verdict]:
    """The verdicts, the best first."""
    return sorted(verdicts, key=lambda verdict: verdict.key(needed, given))


def held_back(verdicts: Sequence[Verdict], using: Callable[[Verdict], int]) -> list[Verdict]:
    """The verdicts, but that a share of which the user has as much as one user may takes no more now.

    `using` tells how many unfinished activities the user has where a verdict leads.
    """
    found: list[Verdict] = []
    for verdict in verdicts:
        most = verdict.candidate.per_user
        if verdict.fit is Fit.NOW and most is not None and using(verdict) >= most:
            name = verdict.candidate.name
            words = f"{name}: there are {most} unfinished activities of yours, the most that one user may have there"
            found.append(replace(verdict, fit=Fit.LATER, words=words))
        else:
            found.append(verdict)
    return found


def choose(needed: Requirements, verdicts: Sequence[Verdict]) -> list[Verdict] | Waiting:
    """Those that take the job now, the best first, or why it waits. Raises InvalidInput, naming the element, or
    NotAllowed where none can ever take it."""
    now = [verdict for verdict in verdicts if verdict.fit is Fit.NOW]
    if now:
        return now
    later = [verdict for verdict in verdicts if verdict.fit is Fit.LATER]
    if later:
        return Waiting(_reason(later))
    raise refusal(needed, verdicts)


def judge(needed: Requirements, candidate: Candidate, who: Who) -> Verdict:
    """What becomes of one candidate."""
    problems = _problems(needed, candidate, who)
    first = next(problems, None)
    if first is not None:
        element, words, denied = first
        more = list(problems)
        return Verdict(candidate, Fit.NEVER, words, element, problems=1 + len(more), denied=denied and not more)
    chosen: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    if needed.environments:
        answer = pick(needed.requests(), candidate.environments)
        if isinstance(answer, Unmet):
            words = f"{candidate.name}: {answer.words}"
            return Verdict(candidate, Fit.NEVER, words, answer.element, problems=1, far=answer.far)
        chosen, left_out = answer.ids, answer.left_out
    queue = needed.queue if needed.queue is not None else candidate.queue
    share = candidate.share
    why_not = candidate.away
    if why_not is None and share is not None:
        if not share.available:
            why_not = f"{candidate.name}: {share.why_not or 'it is closed'}"
        elif share.nodes_up == 0:
            why_not = f"{candidate.name}: none of its nodes is up"
    if why_not is not None:
        return Verdict(candidate, Fit.LATER, why_not, environments=chosen, left_out=left_out, queue=queue)
    return Verdict(candidate, Fit.NOW, environments=chosen, left_out=left_out, queue=queue)


def expected_wait(needed: Requirements, candidate: Candidate, given: Given) -> float:
    """How long the job would wait there, in seconds: what the configuration or the batch system says; none where
    enough cores are free; infinite where nothing tells."""
    share = candidate.share
    if share is None:
        return math.inf
    if share.expected_wait is not None:
        return share.expected_wait
    if share.free_cores is None:
        return 0.0 if share.jobs_waiting == 0 else math.inf
    free = share.free_cores - given.get((candidate.resource, share.name), 0)
    return 0.0 if free >= needed.cores else math.inf


def refusal(needed: Requirements, verdicts: Sequence[Verdict]) -> ArgosyError:
    """Why nothing can ever take the job, in the words of the nearest miss."""
    nearest = min(verdicts, key=lambda verdict: (verdict.problems, verdict.far, verdict.candidate.standing))
    words = nearest.words
    if len(verdicts) > 1:
        words = f"nothing here can ever take it; the nearest: {words}"
    if nearest.denied:
        return NotAllowed(words, element="share")
    return InvalidInput(words, element=nearest.element)


# -- one candidate -------------------------------------------------------------------------------------


def _is_meant(needed: Requirements, candidate: Candidate) -> bool:
    if needed.resource is not None:
        if candidate.resource != needed.resource:
            return False
        if candidate.share is None:
            return True
        if needed.queue is not None:
            return candidate.share.name == needed.queue
    elif needed.among:
        if candidate.name in needed.among:
            return True
        if candidate.resource not in needed.among:
            return False
    return candidate.standing is not Standing.BY_NAME


def _unknown(needed: Requirements, candidates: Sequence[Candidate]) -> InvalidInput:
    if needed.resource is not None:
        here = [candidate.name for candidate in candidates if candidate.resource == needed.resource]
        if not here:
            known = listed(dict.fromkeys(candidate.resource for candidate in candidates), needed.resource)
            return InvalidInput(f"there is no resource {needed.resource!r} here; there are {known}", element="share")
        known = ", ".join(here)
        if needed.queue is not None:
            known = listed(here, f"{needed.resource}/{needed.queue}")
            return InvalidInput(f"{needed.resource} has no queue {needed.queue!r}; there are {known}", element="share")
        return InvalidInput(f"name a queue of {needed.resource}; there are {known}", element="share")
    names = [candidate.name for candidate in candidates]
    known = ", ".join(names)
    if needed.among:
        return InvalidInput(f"none of these is here; there are {known}", element="resources.candidates")
    return InvalidInput(f"name a share; there are {known}", element="share")


def _problems(needed: Requirements, candidate: Candidate, who: Who) -> Iterator[tuple[str, str, bool]]:
    """What keeps the job from ever running there: the element, the words, and whether the caller is."""
    if candidate.allow is not None and not candidate.allow.include(who.name, who.groups):
        yield "share", f"{candidate.name} is not for {who.name}; its administrator can allow it", True
    share = candidate.share
    if share is None:
        return
    for element, words in _lacks(needed, share, candidate.name):
        yield element, words, False


def _lacks(needed: Requirements, share: Share, name: str) -> Iterator[tuple[str, str]]:
    most_nodes = min((count for count in (share.nodes, share.max_nodes) if count is not None), default=None)
    if most_nodes is not None and needed.nodes > most_nodes:
        yield "resources.nodes", f"{name} has at most {most_nodes} nodes for a job; {needed.nodes} were asked for"
    most_cores = min((count for count in (share.cores, share.max_cores) if count is not None), default=None)
    if most_cores is not None and needed.cores > most_cores:
        yield "resources", f"{name} has {most_cores} cores for a job; {needed.cores} were asked for"
    if needed.per_node is not None and share.cores_per_node is not None and needed.per_node > share.cores_per_node:
        yield "resources", f"a node of {name} has {share.cores_per_node} cores; {needed.per_node} were asked for"
    if needed.memory is not None and share.memory_per_node is not None:
        room = share.memory_per_node * (needed.nodes if needed.per_node is not None else share.nodes or 1)
        if needed.memory > room:
            yield "resources.memory", f"{name} has {room} bytes of memory for it; {needed.memory} were asked for"
    if needed.gpus > share.gpus_per_node:
        gpus = share.gpus_per_node
        yield "resources.gpus_per_process", f"a node of {name} has {gpus} GPUs; {needed.gpus} were asked for"
    if needed.duration is not None and share.max_wall is not None and needed.duration > share.max_wall:
        yield "duration", f"{name} lets jobs run for {share.max_wall} s; {needed.duration:g} were asked for"
    if needed.architecture is not None:
        yield from _kind(needed.architecture, share.architectures, "architecture", name)
    if needed.operating_system is not None:
        # Argosy's job scripts are for Linux: what tells nothing else is taken for that.
        yield from _kind(needed.operating_system, share.operating_systems or ("linux",), "operating_system", name)
    missing = [label for label in needed.labels if label not in share.labels]
    if missing:
        has = f"it has {', '.join(share.labels)}" if share.labels else "it has none"
        yield "resources.labels", f"{name} has no label {', '.join(missing)}; {has}"


def _kind(wanted: str, told: Sequence[str], field: str, name: str) -> Iterator[tuple[str, str]]:
    known = {plain(word) for word in told}
    if known == {plain(wanted)}:
        return
    element, words = f"resources.{field}", field.replace("_", " ")
    if not known:
        yield element, f"{name} does not tell its {words}; its administrator can configure it"
    elif plain(wanted) in known:
        yield element, f"{name} has nodes of more than one {words}, {', '.join(sorted(known))}; it cannot choose"
    else:
        yield element, f"the {words} of {name} is {', '.join(sorted(known))}, not {wanted}"


def _reason(later: Sequence[Verdict]) -> str:
    told = list(dict.fromkeys(verdict.words for verdict in later))
    more = f"; and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    return f"nothing takes it now: {'; '.join(told[:_TOLD])}{more}"
