"""What is asked and answered, as JSON. Every value of a job is a text, as Rimrock has it."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

T = TypeVar("T")

Required = Annotated[str, Meta(min_length=1)]


class Submission(Struct, kw_only=True):
    """POST /api/jobs. Members that are not known are passed over, as Rimrock did."""

    host: Required
    script: Annotated[str, Meta(min_length=1, max_length=1_048_576)]
    working_directory: str | None = None
    tag: Annotated[str, Meta(max_length=1000)] | None = None


class Action(Struct, kw_only=True):
    """PUT /api/jobs/ID."""

    action: Required


class Process(Struct, kw_only=True):
    """POST /api/process."""

    host: Required
    command: Required
    working_directory: str | None = None


class Job(Struct, kw_only=True):
    """A job as it is now. What is not known yet is not there."""

    job_id: str
    stdout_path: str
    stderr_path: str
    status: str
    tag: str | None = None
    nodes: str | UnsetType = UNSET
    cores: str | UnsetType = UNSET
    wall_time: str | UnsetType = UNSET
    queue_time: str | UnsetType = UNSET
    start_time: str | UnsetType = UNSET
    end_time: str | UnsetType = UNSET


class Printed(Struct, kw_only=True):
    """What became of a command; `error_message` where something else than the command went wrong."""

    status: str
    exit_code: int
    standard_output: str
    error_output: str
    error_message: str | None = None


class Fault(Printed, kw_only=True):
    """Any error: `status` is ``error``."""

    tag: str | None = None


submissions = msgspec.json.Decoder(Submission)
actions = msgspec.json.Decoder(Action)
processes = msgspec.json.Decoder(Process)


def fault(message: str, *, exit_code: int = -1, printed: str = "", complained: str = "") -> Fault:
    """An error's document."""
    return Fault(
        status="error",
        exit_code=exit_code,
        standard_output=printed,
        error_output=complained,
        error_message=message,
    )
