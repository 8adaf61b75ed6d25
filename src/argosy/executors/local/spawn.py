"""From a job specification to a process: what to run, with which environment, where its streams go.

A job without launcher and scripts is started directly, with no shell between; otherwise a shell runs the text of
`shell_text`. Those that stage are not for here, but for `staged`. `start` and `reap` are those of `child`, for whoever
needs no reaper.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from argosy.batch.script import command_text
from argosy.executors.contract import Preparation
from argosy.launchers.registry import get_launcher
from argosy.model import JobSpec, Usage
from argosy.model.shell import quote, substitute

from .child import Ended, NotStarted, Prepared, Started, reap, start
from .nodes import node_file

__all__ = [
    "TAG_VARIABLE",
    "Ended",
    "NotStarted",
    "Prepared",
    "Started",
    "prepare",
    "reap",
    "shell_text",
    "start",
    "usage",
]

#: The environment variable that marks a job's processes.
TAG_VARIABLE = "ARGOSY_JOB_TAG"
#: The one that names the file with the hosts of a job's processes (PSI/J).
NODE_FILE_VARIABLE = "PSIJ_NODEFILE"

# bash, because what sites put into the environment (`module`) is made of its functions, which other shells drop.
_SHELL = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"

# What goes wrong around the application goes to a note. That a script has ended the shell is noted before it runs.
_NOTING = r"""
argosy_begin() {
    printf '%s\n' "0 $1" >|"$argosy_note" || exit 125
}
argosy_refuse() {
    argosy_begin "$1"
    printf 'argosy: %s\n' "$1" >&2
    exit 125
}
argosy_tell() {
    if [ -s "$argosy_note" ]; then
        printf '; %s' "$1" >>"$argosy_note"
    else
        printf '1 %s' "$1" >|"$argosy_note"
    fi
}
"""
_PREPARE = """
argosy_unprepared() { argosy_refuse "$1"; }
argosy_begin 'what prepares the job ended its shell'
"""
_PRE_LAUNCH = r"""
argosy_begin 'pre_launch ended the script'
. SCRIPT
argosy_status=$?
set +efuvx +C
[ "$argosy_status" = 0 ] || argosy_refuse "pre_launch failed with exit status $argosy_status"
"""
# Not `(. SCRIPT) || ...`: to the left of `||` a `set -e` of the script has no effect.
_TELL_AFTER = """argosy_ended=$?
[ "$argosy_ended" = 0 ] || argosy_tell "post_launch failed with exit status $argosy_ended\""""


def is_plain(spec: JobSpec, preparation: Preparation | None) -> bool:
    """Whether the executable is started as it is, with no shell between."""
    if preparation is not None or spec.launcher not in (None, "single"):
        return False
    return spec._pre_launch is None and spec._post_launch is None


def leaves_notes(spec: JobSpec) -> bool:
    """Whether there is more to tell of the end of this job than its exit status."""
    return spec._pre_launch is not None or spec._post_launch is not None


def prepare(
    spec: JobSpec,
    directory: str | None,
    environ: Mapping[str, str],
    tag: str,
    note: str = "",
    preparation: Preparation | None = None,
) -> Prepared:
    """What starts the job of this specification in `directory` (where None, in that which it names).

    `environ` is what it inherits where it does; the specification's own variables are set in their order, each seeing
    those before it. What the scripts and `preparation` have to tell is left in the file `note` (`notes`), which is
    needed where there are any. Raises InvalidJobException for a launcher that is not known.
    """
    inherited: Mapping[str, str] | None = environ if spec.inherit_environment else None
    changes: dict[str, str] = {}
    nodes = node_file(1 if spec.resources is None else spec.effective_resources.computed_process_count)
    if nodes is not None:
        changes[NODE_FILE_VARIABLE] = nodes
    if spec.environment:
        for name, value in spec.environment.items():
            changes[name] = substitute(value, {**environ, **changes}) if "${" in value else value
    changes[TAG_VARIABLE] = tag
    where = _path(spec._directory if directory is None else directory, environ)
    if is_plain(spec, preparation):
        arguments = spec.arguments or ()
        if any("${" in argument for argument in arguments):
            variables = {**(inherited or {}), **changes}
            arguments = [substitute(argument, variables) for argument in arguments]
        argv = (spec.executable or "", *arguments)
    else:
        argv = (_SHELL, "-c", shell_text(spec, environ, where, note, preparation), spec.name or "job")
    return Prepared(
        argv,
        where,
        inherited,
        changes,
        _path(spec._stdin_path, environ),
        _path(spec._stdout_path, environ),
        _path(spec._stderr_path, environ),
    )


def shell_text(
    spec: JobSpec,
    environ: Mapping[str, str],
    directory: str | None,
    note: str,
    preparation: Preparation | None = None,
) -> str:
    """The shell text of a job that needs one: `pre_launch`, what its launcher writes, `post_launch`, and around these
    what prepares it.

    Scripts whose paths are relative are looked for in `directory`, wherever one of them goes. The text ends with the
    exit status of what was launched. Where a `pre_launch` cannot be read, or fails, nothing is launched.
    """
    lines: list[str] = []
    before = _path(spec._pre_launch, environ)
    after = _path(spec._post_launch, environ)
    if preparation is not None or before is not None or after is not None:
        lines += [f"argosy_note={quote(note)}", _NOTING]
    if preparation is not None:
        lines += [_PREPARE, preparation.before]
        if directory is not None:
            lines.append(f"cd {quote(directory)} || exit 125")
    if before is not None:
        lines.append(_PRE_LAUNCH.replace("SCRIPT", quote(_dotted(before, directory))))
    if preparation is not None or before is not None:
        lines.append(': >|"$argosy_note"')
    # In a subshell: what the launcher writes may end with `exit`.
    lines.append("(\n" + get_launcher(spec.launcher or "single").render(command_text(spec), spec) + "\n)")
    # In subshells too: whatever they do, the status is that of what was launched.
    later = []
    if after is not None:
        script = quote(_dotted(after, directory))
        later.append(f"(. {script})\n{_TELL_AFTER}")
    if preparation is not None and preparation.after:
        later.append(f'(\nargosy_unprepared() {{ argosy_tell "$1"; }}\n{preparation.after}\n)')
    if later:
        lines += ["argosy_status=$?", *later, 'exit "$argosy_status"']
    return "\n".join(lines)


def usage(ended: Ended, wall_seconds: float | None) -> Usage:
    """What a process used."""
    return Usage(cpu_seconds=ended.cpu_seconds, wall_seconds=wall_seconds, max_rss=ended.max_rss)


def _dotted(path: str, directory: str | None) -> str:
    # `.` looks a name without a slash up on PATH.
    return os.path.join("." if directory is None else directory, path)


def _path(value: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> str | None:
    if value is None:
        return None
    path = os.fspath(value)
    if path == "~" or path.startswith("~/"):
        home = environ.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir
        return home + path[1:]
    return path
