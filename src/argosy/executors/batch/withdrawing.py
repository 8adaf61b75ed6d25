"""Taking the claims of jobs that are not to begin any more: a copy of one that starts later runs nothing.

It is done as the job scripts do it (`argosy.batch.script_text`): the claim is made once, by whoever comes first.
"""

from __future__ import annotations

from collections.abc import Sequence

from argosy.batch.records import WITHDRAWN
from argosy.model import Command, Completed, Unavailable

#: $1 is the directory of the claims, $2 what our claim says; the tags come on standard input. Prints for each whose it
#: is: ``TAG ID RUN NONCE``.
_WITHDRAW = """
cd -- "$1" || exit 1
while read -r tag; do
    owner=
    mkdir -- "$tag" 2>/dev/null
    printf '%s\\n' "$2" >"$tag/withdrawn" || exit 1
    ln -- "$tag/withdrawn" "$tag/owner" 2>/dev/null ||
        [ -e "$tag/owner" ] || ln -s -n -- "$2" "$tag/owner" 2>/dev/null
    if [ -L "$tag/owner" ]; then owner=$(readlink -n -- "$tag/owner"); else read -r owner <"$tag/owner"; fi
    printf '%s %s\\n' "$tag" "$owner"
done
"""


def withdraw(spool: str, tags: Sequence[str]) -> Command:
    """Take the claims of these jobs, where they are to be had."""
    script = ("sh", "-c", _WITHDRAW, "sh", f"{spool}/claims", f"{WITHDRAWN} 0 service")
    return Command(script, stdin="".join(f"{tag}\n" for tag in tags))


def parse_withdraw(done: Completed, tags: Sequence[str]) -> dict[str, str]:
    """The native ids of those that have begun already. Raises Unavailable where it cannot be said of each."""
    owners: dict[str, str] = {}
    for line in done.stdout.splitlines():
        match line.split(" "):
            case [tag, native_id, _, _]:
                owners[tag] = native_id
    if done.returncode != 0 or not owners.keys() >= set(tags):
        raise Unavailable(f"the claims of jobs that are not to begin any more could not be taken: {done.words}")
    return {tag: owners[tag] for tag in tags if owners[tag] != WITHDRAWN}
