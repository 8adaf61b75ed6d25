"""What the configuration says of shares and runtime environments, beside what batch systems publish."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from msgspec import Meta, Struct
from packaging.version import InvalidVersion, Version

from argosy.identity.members import Names
from argosy.model import EnvironmentParameter, InvalidInput, RuntimeEnvironment, Share

from .verdicts import plain

_ID = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._+/-]*?)-(?P<version>[0-9][A-Za-z0-9._+!]*)\Z", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]*\Z", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)


class Allow(Struct, forbid_unknown_fields=True, kw_only=True):
    """Who may use a share: patterns of names of callers and of groups."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class ShareConfig(Struct, forbid_unknown_fields=True, kw_only=True):
    """What an administrator says of one share. `expected_wait` and `max_wall` are seconds; limits are of one job.

    `per_user` is the most unfinished activities that one user may have there; further ones wait.
    """

    labels: tuple[str, ...] = ()
    architecture: str | None = None
    operating_system: str | None = None
    expected_wait: Annotated[float, Meta(ge=0)] | None = None
    max_wall: Annotated[int, Meta(ge=1)] | None = None
    max_nodes: Annotated[int, Meta(ge=1)] | None = None
    max_cores: Annotated[int, Meta(ge=1)] | None = None
    per_user: Annotated[int, Meta(ge=1)] | None = None
    automatic: bool | None = None
    allow: Allow | None = None


#: The fields of which a queue's own takes the place of its resource's; labels are added to its.
_SINGLE = tuple(name for name in ShareConfig.__struct_fields__ if name != "labels")


class SharesConfig(ShareConfig, forbid_unknown_fields=True, kw_only=True):
    """What holds for all shares of a resource, and what for single ones in its place."""

    preference: int = 0
    detected: bool = False
    """Nobody has configured it, its commands were found: while it does not answer, jobs go there by its name only."""
    shares: dict[str, ShareConfig] = {}


def names(allow: Allow | None) -> Names | None:
    """Who is allowed; None for everybody."""
    return None if allow is None else Names(allow.users, allow.groups)


def of_queue(config: SharesConfig, queue: str) -> ShareConfig:
    """What is said of one queue: its own, and the resource's where it says nothing."""
    own = config.shares.get(queue)
    if own is None:
        return config

    said: dict[str, Any] = {}
    for field in _SINGLE:
        value = getattr(own, field)
        said[field] = getattr(config, field) if value is None else value
    return ShareConfig(labels=tuple(dict.fromkeys((*config.labels, *own.labels))), **said)


def configured(share: Share, config: ShareConfig) -> Share:
    """A share as it was published, with what the configuration says of it."""
    return replace(
        share,
        labels=config.labels or share.labels,
        architectures=_plain((config.architecture,) if config.architecture else share.architectures),
        operating_systems=_plain((config.operating_system,) if config.operating_system else share.operating_systems),
        expected_wait=config.expected_wait if config.expected_wait is not None else share.expected_wait,
        max_wall=_least(share.max_wall, config.max_wall),
        max_nodes=_least(share.max_nodes, config.max_nodes),
        max_cores=_least(share.max_cores, config.max_cores),
        restricted=share.restricted or config.allow is not None,
    )


def _plain(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({plain(word) for word in words}))


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


# -- runtime environments ------------------------------------------------------------------------------


class ParameterConfig(Struct, forbid_unknown_fields=True, kw_only=True):
    """A parameter of an environment. Without `default` a job must give it; `variable` is where it arrives."""

    description: str = ""
    default: str | None = None
    allowed: tuple[str, ...] = ()
    variable: str | None = None


class EnvironmentConfig(Struct, forbid_unknown_fields=True, kw_only=True):
    """A runtime environment. `name` and `version` are those of the table's own name, NAME-VERSION, where left out."""

    name: str | None = None
    version: str | None = None
    description: str = ""
    modules: tuple[str, ...] = ()
    script: str | None = None
    container: str | None = None
    container_options: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    parameters: dict[str, ParameterConfig] = {}
    shares: tuple[str, ...] = ()


def environments(
    config: Mapping[str, EnvironmentConfig], resources: Mapping[str, object]
) -> tuple[RuntimeEnvironment, ...]:
    """The environments of a configuration. Raises InvalidInput naming the element."""
    found: dict[str, RuntimeEnvironment] = {}
    for key, one in config.items():
        element = f"environments.{key}"
        made = _environment(key, one, element)
        for share in one.shares:
            if share.partition("/")[0] not in resources:
                raise InvalidInput(
                    f"there is no resource {share.partition('/')[0]!r}; there are {', '.join(resources)}",
                    element=f"{element}.shares",
                )
        if made.id in found:
            raise InvalidInput(f"there is another environment {made.id}", element=element)
        found[made.id] = made
    return tuple(found.values())


def _environment(key: str, one: EnvironmentConfig, element: str) -> RuntimeEnvironment:
    match = _ID.match(key)
    name = one.name or (match["name"] if match else key)
    version = one.version or (match["version"] if match else None)
    if not _NAME.match(name):
        raise InvalidInput(f"{name!r} cannot be an environment's name", element=f"{element}.name")
    if version is None:
        raise InvalidInput(
            "it has no version: name the table NAME-VERSION, or give it one", element=f"{element}.version"
        )
    try:
        Version(version)
    except InvalidVersion:
        raise InvalidInput(f"{version!r} is no version; write e.g. 1.2.3", element=f"{element}.version") from None
    if one.script is not None and not one.script.startswith("/"):
        raise InvalidInput("the script's path must be absolute: jobs source it there", element=f"{element}.script")
    for label, texts in (
        ("modules", one.modules),
        ("script", (one.script or "",)),
        ("container", (one.container or "",)),
        ("container_options", one.container_options),
        ("variables", one.variables.values()),
    ):
        if any("\0" in text for text in texts):
            raise InvalidInput("a NUL cannot be passed on", element=f"{element}.{label}")
    for variable in one.variables:
        _check_variable(variable, f"{element}.variables.{variable}")
    return RuntimeEnvironment(
        name=name,
        version=version,
        description=one.description,
        parameters=tuple(
            _parameter(name, word, of, f"{element}.parameters.{word}") for word, of in one.parameters.items()
        ),
        shares=one.shares,
        modules=one.modules,
        script=one.script,
        container=one.container,
        container_options=one.container_options,
        variables=tuple(one.variables.items()),
    )


def _parameter(environment: str, name: str, config: ParameterConfig, element: str) -> EnvironmentParameter:
    if config.allowed and config.default is not None and config.default not in config.allowed:
        raise InvalidInput(f"the default {config.default!r} is not among those allowed", element=f"{element}.default")
    variable = config.variable or re.sub(r"\W", "_", f"{environment}_{name}", flags=re.ASCII).upper()
    _check_variable(variable, f"{element}.variable")
    return EnvironmentParameter(name, variable, config.description, config.default, config.allowed)


def _check_variable(name: str, element: str) -> None:
    if not _VARIABLE.match(name) or name.startswith(("argosy_", "ARGOSY_JOB_TAG", "ARGOSY_NATIVE_ID", "BASH")):
        raise InvalidInput(f"{name!r} cannot be the name of a variable", element=element)
