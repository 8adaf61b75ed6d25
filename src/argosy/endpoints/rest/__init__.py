"""The native REST interface: everything under ``/v1``."""

from .app import RestApp, make_app
from .tokens import bearer

__all__ = ["RestApp", "bearer", "make_app"]
