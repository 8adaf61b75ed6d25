"""Submit scripts from templates (Mustache, by the package pystache, which Argosy does not bring along)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from argosy.executors.executor import JobExecutorConfig
from argosy.executors.job import Job

from .escape_functions import bash_escape


class SubmitScriptGenerator(ABC):
    """Writes the submit script of a job."""

    def __init__(self, config: JobExecutorConfig) -> None:
        self.config = config

    @abstractmethod
    def generate_submit_script(self, job: Job, context: dict[str, object], out: IO[str]) -> None:
        """Write the script of `job` to `out`; `context` is what `BatchSchedulerExecutor` says of it."""


class TemplatedScriptGenerator(SubmitScriptGenerator):
    """Renders the template in the file `template_path`; `escape` is applied to each value.

    Raises ImportError where pystache is not installed.
    """

    def __init__(
        self, config: JobExecutorConfig, template_path: Path, escape: Callable[[object], str] = bash_escape
    ) -> None:
        super().__init__(config)
        try:
            import pystache  # type: ignore[import-untyped]  # it has no types
        except ImportError as error:
            raise ImportError("templates of submit scripts need the package pystache: pip install pystache") from error
        self.template: Any = pystache.parse(Path(template_path).read_text(encoding="utf-8"))
        self.renderer: Any = pystache.Renderer(escape=escape)

    def generate_submit_script(self, job: Job, context: dict[str, object], out: IO[str]) -> None:
        """See `SubmitScriptGenerator.generate_submit_script`."""
        del job
        out.write(self.renderer.render(self.template, context))
