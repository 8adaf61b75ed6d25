"""Argosy under the names of psij-python: a program runs when ``import psij`` becomes ``import argosy.psij as psij``.

The names are Argosy's own classes. `install` makes ``import psij`` itself, with all its modules, mean this package;
``sys.modules["psij"] = argosy.psij`` does the same. Executors and launchers that others have written for psij-python
are found by their descriptors, once this package has been imported.
"""

from typing import TYPE_CHECKING

from argosy._later import later
from argosy._version import __version__

from ._aliases import install
from ._descriptors import enable as _enable

if TYPE_CHECKING:
    from argosy.executors.executor import JobExecutor
    from argosy.executors.job import Job, JobStatusCallback
    from argosy.executors.plugins import Descriptor
    from argosy.model import (
        InvalidJobException,
        InvalidStateException,
        JobAttributes,
        JobSpec,
        JobState,
        JobStatus,
        ResourceSpec,
        ResourceSpecV1,
        SubmitException,
    )
    from argosy.model.staging import URI, StageIn, StageOut, StageOutFlags, StagingMode

    from .exceptions import UnreachableStateException
    from .job_executor_config import JobExecutorConfig
    from .job_launcher import Launcher
    from .serialize import Export, Import, JSONSerializer, Serializer

VERSION = __version__

_WHERE = {
    "Descriptor": ".descriptor",
    "Export": ".serialize",
    "Import": ".serialize",
    "InvalidJobException": ".exceptions",
    "InvalidStateException": ".exceptions",
    "JSONSerializer": ".serialize",
    "Job": ".job",
    "JobAttributes": ".job_attributes",
    "JobExecutor": ".job_executor",
    "JobExecutorConfig": ".job_executor_config",
    "JobSpec": ".job_spec",
    "JobState": ".job_state",
    "JobStatus": ".job_status",
    "JobStatusCallback": ".job",
    "Launcher": ".job_launcher",
    "ResourceSpec": ".resource_spec",
    "ResourceSpecV1": ".resource_spec",
    "Serializer": ".serialize",
    "StageIn": ".staging",
    "StageOut": ".staging",
    "StageOutFlags": ".staging",
    "StagingMode": ".staging",
    "SubmitException": ".exceptions",
    "URI": ".staging",
    "UnreachableStateException": ".exceptions",
}

__all__ = [
    "URI",
    "VERSION",
    "Descriptor",
    "Export",
    "Import",
    "InvalidJobException",
    "InvalidStateException",
    "JSONSerializer",
    "Job",
    "JobAttributes",
    "JobExecutor",
    "JobExecutorConfig",
    "JobSpec",
    "JobState",
    "JobStatus",
    "JobStatusCallback",
    "Launcher",
    "ResourceSpec",
    "ResourceSpecV1",
    "Serializer",
    "StageIn",
    "StageOut",
    "StageOutFlags",
    "StagingMode",
    "SubmitException",
    "UnreachableStateException",
    "__version__",
    "install",
]

_enable()

__getattr__ = later(__name__, _WHERE)


def __dir__() -> list[str]:
    return __all__
