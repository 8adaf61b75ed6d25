"""sbatch: what it answers."""

from __future__ import annotations

import re

from argosy.batch.signs import has
from argosy.model import Completed, SubmitException, Unavailable

_ANSWER = re.compile(r"(\d+)(?:;\S+)?\Z", re.ASCII)

# Nothing was sent: the controller was not there, or the user could not be authenticated to it.
_NOT_REACHED = (
    "connect failure",
    "Connection refused",
    "Munge encode failed",
    "authentication error",
    "Unable to process configuration",
    "Unable to establish configuration",
    "in standby mode",
)
# Something was sent, and no answer came.
_NO_ANSWER = ("Unable to contact slurm controller", "Socket timed out", "Zero Bytes were transmitted", "Communication")
# The controller answered that it would take the same job later.
_LATER = ("temporarily", "MaxSubmit", "MaxJobCount", "try again", "System is booting")


def away(words: str) -> bool:
    """Whether the words say that the controller could not be reached or did not answer."""
    return has(words, (*_NOT_REACHED, *_NO_ANSWER))


def parse_id(done: Completed) -> str:
    """The id that ``sbatch --parsable`` printed; the cluster's name may follow it."""
    if done.returncode == 0:
        for line in reversed(done.stdout.splitlines()):
            if match := _ANSWER.match(line.strip()):
                return match[1]
        raise Unavailable(f"sbatch did not say which job it submitted: {done.words}")
    raise refusal(done.words)


def refusal(words: str) -> SubmitException | Unavailable:
    """What Slurm's words against a submission mean."""
    if has(words, _NOT_REACHED):
        return SubmitException(f"Slurm could not be reached: {words}", transient=True)
    if has(words, _NO_ANSWER):
        return Unavailable(f"Slurm did not answer: {words}")
    return SubmitException(f"Slurm refused the job: {words}", transient=any(sign in words for sign in _LATER))
