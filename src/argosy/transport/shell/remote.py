"""The shell text that runs on the other host: POSIX sh, coreutils and tar, whatever the user's login shell is.

The login shell is given one line that bash, zsh, csh and fish read alike (`SHELL`, `single`). It starts a sh that takes
scripts from standard input: one shell for many, as login shells that ssh starts read files (bash its ~/.bashrc) that
can take a hundred times as long as a command. A script is one group in braces, so what arrives of it after a
connection broke in the middle is no complete command, and nothing of it is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from argosy.model import Command
from argosy.model.shell import join, quote

#: Exit codes of scripts here that say what no program could say more clearly. 127 is the shell's own.
ABSENT = 127
NO_DIRECTORY = 74

#: By these a shell on the other host would take itself for one that ssh has started (bash then reads ~/.bashrc).
_OF_SSH = "SSH_CLIENT SSH2_CLIENT SSH_CONNECTION SSH_TTY SSH_ORIGINAL_COMMAND"


#: The line for the login shell that starts a shell which runs one script after another. Each comes as a line of three
#: words, the script's length, that of its input, and a mark that is printed on both streams at its end; then the
#: script; then its input.
SHELL = (
    "exec /bin/sh -c '"
    "while read -r script input mark; do "
    'text=$(head -c "$script"); '
    'if [ "$input" -gt 0 ]; then head -c "$input" | (eval "$text"); else (eval "$text") </dev/null; fi; '
    'status=$?; echo "$mark" >&2; echo "$mark $status"; '
    "done'"
)


def single(length: int) -> str:
    """The line for the login shell that runs one script, the first `length` bytes of standard input."""
    return f"exec /bin/sh -c 'eval \"$(head -c {length})\"'"


def script(mark: str, text: str) -> bytes:
    """A whole script. It prints `mark` on both streams first: what comes before is of the login shell's own files."""
    return (f"{{ printf %s {mark}; printf %s {mark} >&2\nunset {_OF_SSH}\n{text}\n}}\n").encode(
        "utf-8", "surrogateescape"
    )


def run(command: Command, mark: str, timeout: float) -> str:
    """Run a command with its input, killed with what it has started after `timeout` seconds.

    Where the program is not there, `mark` is printed again on standard error, with the exit code ABSENT.
    """
    words = ["timeout", "-s", "KILL", f"{timeout:.3f}", *command.argv]
    if command.environment:
        words = ["env", *_changes(command.environment), *words]
    there = f"command -v {quote(command.argv[0])} >/dev/null 2>&1 || {{ printf %s {mark} >&2; exit {ABSENT}; }}\n"
    if command.stdin:
        return f"{there}printf %s {quote(command.stdin)} | {join(words)}"
    return f"{there}exec {join(words)}"


def _changes(environment: Mapping[str, str | None]) -> list[str]:
    removed = [word for name, value in environment.items() if value is None for word in ("-u", name)]
    return removed + [f"{name}={value}" for name, value in environment.items() if value is not None]


def make_directories(paths: Sequence[str]) -> str:
    """mkdir of all."""
    return f"export LC_ALL=C; umask 077\nexec mkdir -p -- {join(paths)}"


def write(path: str, temporary: str, length: int, mode: int) -> str:
    """Write what follows on standard input, if it is `length` bytes: a connection that breaks looks like its end."""
    f, t = quote(path), quote(temporary)
    return f"""export LC_ALL=C; umask 077
if [ -d {f} ]; then echo 'Is a directory' >&2; exit 1; fi
(set -C; exec cat >{t}) && [ "$(wc -c <{t})" -eq {length} ] && chmod {mode:o} {t} && sync {t} && mv -f -- {t} {f} ||
{{ rm -f -- {t}; exit 1; }}"""


def read(path: str) -> str:
    """The content of one file."""
    return f"export LC_ALL=C\nexec cat -- {quote(path)}"


def collect(directory: str, limit: int) -> str:
    """A tar archive of at most `limit` files of a directory; only names and contents count."""
    d = quote(directory)
    return f"""export LC_ALL=C
cd -- {d} 2>/dev/null && [ -r . ] || {{ ls -- {d}/. >/dev/null; exit {NO_DIRECTORY}; }}
n=0
for f in * .[!.]* ..?*; do
    [ -f "$f" ] || continue
    n=$((n + 1)); [ "$n" -le {limit} ] || break
    printf './%s\\0' "$f"
done | tar -c -h --null -T - -f -"""


def remove(paths: Sequence[str], at_once: int = 500) -> str:
    """rm of all, so many with one command: a command's words have an end."""
    lines = [f"rm -rf -- {join(paths[start : start + at_once])} || s=1" for start in range(0, len(paths), at_once)]
    return "\n".join(["export LC_ALL=C; s=0", *lines, "exit $s"])


def watch(directory: str, interval: float) -> str:
    """Print ``.`` once the directory is being looked at, ``+`` when its names have changed; end with standard input.

    The directory is looked at, rather than the system asked: notifications do not cross hosts on a shared file
    system. bash does it without starting a process; another sh starts two each time.
    """
    d = quote(directory)
    loop = f"""cd -- {d} 2>/dev/null && [ -r . ] || exit {NO_DIRECTORY}
case ${{BASH_VERSION:-}} in
''|[123].*) argosy_wait() {{ timeout {interval:g} head -c 1 >/dev/null 2>&1; [ $? -eq 124 ]; }} ;;
*) argosy_wait() {{ read -r -t {interval:g} argosy_read; [ $? -gt 128 ]; }} ;;
esac
printf .
seen='*'
while :; do
    set -- *
    [ "$*" = "$seen" ] || {{ seen="$*"; printf + || exit; }}
    argosy_wait || exit 0
done"""
    better = f"exec bash --norc --noprofile -c {quote(loop)}"
    return f"""[ -n "${{BASH_VERSION:-}}" ] || ! command -v bash >/dev/null 2>&1 || {better}
{loop}"""
