"""Grid Engine's ``#$`` directives (qsub(1))."""

from __future__ import annotations

from argosy.model.choices import meant

from .asked import Asked, Dialect, Option, clock, counts, directory, flags, refuses, sets, skips

_CLOCK = (1, 60, 3600)
#: What those who write a word wrongly may have meant.
_RESOURCES = ("h_rt", "s_rt", "h_vmem", "s_vmem", "mem_free", "virtual_free", "h_rss", "gpu", "exclusive")


def _resources(asked: Asked, text: str) -> None:
    """``-l``: resources with commas between them; those of memory are for each slot (complex(5))."""
    for word in text.split(","):
        name, equals, value = word.partition("=")
        name = name.strip()
        if name in ("h_rt", "s_rt"):
            asked.duration = clock(asked, value, units=_CLOCK)
        elif name in ("h_vmem", "mem_free", "virtual_free", "s_vmem", "h_rss"):
            asked.memory_per_task = asked.size(value)
        elif name in ("gpu", "gpus", "ngpus"):
            asked.gpus_per_task = asked.count(value or "1", 0)
        elif name in ("exclusive", "excl"):
            asked.exclusive = value.lower() in ("", "true", "t", "1")
        elif name in ("h_cpu", "s_cpu"):
            asked.note(f"{name} cannot be asked for")
        else:
            asked.note(f"the resource {name!r}{equals}{value} is not known{meant(name, _RESOURCES)}", refused=True)


def _parallel(asked: Asked, text: str) -> None:
    """``-pe NAME SLOTS``."""
    name, _, slots = text.partition(" ")
    least, dash, _ = slots.partition("-")
    if dash:
        asked.note("the smallest number of slots is asked for")
    asked.tasks = asked.count(least or "1")
    asked.custom["gridengine.pe"] = name


def _stream(name: str, *names: str) -> Option:
    def act(asked: Asked, text: str) -> None:
        host, colon, path = text.partition(":")
        path = path if colon and "/" not in host else text
        if path.endswith("/") or path == ".":
            asked.note(f"{text!r} is a directory; the output is in the usual file")
        else:
            setattr(asked, name, asked.path(path))

    return Option(names, 1, name, act)


def _join(asked: Asked, text: str) -> None:
    asked.joined = text in ("y", "yes")


def _rerun(asked: Asked, text: str) -> None:
    asked.rerunnable = text in ("y", "yes")


def _variables(asked: Asked, text: str) -> None:
    asked.variables(text.split(","))


def _array(asked: Asked, text: str) -> None:
    asked.elements(text, "SGE_TASK_ID")


def _custom(asked: Asked, text: str) -> None:
    asked.custom["gridengine.p"] = text


DIALECT = Dialect(
    "gridengine",
    "#$",
    "words",
    (
        sets("name", "-N"),
        sets("queue", "-q"),
        sets("account", "-P"),
        sets("account", "-A"),
        sets("reservation", "-ar"),
        Option(("-l",), 1, "duration and resources: h_rt, h_vmem, mem_free, gpu, exclusive", _resources),
        Option(("-pe",), 2, "resources.processes, and custom, as gridengine.pe", _parallel),
        _stream("stdin", "-i"),
        _stream("stdout", "-o"),
        _stream("stderr", "-e"),
        Option(("-j",), 1, "both streams in one file", _join),
        Option(("-r",), 1, "rerunnable", _rerun),
        Option(("-v",), 1, "environment", _variables),
        Option(("-t",), 1, "one job for each element", _array),
        directory(("/",), "-wd"),
        Option(("-p",), 1, "custom, as gridengine.p", _custom),
        sets("shell", "-S"),
        flags("held", True, "-h"),
        skips("the job runs in its session directory, not where you submit", 0, "-cwd"),
        skips("variables that are set where you submit are not taken along", 0, "-V"),
        skips("no mail is sent", 1, "-m", "-M"),
        skips("it has no effect here", 1, "-sync", "-b", "-shell", "-notify", "-R", "-w", "-now", "-ac", "-js"),
        counts("at_a_time", "-tc"),
        skips("it has no effect here", 0, "-terse", "-verbose"),
        refuses("one job waiting for another cannot be asked for", 1, "-hold_jid", "-hold_jid_ad"),
        refuses("a time to begin at cannot be asked for", 1, "-a"),
        refuses("checkpoints cannot be asked for", 1, "-ckpt"),
    ),
)
