"""Which job fits where in an allocation."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.executors.nested.allocation import NoAllocation, slurm_nodes
from argosy.executors.nested.packing import Need, Node, Placement, Pool
from argosy.model import InvalidJobException, ResourceSpecV1

MIB = 1024 * 1024

nodes = st.lists(
    st.builds(
        lambda cores, unit, memory, gpus: (cores * unit, unit, memory, gpus),
        st.integers(1, 16),
        st.sampled_from([1, 2]),
        st.none() | st.integers(1, 64),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=5,
).map(
    lambda some: [
        Node(f"n{number}", cores, None if memory is None else memory * MIB, gpus, unit)
        for number, (cores, unit, memory, gpus) in enumerate(some)
    ]
)
count = st.integers(1, 6)


@st.composite
def need(draw: st.DrawFn) -> Need:
    per_node, on = draw(st.none() | count), draw(st.none() | count)
    resources = ResourceSpecV1(
        node_count=on,
        processes_per_node=per_node,
        process_count=draw(count) if on is None and per_node is None else None,
        cpu_cores_per_process=draw(st.none() | count),
        gpu_cores_per_process=draw(st.sampled_from([None, 0, 1, 2])),
        memory=draw(st.none() | st.integers(1, 64).map(lambda size: size * MIB)),
        exclusive_node_use=draw(st.booleans()),
    )
    return Need.of(resources)


def fits_in(pool: Pool) -> bool:
    return all(free.cores >= 0 and free.gpus >= 0 and (free.memory is None or free.memory >= 0) for free in pool.free)


@given(nodes, st.lists(need(), max_size=12), st.booleans(), st.data())
def test_never_more_than_there_is_and_nobody_starves(
    have: list[Node], wanted: list[Need], share: bool, data: st.DataObject
) -> None:
    pool = Pool(have, share_memory=share)
    waiting: deque[Need] = deque()
    refused: list[InvalidJobException] = []
    for one in wanted:
        try:
            pool.check(one)
        except InvalidJobException as error:
            refused.append(error)
        else:
            waiting.append(one)
    assert all((error.element or "").startswith("resources.") for error in refused)
    running: list[tuple[Need, Placement]] = []
    while waiting or running:
        placed = pool.take(waiting[0]) if waiting else None
        if placed is not None:
            asked = waiting.popleft()
            assert len(set(placed.nodes)) == len(placed.nodes)
            assert placed.per_node * len(placed.nodes) >= asked.processes
            assert all(
                placed.cores[name] >= min(placed.per_node, asked.processes) * asked.cores for name in placed.nodes
            )
            if asked.exclusive:
                assert not any(set(placed.nodes) & set(other.nodes) for _, other in running)
            running.append((asked, placed))
            assert fits_in(pool)
        else:
            # The first in the queue waits for others only: with nobody there it would have been placed.
            assert running
            _, ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
            pool.give_back(ended)
    assert pool.free == tuple(have)


def two(**more: int) -> Pool:
    return Pool([Node("a", 4, 1024 * MIB, **more), Node("b", 4, 1024 * MIB, **more)])


@pytest.mark.parametrize(
    ("resources", "element"),
    [
        ({"node_count": 3}, "node_count"),
        ({"node_count": 3, "processes_per_node": 2}, "node_count"),
        ({"node_count": 1, "processes_per_node": 5}, "processes_per_node"),
        ({"process_count": 9}, "process_count"),
        ({"cpu_cores_per_process": 5}, "cpu_cores_per_process"),
        ({"gpu_cores_per_process": 1}, "gpu_cores_per_process"),
        ({"memory": 1025 * MIB}, "memory"),
    ],
)
def test_what_never_fits_is_refused_with_its_element(resources: dict[str, int], element: str) -> None:
    with pytest.raises(InvalidJobException, match="2 nodes, 8 CPU cores") as caught:
        two().check(Need.of(ResourceSpecV1(**resources)))
    assert caught.value.element == f"resources.{element}"


def test_as_few_nodes_as_can_be() -> None:
    pool = two()
    small = pool.take(Need(processes=3))
    assert small is not None
    assert small.nodes == ("a",)
    large = pool.take(Need(processes=2, cores=2))
    assert large is not None
    assert large.nodes == ("b",)
    assert pool.take(Need(processes=2)) is None
    pool.give_back(small)
    spread = pool.take(Need(processes=4))
    assert spread is not None
    assert (spread.nodes, spread.per_node) == (("a",), 4)


def test_hardware_threads_of_a_core_are_not_divided() -> None:
    pool = Pool([Node("a", 4, unit=2)])
    assert pool.take(Need()) is not None
    assert pool.take(Need()) is not None
    assert pool.take(Need()) is None


def test_memory_goes_with_the_cores_where_it_is_shared() -> None:
    pool = Pool([Node("a", 4, 400 * MIB)], share_memory=True)
    placed = pool.take(Need(cores=2))
    assert placed is not None
    assert placed.memory == {"a": 200 * MIB}
    assert pool.take(Need(memory=201 * MIB)) is None
    assert pool.take(Need(memory=200 * MIB)) is not None


def test_the_nodes_of_a_slurm_job() -> None:
    environ = {
        "SLURM_JOB_NODELIST": "n[1-3]",
        "SLURM_JOB_CPUS_PER_NODE": "8(x2),4",
        "SLURM_MEM_PER_CPU": "100",
        "SLURM_GPUS_PER_NODE": "tesla:2",
    }
    told = "NodeName=n1 Arch=x86_64 CoresPerSocket=4 ThreadsPerCore=2\nNodeName=n3 ThreadsPerCore=1 \nodd line\n"
    assert slurm_nodes(environ, told) == [
        Node("n1", 8, 800 * MIB, 2, 2),
        Node("n2", 8, 800 * MIB, 2, 1),
        Node("n3", 4, 400 * MIB, 2, 1),
    ]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"SLURM_JOB_NODELIST": "n1"},
        {"SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_CPUS_PER_NODE": "8"},
        {"SLURM_JOB_NODELIST": "n1", "SLURM_JOB_CPUS_PER_NODE": "many"},
    ],
)
def test_an_environment_without_an_allocation(environ: dict[str, str]) -> None:
    with pytest.raises(NoAllocation):
        slurm_nodes(environ)
