"""JSDL's Resources: what a job needs, and the file systems that other elements refer to."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field

from lxml import etree

from argosy.model.shell import escape_references

from . import ranges
from .names import local
from .reading import Reading, wrong

#: File systems that every resource has (JSDL 1.0, FileSystem names in use).
_WELL_KNOWN = ("HOME", "ROOT", "SCRATCH", "TMP")

#: Operating systems that ``uname`` has another name for than JSDL in lower case.
SYSTEMS = {"MACOS": "darwin", "Solaris": "sunos"}
#: What JSDL has in the place of a name.
NO_SYSTEM = ("Unknown", "Not_Applicable", "other")


@dataclass(slots=True)
class Wanted:
    """What Resources says. Counts of CPUs and nodes, bytes of memory."""

    exclusive: bool = False
    nodes: int | None = None
    cpus: int | None = None
    cpus_per_node: int | None = None
    memory: int | None = None
    memory_per_node: int | None = None
    architecture: str | None = None
    operating_system: str | None = None
    candidates: list[str] = field(default_factory=list)
    #: File systems by name: where each is mounted; "" is the session directory, "~" the home directory.
    mounts: dict[str, str] = field(default_factory=dict)


def read(reading: Reading, element: etree._Element | None) -> Wanted:
    """What the element says; None stands for none."""
    wanted = Wanted()
    if element is None:
        return wanted

    def exclusive(child: etree._Element) -> None:
        wanted.exclusive = reading.flag(child)

    def system(child: etree._Element) -> None:
        reading.children(
            child,
            {
                "jsdl:OperatingSystemType": lambda inner: _system(reading, inner, wanted),
                "jsdl:Description": lambda inner: None,
            },
        )

    counts = {
        "jsdl:TotalResourceCount": "nodes",
        "jsdl:TotalCPUCount": "cpus",
        "jsdl:IndividualCPUCount": "cpus_per_node",
        "jsdl:TotalPhysicalMemory": "memory",
        "jsdl:IndividualPhysicalMemory": "memory_per_node",
    }

    def amount(child: etree._Element) -> None:
        name = counts[f"jsdl:{local(child)}"]
        setattr(wanted, name, _amount(reading, child, count=not name.startswith("memory")))

    reading.children(
        element,
        {
            "jsdl:ExclusiveExecution": exclusive,
            "jsdl:CandidateHosts": lambda child: _candidates(reading, child, wanted),
            "jsdl:OperatingSystem": system,
            "jsdl:CPUArchitecture": lambda child: _architecture(reading, child, wanted),
            "jsdl:FileSystem": lambda child: _file_system(reading, child, wanted),
            **dict.fromkeys(counts, amount),
        },
    )
    return wanted


def _amount(reading: Reading, element: etree._Element, *, count: bool) -> int | None:
    reading.attributes(element)
    asked = ranges.read(element)
    if not asked.intervals:
        return None
    least = asked.least(1 if count else 0)
    if least is None:
        raise wrong(element, f"no whole number is in the range of {local(element)}")
    if least == 0:
        reading.note(element, "an upper bound of memory asks for none")
        return None
    return least


def _system(reading: Reading, element: etree._Element, wanted: Wanted) -> None:
    def name(child: etree._Element) -> None:
        system = reading.text(child).strip()
        if system in NO_SYSTEM:
            reading.note(child, f"{system} names no operating system that could be looked for", refused=True)
        else:
            wanted.operating_system = SYSTEMS.get(system, system.lower())

    reading.children(element, {"jsdl:OperatingSystemName": name})


def _architecture(reading: Reading, element: etree._Element, wanted: Wanted) -> None:
    def name(child: etree._Element) -> None:
        architecture = reading.text(child).strip()
        if architecture == "other":
            reading.note(child, "other names no architecture that could be looked for", refused=True)
        else:
            wanted.architecture = architecture

    reading.children(element, {"jsdl:CPUArchitectureName": name})


def _candidates(reading: Reading, element: etree._Element, wanted: Wanted) -> None:
    def host(child: etree._Element) -> None:
        wanted.candidates.append(reading.word(child))

    reading.children(element, {"jsdl:HostName": host})


def _file_system(reading: Reading, element: etree._Element, wanted: Wanted) -> None:
    name = element.get("name")
    if not name:
        raise wrong(element, "a FileSystem has a name")
    if name in wanted.mounts:
        raise wrong(element, f"there are two file systems named {name!r}")
    wanted.mounts[name] = {"HOME": "~", "ROOT": "/"}.get(name, "")

    def mount(child: etree._Element) -> None:
        point = reading.word(child)
        if not point.startswith("/"):
            reading.note(child, f"{point!r} is no absolute path", refused=True)
        wanted.mounts[name] = point

    def kind(child: etree._Element) -> None:
        if reading.text(child).strip() == "swap":
            reading.note(child, "swap space cannot be asked for", refused=True)

    def source(child: etree._Element) -> None:
        # An element of the errata edition's, which the schema does not have.
        reading.note(child, "where a file system is mounted from has no effect")

    reading.children(
        element,
        {
            "jsdl:FileSystemType": kind,
            "jsdl:MountPoint": mount,
            "jsdl:MountSource": source,
            "jsdl:Description": lambda child: None,
        },
    )


def mount_of(reading: Reading, element: etree._Element, name: str, wanted: Wanted) -> str:
    """Where the file system of this name is, as in `Wanted.mounts`; one that is not declared is refused."""
    if name in wanted.mounts:
        return wanted.mounts[name]
    if name in _WELL_KNOWN and not reading.strict:
        reading.note(element, f"the file system {name} is not declared in Resources")
        return {"HOME": "~", "ROOT": "/"}.get(name, "")
    reading.note(element, f"the file system {name!r} is not declared in Resources", refused=True)
    return ""


def placed(reading: Reading, element: etree._Element, value: str, wanted: Wanted, *, elsewhere: bool) -> str:
    """The value of an argument or environment variable, in its file system where it names one.

    `elsewhere`: the job has a working directory of its own, so that the session directory has no name there.
    """
    name = element.get("filesystemName")
    if name is None:
        return escape_references(value)
    mount = mount_of(reading, element, name, wanted)
    if mount == "~":
        return "${HOME}" + (f"/{escape_references(value)}" if value else "")
    if mount == "" and elsewhere:
        reading.note(element, f"the file system {name} has no path where WorkingDirectory is set", refused=True)
    return escape_references(posixpath.join(mount, value) or ".")


def located(reading: Reading, element: etree._Element, value: str, wanted: Wanted, *, home: bool = False) -> str:
    """A path, in its file system where it names one. `home`: one in the home directory can be said."""
    name = element.get("filesystemName")
    if name is None:
        return value
    mount = mount_of(reading, element, name, wanted)
    if mount == "~" and not home:
        reading.note(element, "a path in the home directory; give its FileSystem a MountPoint", refused=True)
    return posixpath.join(mount, value)
