"""bsub: how it is called, and what it answers."""

from __future__ import annotations

import re

from argosy.batch.signs import has
from argosy.model import Command, Completed, SubmitException, Unavailable

from .environment import submission

_ANSWER = re.compile(r"^Job <(\d+)> is submitted to (?:default )?(?:queue|partition) ", re.ASCII | re.MULTILINE)

# Memory is in MiB in the script. Where the site has set a unit of its own, a number without one would mean that: the
# unit is then written out, which only those versions of LSF understand that have the setting. Lines are looked at up to
# the first that is no comment.
_SUBMIT = r"""
if grep -Eqs '^[[:space:]]*LSF_UNIT_FOR_LIMITS[[:space:]]*=' "${LSF_ENVDIR:-/etc}/lsf.conf"; then
    LC_ALL=C sed -e '/^[^#]/,$b' -e 's/^\(#BSUB -R "rusage\[mem=[0-9]*\)\]"$/\1MB]"/' | bsub
else
    exec bsub
fi
"""

# Nothing was sent.
_NOT_REACHED = (
    "Unable to open file lsf.conf",
    "LIM is down",
    "LIM) not responding",
    "Cannot connect to LSF",
    "Bad ls_initdebug",
    "LSF is down",
    "Authentication",
)
# Something may have been sent, and no answer came.
_NO_ANSWER = (
    "Failed in an LSF library call",
    "not responding",
    "timed out",
    "time out",
    "timeout",
    "Connection refused",
    "Connection reset",
    "Failed in sending/receiving",
    "Communication",
    "daemon internal error",
)
# LSF answered that it would take the same job later.
_LATER = (
    "threshold reached",
    "pending job limit",
    "job limit reached",
    "Retrying",
    "temporarily",
    "try again",
    "try later",
)


def submit(script: str) -> Command:
    """bsub reads directives only from its standard input."""
    return submission("sh", "-c", _SUBMIT, stdin=script)


def away(words: str) -> bool:
    """Whether the words say that LSF could not be reached or did not answer."""
    return has(words, (*_NOT_REACHED, *_NO_ANSWER))


def parse_id(done: Completed) -> str:
    """The id of the job or array. What else bsub prints, on either stream, is no failure."""
    if match := _ANSWER.search(done.stdout):
        return match[1]
    words = done.words
    if done.returncode == 0:
        raise Unavailable(f"bsub did not say which job it submitted: {words}")
    if has(words, _NOT_REACHED):
        raise SubmitException(f"LSF could not be reached: {words}", transient=True)
    if has(words, _NO_ANSWER):
        raise Unavailable(f"LSF did not answer: {words}")
    if done.returncode == 127:
        raise SubmitException(f"bsub cannot be run: {words}", transient=True)
    later = has(words, _LATER)
    raise SubmitException(f"LSF refused the job: {words}", transient=later)
