"""Job specifications to and from JSON values (dictionaries, lists, texts, numbers).

Only what differs from the defaults is written. Reading names the field that is wrong, and refuses fields it
does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from .attributes import TOO_LONG, JobAttributes
from .directives_json import FIELDS, directives_from_dict, directives_to_dict
from .errors import InvalidJobException
from .resources import ResourceSpecV1
from .spec import JobSpec

_PATHS = ("directory", "stdin_path", "stdout_path", "stderr_path", "pre_launch", "post_launch")
_RESOURCES = tuple(ResourceSpecV1.__slots__)
_DURATION = "attributes.duration"


def spec_to_dict(spec: JobSpec) -> dict[str, Any]:
    """The specification as JSON values; `spec_from_dict` gives an equal one back."""
    spec.check(complete=False)
    out: dict[str, Any] = {}
    if spec.given_name is not None:
        out["name"] = spec.given_name
    for name in ("executable", "arguments", "environment", "launcher"):
        value = getattr(spec, name)
        if value is not None:
            out[name] = value
    if not spec.inherit_environment:
        out["inherit_environment"] = False
    for name in _PATHS:
        path = getattr(spec, name)
        if path is not None:
            out[name] = str(path)
    if spec.resources is not None:
        resources = spec.effective_resources
        out["resources"] = {"__version": 1} | {
            name: value for name in _RESOURCES if (value := getattr(resources, name)) is not None and value is not False
        }
    attributes = _attributes_to_dict(spec.attributes)
    if attributes:
        out["attributes"] = attributes
    return out | directives_to_dict(spec)


def _attributes_to_dict(attributes: JobAttributes) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if attributes.duration != JobAttributes().duration:
        out["duration"] = None if attributes.duration is None else _duration_to_text(attributes.duration)
    for name in ("queue_name", "account", "reservation_id", "custom_attributes"):
        value = getattr(attributes, name)
        if value is not None:
            out[name] = value
    return out


def spec_from_dict(data: Mapping[str, Any], *, complete: bool = True) -> JobSpec:
    """The specification that `data` describes, checked. Raises InvalidJobException naming the element.

    One that is not `complete` may lack the executable.
    """
    fields = dict(_mapping(data, "job specification"))
    resources = fields.pop("resources", None)
    attributes = fields.pop("attributes", None)
    known = {"executable", "arguments", "name", "inherit_environment", "environment", "launcher", *_PATHS}
    directives = directives_from_dict({name: fields.pop(name) for name in FIELDS if name in fields})
    _refuse_unknown(fields, known | set(FIELDS), "")
    spec = JobSpec(**fields, **directives)
    if resources is not None:
        spec.resources = _resources_from_dict(resources)
    if attributes is not None:
        spec.attributes = _attributes_from_dict(attributes)
    spec.check(complete=complete)
    return spec


def _resources_from_dict(data: Any) -> ResourceSpecV1:
    fields = dict(_mapping(data, "resources"))
    version = fields.pop("__version", 1)
    if version != 1:
        raise InvalidJobException(
            f"there is no resource specification of version {version!r}; use 1", element="resources.__version"
        )
    _refuse_unknown(fields, set(_RESOURCES), "resources.")
    return ResourceSpecV1(**fields)


def _attributes_from_dict(data: Any) -> JobAttributes:
    fields = dict(_mapping(data, "attributes"))
    known = {"duration", "queue_name", "account", "reservation_id", "custom_attributes", "project_name"}
    _refuse_unknown(fields, known, "attributes.")
    if fields.get("duration") is not None:
        fields["duration"] = _duration(fields["duration"])
    if fields.get("custom_attributes") is not None:
        _mapping(fields["custom_attributes"], "attributes.custom_attributes")
    return JobAttributes(**fields)


def _duration_to_text(duration: timedelta) -> str:
    # In whole numbers: a float has no room for the microseconds of a long one, and writes short ones as 1e-06.
    seconds = duration.days * 86_400 + duration.seconds
    return f"{seconds}.{f'{duration.microseconds:06}'.rstrip('0') or '0'} s"


def _duration(value: Any) -> timedelta:
    """A duration given in seconds (a number or ``"90.0 s"``), or as `JobAttributes.parse_walltime` reads it."""
    if isinstance(value, str):
        return JobAttributes.parse_walltime(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return timedelta(seconds=value)
        except OverflowError:
            raise InvalidJobException(TOO_LONG, element=_DURATION) from None
        except ValueError:
            pass  # NaN is none
    raise InvalidJobException(
        f"{_DURATION} must be a number of seconds or a wall time, not {value!r}", element=_DURATION
    )


def _mapping(value: Any, element: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidJobException(f"{element} must be a mapping, not {value!r}", element=element)
    return value


def _refuse_unknown(fields: Mapping[str, Any], known: set[str], prefix: str) -> None:
    for name in fields:
        if name not in known:
            raise InvalidJobException(
                f"{prefix}{name} is not a field; known are {', '.join(sorted(known))}", element=f"{prefix}{name}"
            )
