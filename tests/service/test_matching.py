"""What can never run is refused; what is not known says nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from argosy.model import InvalidInput, JobAttributes, JobSpec, ResourceSpecV1, Share
from argosy.service.matching import check_fit, split_share

SHARES = [
    Share("debug", True, default=True, nodes=4, cores=64, cores_per_node=16, memory_per_node=1000, max_wall=3600),
    Share("big", True, nodes=8, cores=512, cores_per_node=64, gpus_per_node=2, max_nodes=2),
]


def spec(minutes: int = 10, **needs: int) -> JobSpec:
    return JobSpec("/x", resources=ResourceSpecV1(**needs), attributes=JobAttributes(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("queue", "wanted", "element"),
    [
        ("nosuch", spec(), "share"),
        ("debug", spec(node_count=5), "resources.nodes"),
        ("big", spec(node_count=3), "resources.nodes"),
        ("debug", spec(process_count=65), "resources"),
        ("debug", spec(node_count=1, processes_per_node=17), "resources"),
        ("debug", spec(node_count=2, memory=2001), "resources.memory"),
        ("debug", spec(gpu_cores_per_process=1), "resources.gpus_per_process"),
        ("big", spec(gpu_cores_per_process=3), "resources.gpus_per_process"),
        ("debug", spec(minutes=61), "duration"),
        (None, spec(minutes=61), "duration"),
    ],
)
def test_impossible_wishes_name_their_element(queue: str | None, wanted: JobSpec, element: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_fit(wanted, "slurm", queue, SHARES)
    assert caught.value.element == element


@pytest.mark.parametrize(
    ("queue", "wanted"),
    [
        ("debug", spec(node_count=4, processes_per_node=16, memory=4000)),
        ("big", spec(process_count=512, minutes=10**5)),
        ("big", spec(gpu_cores_per_process=2)),
        (None, spec()),
    ],
)
def test_what_fits_fits(queue: str | None, wanted: JobSpec) -> None:
    check_fit(wanted, "slurm", queue, SHARES)


def test_unknown_shares_refuse_nothing() -> None:
    check_fit(spec(node_count=10**6), "slurm", "nosuch", [])


def test_shares_are_written_with_a_slash() -> None:
    assert split_share("slurm/debug") == ("slurm", "debug")
    assert split_share("slurm") == ("slurm", None)
