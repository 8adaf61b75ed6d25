"""A description as a script for Slurm, and what such a script cannot say of it."""

from __future__ import annotations

import posixpath
import re

from msgspec import Struct

from argosy.batch.contract import Submission
from argosy.batch.script import command_text
from argosy.batch.slurm.directives import Option, options
from argosy.launchers import get_launcher
from argosy.model import ActivityDescription
from argosy.model.shell import expand, quote

from .. import native
from ..contract import Note, Written
from ..native import Description, Resources

#: What directives, or the commands of the script, say of a job; or what is told of by itself.
_SAID = frozenset(
    [
        "executable",
        "arguments",
        "name",
        "directory",
        "environment",
        "inherit_environment",
        "stdin",
        "stdout",
        "stderr",
        "launcher",
        "resources",
        "duration",
        "account",
        "reservation",
        "custom",
        "share",
        "inputs",
        "outputs",
        "rerunnable",
        "held",
        "optional",
    ]
)
_SAID_OF_RESOURCES = frozenset(
    ["nodes", "processes", "processes_per_node", "cores_per_process", "gpus_per_process", "memory", "exclusive"]
)
_MIB = 1 << 20
_DIRECTIVE = re.compile(r"#SBATCH[ \t]")


def write(description: Description) -> Written:
    """The script. Raises InvalidInput for what Slurm cannot be asked."""
    model = native.to_model(description)
    spec = model.spec
    lost = _lost(description, model)
    found = [option for option in options(Submission("x", spec, "")) if option.name not in ("requeue", "no-requeue")]
    if spec.given_name is None:
        found = [option for option in found if option.name != "job-name"]
    if model.rerunnable:
        found.append(Option("requeue", None, "rerunnable"))
    if model.held:
        found.append(Option("hold", None, "held"))
    if not spec.inherit_environment:
        found.append(Option("export", "NONE", "inherit_environment"))
    if spec.directory is not None and not str(spec.directory).startswith("~"):
        found.append(Option("chdir", str(spec.directory), "directory"))
    for name, path, element in (
        ("output", description.stdout, "stdout"),
        ("error", description.stderr, "stderr"),
        ("input", description.stdin, "stdin"),
    ):
        if path is not None:
            found.append(Option(name, path.replace("%", "%%"), element))
    own = _own_script(description)
    lines = [option.line for option in found]
    first = "#!/bin/bash"  # launchers write for it
    body: list[str] = []
    if own is not None:
        first, *rest = own.split("\n")
        body = [line for line in rest if not _DIRECTIVE.match(line)]
        return Written("\n".join([first, *lines, *_variables(description), *body]).encode(), lost)
    if spec.directory is not None and str(spec.directory).startswith("~"):
        rest_of_path = str(spec.directory)[1:].removeprefix("/")
        body.append(f'cd -- "$HOME"/{quote(rest_of_path)} || exit' if rest_of_path else "cd || exit")
    body += _variables(description)
    launcher = get_launcher(spec.launcher or "single")
    body.append(launcher.render(command_text(spec), spec))
    return Written("\n".join([first, *lines, *body, ""]).encode(), lost)


def _variables(description: Description) -> list[str]:
    return [f"export {name}={expand(value)}" for name, value in description.environment.items()]


def _own_script(description: Description) -> str | None:
    """The script that is what runs, where that came along with the description."""
    if description.arguments or description.launcher not in (None, "single"):
        return None
    for file in description.inputs:
        if "/" in description.executable and posixpath.normpath(description.executable) == file.path:
            return file.content if file.content is not None and file.content.startswith("#!") else None
    return None


def _unsaid(of: Struct, said: frozenset[str]) -> list[str]:
    """The fields that are given and that nothing in a script says, whatever fields there come to be."""
    usual = type(of)(**({"executable": "-"} if isinstance(of, Description) else {}))
    return [name for name in of.__struct_fields__ if name not in said and getattr(of, name) != getattr(usual, name)]


def _lost(description: Description, model: ActivityDescription) -> list[Note]:
    own = _own_script(description)
    found = []
    resource = (model.share or "").partition("/")[0]
    if resource not in ("", "slurm"):
        found.append(Note("share", f"the resource {resource} is not named in a script"))
    for index, file in enumerate(description.inputs):
        if own is None or posixpath.normpath(description.executable) != file.path:
            found.append(Note(f"inputs[{index}]", "a script brings no files along"))
    for index, _ in enumerate(description.outputs):
        found.append(Note(f"outputs[{index}]", "a script does not say which files it leaves"))
    found += [Note(name, "a script has no place for it") for name in _unsaid(description, _SAID)]
    needs = description.resources or Resources()
    found += [Note(f"resources.{name}", "a script has no word for it") for name in _unsaid(needs, _SAID_OF_RESOURCES)]
    if needs.memory is not None and needs.memory % (_MIB * (needs.nodes or 1)):
        found.append(Note("resources.memory", "Slurm counts whole MiB on each node"))
    found += [
        Note(f"custom.{name}", "it is for another batch system")
        for name in description.custom
        if not name.startswith("slurm.")
    ]
    duration = model.spec.attributes.duration
    if duration is not None and duration.total_seconds() % 60:
        found.append(Note("duration", "Slurm counts whole minutes"))
    return found
