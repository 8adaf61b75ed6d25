"""The environment in which LSF's commands are run, so that they answer alike whoever runs them."""

from __future__ import annotations

from argosy.model import Command

# What would change the columns, leave jobs out, or let a command wait for a long time by itself.
_QUERY: dict[str, str | None] = {
    "LC_ALL": "C.UTF-8",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    # Where it is listened to, times have their year.
    "LSB_DISPLAY_YEAR": "Y",
    **dict.fromkeys(
        (
            *("LSB_BJOBS_FORMAT", "LSB_BQUEUES_FORMAT", "LSB_BHOSTS_FORMAT", "LSF_LSHOSTS_FORMAT"),
            *("LSB_SHORT_HOSTLIST", "LSB_BJOBS_CONSISTENT_EXIT_CODE", "LSB_BJOBS_PENDREASON_LEVEL"),
        )
    ),
}

# What bsub would add to what the script says, or leave away from its answer; and what an enclosing job has left.
_SUBMIT: dict[str, str | None] = {
    # A limit on waiting jobs is told at once, and not waited out for minutes. The script takes it out again.
    "LSB_NTRIES": "1",
    **dict.fromkeys(
        (
            *("BSUB_QUIET", "BSUB_QUIET2", "BSUB_CHK_RESREQ", "BSUB_STDERR", "LSB_DEFAULTQUEUE", "LSB_DEFAULTPROJECT"),
            *("LSB_DEFAULTGROUP", "LSB_DEFAULT_JOBGROUP", "LSB_DEFAULT_USERGROUP", "LSB_JOBINDEX", "LSB_JOBID"),
            *("LSB_JOBINDEX_END", "LSB_JOBINDEX_STEP", "LSB_HOSTS", "LSB_MCPU_HOSTS", "LSB_DJOB_HOSTFILE"),
            *("LSB_DJOB_RANKFILE", "LSB_DJOB_NUMPROC", "LSB_JOBFILENAME", "LSB_CHKFILENAME", "LSB_RESTART"),
        )
    ),
}


def query(*argv: str) -> Command:
    """A command that asks, or acts on jobs."""
    return Command(argv, environment=_QUERY)


def submission(*argv: str, stdin: str) -> Command:
    """A command that submits. The environment goes on into the job."""
    return Command(argv, stdin=stdin, environment=_SUBMIT)
