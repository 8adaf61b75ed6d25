"""What the allocation that this program runs in has: from the environment that the batch system gave it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Mapping

from argosy.batch.hosts import expand_hosts

from .packing import Node

_MIB = 1024 * 1024
_COUNT = re.compile(r"(\d+)(?:\(x(\d+)\))?\Z", re.ASCII)
_THREADS = re.compile(r"NodeName=(\S+).*?\bThreadsPerCore=(\d+)", re.ASCII)
#: How long scontrol may take to describe the nodes, in seconds.
_PATIENCE = 30.0


class NoAllocation(ValueError):
    """The program is not in an allocation of the kind that was asked for."""


def slurm_nodes(environ: Mapping[str, str], descriptions: str = "") -> list[Node]:
    """The nodes of the Slurm job that `environ` tells of (sbatch(1), "OUTPUT ENVIRONMENT VARIABLES").

    `descriptions` is what ``scontrol show node -o`` says of them: hardware threads share a core there, and Slurm
    divides no core between steps. Memory is counted where the job was given some. Raises NoAllocation.
    """
    try:
        names = expand_hosts(environ.get("SLURM_JOB_NODELIST") or environ["SLURM_NODELIST"])
        cores = _repeated(environ["SLURM_JOB_CPUS_PER_NODE"])
    except (KeyError, ValueError) as error:
        raise NoAllocation(f"the environment tells of no Slurm allocation: {error}") from error
    if not names or len(names) != len(cores):
        raise NoAllocation(f"{len(names)} nodes, but {len(cores)} counts of CPUs are in the environment")
    threads = {match[1]: int(match[2]) for match in map(_THREADS.match, descriptions.splitlines()) if match}
    gpus = _gpus(environ)
    per_node, per_core = environ.get("SLURM_MEM_PER_NODE", ""), environ.get("SLURM_MEM_PER_CPU", "")
    nodes = []
    for name, count in zip(names, cores, strict=True):
        memory = None
        if per_node.isdecimal() and int(per_node):
            memory = int(per_node) * _MIB
        elif per_core.isdecimal() and int(per_core):
            memory = int(per_core) * count * _MIB
        unit = threads.get(name, 1)
        nodes.append(Node(name, count, memory, gpus, unit if count % unit == 0 else 1))
    return nodes


def describe_nodes(environ: Mapping[str, str]) -> str:
    """What scontrol says of the nodes; empty where it does not answer: cores are then taken as not divided."""
    command = ["scontrol", "-o", "show", "node", environ.get("SLURM_JOB_NODELIST", "")]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def local_node(environ: Mapping[str, str]) -> Node:
    """This machine: the cores that this process may use, its memory, the GPUs that the environment names."""
    devices = environ.get("CUDA_VISIBLE_DEVICES") or environ.get("ROCR_VISIBLE_DEVICES") or ""
    return Node(
        socket.gethostname(),
        len(os.sched_getaffinity(0)),
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        len([device for device in devices.split(",") if device.strip() not in ("", "-1", "NoDevFiles")]),
    )


def _repeated(text: str) -> list[int]:
    """The numbers of ``64(x2),32``."""
    counts: list[int] = []
    for part in text.split(","):
        match = _COUNT.match(part)
        if match is None:
            raise ValueError(f"{text!r} is not a list of counts")
        counts += [int(match[1])] * int(match[2] or 1)
    return counts


def _gpus(environ: Mapping[str, str]) -> int:
    """GPUs on each node: what the job asked for on each, or what this one has."""
    asked = re.search(r"(\d+)(?:\([^)]*\))?\Z", environ.get("SLURM_GPUS_PER_NODE", ""), re.ASCII)
    if asked:
        return int(asked[1])
    here = environ.get("SLURM_GPUS_ON_NODE", "")
    if here.isdecimal():
        return int(here)
    return len([device for device in environ.get("SLURM_JOB_GPUS", "").split(",") if device])
