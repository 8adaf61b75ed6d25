"""How the ranks of a parallel job are started."""

from .contract import Launcher
from .registry import get_launcher

__all__ = ["Launcher", "get_launcher"]
