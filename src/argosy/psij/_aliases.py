"""The module ``psij`` and those beneath it as other names of ``argosy.psij`` and those beneath it.

An alias is the very same module object, so that a class has one identity whatever it was imported as.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_OURS = "argosy.psij"
_THEIRS = "psij"


def install() -> None:
    """Make ``import psij``, and the import of any of its modules, mean `argosy.psij` from now on.

    Raises ImportError where psij-python has been imported in this program already: two of them cannot be mixed.
    """
    present = sys.modules.get(_THEIRS)
    ours = sys.modules[_OURS]
    if present is not None and present is not ours:
        raise ImportError("psij has been imported from psij-python already; install argosy.psij before that")
    sys.modules[_THEIRS] = ours


def is_free() -> bool:
    """Whether the name ``psij`` is ours or nobody's."""
    return sys.modules.get(_THEIRS) in (None, sys.modules[_OURS])


@contextmanager
def installed() -> Iterator[None]:
    """`install`, for a while: what was not there before is gone after. Does nothing where psij-python is in use."""
    if not is_free():
        yield
        return
    before = {name for name in sys.modules if name == _THEIRS or name.startswith(_THEIRS + ".")}
    install()
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name == _THEIRS or name.startswith(_THEIRS + ".")]:
            if name not in before:
                del sys.modules[name]


class _Alias(Loader):
    def __init__(self, target: str) -> None:
        self._target = target
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._target)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has put the alias's there


class _Finder(MetaPathFinder):
    """Finds ``psij.x`` as ``argosy.psij.x`` while ``psij`` is ours."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if not fullname.startswith(_THEIRS + ".") or sys.modules.get(_THEIRS) is not sys.modules.get(_OURS):
            return None
        name = _OURS + fullname[len(_THEIRS) :]
        found = importlib.util.find_spec(name)
        if found is None:
            return None
        return ModuleSpec(fullname, _Alias(name), is_package=found.submodule_search_locations is not None)


if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
    sys.meta_path.insert(0, _Finder())
