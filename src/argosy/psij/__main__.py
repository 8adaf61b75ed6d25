"""``python -m argosy.psij plugins``: which executors and launchers there are, and which cannot be loaded."""

from __future__ import annotations

import contextlib
import sys
from importlib.metadata import entry_points

from argosy.executors import plugins

_GROUPS = {"Executor": ("argosy.executors", "argosy.batch"), "Launcher": ("argosy.launchers",)}


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def _own() -> None:
    for kind, groups in _GROUPS.items():
        for entry in sorted(entry for group in groups for entry in entry_points(group=group)):
            try:
                entry.load()
                error = None
            except Exception as failed:  # told, not handled
                error = failed
            version = entry.dist.version if entry.dist is not None else "?"
            _print(f"{kind} {entry.name} {version}:\n\tplugin: {entry.value}\n\t error: {error}")


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
