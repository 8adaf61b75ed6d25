"""What prepares runtime environments in the job: shell text around it, and a container that its command runs in.

The text is for bash and uses one function that whoever runs it defines, ``argosy_unprepared WORDS``: it tells the words
and ends the job, its application not run (afterwards: notes the words).
"""

from __future__ import annotations

from collections.abc import Sequence

from argosy.executors.contract import Preparation
from argosy.model import EnvironmentRequest, InvalidInput, JobSpec, RuntimeEnvironment
from argosy.model.shell import escape_references, quote

from .environments import values

#: The command that runs containers.
APPTAINER = "apptainer"

# What a command said goes to a file; where it failed its last line is told. $1 is its exit status, $2 what was being
# done.
_TRIED = r"""
argosy_say() {
    argosy_said=$(command -p mktemp) || argosy_said=/dev/null
}
argosy_tried() {
    set +efuvx
    argosy_words=
    if [ "$1" != 0 ]; then
        argosy_words="$2 failed with exit status $1: $(command -p tail -n 1 "$argosy_said")"
    else
        command -p cat "$argosy_said" >&2
    fi
    [ "$argosy_said" = /dev/null ] || command -p rm -f "$argosy_said"
    [ -z "$argosy_words" ] || argosy_unprepared "$argosy_words"
}
"""

# Where the shell has no `module`, as in a job it may not, it comes from where it is installed usually.
_MODULE = r"""
if ! type module >/dev/null 2>&1; then
    for argosy_init in "${LMOD_PKG-}/init/bash" "${MODULESHOME-}/init/bash" /etc/profile.d/modules.sh \
        /etc/profile.d/lmod.sh /usr/share/modules/init/bash /usr/share/lmod/lmod/init/bash; do
        [ -r "$argosy_init" ] && . "$argosy_init" >/dev/null 2>&1 && type module >/dev/null 2>&1 && break
    done
fi
"""


def preparation(chosen: Sequence[tuple[RuntimeEnvironment, EnvironmentRequest]]) -> Preparation:
    """The text before the user's own ``pre_launch``, in the order of the requests, and that after ``post_launch``, in
    the reverse order."""
    before, after = [_TRIED], [_TRIED]
    if any(environment.modules for environment, _ in chosen):
        before.append(_MODULE)
    for environment, request in chosen:
        before += _before(environment, request)
    for environment, request in reversed(chosen):
        if environment.script is not None:
            after += _exports(environment, request)
            after += _sourced(environment, "after")
    return Preparation("\n".join(before), "\n".join(after) if len(after) > 1 else "")


def contained(spec: JobSpec, session: str, environments: Sequence[RuntimeEnvironment]) -> JobSpec:
    """The specification with its command in the container, where one of the environments is one.

    The session directory and the job's directory are bound to the same paths within.
    """
    environment = next((one for one in environments if one.container is not None), None)
    if environment is None or environment.container is None:
        return spec
    directory = str(spec.directory)
    binds = list(dict.fromkeys((session, directory)))
    for path in binds:
        if ":" in path or "," in path:
            raise InvalidInput(f"{path!r} cannot be seen in a container: it has a colon or comma", element="directory")
    options = [word for path in binds if not path.startswith("~") for word in ("--bind", path)]
    words = ["exec", *options, "--pwd", directory, *environment.container_options, environment.container]
    command = [*words, spec.executable or ""]
    spec.arguments = [*map(escape_references, command), *(spec.arguments or ())]
    spec.executable = APPTAINER
    return spec


def _before(environment: RuntimeEnvironment, request: EnvironmentRequest) -> list[str]:
    lines = _exports(environment, request)
    if environment.modules:
        told = f"the environment {environment.id} needs the command module, which is not here"
        lines.append(f"type module >/dev/null 2>&1 || argosy_unprepared {quote(told)}")
    for module in environment.modules:
        doing = f"preparing the environment {environment.id}: module load {module}"
        lines += _try(f"module load {quote(module)}", doing)
    if environment.script is not None:
        lines += _sourced(environment, "before")
    if environment.container is not None:
        told = f"the environment {environment.id} needs {APPTAINER}, which is not installed here"
        lines.append(f"command -v {APPTAINER} >/dev/null 2>&1 || argosy_unprepared {quote(told)}")
        if environment.container.startswith("/"):
            told = f"the image of the environment {environment.id}, {environment.container}, cannot be read here"
            lines.append(f"[ -r {quote(environment.container)} ] || argosy_unprepared {quote(told)}")
    return lines


def _exports(environment: RuntimeEnvironment, request: EnvironmentRequest) -> list[str]:
    pairs = dict(environment.variables) | dict(values(environment, request))
    return [f"export {name}={quote(value)}" for name, value in pairs.items()]


def _sourced(environment: RuntimeEnvironment, stage: str) -> list[str]:
    doing = f"{'preparing' if stage == 'before' else 'putting away'} the environment {environment.id}: its script"
    return _try(f". {quote(environment.script or '')} {stage}", doing)


def _try(command: str, doing: str) -> list[str]:
    # Not within a function: what the command declares must be there for the application.
    return ["argosy_say", f'{command} >"$argosy_said" 2>&1 </dev/null', f'argosy_tried "$?" {quote(doing)}']
