"""The executors, under psij-python's names."""

from importlib import import_module

_WHERE = {
    "CobaltJobExecutor": ".batch.cobalt",
    "LocalJobExecutor": ".local",
    "LsfJobExecutor": ".batch.lsf",
    "SlurmJobExecutor": ".batch.slurm",
}

__all__ = ["CobaltJobExecutor", "LocalJobExecutor", "LsfJobExecutor", "SlurmJobExecutor"]  # see below


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name], "argosy.psij.executors"), name)
