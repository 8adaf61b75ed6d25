"""The executors, under psij-python's names."""

from argosy._later import later

_WHERE = {
    "CobaltJobExecutor": ".batch.cobalt",
    "LocalJobExecutor": ".local",
    "LsfJobExecutor": ".batch.lsf",
    "SlurmJobExecutor": ".batch.slurm",
}

__all__ = ["CobaltJobExecutor", "LocalJobExecutor", "LsfJobExecutor", "SlurmJobExecutor"]

__getattr__ = later(__name__, _WHERE)
