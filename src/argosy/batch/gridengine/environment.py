"""How Grid Engine's commands are run, so that they answer alike whoever runs them.

Some questions take two commands, the second about what the first has shown. They are one `Command`, a POSIX shell with
a fixed text; what changes comes as arguments, and is only ever an id of digits and dots.
"""

from __future__ import annotations

import re

from argosy.model import Command

#: A job, or one task of an array: ``7``, ``7.1``.
ID = re.compile(r"[1-9][0-9]{0,17}(?:\.[1-9][0-9]{0,17})?\Z", re.ASCII)

# Messages in English, times in UTC (they are printed without their zone), columns as they come.
_QUERY: dict[str, str | None] = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "SGE_SINGLE_LINE": None,
    "SGE_LONG_QNAMES": None,
    "SGE_LONG_JOB_NAMES": None,
    "SGE_CLUSTER_NAME": None,
    "SGE_DEBUG_LEVEL": None,
    "SGE_ENABLE_COREDUMP": None,
}

# What an enclosing job of Grid Engine has, and would go on with the environment into the new one.
_LEFT_OVER = """
JOB_ID JOB_NAME JOB_SCRIPT NHOSTS NQUEUES NSLOTS PE PE_HOSTFILE QUEUE REQNAME REQUEST RESTARTED ENVIRONMENT ARC
SGE_TASK_ID SGE_TASK_FIRST SGE_TASK_LAST SGE_TASK_STEPSIZE SGE_ACCOUNT SGE_BINARY_PATH SGE_CKPT_DIR SGE_CKPT_ENV
SGE_CWD_PATH SGE_JOB_SPOOL_DIR SGE_RSH_COMMAND SGE_STDIN_PATH SGE_STDOUT_PATH SGE_STDERR_PATH SGE_BINDING
SGE_DEBUG_LEVEL
"""
_SUBMIT: dict[str, str | None] = dict.fromkeys(_LEFT_OVER.split())


def query(*argv: str) -> Command:
    """A command that asks, or acts on jobs."""
    return Command(argv, environment=_QUERY)


def shell(text: str, name: str, *arguments: str) -> Command:
    """A fixed shell text that asks; `name` is for parsers to know the answer by."""
    return query("/bin/sh", "-c", text, name, *arguments)


def submission(*argv: str, stdin: str) -> Command:
    """A command that submits. Its environment goes on into the job, and is changed by removal only."""
    return Command(argv, stdin=stdin, environment=_SUBMIT)


def base_id(native_id: str) -> str:
    """The id of the array that this is a task of, or its own."""
    return native_id.partition(".")[0]
