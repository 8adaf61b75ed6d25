"""What goes wrong when a file is moved, for whoever decides what to do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from argosy.model import ArgosyError


class Fault(StrEnum):
    """The kind of a failure."""

    MISSING = "missing"
    """There is no such file or directory."""
    REFUSED = "refused"
    """The other side, or a policy of this one, does not let us; asking again does not help."""
    CREDENTIAL = "credential"
    """The credential is missing, expired or not accepted; with another one it may work."""
    EXISTS = "exists"
    """There is a file already, and it was to be left as it is."""
    CORRUPT = "corrupt"
    """What arrived is not what was declared: its size or checksum is another."""
    FULL = "full"
    """No space is left, here or there."""
    TRANSIENT = "transient"
    """The network, or a server that is busy or away."""


class TransferFailed(ArgosyError):
    """A file could not be moved. `fault` says in which way; `retry_after` (seconds) is what the other side asked for.

    The message is in the outside system's own words and shows no secret.
    """

    code: ClassVar[str] = "transfer-failed"

    def __init__(
        self, message: str, fault: Fault, *, retry_after: float | None = None, element: str | None = None
    ) -> None:
        super().__init__(message, element=element)
        self.fault = fault
        self.retry_after = retry_after

    @property
    def transient(self) -> bool:
        """Whether the same may work a little later, with nothing changed. A wrong checksum may come of the network."""
        return self.fault in (Fault.TRANSIENT, Fault.CORRUPT)

    @property
    def credential(self) -> bool:
        """Whether another credential is what is needed."""
        return self.fault is Fault.CREDENTIAL
