"""How a job is to be run: queue, account, wall time (PSI/J, JobAttributes)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from .errors import InvalidJobException
from .texts import unencodable

#: Where nothing is said.
DEFAULT_DURATION = timedelta(minutes=10)
_UNITS = {"h": 3600, "m": 60, "s": 1}
_WITH_UNIT = re.compile(r"\s*(\d+)(\.\d+)?\s*([hms])\s*\Z")
#: What is said of a duration that no `timedelta` holds.
TOO_LONG = f"attributes.duration is longer than {timedelta.max.days} days, which nobody can count"
_CLOCK = re.compile(r"\s*(\d+)(?::(\d{1,2}))?(?::(\d{1,2}))?\s*\Z")


class JobAttributes:
    """Wall time, queue, account, reservation, and what only one batch system knows.

    `duration` is the wall time after which the batch system may kill the job (10 minutes where nothing
    is said; None leaves it to the batch system). `custom_attributes` are named ``SYSTEM.OPTION``,
    e.g. ``slurm.constraint``; those of other systems are ignored by a system, and so are names without a dot.
    """

    __slots__ = ("_custom", "account", "duration", "queue_name", "reservation_id")

    def __init__(
        self,
        duration: timedelta | None = DEFAULT_DURATION,
        queue_name: str | None = None,
        account: str | None = None,
        reservation_id: str | None = None,
        custom_attributes: dict[str, object] | None = None,
        project_name: str | None = None,
    ) -> None:
        self.duration = duration
        self.queue_name = queue_name
        self.account = account if account is not None else project_name
        self.reservation_id = reservation_id
        self._custom: dict[str, object] = dict(custom_attributes) if custom_attributes else {}

    @property
    def project_name(self) -> str | None:
        """Another name of `account`."""
        return self.account

    @project_name.setter
    def project_name(self, value: str | None) -> None:
        self.account = value

    @property
    def _custom_attributes(self) -> dict[str, object]:
        """The custom attributes as executors written for psij-python read them."""
        return self._custom

    @property
    def custom_attributes(self) -> dict[str, object] | None:
        """The custom attributes, None where there are none."""
        return self._custom or None

    @custom_attributes.setter
    def custom_attributes(self, value: dict[str, object] | None) -> None:
        self._custom = dict(value) if value else {}

    def set_custom_attribute(self, name: str, value: object) -> None:
        """Set one custom attribute, e.g. ``slurm.constraint``."""
        self._custom[name] = value

    def get_custom_attribute(self, name: str) -> object | None:
        """One custom attribute, None where it is not set."""
        return self._custom.get(name)

    def of_system(self, system: str) -> dict[str, object]:
        """The custom attributes of one batch system, their prefix removed and in the order given."""
        prefix = system.lower() + "."
        return {name[len(prefix) :]: value for name, value in self._custom.items() if name.lower().startswith(prefix)}

    @staticmethod
    def parse_walltime(text: str) -> timedelta:
        """The wall time written as ``hh:mm:ss``, ``hh:mm``, ``mm`` (minutes) or a number and ``h``, ``m`` or ``s``."""
        try:
            if match := _WITH_UNIT.match(text):
                # The whole part by itself: as a float it would lose the last digits of a long one.
                whole, part, unit = int(match[1]), float(match[2] or 0), _UNITS[match[3]]
                return timedelta(seconds=whole * unit) + timedelta(seconds=part * unit)
            if match := _CLOCK.match(text):
                first, second, third = match.groups()
                if second is None:
                    return timedelta(minutes=int(first))
                return timedelta(hours=int(first), minutes=int(second), seconds=int(third or 0))
        except TypeError:
            pass  # it is no text
        except (OverflowError, ValueError):
            raise InvalidJobException(TOO_LONG, element="attributes.duration") from None
        raise InvalidJobException(
            f"{text!r} is not a wall time; write hh:mm:ss, hh:mm, minutes, or a number with h, m or s",
            element="attributes.duration",
        )

    def check(self, element: str = "attributes") -> None:
        """Raise InvalidJobException naming the field that is wrong."""
        if self.duration is not None and (not isinstance(self.duration, timedelta) or self.duration <= timedelta(0)):
            raise InvalidJobException(
                f"duration must be a positive timedelta or None, not {self.duration!r}",
                element=f"{element}.duration",
            )
        for name, text in (
            ("queue_name", self.queue_name),
            ("account", self.account),
            ("reservation_id", self.reservation_id),
        ):
            if text is not None and (type(text) is not str or not text or "\n" in text or "\0" in text):
                raise InvalidJobException(
                    f"{name} must be a non-empty text on one line, not {text!r}", element=f"{element}.{name}"
                )
            if text is not None and (odd := unencodable(text)):
                raise InvalidJobException(f"{name} has {odd}", element=f"{element}.{name}")
        for key, value in self._custom.items():
            if type(key) is str and "." not in key:
                continue  # for nobody in particular, so it reaches no batch system
            if type(key) is not str or not re.match(r"[A-Za-z_][\w-]*\.[A-Za-z][\w-]*\Z", key, re.ASCII):
                raise InvalidJobException(
                    f"a custom attribute is named SYSTEM.OPTION, e.g. slurm.constraint, not {key!r}",
                    element=f"{element}.custom_attributes",
                )
            if not isinstance(value, (str, int, float, bool)) or (
                isinstance(value, str) and ("\n" in value or "\0" in value)
            ):
                raise InvalidJobException(
                    f"the custom attribute {key} must be a text on one line, a number, true or false, not {value!r}",
                    element=f"{element}.custom_attributes.{key}",
                )
            if isinstance(value, str) and (odd := unencodable(value)):
                raise InvalidJobException(
                    f"the custom attribute {key} has {odd}", element=f"{element}.custom_attributes.{key}"
                )

    def _key(self) -> tuple[Any, ...]:
        return (self.duration, self.queue_name, self.account, self.reservation_id, self._custom)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JobAttributes) and self._key() == other._key()

    __hash__ = None  # type: ignore[assignment]  # mutable, as PSI/J's is

    def __repr__(self) -> str:
        return (
            f"JobAttributes(duration={self.duration!r}, queue_name={self.queue_name!r}, account={self.account!r}, "
            f"reservation_id={self.reservation_id!r}, custom_attributes={self._custom!r})"
        )
