"""``flux submit`` and ``flux batch``: how they are called, and what they answer.

The script travels in the job's description (RFC 37, files), as ``flux batch`` does it by itself: no file of it is left
anywhere. ``flux submit --cc`` submits many alike with one command; each knows its number from ``FLUX_JOB_CC``. The ids
come in the order in which Flux took the jobs, which need not be that of the numbers: so the jobs are listed
with their names, which have the number.
"""

from __future__ import annotations

import re

from argosy.batch.contract import Group
from argosy.batch.signs import has
from argosy.model import Command, Completed, SubmitException, Unavailable

from .directives import KIND, PREFIX
from .environment import submission
from .ids import number

#: Stands in a job's name, behind the name that was chosen; an array's elements have their number behind it.
MARK = "@argosy:"
NAME = re.compile(rf"{re.escape(MARK)}([A-Za-z0-9._-]+?)(?:\[(\d{{1,9}})\])?\Z", re.ASCII)
#: Comes between the ids and the list of the names.
_LISTED = "argosy-names:"

_SUBMIT = r"""
kind=submit file=$(mktemp "${TMPDIR:-/tmp}/argosy.XXXXXXXXXX") || exit 73
trap 'rm -f "$file"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$file" && chmod 700 "$file" || exit 74
set --
while IFS= read -r line; do
    case $line in
    COMMAND*) kind=${line#COMMAND} ;;
    PREFIX*) set -- "$@" "${line#PREFIX}" ;;
    '#'*) ;;
    *) break ;;
    esac
done <"$file"
if [ "$kind" = batch ]; then
    flux batch "$@" "$file"
    exit
fi
ids=$(flux submit "$@" --add-file=script="$file" /bin/bash '{{tmpdir}}/script')
status=$?
[ -z "$ids" ] || printf '%s\n' "$ids"
case $* in
*--cc=*)
    if [ "$status" -eq 0 ]; then
        printf '%s\n' LISTED
        LC_ALL=C.UTF-8 flux jobs -a -n -c 100000 -o '{id.dec} {name}' $ids
    fi
    ;;
esac
exit "$status"
"""
_SCRIPT = _SUBMIT.replace("COMMAND", f"'{KIND}'").replace("PREFIX", f"'{PREFIX}'").replace("LISTED", _LISTED)

# Nothing was sent.
_NOT_REACHED = ("Unable to connect to Flux", "flux_open", "broker socket", "No such file or directory: 'flux'")
# Something may have been sent, and no answer came.
_NO_ANSWER = (
    "lost connection",
    "Connection reset",
    "Broken pipe",
    "timed out",
    "No route to host",
    "Function not implemented",
)
# Flux answered that it would take the same job later.
_LATER = ("is disabled", "Resource temporarily unavailable", "try again", "max jobs limit", "max-jobs", "shutting down")


def submit(script: str) -> Command:
    """The script goes in by standard input."""
    return submission("sh", "-c", _SCRIPT, stdin=script)


def away(words: str) -> bool:
    """Whether the words say that Flux could not be reached or did not answer."""
    return has(words, (*_NOT_REACHED, *_NO_ANSWER))


def parse_ids(done: Completed, group: Group) -> list[str]:
    """The ids of the group's jobs."""
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    printed, listed = lines, list[str]()
    if _LISTED in lines:
        at = lines.index(_LISTED)
        printed, listed = lines[:at], lines[at + 1 :]
    ids = [value for line in printed if (value := number(line)) is not None]
    if done.returncode == 0 and len(ids) == len(group.members):
        return _in_order(sorted(set(ids)), listed, group)
    words = done.words
    if done.returncode == 0:
        raise Unavailable(f"Flux did not say which jobs it submitted: {words}")
    if ids or has(words, _NO_ANSWER):
        raise Unavailable(f"Flux did not answer for all of the jobs: {words}")
    if has(words, _NOT_REACHED) or done.returncode in (73, 74, 127):
        raise SubmitException(f"Flux could not be reached: {words}", transient=True)
    later = has(words, _LATER)
    raise SubmitException(f"Flux refused the job: {words}", transient=later)


def _in_order(ids: list[int], listed: list[str], group: Group) -> list[str]:
    """The ids in the order of the array's elements, as the names say; without names in Flux's order."""
    if not group.is_array:
        return [str(ids[0])]
    places: dict[int, int] = {}
    for line in listed:
        written, _, name = line.partition(" ")
        found = NAME.search(name)
        value = number(written)
        if value in ids and found is not None and found[1] == group.tag and found[2]:
            places[int(found[2])] = value
    if sorted(places) == list(range(len(group.members))) and len(set(places.values())) == len(ids):
        return [str(places[index]) for index in range(len(group.members))]
    if len(ids) != len(group.members):
        raise Unavailable("Flux named a job twice in one answer")
    return [str(value) for value in ids]
