"""The environment in which Flux's commands are run, so that they answer alike whoever runs them."""

from __future__ import annotations

from argosy.model import Command

_QUERY: dict[str, str | None] = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    **dict.fromkeys(
        ("FLUX_JOBS_FORMAT_DEFAULT", "FLUX_QUEUE_LIST_FORMAT_DEFAULT", "FLUX_RESOURCE_LIST_FORMAT_DEFAULT")
    ),
}
# What an enclosing job has left: the new one has its own.
_SUBMIT: dict[str, str | None] = dict.fromkeys(
    (
        *("FLUX_JOB_ID", "FLUX_JOB_CC", "FLUX_JOB_ID_PATH", "FLUX_JOB_NNODES", "FLUX_JOB_SIZE", "FLUX_JOB_TMPDIR"),
        *("FLUX_TASK_RANK", "FLUX_TASK_LOCAL_ID", "FLUX_SUBMIT_FORMAT_DEFAULT"),
    )
)


def query(*argv: str) -> Command:
    """A command that asks, or acts on jobs."""
    return Command(argv, environment=_QUERY)


def submission(*argv: str, stdin: str) -> Command:
    """A command that submits. The environment goes on into the job."""
    return Command(argv, stdin=stdin, environment=_SUBMIT)
