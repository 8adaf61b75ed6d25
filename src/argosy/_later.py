"""Names of a package that are imported when they are first used: importing the package costs little."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def later(package: str, where: "Mapping[str, str]") -> "Callable[[str], object]":
    """The `__getattr__` of a package (PEP 562). `where` has for each name its module, as in ``.states``."""

    def find(name: str) -> object:
        module = where.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(module, package), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
