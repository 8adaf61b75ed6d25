"""Parts by name, Argosy's own as those of other packages: what entry points name, or why it cannot be had.

What cannot be loaded concerns whoever asks for it, and nobody else: each registry says so in its own terms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Broken(ImportError):
    """What an entry point names cannot be loaded. `why` is the reason alone; the message names the entry point too."""

    def __init__(self, plugin: Plugin, error: Exception) -> None:
        self.why = _why(error)
        super().__init__(f"{plugin.value} cannot be loaded: {self.why}", name=getattr(error, "name", None))


class Plugin:
    """One entry point. `value` is the module and the attribute that it names, `version` that of its package."""

    def __init__(self, entry: EntryPoint) -> None:
        self._entry = entry
        self.name = entry.name
        self.group = entry.group
        self.value = entry.value

    @property
    def version(self) -> str:
        """The version of the package that has registered it."""
        return self._entry.dist.version if self._entry.dist is not None else "?"

    def load(self) -> Any:
        """What is registered; not looked at. Raises Broken whatever is wrong with it."""
        try:
            return self._entry.load()
        except Exception as error:
            raise Broken(self, error) from error


def registered(group: str) -> dict[str, Plugin]:
    """What is registered in a group of entry points, in the order of the names."""
    from importlib.metadata import entry_points  # a third of the library's whole import, and only needed here

    return {entry.name: Plugin(entry) for entry in sorted(entry_points(group=group), key=lambda entry: entry.name)}


def _why(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"the Python package {error.name} is not installed"
    if isinstance(error, ImportError):
        return str(error)
    return f"{type(error).__name__}: {error}"
