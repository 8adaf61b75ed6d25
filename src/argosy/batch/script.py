"""The body of a job script, the same for every batch system (bash 4.2 or later).

What it does, in this order: it finds which job it is; claims the run, so that no second copy ever runs the
application; writes a record of the start; lists the hosts in the file that ``PSIJ_NODEFILE`` names; enters the
directory; opens the streams; sets the environment; runs the text that prepares the job; sources ``pre_launch``; starts
the application; sources ``post_launch``; runs the text that puts away what was prepared; writes a record of the end,
and ends with the application's exit status. `argosy.batch.records` tells what the records say. Of a job that stages or
cleans up, files are brought in after the directory is entered, which is before the record of the start, and brought out
and removed after ``post_launch``; each of these has a record of its beginning.

Decided here:

- The claim is the file ``claims/TAG/owner``: native id, run and a nonce. It is linked from a file that is already
  written, so there is no instant at which a claim exists and its owner is not known, and a script that dies before
  leaves nothing claimed. Any later claimant runs nothing, leaves a ``duplicate`` record naming the owner and exits 0.
  A rerunnable job's later runs are let through where the owner is the same native id and ``claims/TAG/run.N`` could be
  made.
- Where the script cannot do its part (claim, directory, streams, ``pre_launch``) the application is not run, the record
  says why and the script ends with `records.NOT_RUN`. ``pre_launch`` has failed when its last exit status is not 0.
  A ``post_launch`` that fails is noted; the exit status stays the application's. The same holds of what is prepared and
  put away: its text is run by ``eval``, so that all it sets is there for the application.
- Where a file cannot be brought in the application is not run. Nothing is brought out of a job whose application was
  not run. Where a file cannot be brought out the others still are, nothing is removed, and a job whose application
  succeeded has failed: its record has exit code 0 and ``failed``, and the script ends with `records.NOT_STAGED_OUT`.
  What cannot be removed is noted. From the application's end on signals change nothing: it is KILL that ends the script
  while files are brought out, and a hidden file ``.argosy-*`` beside a target may be left.
- A job is taken for cancelled when a TERM came before its application's end, whoever sent it and for what reason.
- Where the hosts cannot be listed, ``PSIJ_NODEFILE`` is not set and the script prints why; the application is run.
- Signals: what a batch system sends goes to all processes of a job. The script's shells take note and go on
  waiting; the application gets the signal with its usual meaning. A TERM that comes before the application is
  started keeps it from being started: exit status 143.
- Without ``inherit_environment`` every variable and exported function is removed, except those by which a batch system
  tells what was allocated and launchers find each other (`KEPT`). ``PATH`` is then still used to find the launcher
  and the executable, and is not passed on. Not removed are ``_``, which every shell sets, and variables whose
  names no shell can name.
- Variables that bash gives a meaning of its own (``UID``, ``IFS``, ``POSIXLY_CORRECT``, ...) are handed to the
  application by env(1), and so reach it unchanged, but not the launcher or ``pre_launch``.
- Users' functions and aliases never replace what the script itself runs; names ``argosy_*`` are the script's own, and
  are not passed on.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

from argosy.model import InvalidJobException, JobSpec
from argosy.model.directives import in_order
from argosy.model.shell import expand, quote
from argosy.model.staging import StageIn, StageOut

from .contract import Group, Submission
from .records import NOT_STAGED_OUT
from .script_staging import STAGING
from .script_text import CLEAR, MAIN, PROLOGUE

#: Variables that stay without ``inherit_environment``, as shell patterns.
KEPT = (
    "SLURM_*", "SLURMD_*", "PMI_*", "PMI2_*", "PMIX_*", "OMPI_*", "PRTE_*", "I_MPI_HYDRA_*", "HYDRA_*", "PALS_*",
    "PBS_*", "LSB_*", "LSF_*", "LS_*", "SGE_*", "PE", "PE_HOSTFILE", "NSLOTS", "NHOSTS", "JOB_ID", "FLUX_*", "COBALT_*",
    "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "TMPDIR",
)  # fmt: skip

# Variables that bash keeps to itself, computes, or changes its own ways by: set by env(1) instead.
_OWN = frozenset((
    "_", "CDPATH", "CHILD_MAX", "COLUMNS", "COMP_WORDBREAKS", "DIRSTACK", "ENV", "EPOCHREALTIME", "EPOCHSECONDS",
    "EUID", "EXECIGNORE", "FUNCNAME", "FUNCNEST", "GLOBIGNORE", "GROUPS", "HISTCMD", "IFS", "IGNOREEOF", "LINENO",
    "LINES", "OLDPWD", "OPTARG", "OPTERR", "OPTIND", "PIPESTATUS", "POSIXLY_CORRECT", "POSIX_PEDANTIC", "PPID", "PS4",
    "PWD", "RANDOM", "SECONDS", "SHELLOPTS", "SHLVL", "SRANDOM", "TIMEFORMAT", "TMOUT", "UID",
))  # fmt: skip


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith(("BASH", "argosy_", "ARGOSY_JOB_TAG", "ARGOSY_NATIVE_ID"))


def command_text(spec: JobSpec) -> str:
    """Shell text of one process of the job: the executable and its arguments, as plain words.

    ``${NAME}`` in arguments is replaced when the text is run; everything else arrives byte for byte.
    """
    words = [quote(spec.executable or ""), *map(expand, spec.arguments or ())]
    own = [f"{name}={expand(value)}" for name, value in (spec.environment or {}).items() if _is_own(name)]
    if not own:
        return " ".join(words)
    if "=" in (spec.executable or ""):
        raise InvalidJobException(
            f"an executable with '=' in its name cannot be started with {own[0].partition('=')[0]} set; rename it",
            element="executable",
        )
    return " ".join(["/usr/bin/env", *own, *words])


def body(
    group: Group,
    spool: str,
    native_id: str,
    run: str,
    index: str,
    *,
    hosts: str = '"$HOSTNAME"',
    start_directory: str = '"$PWD"',
    node_list: str | None = None,
) -> str:
    """The script's text after its directives.

    `native_id`, `run`, `index`, `hosts` and `start_directory` are shell expressions (words, quoted as needed) of
    the batch system: this job's own id, how often it was requeued before, which element of the array it is,
    its hosts, and where jobs run that name no directory. `spool` is an absolute path. `node_list` is shell text (one
    or more commands) that prints the name of a host for each process of the job, one a line, the processes of one
    host together. It is run as a function in a subshell before the environment is changed, may use
    ``$argosy_processes`` and ``$argosy_per_node`` (what the job asked for) and ``$argosy_hosts``, and ends with
    0. None: the processes are in blocks over the comma-separated `hosts`, or on the script's host where those have
    brackets.
    """
    members = [_settings(member, start_directory) for member in group.members]
    common = [text for text in members[0] if all(text in other for other in members[1:])]
    parts = [
        PROLOGUE,
        f"argosy_spool={quote(spool)}",
        f"argosy_id={native_id}",
        f"argosy_run_number={run}",
        f"argosy_hosts={hosts}",
        _function("argosy_node_list", ["argosy_plain_nodes" if node_list is None else node_list]),
        *common,
    ]
    if group.is_array:
        parts.append(f"case {index} in")
        for number, settings in enumerate(members):
            parts += [f"{number})", *(text for text in settings if text not in common), ";;"]
        parts.append("*)\nbuiltin echo 'argosy: this array has no such element' >&2\nbuiltin exit 125\n;;\nesac")
    if any(not member.spec.inherit_environment for member in group.members):
        parts.append(CLEAR.replace("KEPT", "|".join(KEPT)))
    if any(member.spec.stages for member in group.members):
        parts.append(STAGING)
    parts.append(MAIN.replace("NOT_STAGED_OUT", str(NOT_STAGED_OUT)))
    return "\n".join(parts)


def _settings(member: Submission, start_directory: str) -> list[str]:
    """What the body is told about one job: assignments and two functions."""
    spec = member.spec
    resources = spec.effective_resources
    return [
        f"argosy_tag={quote(member.tag)}",
        f"argosy_rerunnable={int(member.rerunnable)}",
        f"argosy_directory={_directory(member.directory, start_directory)}",
        f"argosy_stdin={quote(_path(spec.stdin_path))}",
        f"argosy_stdout={quote(_path(spec.stdout_path))}",
        f"argosy_stderr={quote(_path(spec.stderr_path))}",
        f"argosy_pre={quote(_path(spec.pre_launch))}",
        f"argosy_post={quote(_path(spec.post_launch))}",
        f"argosy_processes={resources.computed_process_count}",
        f"argosy_per_node={resources.computed_processes_per_node}",
        _function("argosy_environment", _environment(spec)),
        _function("argosy_launch", [member.launch]),
        f"argosy_before={quote(member.before)}",
        f"argosy_after={quote(member.after)}",
        f"argosy_stages={int(spec.stages)}",
        *(_directives(spec) if spec.stages else ()),
    ]


def _directives(spec: JobSpec) -> list[str]:
    """The functions that stage and clean up."""
    brought_in = [_stage(f"stage_in[{index}]", one, 14) for index, one in enumerate(in_order(spec.stage_in))]
    brought_out = [
        _stage(f"stage_out[{index}]", one, one.flags.effective.value)
        for index, one in enumerate(in_order(spec.stage_out))
    ]
    removed = [
        f"argosy_remove {quote(f'cleanup[{index}]')} {spec.cleanup_flags.effective.value} {_place(os.fspath(path))}"
        for index, path in enumerate(in_order(spec.cleanup))
    ]
    return [
        _function("argosy_stage_in", brought_in),
        _function("argosy_stage_out", brought_out),
        _function("argosy_cleanup", removed),
    ]


def _stage(element: str, directive: StageIn | StageOut, flags: int) -> str:
    source, target = (
        (directive.source.local_path, os.fspath(directive.target))
        if isinstance(directive, StageIn)
        else (os.fspath(directive.source), directive.target.local_path)
    )
    if source is None or target is None:
        raise InvalidJobException(f"{element} is not between files of one machine", element=element)
    mode = directive.mode.name.lower()
    return f"argosy_stage {quote(element)} {flags} {mode} {_place(source)} {_place(target.rstrip('/') or '/')}"


def _place(path: str) -> str:
    """A path as a shell word; ``~/`` at its beginning is the home directory where the job runs."""
    return '"${HOME:?}"/' + quote(path[2:]) if path.startswith("~/") else quote(path)


def _function(name: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{name}() {{", *(lines or [":"]), "}"])


def _environment(spec: JobSpec) -> list[str]:
    lines = [] if spec.inherit_environment else ["argosy_clear"]
    lines.append('export ARGOSY_JOB_TAG="$argosy_tag" ARGOSY_NATIVE_ID="$argosy_id" PSIJ_NODEFILE="$argosy_nodes"')
    lines.append("[[ -n $argosy_nodes ]] || builtin unset -v PSIJ_NODEFILE")
    for name, value in (spec.environment or {}).items():
        if not _is_own(name):
            lines.append(f"export {name}={expand(value)}")
    return lines


def _directory(directory: str | None, start_directory: str) -> str:
    if directory is None:
        return start_directory
    if directory == "~" or directory.startswith("~/"):
        rest = directory[1:]
        return '"${HOME:?}"' + (quote(rest) if rest else "")
    return quote(directory)


def _path(path: Path | None) -> str:
    """A path as the shell's redirections and ``.`` take it: relative ones begin with ``./``; empty where none."""
    if path is None:
        return ""
    text = os.fspath(path)
    return text if posixpath.isabs(text) else "./" + text


def protect_line_ends(script: str) -> str:
    """The script without the pair CR LF, which some batch systems refuse, and with the same meaning.

    CR can only come from a value, and so stands between single quotes: they are closed and opened again.
    """
    return re.sub("\r(?=\n)", "\r''", script)
