"""Exit codes, and how an error is told: one line that says what to do."""

from __future__ import annotations

import click

OK = 0
FAILED = 1
USAGE = 2
NO_SERVICE = 3
NOT_FOUND = 4
TIMEOUT = 5
#: The job did not run to its end (as of the utilities `timeout`, `env` and `xargs`: the tool itself failed).
DID_NOT_RUN = 125
#: Nobody reads what is written any more: 128 and SIGPIPE, as shells have it of others.
PIPE_CLOSED = 141


def exit_code_of(error: Exception) -> int | None:
    """The exit code for an error that was to be expected; None for any other."""
    from argosy.client import ServiceUnreachable
    from argosy.model import ArgosyError, NotFound

    if isinstance(error, ServiceUnreachable):
        return NO_SERVICE
    if isinstance(error, NotFound):
        return NOT_FOUND
    if isinstance(error, TimeoutError):
        return TIMEOUT
    if isinstance(error, (ArgosyError, OSError)):
        return FAILED
    if isinstance(error, UnicodeEncodeError):
        return USAGE
    return None


def words(error: Exception) -> str:
    """What an error says; one of the operating system names its file first, and no number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, UnicodeEncodeError):
        what = error.object.encode(errors="surrogateescape")[:80]
        return f"{what!r} is no text in UTF-8; what describes a job has to be"
    return str(error)


def report(message: str, *, element: str | None = None) -> None:
    """Tell the user, on one line."""
    line = " ".join(message.split())
    click.echo(f"argosy: {line}" + (f" (at {element})" if element else ""), err=True)
