"""condor_submit: how it is called, and what it answers.

HTCondor runs an executable that is a file, and such a file would have to stay until the job has ended. So the script
travels in the job's arguments, packed, and bash on the machine unpacks it.
"""

from __future__ import annotations

import re

from argosy.batch.contract import Group
from argosy.batch.signs import has
from argosy.model import Command, Completed, SubmitException, Unavailable

from .directives import PREFIX
from .environment import submission

# Each argument has at most 100,000 characters (Linux takes 131,071), all together less than a quarter of the least
# stack; what is in them are letters, digits, + / and =.
_SUBMIT = r"""
file=$(mktemp "${TMPDIR:-/tmp}/argosy.XXXXXXXXXX") || exit 73
trap 'rm -f "$file"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$file" || exit 74
dollar='$(DOLLAR)'
packed=$(gzip -c <"$file" | base64 -w 100000 | tr '\n' ' ')
[ "${#packed}" -lt 1000000 ] || { echo 'argosy: the job is too large for a submit description' >&2; exit 75; }
{
    while IFS= read -r line; do
        case $line in
        PREFIX*) printf '%s\n' "${line#PREFIX}" ;;
        '#'*) ;;
        *) break ;;
        esac
    done <"$file"
    printf '%s\n' "universe = vanilla" "executable = /bin/bash" "transfer_executable = False" \
        "arguments = \"-c 'eval \"\"$dollar(printf %s \"\"$dollar@\"\" | base64 -d | gzip -dc)\"\"' argosy $packed\""
    sed -n 's/^#CONDOR-QUEUE /queue /p' "$file" | head -n 1
} | condor_submit -terse -
"""
_SCRIPT = _SUBMIT.replace("PREFIX", f"'{PREFIX}'")

_ANSWER = re.compile(r"^(\d{1,15})\.(\d{1,9})(?: - (\d{1,15})\.(\d{1,9}))?\s*$", re.ASCII | re.MULTILINE)

# Nothing was sent.
_NOT_REACHED = (
    "Can't find address of local schedd",
    "Can't find address of schedd",
    "Failed to connect to local queue",
)
# Something may have been sent, and no answer came.
_NO_ANSWER = (
    *("Failed to commit", "SECMAN", "Connection closed", "Connection reset", "timed out", "Failed to connect"),
    *("couldn't contact", "Couldn't contact", "Failed to fetch ads", "communication error"),
)
_LATER = ("MAX_JOBS_SUBMITTED", "MAX_JOBS_PER_OWNER", "exceeded", "try again", "would exceed")


def submit(script: str) -> Command:
    """The script goes in by standard input."""
    return submission("sh", "-c", _SCRIPT, stdin=script)


def away(words: str) -> bool:
    """Whether the words say that HTCondor could not be reached or did not answer."""
    return has(words, (*_NOT_REACHED, *_NO_ANSWER))


def parse_ids(done: Completed, group: Group) -> list[str]:
    """The ids of the group's jobs, of ``12.0 - 12.4`` or one alone."""
    count = len(group.members)
    if match := _ANSWER.search(done.stdout):
        first, last = int(match[2]), int(match[4] or match[2])
        if (match[3] or match[1]) == match[1] and last - first + 1 == count:
            return [f"{match[1]}.{first + index}" for index in range(count)]
        raise Unavailable(f"condor_submit named other jobs than were submitted: {done.words}")
    words = done.words
    if done.returncode == 0:
        raise Unavailable(f"condor_submit did not say which job it submitted: {words}")
    if has(words, _NOT_REACHED) or done.returncode in (73, 74, 127):
        raise SubmitException(f"HTCondor could not be reached: {words}", transient=True)
    if has(words, _NO_ANSWER):
        raise Unavailable(f"HTCondor did not answer: {words}")
    later = has(words, _LATER)
    raise SubmitException(f"HTCondor refused the job: {words}", transient=later)
