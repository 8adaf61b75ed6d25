"""Run a job on any computing resource, and know what became of it.

The library is PSI/J's interface:

    from argosy import Job, JobSpec, JobExecutor

    job = Job(JobSpec("/bin/date", stdout_path="out.txt"))
    JobExecutor.get_instance("local").submit(job)
    status = job.wait()

Names are imported when they are first used, so that importing the package costs little.
"""

from typing import TYPE_CHECKING

from ._later import later
from ._version import __version__

if TYPE_CHECKING:
    from .executors.executor import JobExecutor, JobExecutorConfig
    from .executors.job import Job, JobStatusCallback
    from .model import (
        URI,
        ArgosyError,
        InvalidInput,
        InvalidJobException,
        InvalidStateException,
        JobAttributes,
        JobSpec,
        JobState,
        JobStatus,
        ResourceSpec,
        ResourceSpecV1,
        StageIn,
        StageOut,
        StageOutFlags,
        StagingMode,
        SubmitException,
        spec_from_dict,
        spec_to_dict,
    )

__all__ = [
    "URI",
    "ArgosyError",
    "InvalidInput",
    "InvalidJobException",
    "InvalidStateException",
    "Job",
    "JobAttributes",
    "JobExecutor",
    "JobExecutorConfig",
    "JobSpec",
    "JobState",
    "JobStatus",
    "JobStatusCallback",
    "ResourceSpec",
    "ResourceSpecV1",
    "StageIn",
    "StageOut",
    "StageOutFlags",
    "StagingMode",
    "SubmitException",
    "__version__",
    "spec_from_dict",
    "spec_to_dict",
]


_EXECUTORS = {
    "Job": ".executors.job",
    "JobExecutor": ".executors.executor",
    "JobExecutorConfig": ".executors.executor",
    "JobStatusCallback": ".executors.job",
}

__getattr__ = later(__name__, dict.fromkeys(__all__, ".model") | _EXECUTORS)


def __dir__() -> list[str]:
    return __all__
