"""LSF's ``#BSUB`` directives (bsub(1))."""

from __future__ import annotations

import re

from .asked import Asked, Dialect, Option, clock, directory, flags, refuses, sets, skips

_ARRAY = re.compile(r"(.*?)\[([^\]]*)\](%\d+)?")
_SECTION = re.compile(r"(\w+)\[([^\]]*)\]")


def _name(asked: Asked, text: str) -> None:
    """``-J NAME`` or ``-J "NAME[1-10]"``."""
    match = _ARRAY.fullmatch(text)
    if match is None:
        asked.name = text
        return
    asked.name = match[1] or None
    asked.elements(match[2] + (match[3] or ""), "LSB_JOBINDEX")


def _time(asked: Asked, text: str) -> None:
    """Minutes, or hours and minutes; a host may stand behind a slash."""
    asked.duration = clock(asked, text.partition("/")[0], units=(60, 3600))


def _tasks(asked: Asked, text: str) -> None:
    least, comma, _ = text.partition(",")
    if comma:
        asked.note("the smallest number of tasks is asked for")
    asked.tasks = asked.count(least)


def _requirement(asked: Asked, text: str) -> None:
    """``-R``: sections as ``span[ptile=4]`` and ``rusage[mem=4000]``."""
    for section, inner in _SECTION.findall(text):
        for word in re.split(r"[,:]", inner):
            name, _, value = word.strip().partition("=")
            if section == "span" and name == "ptile":
                asked.tasks_per_node = asked.count(value)
            elif section == "span" and name == "hosts" and value == "1":
                asked.nodes = 1
            elif section == "rusage" and name == "mem":
                asked.memory_per_task = asked.size(value, "m")
            elif section == "affinity":
                asked.note("where processes are bound cannot be asked for")
            else:
                asked.note(f"{section}[{word}] cannot be asked for", refused=True)
    if not _SECTION.search(text):
        asked.note(f"{text!r} cannot be asked for", refused=True)


def _memory(asked: Asked, text: str) -> None:
    asked.memory_per_task = asked.size(text, "k")


def _gpu(asked: Asked, text: str) -> None:
    for word in text.replace(",", ":").split(":"):
        name, _, value = word.partition("=")
        if name == "num":
            asked.gpus_per_node = asked.count(value.partition("/")[0], 0)
        elif name != "-":
            asked.note(f"{word!r} cannot be asked for")


def _variables(asked: Asked, text: str) -> None:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if "none" in words:
        asked.inherit = False
    asked.variables([word for word in words if word not in ("all", "none")])


def _stream(name: str, *names: str) -> Option:
    def act(asked: Asked, text: str) -> None:
        setattr(asked, name, asked.path(text))

    return Option(names, 1, name, act)


DIALECT = Dialect(
    "lsf",
    "#BSUB",
    "words",
    (
        Option(("-J",), 1, "name; with [1-10] one job for each element", _name),
        sets("queue", "-q"),
        sets("account", "-P"),
        sets("reservation", "-U"),
        Option(("-W",), 1, "duration", _time),
        Option(("-n",), 1, "resources.processes", _tasks),
        Option(("-R",), 1, "resources: span and rusage", _requirement),
        Option(("-M",), 1, "resources.memory, for each task", _memory),
        Option(("-gpu",), 1, "resources.gpus_per_process", _gpu),
        _stream("stdin", "-i"),
        _stream("stdout", "-o"),
        _stream("stdout", "-oo"),
        _stream("stderr", "-e"),
        _stream("stderr", "-eo"),
        directory(("/",), "-cwd"),
        Option(("-env",), 1, "environment and inherit_environment", _variables),
        sets("shell", "-L"),
        flags("held", True, "-H"),
        flags("exclusive", True, "-x"),
        flags("rerunnable", True, "-r"),
        flags("rerunnable", False, "-rn"),
        skips("no mail is sent", 0, "-B", "-N"),
        skips("no mail is sent", 1, "-u"),
        skips("it has no effect here", 1, "-G", "-sp", "-app", "-Jd", "-outdir"),
        refuses("one job waiting for another cannot be asked for", 1, "-w"),
        refuses("a time to begin at cannot be asked for", 1, "-b"),
        refuses("a time to end at cannot be asked for", 1, "-t"),
        refuses("hosts cannot be chosen", 1, "-m"),
        refuses("files are not brought along in this way", 1, "-f"),
        refuses("interactive jobs cannot be submitted in this way", 0, "-I", "-Ip", "-Is"),
    ),
)
