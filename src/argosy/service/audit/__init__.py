"""The audit trail: a line for each operation and each decision on who calls, in a file of its own, without secrets."""

from .operations import audited
from .trail import Trail, current, of_request

__all__ = ["Trail", "audited", "current", "of_request"]
