"""Arguments of a wrong type: which one, and what it should be, is said where it is given."""

from __future__ import annotations

from typing import Any

import pytest

from argosy import InvalidJobException, Job, JobExecutor, JobSpec, JobState

S = JobState


@pytest.fixture(params=["local", "slurm", "nested", "argosy"])
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> JobExecutor:
    for name in ("SLURM_JOB_ID", "FLUX_URI"):
        monkeypatch.delenv(name, raising=False)
    return JobExecutor.get_instance(request.param)


@pytest.mark.parametrize("wrong", [None, JobSpec("/bin/true"), 5, "job", [None], [JobSpec("/bin/true")] * 20], ids=repr)
def test_what_is_no_job_is_refused(executor: JobExecutor, wrong: Any) -> None:
    with pytest.raises(InvalidJobException, match="a Job") as caught:
        executor.submit(wrong)
    assert caught.value.element == "job"


def test_any_iterable_of_jobs_is_taken() -> None:
    jobs = [Job(JobSpec("/bin/true")) for _ in range(3)]
    JobExecutor.get_instance("local").submit(job for job in jobs)
    assert [job.wait().state for job in jobs] == [S.COMPLETED] * 3


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((5,), "timeout"),
        ((1.5,), "timeout"),
        (("ACTIVE",), "timeout"),
        (([S.ACTIVE, "x"],), "timeout"),
        ((None, 5), "target_states"),
        ((None, "ACTIVE"), "target_states"),
    ],
)
def test_what_cannot_be_waited_for_is_refused(arguments: tuple[Any, ...], named: str) -> None:
    with pytest.raises(TypeError, match=f"^{named} must be"):
        Job(JobSpec("/bin/true")).wait(*arguments)


def test_what_names_no_executor_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^name must be a text"):
        JobExecutor.get_instance(None)


@pytest.mark.parametrize("name", ["local", "slurm"])
def test_what_is_no_configuration_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=r"^config must be a JobExecutorConfig"):
        JobExecutor.get_instance(name, config={"work_directory": "/tmp"})
