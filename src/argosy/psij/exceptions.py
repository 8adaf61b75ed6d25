"""The exceptions, under psij-python's name."""

from argosy.model import InvalidJobException, InvalidStateException, SubmitException

__all__ = ["InvalidJobException", "InvalidStateException", "SubmitException", "UnreachableStateException"]


class UnreachableStateException(InvalidStateException):
    """A state that is waited for can no longer be reached.

    For programs that name it: `Job.wait` does not raise it. Any final state ends the waiting, and the status returned
    tells which it is (PSI/J, Job.wait).
    """

    code = "unreachable-state"
