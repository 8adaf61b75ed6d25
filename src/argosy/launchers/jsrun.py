"""The launcher `jsrun`, IBM's starter beside Spectrum LSF (jsrun(1)); PSI/J knows it as ``jrun`` too."""

from __future__ import annotations

from typing import ClassVar

from argosy.model import JobSpec
from argosy.model.shell import join

from .contract import Launcher
from .options import Style, extra_options
from .words import as_operands

_OWN = frozenset(
    {
        *("n", "nrs", "p", "np", "r", "rs_per_host", "a", "tasks_per_rs", "c", "cpu_per_rs", "g", "gpu_per_rs"),
        *("f", "appfile", "U", "erf_input", "i", "immediate", "h", "chdir"),
        *("o", "stdio_stdout", "k", "stdio_stderr", "t", "stdio_input", "stdio_mode"),
        *("help", "version", "V"),
    }
)


class Jsrun(Launcher):
    """Starts each process in a resource set of its own, with the cores and GPUs that one process is to have.

    Without an option jsrun binds a process to one core, however many its set has; where cores are asked for, it is
    bound to all of them (``-b rs``) unless ``jsrun.bind`` or ``jsrun.b`` says otherwise.
    """

    name: ClassVar[str] = "jsrun"

    def render(self, command: str, spec: JobSpec) -> str:
        operands = as_operands(self.name, command, spec)
        resources = spec.effective_resources
        options = [
            *("-n", str(resources.computed_process_count), "-a", "1"),
            *("-c", str(resources.cpu_cores_per_process or 1), "-g", str(resources.gpu_cores_per_process or 0)),
        ]
        if resources.node_count or resources.processes_per_node:
            options += ["-r", str(resources.computed_processes_per_node)]
        given = spec.attributes.of_system(self.name)
        if resources.cpu_cores_per_process and not {"b", "bind"} & given.keys():
            options += ["-b", "rs"]
        options += extra_options(self.name, spec, style=Style.JOINED, own=_OWN)
        return f"export PATH\nexec jsrun {join(options)} {operands}"
