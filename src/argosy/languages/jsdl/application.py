"""JSDL's applications: POSIX, HPC Profile and SPMD."""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree

from .names import local
from .reading import Handler, Reading, trimmed, wrong
from .resources import Wanted, located, placed

_MPI = ("MPI", "GridMPI", "IntelMPI", "LAM-MPI", "MPICH1", "MPICH2", "MPICH-GM", "MPICH-MX", "MVAPICH", "MVAPICH2")
#: What SPMDVariation begins with (SPMD Application Extension, GFD.115).
VARIATION = "http://www.ogf.org/jsdl/2007/02/jsdl-spmd/"
#: A slip of the pen that is in use.
_MISSPELT = "http://www.ogf/org/jsdl/2007/02/jsdl-spmd/"


@dataclass(slots=True)
class Program:
    """What an application element says. `processes` and `threads` of 0 are to be taken from the CPU counts."""

    executable: str | None = None
    arguments: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    directory: str | None = None
    duration: int | None = None
    memory_per_process: int | None = None
    launcher: str | None = None
    processes: int | None = None
    per_node: int | None = None
    threads: int | None = None


def read(reading: Reading, element: etree._Element, wanted: Wanted) -> Program:
    """One POSIXApplication, HPCProfileApplication or SPMDApplication."""
    program = Program()
    spmd = local(element) == "SPMDApplication"
    own = {"POSIXApplication": "jsdl-posix", "HPCProfileApplication": "jsdl-hpcpa"}.get(local(element), "jsdl-posix")
    elsewhere = any(
        local(child) == "WorkingDirectory" and trimmed(child.text or "") not in ("", ".") for child in element
    )

    def path(name: str) -> Handler:
        def handler(child: etree._Element) -> None:
            value = reading.word(child)
            if not value:
                raise wrong(child, f"{local(child)} is empty")
            setattr(program, name, located(reading, child, value, wanted))

        return handler

    def directory(child: etree._Element) -> None:
        value = located(reading, child, reading.word(child), wanted, home=True)
        if value in ("", ".", "./"):
            return
        if not value.startswith(("/", "~/")) and value != "~":
            reading.note(child, f"{value!r}: a working directory is absolute, or in HOME", refused=True)
            return
        program.directory = value

    def argument(child: etree._Element) -> None:
        value = reading.text(child)
        if own == "jsdl-posix":
            value = normalized(value)
        program.arguments.append(placed(reading, child, value, wanted, elsewhere=elsewhere))

    def environment(child: etree._Element) -> None:
        name = (child.get("name") or "").strip()
        if not name:
            raise wrong(child, "an Environment has a name")
        if name in program.environment:
            reading.note(child, f"{name} is set twice; the last counts")
        program.environment[name] = placed(reading, child, reading.text(child), wanted, elsewhere=elsewhere)

    def wall_time(child: etree._Element) -> None:
        program.duration = reading.whole(child, 0)
        if program.duration == 0:
            raise wrong(child, "a job without any wall time cannot run")

    def memory(child: etree._Element) -> None:
        program.memory_per_process = reading.whole(child, 1)

    handlers: dict[str, Handler] = {
        f"{own}:Executable": path("executable"),
        f"{own}:Argument": argument,
        f"{own}:Input": path("stdin"),
        f"{own}:Output": path("stdout"),
        f"{own}:Error": path("stderr"),
        f"{own}:WorkingDirectory": directory,
        f"{own}:Environment": environment,
    }
    if own == "jsdl-posix":
        # In an SPMDApplication they are where the schema lets extensions stand.
        handlers["jsdl-posix:WallTimeLimit"] = wall_time
        handlers["jsdl-posix:MemoryLimit"] = memory
    if spmd:
        program.launcher = "mpirun"
        handlers |= _spmd(reading, program)
    reading.children(element, handlers)
    if spmd and not any(local(child) == "SPMDVariation" for child in element):
        raise wrong(element, "an SPMDApplication has an SPMDVariation")
    if element.get("name"):
        reading.note(element, "the name of an application element has no effect")
    return program


def _spmd(reading: Reading, program: Program) -> dict[str, Handler]:
    def count(name: str, actual: str) -> Handler:
        def handler(child: etree._Element) -> None:
            if actual and (child.get(actual) or "").strip() in ("true", "1"):
                setattr(program, name, 0)
            elif not _is_nil(child):
                setattr(program, name, reading.whole(child, 1))

        return handler

    def variation(child: etree._Element) -> None:
        value = reading.text(child).strip()
        if value.startswith(_MISSPELT) and not reading.strict:
            reading.note(child, "the address is misspelt")
            value = VARIATION + value.removeprefix(_MISSPELT)
        kind = value.removeprefix(VARIATION)
        if not value.startswith(VARIATION) or kind not in (*_MPI, "OpenMPI"):
            reading.note(child, f"{value} is no implementation of MPI that is known", refused=True)
        elif kind != "MPI":
            reading.note(child, f"{kind} is not asked for by name: the MPI that is installed is used")

    return {
        "jsdl-spmd:NumberOfProcesses": count("processes", "actualtotalcpucount"),
        "jsdl-spmd:ProcessesPerHost": count("per_node", ""),
        "jsdl-spmd:ThreadsPerProcess": count("threads", "actualindividualcpucount"),
        "jsdl-spmd:SPMDVariation": variation,
    }


def _is_nil(element: etree._Element) -> bool:
    return (element.get("{http://www.w3.org/2001/XMLSchema-instance}nil") or "").strip() in ("true", "1")


def normalized(text: str) -> str:
    """As XML Schema's normalizedString has it: line breaks and tabs are spaces. Layout around a text is left out."""
    return trimmed(text).translate({9: " ", 10: " ", 13: " "})
