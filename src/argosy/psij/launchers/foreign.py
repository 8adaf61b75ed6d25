"""A launcher written for psij-python, for the jobs of Argosy's own executors."""

from __future__ import annotations

import copy

from argosy.executors.job import Job
from argosy.launchers.contract import Launcher as NativeLauncher
from argosy.model import InvalidJobException, JobSpec
from argosy.model.shell import join
from argosy.psij.job_launcher import Launcher


class ForeignLauncher(NativeLauncher):
    """Asks the other launcher for its command, and starts that.

    The launcher opens the job's streams itself; what it prints of its own is not kept, as it would stand among them.
    """

    def __init__(self, name: str) -> None:
        self.name = name  # type: ignore[misc]  # one class for all of them

    def render(self, command: str, spec: JobSpec) -> str:
        inner = copy.copy(spec)
        inner.launcher = None
        # The job script sources them, once and around the launcher.
        inner.pre_launch = inner.post_launch = None
        try:
            words = Launcher.get_instance(self.name).get_launch_command(Job(inner))
        except (ValueError, OSError) as error:
            raise InvalidJobException(f"the launcher {self.name!r}: {error}", error, element="launcher") from error
        own = [spec.executable or "", *(spec.arguments or ())]
        # `command` is the same words, with the variables in them replaced.
        replaced = words[-len(own) :] == own
        text = f"{join(words[: -len(own)])} {command}" if replaced else join(words)
        return f"{text} >/dev/null 2>&1"
