"""How the ranks of a parallel job are started."""

from .contract import Launcher
from .options import Style, extra_options
from .registry import get_launcher

__all__ = ["Launcher", "Style", "extra_options", "get_launcher"]
