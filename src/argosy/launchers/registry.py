"""Launchers by name: Argosy's own and those of other installed packages (entry points ``argosy.launchers``)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from argosy.model import InvalidJobException
from argosy.model.choices import listed
from argosy.model.plugins import Broken, Plugin, registered

from .contract import Launcher

GROUP = "argosy.launchers"

#: What finds launchers that are registered in other ways; each gives None for a name that it does not know.
others: list[Callable[[str], Launcher | None]] = []


def launcher_names() -> set[str]:
    """The names of those that are registered by entry points."""
    return set(_registered())


@cache
def _registered() -> dict[str, Plugin]:
    return registered(GROUP)


@cache
def get_launcher(name: str) -> Launcher:
    """The launcher of that name. Raises InvalidJobException, naming those there are, where there is none."""
    plugin = _registered().get(name)
    if plugin is None:
        for find in others:
            if (found := find(name)) is not None:
                return found
        known = listed(_registered(), name) or "none"
        raise InvalidJobException(f"there is no launcher {name!r}; there are: {known}", element="launcher")
    try:
        launcher = plugin.load()()
    except Exception as error:
        why = error.why if isinstance(error, Broken) else error
        raise InvalidJobException(
            f"the launcher {name!r} ({plugin.value}) could not be loaded: {why}", error, element="launcher"
        ) from error
    if not isinstance(launcher, Launcher):
        raise InvalidJobException(f"{plugin.value}, registered as {name!r}, is no launcher", element="launcher")
    return launcher
