"""PBS's and Torque's ``#PBS`` directives (qsub(1B))."""

from __future__ import annotations

from argosy.model.choices import meant

from .asked import Asked, Dialect, Option, clock, directory, flags, refuses, sets, skips

_CLOCK = (1, 60, 3600, 86_400)
#: What those who write a word wrongly may have meant.
_RESOURCES = ("walltime", "nodes", "mem", "vmem", "pmem", "pvmem", "ncpus", "procs", "ngpus", "place", "select")
_OF_A_CHUNK = ("ncpus", "mpiprocs", "mem", "ngpus", "ompthreads")


def _resources(asked: Asked, text: str) -> None:
    """``-l``: resources with commas between them."""
    if text.startswith("select="):
        _select(asked, text.removeprefix("select="))
        return
    for word in text.split(","):
        name, equals, value = word.partition("=")
        name = name.strip()
        if name == "walltime":
            asked.duration = clock(asked, value, units=_CLOCK)
        elif name == "nodes" and equals:
            _nodes(asked, value)
        elif name in ("mem", "vmem"):
            asked.memory = asked.size(value)
        elif name in ("pmem", "pvmem"):
            asked.memory_per_task = asked.size(value)
        elif name == "ncpus":
            asked.cpus_per_task = asked.count(value)
        elif name == "procs":
            asked.tasks = asked.count(value)
        elif name == "ngpus":
            asked.gpus = asked.count(value, 0)
        elif name == "place":
            if "excl" in value:
                asked.exclusive = True
        elif name in ("cput", "pcput", "file", "nice"):
            asked.note(f"{name} cannot be asked for")
        else:
            asked.note(f"the resource {name!r} is not known{meant(name, _RESOURCES)}", refused=True)


def _select(asked: Asked, text: str) -> None:
    """``select=N:ncpus=4:mpiprocs=2:mem=8gb:ngpus=1``: one kind of chunk, which is taken for a node."""
    if "+" in text:
        asked.note("chunks of several kinds cannot be asked for", refused=True)
        return
    words = text.split(":")
    asked.nodes = asked.count(words[0]) if words[0].isdigit() else 1
    found = dict(word.partition("=")[::2] for word in (words[1:] if words[0].isdigit() else words))
    cpus = asked.count(found.pop("ncpus", "1"))
    processes = asked.count(found.pop("mpiprocs", "1"))
    asked.tasks_per_node = processes
    if cpus % processes:
        asked.note(f"{cpus} CPUs cannot be shared out evenly among {processes} processes", refused=True)
    else:
        asked.cpus_per_task = cpus // processes
    if "mem" in found:
        asked.memory_per_node = asked.size(found.pop("mem"))
    if "ngpus" in found:
        asked.gpus_per_node = asked.count(found.pop("ngpus"), 0)
    if "ompthreads" in found:
        asked.environment.setdefault("OMP_NUM_THREADS", found.pop("ompthreads"))
    for name in found:
        asked.note(f"{name!r} of a chunk is not known{meant(name, _OF_A_CHUNK)}", refused=True)


def _nodes(asked: Asked, text: str) -> None:
    """``nodes=2:ppn=4``."""
    if "+" in text:
        asked.note("nodes of several kinds cannot be asked for", refused=True)
        return
    first, *rest = text.split(":")
    if first.isdigit():
        asked.nodes = asked.count(first)
    else:
        asked.nodes = 1
        asked.note(f"the node {first!r} cannot be chosen", refused=True)
    for word in rest:
        name, equals, value = word.partition("=")
        if name == "ppn":
            asked.tasks_per_node = asked.count(value)
        elif name == "gpus":
            asked.gpus_per_node = asked.count(value, 0)
        else:
            asked.note(f"the property {word!r} cannot be asked for", refused=not equals)


def _stream(name: str, *names: str) -> Option:
    def act(asked: Asked, text: str) -> None:
        # HOST:PATH; which host it is brought to is no matter here.
        host, colon, path = text.partition(":")
        if colon and "/" not in host:
            asked.note(f"the output is not brought to {host}" if host else "the output stays here")
            text = path
        if text.endswith("/"):
            asked.note(f"{text!r} is a directory; the output is in the usual file")
        else:
            setattr(asked, name, asked.path(text))

    return Option(names, 1, name, act)


def _join(asked: Asked, text: str) -> None:
    asked.joined = text in ("oe", "eo")


def _variables(asked: Asked, text: str) -> None:
    asked.variables(text.split(","))


def _rerun(asked: Asked, text: str) -> None:
    asked.rerunnable = text == "y"


def _array(index: str, *names: str) -> Option:
    def act(asked: Asked, text: str) -> None:
        asked.elements(text, index)

    return Option(names, 1, "one job for each element", act)


def _attributes(asked: Asked, text: str) -> None:
    """``-W``: attributes by name."""
    name = text.partition("=")[0].strip()
    if name == "group_list":
        asked.note("jobs run under the service's group")
    else:
        asked.note(f"the attribute {name!r} cannot be set", refused=True)


def _custom(asked: Asked, text: str) -> None:
    asked.custom["pbs.p"] = text


DIALECT = Dialect(
    "pbs",
    "#PBS",
    "letters",
    (
        sets("name", "-N"),
        sets("queue", "-q"),
        sets("account", "-A"),
        sets("account", "-P"),
        Option(
            ("-l",), 1, "duration and resources: walltime, select, nodes, ppn, ncpus, procs, mem, ngpus", _resources
        ),
        _stream("stdout", "-o"),
        _stream("stderr", "-e"),
        Option(("-j",), 1, "both streams in one file", _join),
        Option(("-v",), 1, "environment", _variables),
        Option(("-r",), 1, "rerunnable", _rerun),
        _array("PBS_ARRAY_INDEX", "-J"),
        _array("PBS_ARRAYID", "-t"),
        Option(("-W",), 1, "attributes; dependencies and staging are refused", _attributes),
        directory(("/", "~/"), "-d", "-w"),
        Option(("-p",), 1, "custom, as pbs.p", _custom),
        sets("shell", "-S"),
        flags("held", True, "-h"),
        skips("variables that are set where you submit are not taken along", 0, "-V"),
        skips("no mail is sent", 1, "-m", "-M"),
        skips("the output is kept by the service", 1, "-k", "-R"),
        skips("it has no effect here", 0, "-z", "-x"),
        refuses("a time to begin at cannot be asked for", 1, "-a"),
        refuses("checkpoints cannot be asked for", 1, "-c"),
        refuses("jobs run under the service's user", 1, "-u"),
        refuses("interactive jobs cannot be submitted in this way", 0, "-I", "-X"),
    ),
)
