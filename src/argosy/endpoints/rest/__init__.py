"""The native REST interface: everything under ``/v1``."""

from .app import RestApp, make_app
from .tokens import Authenticate, bearer

__all__ = ["Authenticate", "RestApp", "bearer", "make_app"]
