"""A JobDefinition to a description."""

from __future__ import annotations

import re
from collections.abc import Callable

from lxml import etree

from argosy.model import InvalidInput

from .. import native
from ..contract import Note, NotValid
from ..native import Description, Resources
from . import application, places, resources
from .application import Program
from .names import line, local, shown, tag
from .reading import Reading, wrong
from .resources import Wanted
from .staging import Files, is_there

#: A JobAnnotation that is a tag.
TAG = re.compile(r"([A-Za-z_][\w.-]{0,99})=(.*)", re.DOTALL | re.ASCII)

_APPLICATIONS = ("jsdl-posix:POSIXApplication", "jsdl-hpcpa:HPCProfileApplication", "jsdl-spmd:SPMDApplication")


def check_root(root: etree._Element) -> None:
    """Raise NotValid where this is no JobDefinition."""
    if root.tag != tag("jsdl:JobDefinition"):
        raise NotValid(
            f"the document is a {shown(str(root.tag))}, not a jsdl:JobDefinition",
            element=local(root),
            line=line(root),
        )


def read(reading: Reading, root: etree._Element, *, sweeps: Callable[[etree._Element], None]) -> Description | None:
    """The job of a JobDefinition; `sweeps` gets its Sweep elements.

    None where there is nothing that could be run: the notes of `reading` tell why.
    """
    jobs: list[etree._Element] = []
    reading.children(root, {"jsdl:JobDescription": jobs.append, "sweep:Sweep": sweeps})
    if not jobs:
        raise wrong(root, "a JobDefinition has a JobDescription")
    return _job(reading, jobs[0])


def _job(reading: Reading, job: etree._Element) -> Description | None:
    parts: dict[str, etree._Element] = {}
    staged: list[etree._Element] = []

    def part(child: etree._Element) -> None:
        parts[local(child)] = child

    reading.children(
        job,
        {
            "jsdl:JobIdentification": part,
            "jsdl:Application": part,
            "jsdl:Resources": part,
            "jsdl:DataStaging": staged.append,
        },
    )
    wanted = resources.read(reading, parts.get("Resources"))
    files = Files()
    for element in staged:
        files.read(reading, element, wanted)
    description = Description(executable="-")
    if "JobIdentification" in parts:
        _identification(reading, parts["JobIdentification"], description)
    program = _application(reading, parts.get("Application"), job, wanted, description)
    if program is None or program.executable is None:
        return None
    description.inputs, description.outputs = list(files.inputs.values()), list(files.outputs.values())
    _run(description, program, files)
    try:
        description.resources = _needs(reading, job, program, wanted)
        return native.checked(description)
    except InvalidInput as error:
        reading.notes.append(_in_its_terms(error, job, description))
        return None


def _identification(reading: Reading, element: etree._Element, description: Description) -> None:
    projects: list[etree._Element] = []
    plain = 0

    def name(child: etree._Element) -> None:
        description.name = reading.word(child) or None

    def annotation(child: etree._Element) -> None:
        nonlocal plain
        text = reading.word(child)
        match = TAG.fullmatch(text)
        if match is not None and match[1] not in description.tags:
            description.tags[match[1]] = match[2]
        elif text:
            plain += 1
            description.tags["annotation" if plain == 1 else f"annotation.{plain}"] = text

    def described(child: etree._Element) -> None:
        if text := reading.word(child):
            description.tags["description"] = text

    reading.children(
        element,
        {
            "jsdl:JobName": name,
            "jsdl:Description": described,
            "jsdl:JobAnnotation": annotation,
            "jsdl:JobProject": projects.append,
        },
    )
    for child in projects[1:]:
        reading.note(child, "a job has one account", refused=True)
    if projects:
        description.account = reading.word(projects[0]) or None


def _application(
    reading: Reading, element: etree._Element | None, job: etree._Element, wanted: Wanted, description: Description
) -> Program | None:
    if element is None:
        reading.note(job, "there is no Application: nothing to run", refused=True)
        return None
    programs: list[etree._Element] = []
    named: list[etree._Element] = []

    def keep(name: str) -> Callable[[etree._Element], None]:
        def handler(child: etree._Element) -> None:
            if local(child) == "ApplicationName":
                named.append(child)
            if text := reading.word(child):
                description.tags[name] = text

        return handler

    reading.children(
        element,
        {
            "jsdl:ApplicationName": keep("application"),
            "jsdl:ApplicationVersion": keep("application.version"),
            "jsdl:Description": keep("application.description"),
            **dict.fromkeys(_APPLICATIONS, programs.append),
        },
    )
    if len(programs) > 1:
        raise wrong(programs[1], "there is more than one application element")
    program = application.read(reading, programs[0], wanted) if programs else None
    if program is None or program.executable is None:
        what = "an application by its name cannot be run: " if named else ""
        reading.note(programs[0] if programs else element, f"{what}there is no Executable", refused=True)
    return program


def _run(description: Description, program: Program, files: Files) -> None:
    assert program.executable is not None
    description.executable = program.executable
    if (there := is_there(program.executable, files.inputs)) is not None:
        # A file that is staged in is meant, and not one of that name on PATH.
        files.inputs[there].executable = True
        if "/" not in program.executable:
            description.executable = f"./{there}"
    description.arguments = program.arguments
    description.environment = program.environment
    description.directory = program.directory
    description.stdin = program.stdin
    if program.stdout not in (None, description.stdout):
        description.stdout = program.stdout or ""
    if program.stderr not in (None, description.stderr):
        description.stderr = program.stderr or ""
    description.launcher = program.launcher
    description.duration = None if program.duration is None else float(program.duration)


def _needs(reading: Reading, job: etree._Element, program: Program, wanted: Wanted) -> Resources | None:
    needs = Resources(
        exclusive=wanted.exclusive,
        nodes=wanted.nodes,
        architecture=wanted.architecture,
        operating_system=wanted.operating_system,
        candidates=wanted.candidates,
    )
    if program.launcher is None:
        needs.processes, needs.processes_per_node = wanted.cpus, wanted.cpus_per_node
        if wanted.nodes and wanted.cpus and wanted.cpus_per_node and wanted.cpus < wanted.nodes * wanted.cpus_per_node:
            # Each resource has so many, and the job takes some of them.
            needs.processes_per_node = None
    else:
        _of_spmd(reading, job, program, wanted, needs)
    nodes = needs.nodes or 1
    processes = needs.processes or nodes * (needs.processes_per_node or 1)
    if wanted.memory is not None:
        needs.memory = wanted.memory
    elif wanted.memory_per_node is not None:
        needs.memory = wanted.memory_per_node * nodes
    elif program.memory_per_process is not None:
        needs.memory = program.memory_per_process * processes
    return None if needs == Resources() else needs


def _of_spmd(reading: Reading, job: etree._Element, program: Program, wanted: Wanted, needs: Resources) -> None:
    processes, threads = program.processes, program.threads
    if processes == 0 and wanted.cpus is None:
        raise wrong(job, "NumberOfProcesses is the TotalCPUCount, which is not there")
    if threads == 0 and wanted.cpus_per_node is None:
        raise wrong(job, "ThreadsPerProcess is the IndividualCPUCount, which is not there")
    needs.cores_per_process = wanted.cpus_per_node if threads == 0 else threads
    if processes is None and program.per_node is None:
        processes = 0 if wanted.cpus is not None else None
    needs.processes = wanted.cpus if processes == 0 else processes
    needs.processes_per_node = program.per_node
    if needs.processes is not None and wanted.cpus is not None and needs.cores_per_process is None:
        share, rest = divmod(wanted.cpus, needs.processes)
        needs.cores_per_process = share if share > 1 and not rest else None
    asked = (needs.processes or 1) * (needs.cores_per_process or 1)
    if wanted.cpus is not None and wanted.cpus != asked:
        reading.note(job, f"TotalCPUCount is {wanted.cpus}; {asked} are asked for, by the processes and their threads")


def _in_its_terms(error: InvalidInput, job: etree._Element, description: Description) -> Note:
    """An error of our own form, with its place in the document. That is valid; the job cannot be."""
    there = places.find(job.getroottree().getroot(), error.element or "", description) or places.of(job)
    return Note(there.element, error.message, there.line, refused=True)
