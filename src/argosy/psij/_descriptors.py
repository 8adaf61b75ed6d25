"""Finding the plug-ins that others have written for psij-python.

Each directory ``psij-descriptors`` beneath an entry of ``sys.path`` holds modules with lists of descriptors,
``__PSI_J_EXECUTORS__`` and ``__PSI_J_LAUNCHERS__``. They are looked for when a name is asked for that is not Argosy's
own, and again when ``sys.path`` has grown. The class of a descriptor must stand beneath the same entry of ``sys.path``.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType
from typing import TYPE_CHECKING, Any

from argosy.executors import plugins

from ._aliases import install, installed, is_free

if TYPE_CHECKING:
    from argosy.launchers import Launcher as NativeLauncher

log = logging.getLogger(__name__)

_DIRECTORY = "psij-descriptors"
_LISTS = {"__PSI_J_EXECUTORS__": plugins.executors, "__PSI_J_LAUNCHERS__": plugins.launchers}

_lock = threading.RLock()
_seen: set[str] = set()


def enable() -> None:
    """Have executors looked for in this way too."""
    plugins.scanner = scan
    plugins.loading = _prepare
    plugins.make_launcher = _launcher


def enable_launchers() -> None:
    """Have launchers for the jobs of Argosy's own executors looked for in this way too."""
    from argosy.launchers import registry  # costs as much as all else here; whoever has an executor needs it anyway

    if _in_scripts not in registry.others:
        registry.others.append(_in_scripts)


def scan() -> None:
    """Register what is found in directories that were not looked at before."""
    with _lock:
        for root in dict.fromkeys(os.path.realpath(entry or os.curdir) for entry in sys.path):
            if root in _seen:
                continue
            _seen.add(root)
            directory = os.path.join(root, _DIRECTORY)
            try:
                names = sorted(name for name in os.listdir(directory) if name.endswith(".py"))
            except OSError:  # most entries have none
                continue
            with installed():
                for name in names:
                    _register(os.path.join(directory, name), root)


def _register(path: str, root: str) -> None:
    try:
        module = _execute(path)
    except Exception as error:  # whatever somebody else's module does
        log.warning("the descriptors in %s cannot be read: %s: %s", path, type(error).__name__, error)
        return
    for variable, plugins_of_kind in _LISTS.items():
        for found in getattr(module, variable, ()):
            try:
                descriptor = _descriptor(found, path)
                if not descriptor.cls.startswith("psij."):  # psij-python's own: Argosy has them
                    plugins_of_kind.register(descriptor, root)
            except (ValueError, TypeError) as error:
                log.warning("%s: %s", path, error)


def _execute(path: str) -> ModuleType:
    name = os.path.basename(path).removesuffix(".py")
    spec = spec_from_loader(name, SourceFileLoader(name, path))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _descriptor(found: Any, path: str) -> plugins.Descriptor:
    if isinstance(found, plugins.Descriptor):
        descriptor = found
    else:  # one of psij-python's, where that was imported first
        try:
            descriptor = plugins.Descriptor(found.name, found.version, found.cls, found.aliases, found.nice_name)
        except AttributeError:
            raise TypeError(f"{found!r} is no descriptor") from None
    descriptor.path = path
    return descriptor


def _prepare() -> None:
    # The plug-in's modules import psij, now and while they run.
    if not is_free():
        raise ImportError("psij-python has been imported; call argosy.psij.install() before anything imports psij")
    install()


def _in_scripts(name: str) -> NativeLauncher | None:
    """A launcher of others for the jobs of Argosy's own executors."""
    if plugins.launchers.find(name) is None:
        return None
    from .launchers.foreign import ForeignLauncher

    return ForeignLauncher(name)


def _launcher(name: str, version_constraint: str | None, config: Any) -> Any:
    from .job_launcher import Launcher

    return Launcher.get_instance(name, version_constraint, config)
