"""Which kind of allocation this program is in, and the executor for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from argosy.executors.executor import JobExecutor, JobExecutorConfig

from .allocation import NoAllocation
from .executor import NestedJobExecutor, Starter
from .machine import ThisMachine
from .slurm import SlurmSteps

#: What may be asked for by url, the kind that is looked for first coming first.
KINDS = ("flux", "slurm", "local")


def nested_executor(url: str | None = None, config: JobExecutorConfig | None = None) -> JobExecutor:
    """The executor for the allocation that this program is in.

    Flux where ``FLUX_URI`` is set, then Slurm where ``SLURM_JOB_ID`` is, otherwise this machine's own CPU cores. `url`
    chooses: ``flux:``, ``slurm:`` or ``local:``. Raises ValueError where what it names is not there.
    """
    kind = _kind(url, os.environ)
    if kind == "flux":
        return _flux(config)
    starter: Starter
    try:
        starter = SlurmSteps(dict(os.environ)) if kind == "slurm" else ThisMachine(dict(os.environ))
    except NoAllocation as error:
        raise ValueError(f"this program is not in a Slurm job that takes jobs of its own: {error}") from error
    return NestedJobExecutor(starter, url, config)


def _kind(url: str | None, environ: Mapping[str, str]) -> str:
    if url is not None:
        kind = url.removesuffix("//").removesuffix(":").lower()
        if kind not in KINDS:
            raise ValueError(f"the nested executor's url is one of flux:, slurm: and local:, not {url!r}")
        return kind
    if environ.get("FLUX_URI") and shutil.which("flux"):
        return "flux"
    return "slurm" if environ.get("SLURM_JOB_ID") else "local"


def _flux(config: JobExecutorConfig | None) -> JobExecutor:
    """Flux is a batch system of its own inside the allocation: its executor is the one for this."""
    if not os.environ.get("FLUX_URI"):
        raise ValueError("this program is not in a Flux instance: FLUX_URI is not set")
    return JobExecutor.get_instance("flux", config=config)
