"""How slurmrestd writes single values, in its older versions and, from v0.0.39 on, in its newer ones."""

from __future__ import annotations

from typing import Any

from argosy.batch.slurm.states import STATES


def number(value: Any) -> int | None:
    """A number that may be absent: plain, or ``{"set": ..., "infinite": ..., "number": ...}``. Without limit is None.

    Raises ValueError for another form.
    """
    if isinstance(value, dict):
        if value.get("infinite") or not value.get("set", True):
            return None
        value = value.get("number")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is not a number")  # noqa: TRY004  # what a server says is no type of ours
    # -1 and values near 2**32 and 2**64 are Slurm's words for none and no limit.
    whole = int(value)
    return None if whole < 0 or 0xFFFFFFFD <= whole <= 0xFFFFFFFF or whole >= 0xFFFFFFFFFFFFFFFD else whole


def time(value: Any) -> float | None:
    """Seconds since the epoch; 0 is none."""
    seconds = number(value)
    return float(seconds) if seconds else None


def state(value: Any) -> str:
    """The state's word; of a list, which has flags after the state, the first flag that is a state of its own.

    Raises ValueError where there is none.
    """
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(word, str) and word for word in listed):
        raise ValueError("the state is missing")
    return next((word for word in listed[1:] if word in STATES), str(listed[0]))


def words(value: Any) -> list[str]:
    """A list of words, or one text with commas between them."""
    parts = value.split(",") if isinstance(value, str) else value or ()
    return [part for part in parts if isinstance(part, str) and part]


def signal(exit_code: Any) -> int | None:
    """The signal of an exit code in its long form: ``{"signal": {"signal_id" or "id": ...}}``."""
    told = exit_code.get("signal") if isinstance(exit_code, dict) else None
    if not isinstance(told, dict):
        return None
    return number(told.get("signal_id", told.get("id"))) or None
