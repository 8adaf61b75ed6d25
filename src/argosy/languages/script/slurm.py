"""Slurm's ``#SBATCH`` directives (sbatch(1))."""

from __future__ import annotations

import re

from .asked import Asked, Dialect, Option, clock, counts, flags, passes, refuses, sets, skips

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def _time(asked: Asked, text: str) -> None:
    if text.lower() in ("unlimited", "infinite", "0"):
        asked.duration = None
        return
    days, dash, rest = text.partition("-")
    if dash:  # D-H, D-H:M or D-H:M:S
        units = {0: (_HOUR,), 1: (_MINUTE, _HOUR)}.get(rest.count(":"), (1, _MINUTE, _HOUR))
        asked.duration = asked.count(days, 0) * _DAY + clock(asked, rest, units=units)
    else:
        units = (_MINUTE,) if ":" not in text else (1, _MINUTE, _HOUR)
        asked.duration = clock(asked, text, units=units)


def _nodes(asked: Asked, text: str) -> None:
    least, dash, _ = text.partition("-")
    if dash:
        asked.note("the smallest number of nodes is asked for")
    asked.nodes = asked.count(least)


def _memory(name: str) -> Option:
    def act(asked: Asked, text: str) -> None:
        if text == "0":
            asked.note("all of a node's memory cannot be asked for; its nodes are asked for alone")
            asked.exclusive = True
        else:
            setattr(asked, name, asked.size(text, "m"))

    long = {"memory_per_node": "--mem", "memory_per_cpu": "--mem-per-cpu"}[name]
    return Option((long,), 1, "resources.memory", act)


def _gpus(name: str, *names: str) -> Option:
    def act(asked: Asked, text: str) -> None:
        words = text.split(":")
        if names[0] == "--gres":
            if words[0] != "gpu" or "," in text:
                asked.custom["slurm.gres"] = text
                return
            words = words[1:] or ["1"]
        if len(words) > 1:
            asked.note(f"the kind of GPU, {words[0]}, is not asked for")
        count = words[-1] if words[-1].isdigit() else "1"
        setattr(asked, name, asked.count(count, 0))

    return Option(names, 1, "resources.gpus_per_process", act)


def _stream(name: str, *names: str) -> Option:
    def act(asked: Asked, text: str) -> None:
        setattr(asked, name, asked.path(text.replace("%x", asked.name or "%x")))

    return Option(names, 1, name, act)


def _export(asked: Asked, text: str) -> None:
    words = [word for word in text.split(",") if word]
    if "ALL" not in words:
        asked.inherit = False
    elif len(words) == 1:
        asked.note("variables that are set where you submit are not taken along")
    asked.variables([word for word in words if word not in ("ALL", "NONE", "NIL")])


def _array(asked: Asked, text: str) -> None:
    asked.elements(text, "SLURM_ARRAY_TASK_ID")


def _directory(asked: Asked, text: str) -> None:
    if text.startswith("/"):
        asked.directory = text
    else:
        asked.note(
            "a relative directory: the job runs in its session directory", refused=not re.fullmatch(r"\./?", text)
        )


_MAIL = "no mail is sent"

DIALECT = Dialect(
    "slurm",
    "#SBATCH",
    "gnu",
    (
        sets("name", "--job-name", "-J"),
        sets("queue", "--partition", "-p"),
        sets("account", "--account", "-A"),
        sets("reservation", "--reservation"),
        Option(("--time", "-t"), 1, "duration", _time),
        Option(("--nodes", "-N"), 1, "resources.nodes", _nodes),
        counts("tasks", "--ntasks", "-n"),
        counts("tasks_per_node", "--ntasks-per-node"),
        counts("cpus_per_task", "--cpus-per-task", "-c"),
        _memory("memory_per_node"),
        _memory("memory_per_cpu"),
        _gpus("gpus", "--gpus", "-G"),
        _gpus("gpus_per_node", "--gpus-per-node"),
        _gpus("gpus_per_task", "--gpus-per-task"),
        _gpus("gpus_per_node", "--gres"),
        _stream("stdin", "--input", "-i"),
        _stream("stdout", "--output", "-o"),
        _stream("stderr", "--error", "-e"),
        Option(("--chdir", "-D", "--workdir"), 1, "directory", _directory),
        Option(("--export",), 1, "environment and inherit_environment", _export),
        Option(("--array", "-a"), 1, "one job for each element", _array),
        flags("held", True, "--hold", "-H"),
        flags("exclusive", True, "--exclusive"),
        flags("rerunnable", True, "--requeue"),
        flags("rerunnable", False, "--no-requeue"),
        passes("slurm.constraint", 1, "--constraint", "-C"),
        passes("slurm.qos", 1, "--qos", "-q"),
        passes("slurm.licenses", 1, "--licenses", "-L"),
        passes("slurm.nodelist", 1, "--nodelist", "-w"),
        passes("slurm.exclude", 1, "--exclude", "-x"),
        passes("slurm.mail-type", 1, "--mail-type"),
        passes("slurm.mail-user", 1, "--mail-user"),
        passes("slurm.signal", 1, "--signal"),
        passes("slurm.nice", 1, "--nice"),
        passes("slurm.hint", 1, "--hint"),
        passes("slurm.tmp", 1, "--tmp"),
        passes("slurm.ntasks-per-socket", 1, "--ntasks-per-socket"),
        passes("slurm.ntasks-per-core", 1, "--ntasks-per-core"),
        passes("slurm.distribution", 1, "--distribution", "-m"),
        passes("slurm.cluster-constraint", 1, "--cluster-constraint"),
        passes("slurm.container", 1, "--container"),
        passes("slurm.core-spec", 1, "--core-spec", "-S"),
        passes("slurm.cores-per-socket", 1, "--cores-per-socket"),
        passes("slurm.cpu-freq", 1, "--cpu-freq"),
        passes("slurm.cpus-per-gpu", 1, "--cpus-per-gpu"),
        passes("slurm.deadline", 1, "--deadline"),
        passes("slurm.delay-boot", 1, "--delay-boot"),
        passes("slurm.extra-node-info", 1, "--extra-node-info", "-B"),
        passes("slurm.gpu-bind", 1, "--gpu-bind"),
        passes("slurm.gpu-freq", 1, "--gpu-freq"),
        passes("slurm.gpus-per-socket", 1, "--gpus-per-socket"),
        passes("slurm.gres-flags", 1, "--gres-flags"),
        passes("slurm.mcs-label", 1, "--mcs-label"),
        passes("slurm.mem-per-gpu", 1, "--mem-per-gpu"),
        passes("slurm.mincpus", 1, "--mincpus"),
        passes("slurm.power", 1, "--power"),
        passes("slurm.priority", 1, "--priority"),
        passes("slurm.profile", 1, "--profile"),
        passes("slurm.propagate", 1, "--propagate"),
        passes("slurm.sockets-per-node", 1, "--sockets-per-node"),
        passes("slurm.switches", 1, "--switches"),
        passes("slurm.thread-spec", 1, "--thread-spec"),
        passes("slurm.threads-per-core", 1, "--threads-per-core"),
        passes("slurm.time-min", 1, "--time-min"),
        passes("slurm.wckey", 1, "--wckey"),
        passes("slurm.contiguous", 0, "--contiguous"),
        passes("slurm.no-kill", 0, "--no-kill", "-k"),
        passes("slurm.overcommit", 0, "--overcommit", "-O"),
        passes("slurm.oversubscribe", 0, "--oversubscribe", "-s"),
        passes("slurm.reboot", 0, "--reboot"),
        passes("slurm.spread-job", 0, "--spread-job"),
        passes("slurm.use-min-nodes", 0, "--use-min-nodes"),
        skips("the service keeps its own comment", 1, "--comment"),
        skips("what is printed is the service's", 0, "--verbose", "-v", "--quiet", "-Q", "--parsable"),
        skips("a file is written anew", 1, "--open-mode"),
        skips("it has no effect here", 0, "--wait", "-W", "--ignore-pbs", "--get-user-env"),
        refuses("burst buffers cannot be asked for", 1, "--bb", "--bbf"),
        refuses("variables are not read from a file", 1, "--export-file"),
        refuses("hosts are not read from a file", 1, "--nodefile", "-F"),
        refuses("jobs run under the service's user", 1, "--uid", "--gid"),
        refuses("one job waiting for another cannot be asked for", 1, "--dependency", "-d"),
        refuses("a time to begin at cannot be asked for", 1, "--begin", "-b"),
        refuses("another cluster cannot be chosen in a script", 1, "--clusters", "-M"),
        refuses("the command stands in the script", 1, "--wrap"),
    ),
)
