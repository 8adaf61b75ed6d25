"""The command as it is handed to launchers that are programs with a command line of their own."""

from __future__ import annotations

from argosy.model import InvalidJobException, JobSpec
from argosy.model.shell import quote


def as_operands(launcher: str, command: str, spec: JobSpec) -> str:
    """The command's words, to stand at the end of a launcher's command line.

    Raises InvalidJobException for an executable that the launcher would take for one of its options.
    """
    if (spec.executable or "").startswith("-"):
        raise InvalidJobException(
            f"{launcher} would take the executable {spec.executable!r} for an option; give its path",
            element="executable",
        )
    if ":" in (spec.arguments or ()):
        # A lone colon separates programs there, so it is wrapped up in one word.
        return f"/bin/sh -c {quote('exec ' + command)}"
    return command
