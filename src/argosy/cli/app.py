"""The command's tree. Each command's module is imported only when it is used."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from .exits import OK, PIPE_CLOSED, USAGE, exit_code_of, report, words
from .groups import Group

#: Commands by section: name, where it is, and what it does in a line.
_SECTIONS: dict[str, list[tuple[str, str, str]]] = {
    "Run jobs": [
        ("run", "run:run", "Run a command somewhere, as if it ran here."),
        ("submit", "submit:submit", "Submit a job and print its id."),
        ("convert", "convert:convert", "Print a description in another language."),
        ("start", "manage:start", "Start jobs that were submitted held."),
        ("hold", "change:hold", "Keep jobs from running."),
        ("release", "change:release", "Let jobs go that are held."),
        ("suspend", "change:suspend", "Stop jobs where they are."),
        ("resume", "change:resume", "Let suspended jobs go on."),
        ("wait", "manage:wait", "Wait until jobs have ended."),
        ("cancel", "manage:cancel", "End jobs."),
        ("restart", "manage:restart", "Let failed jobs go on from where they failed."),
        ("sweep", "sweeps:sweep", "Watch and end sweeps: many jobs of one request."),
        ("purge", "manage:purge", "Remove jobs that have ended, with their files."),
    ],
    "See what became of them": [
        ("list", "look:list_", "List your jobs, newest first."),
        ("status", "look:status", "Show jobs in detail."),
        ("logs", "look:logs", "Show what a job has written."),
        ("events", "look:events", "Show what has happened to a job."),
        ("transfers", "transfers:transfers", "Show what is being moved for a job, and how fast."),
        ("usage", "usage:usage", "Show what jobs have used."),
        ("files", "files:files", "List, fetch and upload a job's files."),
    ],
    "The service": [
        ("shares", "service:shares", "Show where jobs may go."),
        ("info", "information:info", "Show what the service is, in GLUE 2."),
        ("environments", "environments:environments", "Show the software that jobs can ask for."),
        ("serve", "service:serve", "Start the service."),
        ("stop", "service:stop", "Stop the service."),
        ("notifications", "notifications:notifications", "Have URLs told what happens to jobs."),
        ("credential", "credentials:credential", "Let the service act for you elsewhere."),
        ("admin", "admin:admin", "For those who run the service: drain it, see what it does."),
        ("token", "tokens:token", "Make, list and revoke API tokens."),
        ("version", "service:version", "Show versions."),
    ],
}
_COMMANDS = {name: (place, help) for section in _SECTIONS.values() for name, place, help in section}

_HELP = """Run a job on any computing resource, and know what became of it.

\b
Examples:
  argosy serve --detach                   start the service on this machine
  argosy run -- hostname                  run a command, see its output
  argosy run --to slurm/debug -n 4 -i in.dat -o out.dat -- simulate in.dat
  argosy submit --name nightly -i nightly.sh -- ./nightly.sh
  argosy list --state running

A job is named by its id, by the beginning or end of it where no other of your newest jobs has the same,
or as @last, the newest one. With --json commands print JSON, one document a line.
"""

_EPILOG = """\b
Exit codes: 0 done; 1 failed or refused; 2 wrong usage; 3 no service can be reached; 4 no such job or file;
5 time is up; 125 the job did not run to its end; 130 interrupted; 141 nobody reads the output any more.
`argosy run` exits with the job's own code.

\b
Environment: ARGOSY_HOME is the service's private directory (default ~/.local/share/argosy);
ARGOSY_URL with ARGOSY_TOKEN_FILE (or ARGOSY_CERTIFICATE, a proxy) names a service elsewhere,
ARGOSY_CA_FILE its CA.

\b
Completion in bash: eval "$(_ARGOSY_COMPLETE=bash_source argosy)"; zsh_source and fish_source for those.
"""


@contextmanager
def _silent() -> Iterator[None]:
    """Where nobody reads what is written (`| head`), the command ends without a word, as others do."""
    try:
        yield
    except BrokenPipeError:
        # The interpreter flushes them once more at its end, and would complain.
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise click.exceptions.Exit(PIPE_CLOSED) from None


class _Commands(Group):
    """The commands by section, without importing them for their help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"{__package__}.{module}"), attribute)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        with _silent():
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the options; --help is among them, and writes."""
        with _silent():
            return super().make_context(info_name, args, parent, **extra)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, commands in _SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name, help) for name, _, help in commands])


cli = _Commands(
    "argosy",
    help=_HELP,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments and return its exit code. Expected errors are one line on stderr."""
    _open_streams()
    try:
        result = cli.main(
            args=None if arguments is None else list(arguments), prog_name="argosy", standalone_mode=False
        )
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        report(error.format_message())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        report("interrupted")
        return 130
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        report(words(error), element=getattr(error, "element", None))
        return code
    return result if isinstance(result, int) else OK


def _open_streams() -> None:
    """What a caller has closed (`>&-`) counts as /dev/null. What the locale cannot show is a question mark in text.

    In UTF-8 there is only one such thing: names of files that are none, which come out as they are.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.open(os.devnull, os.O_RDWR), mode, closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        unicode = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if unicode else "replace")
