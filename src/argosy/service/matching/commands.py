"""Short commands on a resource's host: what is sent there, and how its answer is read.

What the command prints goes to files there first. So what it printed before it was ended is not lost, and a process
that it leaves behind holds nothing up.
"""

from __future__ import annotations

from argosy.model import Command, Completed, InvalidInput, Unavailable
from argosy.service.contract import CommandOutcome

#: How much longer than a command the way there and back may take, in seconds.
PATIENCE = 15.0
_MOST = 1_048_576
#: One argument of a program has at most 128 KiB (execve(2)).
_LONGEST = 100_000

# Arguments: the directory, the limit in seconds, how many bytes are answered. The command is the standard input.
_SCRIPT = """
mask=$(umask)
umask 077
command=$(cat && printf x) || exit 1
command=${command%x}
d=$(mktemp -d "${TMPDIR:-/tmp}/argosy.XXXXXXXXXX") || exit 1
trap 'rm -rf -- "$d"' EXIT
: >"$d/out" >"$d/err"
umask "$mask"
case $1 in
'' | '~') cd ;;
'~/'*) cd -- "$HOME/${1#??}" ;;
*) cd -- "$1" ;;
esac 2>"$d/err" && {
    # What waits for the command outlives TERM: were it to end, nothing would be sent to a command that ignores that.
    # It has words of its own about how the command ended, which are nobody's.
    timeout -k 2 "$2" bash -c '
        trap over=1 TERM
        bash -c "$1" </dev/null 2>&3 3>&-
        ended=$?
        [ -n "$over" ] || echo "$ended" >"$2"
    ' bash "$command" "$d/code" </dev/null >"$d/out" 2>/dev/null 3>"$d/err" &
    wait "$!" 2>/dev/null
}
ended=$?
# What it has started beside itself ends with it.
case $ended in 124 | 137) kill -KILL -- "-$!" 2>/dev/null ;; esac
[ -e "$d/code" ] || case $ended in 124 | 137) echo limit >"$d/code" ;; *) echo 1 >"$d/code" ;; esac
cat -- "$d/code"
head -c "$3" -- "$d/out"
head -c "$3" -- "$d/err" >&2
"""


def limited_command(command: str, directory: str | None, limit: float) -> Command:
    """The command that runs `command` for at most `limit` seconds. Raises InvalidInput."""
    if not command.strip():
        raise InvalidInput("there is nothing to run", element="command")
    if len(command.encode("utf-8", "surrogateescape")) > _LONGEST or "\0" in command:
        raise InvalidInput(f"a command has at most {_LONGEST} bytes, and no NUL among them", element="command")
    if directory is not None and ((not directory.startswith(("/", "~/")) and directory != "~") or "\0" in directory):
        raise InvalidInput("a directory is absolute, or begins with ~/", element="directory")
    return Command(("bash", "-c", _SCRIPT, "argosy", directory or "", f"{limit:g}", str(_MOST)), stdin=command)


def read_outcome(done: Completed) -> CommandOutcome:
    """What came of it. Raises Unavailable where it could not be run at all."""
    word, newline, stdout = done.stdout.partition("\n")
    if not newline or not (word == "limit" or word.isdigit()):
        raise Unavailable(f"the command could not be run: {done.words}")
    return CommandOutcome(None if word == "limit" else int(word), stdout, done.stderr)
