"""Runtime environments: software that an administrator has installed for jobs to ask for by name (GES 3.7)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EnvironmentParameter:
    """What a job may set of an environment. It reaches the environment's scripts and the job as `variable`.

    Where `allowed` names values no other is taken. Without a `default` the job must give one.
    """

    name: str
    variable: str
    description: str = ""
    default: str | None = None
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuntimeEnvironment:
    """One version of an environment, and how it is prepared.

    Its `modules` are loaded, its `script` is sourced with the argument ``before``, and the job's command is run in the
    `container` (an image, by Apptainer with `container_options`). Afterwards the script is sourced with ``after``.
    `variables` are set before all that. `shares`, as ``RESOURCE`` or ``RESOURCE/QUEUE``, are where it is installed;
    everywhere where there are none.
    """

    name: str
    version: str
    description: str = ""
    parameters: tuple[EnvironmentParameter, ...] = ()
    shares: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    script: str | None = None
    container: str | None = None
    container_options: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        """What it is known by, ``NAME-VERSION``."""
        return f"{self.name}-{self.version}"

    def is_on(self, resource: str, queue: str) -> bool:
        """Whether it is installed there."""
        return not self.shares or resource in self.shares or f"{resource}/{queue}" in self.shares
