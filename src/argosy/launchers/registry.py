"""Launchers by name: Argosy's own and those of other installed packages (entry points ``argosy.launchers``)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from argosy.model import InvalidJobException
from argosy.model.choices import listed

from .contract import Launcher

GROUP = "argosy.launchers"

#: What finds launchers that are registered in other ways; each gives None for a name that it does not know.
others: list[Callable[[str], Launcher | None]] = []


def launcher_names() -> set[str]:
    """The names of those that are registered by entry points."""
    return set(_registered())


@cache
def _registered() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


@cache
def get_launcher(name: str) -> Launcher:
    """The launcher of that name. Raises InvalidJobException, naming those there are, where there is none."""
    entry = _registered().get(name)
    if entry is None:
        for find in others:
            if (found := find(name)) is not None:
                return found
        known = listed(sorted(_registered()), name) or "none"
        raise InvalidJobException(f"there is no launcher {name!r}; there are: {known}", element="launcher")
    try:
        launcher = entry.load()()
    except Exception as error:
        raise InvalidJobException(
            f"the launcher {name!r} ({entry.value}) could not be loaded: {error}", error, element="launcher"
        ) from error
    if not isinstance(launcher, Launcher):
        raise InvalidJobException(f"{entry.value}, registered as {name!r}, is no launcher", element="launcher")
    return launcher
