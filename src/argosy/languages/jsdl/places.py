"""Where a JSDL document says what became an element of the description."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from argosy.model import InvalidInput
from argosy.model.description import session_path

from ..contract import Place
from ..native import Description
from .names import line, local, path, tag

#: Our elements, and the names of those in JSDL that they are made of: the first that is there says it.
_NAMES = {
    "executable": ("Executable",),
    "arguments": ("Argument",),
    "environment": ("Environment",),
    "directory": ("WorkingDirectory",),
    "stdin": ("Input",),
    "stdout": ("Output",),
    "stderr": ("Error",),
    "duration": ("WallTimeLimit",),
    "name": ("JobName",),
    "account": ("JobProject",),
    "tags": ("JobAnnotation",),
    "launcher": ("SPMDVariation",),
    "resources.processes": ("NumberOfProcesses", "TotalCPUCount", "IndividualCPUCount"),
    "resources.processes_per_node": ("ProcessesPerHost", "IndividualCPUCount"),
    "resources.cores_per_process": ("ThreadsPerProcess", "IndividualCPUCount", "TotalCPUCount"),
    "resources.nodes": ("TotalResourceCount",),
    "resources.memory": ("TotalPhysicalMemory", "IndividualPhysicalMemory", "MemoryLimit"),
    "resources.architecture": ("CPUArchitecture",),
    "resources.operating_system": ("OperatingSystem",),
    "resources.candidates": ("CandidateHosts",),
    "resources.exclusive": ("ExclusiveExecution",),
    "resources": ("Resources",),
}
_INDEXED = re.compile(r"(\w+)\[(\d+)\](?:\.(\w+))?")
_ENDS = {"sources": "Source", "targets": "Target"}


def find(root: etree._Element, element: str, description: Description) -> Place | None:
    """The element of the document for one of ours; None where it says nothing of the kind."""
    job = root.find(tag("jsdl:JobDescription"))
    if job is None:
        return None
    match = _INDEXED.match(element)
    if match is not None and match[1] in ("inputs", "outputs"):
        return _staged(job, match[1], int(match[2]), match[3] or "", description)
    plain = element.partition("[")[0]
    names = _NAMES.get(plain) or _NAMES.get(plain.partition(".")[0], ())
    for name in names:
        found = list(_named(job, name))
        if plain.startswith("environment.") and name == "Environment":
            found = [one for one in found if one.get("name") == plain.partition(".")[2]] or found
        if found:
            number = int(match[2]) if match is not None and match[1] == "arguments" else 0
            return of(found[number if number < len(found) else 0])
    return None


def _staged(job: etree._Element, which: str, index: int, field: str, description: Description) -> Place | None:
    files = description.inputs if which == "inputs" else description.outputs
    if index >= len(files):
        return None
    end = "Source" if which == "inputs" else "Target"
    for staging in job.iterchildren(tag("jsdl:DataStaging")):
        inner = {local(child): child for child in staging if isinstance(child.tag, str)}
        name = inner.get("FileName")
        if name is not None and (end in inner or len(files) == 1) and _same(name.text or "", files[index].path):
            return of(inner.get(_ENDS.get(field, ""), staging))
    return None


def _same(written: str, path: str) -> bool:
    try:
        return session_path(written.strip()) == path
    except InvalidInput:
        return False


def _named(job: etree._Element, name: str) -> Iterator[etree._Element]:
    return (one for one in job.iter(f"{{*}}{name}"))


def of(element: etree._Element) -> Place:
    """Where an element is."""
    return Place(path(element), line(element))
