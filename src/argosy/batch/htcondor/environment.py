"""The environment in which HTCondor's commands are run, so that they answer alike whoever runs them."""

from __future__ import annotations

from argosy.model import Command

_QUERY: dict[str, str | None] = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    # Settings of HTCondor's own that only colour or shorten what people read.
    **dict.fromkeys(("_CONDOR_CONDOR_Q_ONLY_MY_JOBS", "_CONDOR_CONDOR_Q_DASH_BATCH_IS_DEFAULT")),
}
# What an enclosing job has left.
_SUBMIT: dict[str, str | None] = dict.fromkeys(
    (
        *("_CONDOR_JOB_AD", "_CONDOR_MACHINE_AD", "_CONDOR_SCRATCH_DIR", "_CONDOR_SLOT", "_CONDOR_JOB_PIDS"),
        *("_CONDOR_CHIRP_CONFIG", "_CONDOR_JOB_IWD", "ARGOSY_CONDOR_ID", "ARGOSY_CONDOR_INDEX"),
    )
)


def query(*argv: str) -> Command:
    """A command that asks, or acts on jobs."""
    return Command(argv, environment=_QUERY)


def submission(*argv: str, stdin: str) -> Command:
    """A command that submits. The environment goes on into the job."""
    return Command(argv, stdin=stdin, environment=_SUBMIT)
