"""qsub: what it answers. And which words of any of the commands say that the server was not there."""

from __future__ import annotations

from argosy.batch.signs import has
from argosy.model import Completed, SubmitException, Unavailable

from . import ids

# Nothing was sent: the server was not there, or the user could not be authenticated to it.
_NOT_REACHED = (
    "cannot connect to server",
    "connection refused",
    "couldn't connect to cluster",
    "unknown host",
    "no default server name",
    "could not connect to",
    "pbs conf variables not found",
    "pbs_iff",
    "cannot connect to default server",
)
# Something was sent, and no answer came.
_NO_ANSWER = (
    "end of file",
    "premature end of message",
    "communication failure",
    "timed out",
    "timeout",
    "connection reset",
    "broken pipe",
    "protocol (asn.1) error",
    "network is unreachable",
    "no route to host",
    "invalid response from server",
)
# The server answered that it would take the same job later.
_LATER = (
    "queue is not enabled",
    "would exceed",
    "maximum number of jobs already in queue",
    "shutting down",
    "temporarily unavailable",
    "system error",
    "license",
)


def away(words: str) -> bool:
    """Whether the words say that the server could not be reached or did not answer."""
    return has(words, (*_NOT_REACHED, *_NO_ANSWER))


def parse_id(done: Completed, *, array: bool, name: str = "PBS") -> str:
    """The id that qsub printed, of an array where one was submitted."""
    if done.returncode == 0:
        for line in reversed(done.stdout.splitlines()):
            if ids.is_id(line.strip()) and ids.is_array(line.strip()) is array:
                return line.strip()
        raise Unavailable(f"qsub did not say which job it submitted: {done.words}")
    if has(done.stderr, _NOT_REACHED):
        raise SubmitException(f"{name} could not be reached: {done.words}", transient=True)
    if has(done.stderr, _NO_ANSWER) or not done.stderr.strip() or done.returncode < 0:
        raise Unavailable(f"{name} did not answer: {done.words}")
    raise SubmitException(f"{name} refused the job: {done.words}", transient=has(done.stderr, _LATER))
