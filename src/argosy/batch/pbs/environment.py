"""The environment in which the commands of PBS and Torque are run, so that they answer alike whoever runs them."""

from __future__ import annotations

from argosy.model import Command

#: Which group of jobs it belongs to is told to the batch system by this variable of the job.
TAG = "ARGOSY_TAG"

# Times without their zone are UTC's, messages in English with names in UTF-8.
_QUERY: dict[str, str | None] = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}

# What would change how the script's directives are read, and what an enclosing job would leave in the new one.
# Variables are removed only: the environment goes on into the job.
_SUBMIT: dict[str, str | None] = dict.fromkeys(
    (
        *("PBS_DPREFIX", TAG, "ARGOSY_JOB_TAG", "ARGOSY_NATIVE_ID", "PSIJ_NODEFILE"),
        *("PBS_ARRAYID", "PBS_ARRAY_ID", "PBS_ARRAY_INDEX", "PBS_ENVIRONMENT", "PBS_JOBCOOKIE", "PBS_JOBDIR"),
        *("PBS_JOBID", "PBS_JOBNAME", "PBS_MOMPORT", "PBS_NODEFILE", "PBS_NODENUM", "PBS_QUEUE", "PBS_TASKNUM"),
        *("PBS_O_WORKDIR", "PBS_O_QUEUE", "NCPUS", "OMP_NUM_THREADS"),
    )
)


def query(*argv: str, stdin: str = "") -> Command:
    """A command that asks, or acts on jobs."""
    return Command(argv, stdin=stdin, environment=_QUERY)


def submission(*argv: str, stdin: str) -> Command:
    """A command that submits."""
    return Command(argv, stdin=stdin, environment=_SUBMIT)
