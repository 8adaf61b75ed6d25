"""Requests to slurmrestd as commands: curl, and around it a shell that reads the token and takes up the environment.

A token goes to curl through a pipe, and so stands in no argument and no environment.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from argosy.batch.slurm.environment import query, submission
from argosy.batch.slurm.submit import away
from argosy.model import Command, Completed, Unavailable

from .server import Server

#: Ends a part of what is printed. JSON has control characters in escaped form only.
END = "\x1e"
#: Where in what is submitted the environment of whoever submits is put.
ENVIRONMENT = "\n"

# $1 token file, $2 user, $3 what to print or take up; then curl's arguments.
_SCRIPT = r"""
argosy_file=$1 argosy_user=$2 argosy_mode=$3
shift 3
# A user's name has no colon.
case $argosy_user:$argosy_file:$argosy_mode in
:?*:* | ::user) argosy_user=$(id -un) || exit ;;
esac
case $argosy_file in
'~/'*) argosy_file=${HOME:?}/${argosy_file#'~/'} ;;
esac
send() {
    [ -n "$argosy_file" ] || exec curl "$@"
    argosy_open=$(find -L "$argosy_file" -prune -perm /077) || exit 77
    [ -z "$argosy_open" ] || { echo "argosy: others than its owner may read $argosy_file; chmod 600 it" >&2; exit 77; }
    # Where the file has no line's end, there is a token all the same.
    { read -r argosy_token || [ -n "$argosy_token" ]; } <"$argosy_file" || argosy_token=
    argosy_token=${argosy_token#SLURM_JWT=}
    case $argosy_token in
    '' | *[!A-Za-z0-9._=-]*) echo "argosy: there is no token in $argosy_file" >&2; exit 77 ;;
    esac
    exec curl "$@" -H @/dev/fd/3 3<<TOKEN
X-SLURM-USER-NAME: $argosy_user
X-SLURM-USER-TOKEN: $argosy_token
TOKEN
}
case $argosy_mode in
names | pairs)
    SLURM_SUBMIT_DIR=$PWD awk -v mode="$argosy_mode" '
        function text(value,   out, i, one) {
            if (value !~ /[\001-\037"\\]/)
                return "\"" value "\""
            out = "\""
            for (i = 1; i <= length(value); i++) {
                one = substr(value, i, 1)
                out = out (one in code ? code[one] : one)
            }
            return out "\""
        }
        BEGIN {
            for (i = 1; i < 32; i++)
                code[sprintf("%c", i)] = sprintf("%cu%04x", 92, i)
            code["\""] = "\\\""
            code["\\"] = "\\\\"
        }
        { print }
        NR == 1 {
            printf "%s", mode == "names" ? "{" : "["
            for (name in ENVIRON) {
                if (name == "_" || name == "SLURM_JWT")
                    continue
                printf "%s%s", comma, \
                    mode == "names" ? text(name) ":" text(ENVIRON[name]) : text(name "=" ENVIRON[name])
                comma = ",\n"
            }
            print mode == "names" ? "}" : "]"
        }' | send "$@"
    ;;
user)
    printf '%s\036' "$argosy_user"
    send "$@"
    ;;
*) send "$@" ;;
esac
"""

_CURL = ("-q", "-sS", "-g", "--noproxy", "*", "--connect-timeout", "20", "--write-out", f"{END}%{{http_code}}{END}")
# Without "Expect:" curl would wait for leave to send what is long.
_JSON = ("-H", "Content-Type: application/json", "-H", "Expect:")


def ask(server: Server, urls: Sequence[str], *, tell_user: bool = False) -> Command:
    """Read these addresses one after another. `tell_user`: print first who asks, ended by `END`."""
    return query(*_words(server, "user" if tell_user else ""), *_CURL, *server.where, *urls)


def act(server: Server, method: str, urls: Sequence[str], body: str | None = None) -> Command:
    """Send a request, the same to each of these addresses."""
    data = () if body is None else (*_JSON, "--data-binary", body)
    return query(*_words(server, ""), *_CURL, "-X", method, *data, *server.where, *urls)


def send(server: Server, url: str, document: str) -> Command:
    """Send a document, the environment of whoever sends it being put in where it has its first `ENVIRONMENT`."""
    mode = "names" if server.number < 39 else "pairs"
    words = _words(server, mode)
    return submission(*words, *_CURL, *_JSON, "--data-binary", "@-", *server.where, url, stdin=document)


def _words(server: Server, mode: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", _SCRIPT, "slurmrestd", server.token_file, server.user, mode)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request. `status` is HTTP's, 0 where there was none; `document` is empty for other than JSON.

    `words` are what it has to say against the request, `codes` Slurm's numbers of these errors.
    """

    status: int
    document: dict[str, Any]
    words: str
    codes: frozenset[int]

    @property
    def reached(self) -> bool:
        """Whether slurmrestd answered, and knew who asked."""
        return self.status not in (0, 401, 403)

    def failed(self, *absent: int) -> bool:
        """Whether it is an error, other than one of the codes that say that there is no such job."""
        return (self.status >= 400 or not self.reached or bool(self.words)) and not self.codes & {*absent}

    def rows(self, name: str) -> list[Any]:
        """The list of that name."""
        rows = self.document.get(name)
        return rows if isinstance(rows, list) else []


def answers(done: Completed) -> list[Answer]:
    """The answers that a command printed, in the order of its addresses."""
    parts = done.stdout.split(END)
    return [_answer(body, status, done) for body, status in zip(parts[0::2], parts[1::2], strict=False)]


def whole(done: Completed, *absent: int) -> list[Answer]:
    """The answers, those of which failed that did. Raises Unavailable where nobody answered, or none did not fail.

    `absent` are the codes by which no such job is told.
    """
    found = answers(done)
    failed = [answer for answer in found if answer.failed(*absent)]
    bad = next((one for one in failed if not one.reached or away(one.words)), failed[0] if failed else None)
    if not found or (bad is not None and (not bad.reached or away(bad.words) or len(failed) == len(found))):
        raise Unavailable(bad.words if bad is not None else done.words)
    return found


def told_user(done: Completed) -> tuple[str, Completed]:
    """Who asked, and the rest of what was printed."""
    user, _, rest = done.stdout.partition(END)
    return user, Completed(done.argv, done.returncode, rest, done.stderr)


def _answer(body: str, status: str, done: Completed) -> Answer:
    number = int(status) if status.isdecimal() else 0
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        said = body.strip() or done.stderr.strip() or f"slurmrestd answered with the HTTP status {status}"
        return Answer(number, {}, f"HTTP {number}: {said}" if number else said, frozenset())
    errors = [error for error in document.get("errors") or () if isinstance(error, dict)]
    codes = {code for error in errors if isinstance(code := error.get("error_number", error.get("error_code")), int)}
    said = "; ".join(words for error in errors if (words := _said(error)))
    return Answer(number, document, said, frozenset(codes))


def _said(error: dict[str, Any]) -> str:
    parts = (error.get("error"), error.get("description"))
    return ": ".join(dict.fromkeys(part for part in parts if isinstance(part, str) and part))
