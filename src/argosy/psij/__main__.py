"""``python -m argosy.psij plugins``: which executors and launchers there are, and which cannot be loaded."""

from __future__ import annotations

import contextlib
import sys

from argosy.executors import plugins
from argosy.model.plugins import Broken, registered

_GROUPS = {"Executor": ("argosy.executors", "argosy.batch"), "Launcher": ("argosy.launchers",)}


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def _own() -> None:
    for kind, groups in _GROUPS.items():
        for plugin in (plugin for group in groups for plugin in registered(group).values()):
            try:
                plugin.load()
                error = None
            except Broken as broken:  # told, not handled
                error = broken.why
            _print(f"{kind} {plugin.name} {plugin.version}:\n\tplugin: {plugin.value}\n\t error: {error}")


def _others() -> None:
    for registry in (plugins.executors, plugins.launchers):
        for name, entry in registry.entries():
            with contextlib.suppress(Exception):  # the entry keeps it
                entry.load()
            _print(f"{registry.kind.capitalize()} {name} {entry.version}:")
            _print(f"\tdescriptor: {entry.descriptor.path}\n\t    plugin: {entry.place}\n\t     error: {entry.error}")


def main() -> int:
    """The exit status."""
    if sys.argv[1:] != ["plugins"]:
        sys.stderr.write("usage: python -m argosy.psij plugins\n")
        return 2
    _own()
    _others()
    return 0


if __name__ == "__main__":
    sys.exit(main())
