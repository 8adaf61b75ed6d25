"""Executors and launchers of other packages, found by descriptors instead of entry points (as psij-python does it).

A descriptor names a class that is loaded when it is first asked for; what goes wrong then is told to whoever asks.
`argosy.psij` looks for descriptors; without it there are those that a program registers itself.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packaging.version import Version


class Descriptor:
    """What a plug-in says of itself: `cls` is the dotted name of its class, `aliases` are further names.

    Several versions may be registered under one name; `nice_name` is for people.
    """

    def __init__(
        self,
        name: str,
        version: Version | str,
        cls: str,
        aliases: list[str] | None = None,
        nice_name: str | None = None,
    ) -> None:
        from packaging.version import Version  # costs more than the rest of this module

        self.name = name
        self.version = Version(version) if isinstance(version, str) else version
        self.cls = cls
        self.aliases = aliases
        self.nice_name = name if nice_name is None else nice_name
        self.path: str | None = None
        """The file that the descriptor stands in, where it was found in one."""

    def __repr__(self) -> str:
        return f"Descriptor(name={self.name}, version={self.version}, cls={self.cls}, path={self.path})"


class Entry:
    """A registered plug-in; `root` is the directory that its class must be under, `error` why it cannot be loaded."""

    def __init__(self, descriptor: Descriptor, root: str) -> None:
        self.descriptor = descriptor
        self.root = root
        self.loaded: type | None = None
        self.error: Exception | None = None

    @property
    def version(self) -> Version:
        """The plug-in's version."""
        return self.descriptor.version

    @property
    def place(self) -> str:
        """The module file that the class comes from, as the descriptor says."""
        return os.path.join(self.root, *self.descriptor.cls.split(".")[:-1]) + ".py"

    def load(self) -> type:
        """The class. Raises whatever keeps it from being loaded, again at each call."""
        if self.error is not None:
            raise self.error
        if self.loaded is None:
            if loading is not None:
                loading()
            try:
                self.loaded = _load(self.descriptor.cls, self.root, self.place)
            except Exception as error:
                self.error = error
                raise
        return self.loaded


class Registry:
    """The plug-ins of one kind, by name and version. Names are lower case."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, list[Entry]] = {}
        self._lock = threading.RLock()

    def register(self, descriptor: Descriptor, root: str) -> None:
        """Make a plug-in known. Raises ValueError where another one has its name and version."""
        entry = Entry(descriptor, root)
        with self._lock:
            for name in {descriptor.name.lower(), *(alias.lower() for alias in descriptor.aliases or ())}:
                known = self._entries.setdefault(name, [])
                same = next((other for other in known if other.version == entry.version), None)
                if same is None:
                    known.append(entry)
                    known.sort(key=lambda one: one.version)
                elif os.path.realpath(same.place) != os.path.realpath(entry.place):
                    raise ValueError(
                        f"there are two of the {self.kind} {name} {entry.version}: {same.place} and {entry.place}"
                    )

    def names(self) -> set[str]:
        """The names under which there is something."""
        _scan()
        with self._lock:
            return set(self._entries)

    def entries(self) -> list[tuple[str, Entry]]:
        """All of them, the newest version of each name last."""
        _scan()
        with self._lock:
            return [(name, entry) for name, known in sorted(self._entries.items()) for entry in known]

    def find(self, name: str, version_constraint: str | None = None) -> Entry | None:
        """The newest of that name, in any case, that the constraint allows; None where there is none."""
        _scan()
        with self._lock:
            known = list(self._entries.get(name.lower(), ()))
        if version_constraint is not None:
            from packaging.specifiers import SpecifierSet

            wanted = SpecifierSet(version_constraint.strip().strip("()"))
            known = [entry for entry in known if wanted.contains(entry.version, prereleases=True)]
        return known[-1] if known else None


executors = Registry("executor")
launchers = Registry("launcher")

#: Registers what has appeared since the last call; set by `argosy.psij`.
scanner: Callable[[], None] | None = None
#: Called before a plug-in's module is imported; set by `argosy.psij`.
loading: Callable[[], None] | None = None
#: Makes the launcher (name, version constraint, executor's configuration) that plug-ins expect; set by `argosy.psij`.
make_launcher: Callable[[str, str | None, Any], Any] | None = None


def _scan() -> None:
    if scanner is not None:
        scanner()


def _load(dotted: str, root: str, place: str) -> type:
    module_name, _, class_name = dotted.rpartition(".")
    root = os.path.realpath(root)
    found = importlib.util.find_spec(module_name) if _is_found(module_name) else None
    if found is not None and found.origin and os.path.realpath(found.origin).startswith(root + os.sep):
        module = importlib.import_module(module_name)
    else:
        # Not what an import would find: another directory comes first, or none leads there.
        spec = importlib.util.spec_from_file_location(module_name, place)
        if spec is None or spec.loader is None:
            raise ImportError(f"{place} is not a module")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    loaded = getattr(module, class_name)
    if not isinstance(loaded, type):
        raise TypeError(f"{dotted} is not a class")
    return loaded


def _is_found(module_name: str) -> bool:
    """Whether the packages around a module can be imported: `find_spec` raises where they cannot."""
    parent = module_name.rpartition(".")[0]
    if not parent:
        return True
    return parent in sys.modules or (_is_found(parent) and importlib.util.find_spec(parent) is not None)
