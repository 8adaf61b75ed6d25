"""How the ranks of a parallel job are started."""

from .contract import Launcher

__all__ = ["Launcher"]
