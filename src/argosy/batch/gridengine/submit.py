"""qsub: what it answers."""

from __future__ import annotations

import re

from argosy.batch.signs import has
from argosy.model import Completed, SubmitException, Unavailable

# qsub -terse: "7", of an array "7.1-3:1". Others' job submission verifiers may print more around it.
_ANSWER = re.compile(r"(\d{1,18})(?:\.\d+-\d+:\d+)?\Z", re.ASCII)

# Nothing was sent.
_NOT_REACHED = (
    "unable to send message to qmaster",
    "unable to contact qmaster",
    "cell directory",
    "SGE_ROOT directory",
    "Please set the environment variable SGE_ROOT",
    "can't find connection",
    "cannot connect to",
    "Connection refused",
    "act_qmaster",
    "can't resolve hostname",
)
# Something was sent, and no answer could be read.
_NO_ANSWER = (
    "Error reading answer list",
    "got send timeout",
    "got read error",
    "failed receiving gdi request",
    "timeout error",
    "commlib error",
    "can't get answer",
)
# The same job would be taken at another time.
_LATER = (
    "try again later",
    "temporarily",
    "only allowed to have",
    "maximum number of active jobs",
    "reached the maximum",
    "is being shut down",
)


def away(words: str) -> bool:
    """Whether the words say that the queue master could not be reached or did not answer."""
    return has(words, (*_NOT_REACHED, *_NO_ANSWER))


def parse_id(done: Completed) -> str:
    """The id that ``qsub -terse`` printed, of an array without its tasks."""
    if done.returncode == 0:
        for line in reversed(done.stdout.splitlines()):
            if match := _ANSWER.match(line.strip()):
                return match[1]
        raise Unavailable(f"qsub did not say which job it submitted: {done.words}")
    words = done.words
    # "got send error" is of a connection that never was; a timeout of one that may have carried the job.
    if has(words, _NOT_REACHED) and "timeout" not in words:
        raise SubmitException(f"Grid Engine could not be reached: {words}", transient=True)
    if away(words) or done.returncode < 0:
        raise Unavailable(f"Grid Engine did not answer: {words}")
    raise SubmitException(f"Grid Engine refused the job: {words}", transient=any(sign in words for sign in _LATER))
