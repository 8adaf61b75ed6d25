"""What a job is: specifications, resources, states. Pure data; nothing here does anything."""

from .activity import ActivityState
from .attributes import JobAttributes
from .codec import spec_from_dict, spec_to_dict
from .command import Command, Completed, Origin
from .description import ActivityDescription, EnvironmentRequest, InputFile, OutputFile
from .environments import EnvironmentParameter, RuntimeEnvironment
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
from .lrms import Observation, Outcome, Phase, Share, Snapshot, Usage
from .nodes import NodeKind, kinds_of
from .resources import ResourceSpec, ResourceSpecV1
from .spec import JobSpec
from .staging import URI, StageIn, StageOut, StageOutFlags, StagingMode
from .states import JobState, JobStateOrder
from .status import JobStatus

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
