"""Which share takes a job: what can never run is refused, what cannot run now waits, what is not known says nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.identity.members import Names
from argosy.model import (
    ActivityDescription,
    EnvironmentParameter,
    EnvironmentRequest,
    InvalidInput,
    JobAttributes,
    JobSpec,
    NotAllowed,
    ResourceSpecV1,
    RuntimeEnvironment,
    Share,
)
from argosy.service.matching.verdicts import (
    Candidate,
    Fit,
    Requirements,
    Standing,
    Verdict,
    Waiting,
    Who,
    choose,
    judge_all,
    rank,
    split_share,
)

ME = Who("me", ("staff",))
DEBUG = Share("debug", True, default=True, nodes=4, cores=64, cores_per_node=16, memory_per_node=1000, max_wall=3600)
BIG = Share("big", True, nodes=8, cores=512, cores_per_node=64, gpus_per_node=2, max_nodes=2)
SLURM = [Candidate("slurm", DEBUG), Candidate("slurm", BIG, "big", standing=Standing.OTHER)]


def wish(
    share: str | None = None, minutes: int = 10, *, more: dict[str, object] | None = None, **needs: int
) -> Requirements:
    spec = JobSpec("/x", resources=ResourceSpecV1(**needs), attributes=JobAttributes(timedelta(minutes=minutes)))
    return Requirements.of(ActivityDescription(spec, share=share, **(more or {})))


def routed(wanted: Requirements, candidates: list[Candidate] = SLURM, who: Who = ME, **given: int) -> Verdict | Waiting:
    free = {tuple(name.split("__")): cores for name, cores in given.items()}
    chosen = choose(wanted, rank(wanted, judge_all(wanted, candidates, who), free))
    return chosen if isinstance(chosen, Waiting) else chosen[0]


def place(*args: object, **more: object) -> str:
    found = routed(*args, **more)
    assert isinstance(found, Verdict), found
    return found.candidate.name


@pytest.mark.parametrize(
    ("wanted", "element"),
    [
        (wish("slurm/nosuch"), "share"),
        (wish("nosuch"), "share"),
        (wish("slurm/debug", node_count=5), "resources.nodes"),
        (wish("slurm/big", node_count=3), "resources.nodes"),
        (wish("slurm/debug", process_count=65), "resources"),
        (wish("slurm/debug", node_count=1, processes_per_node=17), "resources"),
        (wish("slurm/debug", node_count=2, memory=2001), "resources.memory"),
        (wish("slurm/debug", gpu_cores_per_process=1), "resources.gpus_per_process"),
        (wish("slurm/big", gpu_cores_per_process=3), "resources.gpus_per_process"),
        (wish("slurm/debug", minutes=61), "duration"),
        (wish(process_count=513), "resources"),
        (wish(more={"architecture": "aarch64"}), "resources.architecture"),
        (wish(more={"operating_system": "sunos"}), "resources.operating_system"),
        (wish(more={"labels": ["infiniband"]}), "resources.labels"),
        (wish(more={"candidates": ["nosuch"]}), "resources.candidates"),
    ],
)
def test_impossible_wishes_name_their_element(wanted: Requirements, element: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        routed(wanted)
    assert caught.value.element == element


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        (wish("slurm/debug", node_count=4, processes_per_node=16, memory=4000), "slurm/debug"),
        (wish("slurm/big", process_count=512, minutes=10**5), "slurm/big"),
        (wish("slurm/big", gpu_cores_per_process=2), "slurm/big"),
        (wish(), "slurm/debug"),
        (wish("slurm"), "slurm/debug"),
        (wish(minutes=61), "slurm/big"),  # the default queue never takes it
        (wish(more={"candidates": ["slurm/big", "elsewhere"]}), "slurm/big"),
    ],
)
def test_what_fits_goes_there(wanted: Requirements, where: str) -> None:
    assert place(wanted) == where


def test_unknown_shares_refuse_nothing() -> None:
    found = routed(wish("slurm/nosuch", node_count=10**6), [Candidate("slurm")])
    assert isinstance(found, Verdict)
    assert found.queue == "nosuch"


def test_the_nearest_miss_is_told() -> None:
    with pytest.raises(InvalidInput, match=r"the nearest: slurm/big has at most 2 nodes") as caught:
        routed(wish(node_count=5, gpu_cores_per_process=1, minutes=90))
    assert caught.value.element == "resources.nodes"


@pytest.mark.parametrize(
    ("asked", "words", "element"),
    [
        (EnvironmentRequest("python", ">=3.10", {"threads": "3"}), "not '3', but one of 1, 2", "parameters.threads"),
        (EnvironmentRequest("python", ">=3.10", {"thread": "1"}), "did you mean threads", "parameters.thread"),
        (EnvironmentRequest("python", ">=4"), "python is there in 3.9, not >=4", "version"),
        (EnvironmentRequest("pyhton"), "there are python; did you mean python", "name"),
    ],
)
def test_the_nearest_has_more_of_what_is_asked_for(asked: EnvironmentRequest, words: str, element: str) -> None:
    """A share that has the environment is nearer than those without it, whichever comes first."""
    old = RuntimeEnvironment("python", "3.9")
    new = RuntimeEnvironment("python", "3.11", parameters=(EnvironmentParameter("threads", "T", "1", "", ("1", "2")),))
    shares = [
        Candidate("bare", DEBUG),
        Candidate("local", DEBUG, environments=(old,)),
        Candidate("slurm", DEBUG, environments=(new,)),
    ]
    with pytest.raises(InvalidInput, match=f"the nearest: .*{words}") as caught:
        routed(wish(more={"environments": [asked]}), shares)
    assert caught.value.element == f"environments[0].{element}"


def test_shares_are_written_with_a_slash() -> None:
    assert split_share("slurm/debug") == ("slurm", "debug")
    assert split_share("slurm") == ("slurm", None)


def test_a_default_queue_is_left_to_the_batch_system_and_another_is_named() -> None:
    default, other = routed(wish()), routed(wish(minutes=61))
    assert isinstance(default, Verdict)
    assert isinstance(other, Verdict)
    assert (default.queue, other.queue) == (None, "big")


def test_one_that_is_not_for_the_caller() -> None:
    candidates = [SLURM[0], replace(SLURM[1], allow=Names(groups=("gpu*",)))]
    with pytest.raises(NotAllowed) as caught:
        routed(wish("slurm/big"), candidates)
    assert caught.value.element == "share"
    with pytest.raises(NotAllowed):  # it is all that keeps it from running
        routed(wish(gpu_cores_per_process=1), candidates[1:])
    with pytest.raises(InvalidInput):  # the caller can ask for less
        routed(wish(minutes=61), candidates)
    assert place(wish("slurm/big"), candidates, Who("me", ("gpu-users",))) == "slurm/big"


def test_one_that_is_offered_by_name_only() -> None:
    candidates = [replace(SLURM[0], standing=Standing.BY_NAME), replace(SLURM[1], standing=Standing.BY_NAME)]
    assert place(wish("slurm/big"), candidates) == "slurm/big"
    for wanted in (wish(), wish("slurm")):
        with pytest.raises(InvalidInput) as caught:
            routed(wanted, candidates)
        assert caught.value.element == "share"


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (replace(DEBUG, available=False, why_not="the partition is DOWN"), "slurm/debug: the partition is DOWN"),
        (replace(DEBUG, nodes_up=0), "slurm/debug: none of its nodes is up"),
    ],
)
def test_one_that_is_closed_is_waited_for(share: Share, words: str) -> None:
    found = routed(wish("slurm"), [Candidate("slurm", share)])
    assert found == Waiting(f"nothing takes it now: {words}")
    assert place(wish(), [Candidate("slurm", share), Candidate("other", DEBUG)]) == "other/debug"
    with pytest.raises(InvalidInput):  # waiting would be in vain
        routed(wish(node_count=5), [Candidate("slurm", share)])


def test_a_resource_that_is_away_is_waited_for() -> None:
    away = Candidate("slurm", away="slurm cannot be used yet: no route to host")
    assert routed(wish(), [away]) == Waiting("nothing takes it now: slurm cannot be used yet: no route to host")


def cluster(name: str, free: int | None, **more: object) -> Candidate:
    share = Share("q", True, default=True, nodes=1, cores=64, free_cores=free)
    told = {key: more.pop(key) for key in ("expected_wait", "jobs_waiting") if key in more}
    return Candidate(name, replace(share, **told), **more)


def test_the_ranking() -> None:
    a, b = cluster("a", 64), cluster("b", 64)
    assert place(wish(), [a, b]) == "a/q", "the configured order"
    assert place(wish(), [cluster("a", 0), b]) == "b/q", "the shortest expected wait"
    assert place(wish(), [cluster("a", 64, expected_wait=60.0), b]) == "b/q"
    assert place(wish(), [cluster("a", 0, expected_wait=60.0), cluster("b", 0, expected_wait=30.0)]) == "b/q"
    assert place(wish(), [cluster("a", None), b]) == "b/q", "known before unknown"
    assert place(wish(), [cluster("a", None, jobs_waiting=0), b]) == "a/q"
    assert place(wish(), [cluster("a", 64, preference=1), cluster("b", 0)]) == "b/q", "preference before wait"
    assert place(wish(), [cluster("a", 64, doubtful=True), cluster("b", 0)]) == "b/q", "one that answers"
    assert place(wish(process_count=8), [cluster("a", 4), b]) == "b/q", "enough cores are free"
    assert place(wish(), [a, b], a__q=64) == "b/q", "what was given away since is not free"


@pytest.mark.parametrize(
    ("told", "asked", "fits"),
    [
        (("x86_64",), "AMD64", True),
        (("aarch64",), "arm64", True),
        (("x86_64",), "aarch64", False),
        (("x86_64", "aarch64"), "x86_64", False),
        ((), "x86_64", False),
    ],
)
def test_architectures_have_several_names(told: tuple[str, ...], asked: str, fits: bool) -> None:
    candidates = [Candidate("a", replace(DEBUG, architectures=told))]
    if fits:
        assert place(wish(more={"architecture": asked}), candidates) == "a/debug"
    else:
        with pytest.raises(InvalidInput):
            routed(wish(more={"architecture": asked}), candidates)


def test_all_labels_must_be_there() -> None:
    candidates = [
        Candidate("a", replace(DEBUG, labels=("infiniband",))),
        Candidate("b", replace(DEBUG, labels=("infiniband", "scratch"))),
    ]
    assert place(wish(more={"labels": ["scratch", "infiniband"]}), candidates) == "b/debug"


_counts = st.one_of(st.none(), st.integers(0, 20))
_shares = st.builds(
    Share,
    name=st.sampled_from(["", "q", "r"]),
    available=st.booleans(),
    default=st.booleans(),
    nodes=_counts,
    cores=_counts,
    free_cores=_counts,
    nodes_up=_counts,
    max_wall=_counts,
    expected_wait=st.one_of(st.none(), st.floats(0, 100)),
)
_candidates = st.builds(
    Candidate,
    resource=st.sampled_from(["a", "b"]),
    share=st.one_of(st.none(), _shares),
    preference=st.integers(0, 2),
    standing=st.sampled_from(Standing),
    away=st.one_of(st.none(), st.just("away")),
    doubtful=st.booleans(),
    allow=st.one_of(st.none(), st.just(Names(users=("you",)))),
)


@given(st.lists(_candidates, min_size=1, max_size=5), st.sampled_from([None, "a", "a/q"]), st.integers(1, 20))
def test_every_job_is_sent_waits_or_is_refused(candidates: list[Candidate], share: str | None, nodes: int) -> None:
    wanted = wish(share, node_count=nodes)
    try:
        found = routed(wanted, candidates)
    except (InvalidInput, NotAllowed) as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.element
        return
    verdicts = judge_all(wanted, candidates, ME)
    if isinstance(found, Waiting):
        assert all(verdict.fit is not Fit.NOW for verdict in verdicts)
        return
    assert found.candidate.away is None
    assert found.candidate.allow is None
    assert found.candidate.share is None or found.candidate.share.available
    assert found.key(wanted, {}) == min(verdict.key(wanted, {}) for verdict in verdicts)
