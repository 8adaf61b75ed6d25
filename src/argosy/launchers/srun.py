"""The launcher `srun`: Slurm's own starter, inside a Slurm allocation."""

from __future__ import annotations

from typing import ClassVar

from argosy.model import JobSpec
from argosy.model.shell import join

from .contract import Launcher
from .options import Style, extra_options
from .words import as_operands

_OWN = frozenset(
    {
        *("n", "ntasks", "N", "nodes", "ntasks-per-node", "c", "cpus-per-task", "export", "export-file"),
        *("i", "input", "o", "output", "e", "error", "pty", "D", "chdir", "M", "clusters", "jobid", "multi-prog"),
        *("h", "help", "usage", "V", "version", "test-only"),
    }
)


def step_options(spec: JobSpec) -> list[str]:
    """The options that a job gives srun (``srun.OPTION``), not yet quoted. Raises InvalidJobException."""
    return extra_options(Srun.name, spec, style=Style.JOINED, own=_OWN)


class Srun(Launcher):
    """Starts the processes as one step of the Slurm job.

    The whole environment goes to every rank (``--export=ALL``), and PATH, by which they are found, whatever
    ``inherit_environment`` says. srun sends standard input to every rank unless told otherwise; here it
    reaches rank 0 alone, as with mpirun.
    """

    name: ClassVar[str] = "srun"

    def render(self, command: str, spec: JobSpec) -> str:
        operands = as_operands(self.name, command, spec)
        resources = spec.effective_resources
        options = ["--export=ALL", "--input=0", "-n", str(resources.computed_process_count)]
        if resources.node_count or resources.processes_per_node:
            options += ["-N", str(resources.computed_node_count)]
        if resources.processes_per_node:
            options.append(f"--ntasks-per-node={resources.processes_per_node}")
        if resources.cpu_cores_per_process:
            # Since Slurm 22.05 a step does not take this over from its job.
            options.append(f"--cpus-per-task={resources.cpu_cores_per_process}")
        return f"export PATH\nexec srun {join(options + step_options(spec))} -- {operands}"
