"""A job as a step of a Slurm job: the same job, started by srun on the nodes that it was given."""

from __future__ import annotations

import re
from collections.abc import Mapping

from argosy.batch.script import KEPT, command_text
from argosy.launchers.registry import get_launcher
from argosy.launchers.srun import step_options
from argosy.model import InvalidJobException, JobSpec
from argosy.model.shell import escape_references

from .packing import Need, Placement

#: The exit status by which srun says that it could not start the step (SLURM_EXIT_ERROR in srun(1)).
SRUN_FAILED = 248

_MIB = 1024 * 1024
# What Slurm sets in a job and srun takes for options of a step (srun(1), "INPUT ENVIRONMENT VARIABLES").
_OPTIONS = """
ACCOUNT ACCTG_FREQ BCAST BCAST_EXCLUDE CLUSTERS COMPRESS CONSTRAINT CONTAINER CORE_SPEC CPU_BIND CPU_FREQ_REQ
CPUS_PER_GPU CPUS_PER_TASK DEPENDENCY DISABLE_STATUS DISTRIBUTION EPILOG EXACT EXCLUSIVE EXPORT_ENV GPU_BIND GPU_FREQ
GPUS GPUS_PER_NODE GPUS_PER_TASK GRES GRES_FLAGS HINT HOSTFILE IMMEDIATE JOB_NAME JOB_NUM_NODES KILL_BAD_EXIT LABELIO
MEM_BIND MEM_PER_CPU MEM_PER_GPU MEM_PER_NODE MULTI_PROG NETWORK NNODES NO_KILL NPROCS NTASKS NTASKS_PER_CORE
NTASKS_PER_GPU NTASKS_PER_NODE NTASKS_PER_SOCKET NTASKS_PER_TRES OPEN_MODE OVERCOMMIT OVERLAP PARTITION PROFILE PROLOG
QOS REMOTE_CWD REQ_SWITCH RESERVATION RESV_PORTS SLURMD_DEBUG SPREAD_JOB SRUN_MULTI STDERRMODE STDINMODE STDOUTMODE
STEP_GRES STEP_KILLED_MSG_NODE_ID TASK_EPILOG TASK_PROLOG TASKS_PER_NODE THREAD_SPEC THREADS THREADS_PER_CORE
TIMELIMIT TOPOLOGY_ADDR TOPOLOGY_ADDR_PATTERN TRES_BIND TRES_PER_TASK UNBUFFEREDIO USE_MIN_NODES WAIT WAIT4SWITCH
WCKEY WHOLE WORKING_DIR
"""
_REMOVED = frozenset(f"SLURM_{name}" for name in _OPTIONS.split())
_KEPT = re.compile("|".join(re.escape(pattern).replace(r"\*", ".*") for pattern in KEPT))
# Run on the node: exec gives the exit codes 126 and 127 where srun would give the error's number.
_START = 'unset SLURM_EXIT_ERROR; exec "$0" "$@"'


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What srun, and so the job, inherits: without what would change the step."""
    return {name: value for name, value in environ.items() if name not in _REMOVED} | {
        "SLURM_EXIT_ERROR": str(SRUN_FAILED)
    }


def bare_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The same for a job that does not inherit: what the batch system tells of itself."""
    return {name: value for name, value in environment(environ).items() if _KEPT.fullmatch(name)}


def check_step(spec: JobSpec, need: Need) -> None:
    """Raise InvalidJobException for what a step cannot be, naming the element."""
    if spec.launcher not in (None, "single", "multiple", "srun"):
        raise InvalidJobException(
            f"jobs inside a Slurm allocation are started by srun, not by {spec.launcher}; use srun",
            element="launcher",
        )
    if spec.launcher != "srun" and (need.nodes or 1) > 1:
        raise InvalidJobException(
            f"the launcher {spec.launcher or 'single'} uses one node of the job; for {need.nodes} use srun",
            element="launcher",
        )
    if (spec.executable or "").startswith("-"):
        raise InvalidJobException(f"give the path of the executable {spec.executable!r}", element="executable")
    step_options(spec)


def need_of(spec: JobSpec) -> Need:
    """What a step of the job needs: all its processes on one node, unless srun starts them."""
    need = Need.of(spec.effective_resources)
    if spec.launcher == "srun" or need.nodes is not None:
        return need
    return Need(need.processes, need.cores, need.gpus, need.memory, 1, need.processes, need.exclusive)


def step_spec(
    spec: JobSpec, executable: str, placement: Placement, srun: str, environ: Mapping[str, str], tag: str
) -> JobSpec:
    """The job that starts this one as a step: a local process like any other, with the same streams and scripts.

    `executable` is the job's, as it was found.
    """
    if spec.launcher == "multiple":
        text = get_launcher("multiple").render(command_text(spec), spec)
        words = ["/bin/bash", "-c", escape_references("unset SLURM_EXIT_ERROR\n" + text)]
    else:
        words = ["/bin/sh", "-c", _START, escape_references(executable), *(spec.arguments or ())]
    return JobSpec(
        srun,
        [*_options(spec, placement, environ, tag), "--", *words],
        directory=spec.directory,
        name=spec.name,
        environment=spec.environment,
        stdin_path=spec.stdin_path,
        stdout_path=spec.stdout_path,
        stderr_path=spec.stderr_path,
        pre_launch=spec.pre_launch,
        post_launch=spec.post_launch,
    )


def _options(spec: JobSpec, placement: Placement, environ: Mapping[str, str], tag: str) -> list[str]:
    resources = spec.effective_resources
    cores, gpus = resources.cpu_cores_per_process or 1, resources.gpu_cores_per_process or 0
    tasks = resources.computed_process_count
    if spec.launcher != "srun":
        cores, gpus, tasks = cores * tasks, gpus * tasks, 1
    options = [
        *("--exact", "--export=ALL", "--input=0"),
        f"--job-name={tag}",
        f"--jobid={environ['SLURM_JOB_ID']}",
        f"--nodes={len(placement.nodes)}",
        f"--ntasks={tasks}",
        f"--cpus-per-task={cores}",
        f"--nodelist={','.join(placement.nodes)}",
    ]
    if spec.launcher == "srun":
        options.append(f"--ntasks-per-node={placement.per_node}")
    if environ.get("SLURM_STEP_ID", "").isdecimal():
        # This program is itself a step, which holds the cores that its jobs are to have.
        options.append("--overlap")
    # Of nodes that are not alike the least: Slurm takes one figure for all.
    if memory := min(placement.memory.values()) // _MIB:
        options.append(f"--mem={memory}M")
    if gpus:
        options.append(f"--gpus-per-task={gpus}")
    elif environ.get("SLURM_JOB_GPUS") or environ.get("SLURM_GPUS_ON_NODE"):
        options.append("--gres=none")
    return options + [escape_references(word) for word in step_options(spec)]
