"""Who asks: the name under which the service knows what `argosy.identity` establishes."""

from __future__ import annotations

from argosy.identity.caller import Caller

__all__ = ["Caller"]
