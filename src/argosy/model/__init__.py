"""What a job is: specifications, resources, states. Pure data; nothing here does anything.

What the library does not need for every job is imported when it is first used.
"""

from typing import TYPE_CHECKING

from argosy._later import later

from .attributes import JobAttributes
from .errors import (
    ArgosyError,
    Conflict,
    InvalidInput,
    InvalidJobException,
    InvalidStateException,
    LimitExceeded,
    NoRoom,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    SubmitException,
    TooLarge,
    Unavailable,
)
from .resources import ResourceSpec, ResourceSpecV1
from .spec import JobSpec
from .staging import URI, StageIn, StageOut, StageOutFlags, StagingMode
from .states import JobState, JobStateOrder
from .status import JobStatus

if TYPE_CHECKING:
    from .activity import ActivityState
    from .codec import spec_from_dict, spec_to_dict
    from .command import Command, Completed, Origin
    from .description import ActivityDescription, EnvironmentRequest, InputFile, OutputFile
    from .environments import EnvironmentParameter, RuntimeEnvironment
    from .lrms import Observation, Outcome, Phase, Share, Snapshot, Usage
    from .nodes import NodeKind, kinds_of

_LATER = {
    "ActivityDescription": ".description",
    "ActivityState": ".activity",
    "Command": ".command",
    "Completed": ".command",
    "EnvironmentParameter": ".environments",
    "EnvironmentRequest": ".description",
    "InputFile": ".description",
    "NodeKind": ".nodes",
    "Observation": ".lrms",
    "Origin": ".command",
    "Outcome": ".lrms",
    "OutputFile": ".description",
    "Phase": ".lrms",
    "RuntimeEnvironment": ".environments",
    "Share": ".lrms",
    "Snapshot": ".lrms",
    "Usage": ".lrms",
    "kinds_of": ".nodes",
    "spec_from_dict": ".codec",
    "spec_to_dict": ".codec",
}

__all__ = [
    "URI",
    "ActivityDescription",
    "ActivityState",
    "ArgosyError",
    "Command",
    "Completed",
    "Conflict",
    "EnvironmentParameter",
    "EnvironmentRequest",
    "InputFile",
    "InvalidInput",
    "InvalidJobException",
    "InvalidStateException",
    "JobAttributes",
    "JobSpec",
    "JobState",
    "JobStateOrder",
    "JobStatus",
    "LimitExceeded",
    "NoRoom",
    "NodeKind",
    "NotAllowed",
    "NotFound",
    "Observation",
    "Origin",
    "Outcome",
    "OutputFile",
    "Phase",
    "PreconditionFailed",
    "ResourceSpec",
    "ResourceSpecV1",
    "RuntimeEnvironment",
    "Share",
    "Snapshot",
    "StageIn",
    "StageOut",
    "StageOutFlags",
    "StagingMode",
    "SubmitException",
    "TooLarge",
    "Unavailable",
    "Usage",
    "kinds_of",
    "spec_from_dict",
    "spec_to_dict",
]

__getattr__ = later(__name__, _LATER)


def __dir__() -> list[str]:
    return __all__
