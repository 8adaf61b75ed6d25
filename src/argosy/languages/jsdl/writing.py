"""A description as a JSDL document, and what JSDL cannot say of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
from lxml import etree
from msgspec import UNSET

from argosy.model import InvalidInput, JobAttributes
from argosy.model.shell import references

from .. import native, xml
from ..contract import Note, Written
from ..native import Description, Input, Output, Resources
from .application import VARIATION
from .document import TAG
from .grammar import ENUMERATIONS
from .names import NAMESPACES, tag
from .resources import NO_SYSTEM, SYSTEMS
from .staging import FLAGS, inline_url

_PARALLEL = ("mpirun",)
_ARCHITECTURES = frozenset(ENUMERATIONS["ProcessorArchitectureEnumeration"].split()) - {"other"}
#: JSDL's names of operating systems by those of ``uname``.
_SYSTEMS = {
    SYSTEMS.get(name, name.lower()): name
    for name in ENUMERATIONS["OperatingSystemTypeEnumeration"].split()
    if name not in NO_SYSTEM
}
#: Tags that have elements of their own.
_OWN = {"description", "application", "application.version", "application.description"}


def write(description: Description, read_back: Callable[[bytes], Description]) -> Written:
    """The document; `read_back` reads it, so that whatever differs then is told too."""
    writer = _Writer(native.checked(description))
    root = writer.definition()
    etree.indent(root)
    data = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    _compare(writer, read_back(data))
    return Written(data, writer.lost)


class _Writer:
    def __init__(self, description: Description) -> None:
        self.description = description
        self.lost: list[Note] = []

    def lose(self, element: str, message: str) -> None:
        self.lost.append(Note(element, message))

    def definition(self) -> etree._Element:
        parallel = self.description.launcher in _PARALLEL
        used = {"jsdl", "jsdl-posix"} | ({"jsdl-spmd"} if parallel else set())
        root = etree.Element(tag("jsdl:JobDefinition"), nsmap={k: v for k, v in NAMESPACES.items() if k in used})
        job = _add(root, "jsdl:JobDescription")
        self._identification(job)
        self._application(job, parallel=parallel)
        self._resources(job, parallel=parallel)
        self._files(job)
        for name, what in (
            ("share", "JSDL knows no queues"),
            ("reservation", "JSDL knows no reservations"),
            ("custom", "JSDL has no place for what one batch system knows"),
            ("pre_launch", "JSDL runs one program"),
            ("post_launch", "JSDL runs one program"),
            ("rerunnable", "JSDL does not say whether a job may run again"),
            ("held", "JSDL jobs start by themselves"),
            ("credentials", "credentials in descriptions are not taken by others"),
            ("offer_credentials", "credentials in descriptions are not taken by others"),
            ("notify", "JSDL does not say whom to tell what happens"),
            ("interactive", "JSDL does not speak of files while a job runs"),
        ):
            if getattr(self.description, name):
                self.lose(name, what)
        if not self.description.inherit_environment:
            self.lose("inherit_environment", "JSDL does not say which other variables there are")
        if self.description.launcher not in (None, "single", *_PARALLEL):
            self.lose("launcher", f"JSDL cannot ask for {self.description.launcher}")
        return root

    def _identification(self, job: etree._Element) -> None:
        description, tags = self.description, self.description.tags
        texts: list[tuple[str, str, str]] = []
        if description.name is not None:
            texts.append(("jsdl:JobName", "name", description.name))
        if "description" in tags:
            texts.append(("jsdl:Description", "tags.description", tags["description"]))
        plain = 1
        for key, value in tags.items():
            if key in _OWN:
                continue
            if key == ("annotation" if plain == 1 else f"annotation.{plain}") and value and not TAG.fullmatch(value):
                texts.append(("jsdl:JobAnnotation", f"tags.{key}", value))
                plain += 1
            elif TAG.fullmatch(f"{key}="):
                texts.append(("jsdl:JobAnnotation", f"tags.{key}", f"{key}={value}"))
            else:
                self.lose(f"tags.{key}", "JSDL's annotations cannot hold this name")
        if description.account is not None:
            texts.append(("jsdl:JobProject", "account", description.account))
        if texts:
            identification = _add(job, "jsdl:JobIdentification")
            for name, element, text in texts:
                _add(identification, name, _possible(element, text))

    def _application(self, job: etree._Element, *, parallel: bool) -> None:
        description, tags = self.description, self.description.tags
        application = _add(job, "jsdl:Application")
        for name, key in (
            ("jsdl:ApplicationName", "application"),
            ("jsdl:ApplicationVersion", "application.version"),
            ("jsdl:Description", "application.description"),
        ):
            if key in tags:
                _add(application, name, _possible(f"tags.{key}", tags[key]))
        program = _add(application, "jsdl-spmd:SPMDApplication" if parallel else "jsdl-posix:POSIXApplication")
        _add(program, "jsdl-posix:Executable", _possible("executable", description.executable))
        for index, argument in enumerate(description.arguments):
            _add(program, "jsdl-posix:Argument", self._literal(f"arguments[{index}]", argument))
        for name, element, value in (
            ("jsdl-posix:Input", "stdin", description.stdin),
            ("jsdl-posix:Output", "stdout", description.stdout),
            ("jsdl-posix:Error", "stderr", description.stderr),
        ):
            if value is not None:
                _add(program, name, _possible(element, value))
        directory = None
        if description.directory is not None:
            directory = _add(program, "jsdl-posix:WorkingDirectory", _possible("directory", description.directory))
        for name, value in description.environment.items():
            _add(program, "jsdl-posix:Environment", self._literal(f"environment.{name}", value)).set("name", name)
        if directory is not None and (description.directory or "").startswith("~"):
            directory.text = (description.directory or "").removeprefix("~").removeprefix("/")
            directory.set("filesystemName", "HOME")
        limit = self._wall_time()
        if parallel:
            self._spmd(program)
        if limit is not None:
            _add(program, "jsdl-posix:WallTimeLimit", str(limit))

    def _spmd(self, program: etree._Element) -> None:
        needs = self.description.resources or Resources()
        for name, value in (
            ("jsdl-spmd:NumberOfProcesses", needs.processes),
            ("jsdl-spmd:ProcessesPerHost", needs.processes_per_node),
            ("jsdl-spmd:ThreadsPerProcess", needs.cores_per_process),
        ):
            if value is not None:
                _add(program, name, str(value))
        _add(program, "jsdl-spmd:SPMDVariation", VARIATION + "MPI")

    def _literal(self, element: str, value: str) -> str:
        """A value without our own references to variables, which JSDL does not have."""
        literal, names = references(value)
        if names:
            self.lose(element, f"JSDL replaces no variables: {', '.join(names)} is left as it is written")
        return _possible(element, literal)

    def _wall_time(self) -> int | None:
        given = self.description.duration
        if given is None:
            return None
        usual = JobAttributes().duration
        assert usual is not None
        seconds = usual.total_seconds() if given is UNSET else given
        assert isinstance(seconds, float | int)
        if seconds != int(seconds):
            self.lose("duration", f"whole seconds: {math.ceil(seconds)}")
        return math.ceil(seconds)

    def _resources(self, job: etree._Element, *, parallel: bool) -> None:
        needs = self.description.resources or Resources()
        element = etree.Element(tag("jsdl:Resources"))
        if needs.candidates:
            hosts = _add(element, "jsdl:CandidateHosts")
            for candidate in needs.candidates:
                _add(hosts, "jsdl:HostName", _possible("resources.candidates", candidate))
        if (self.description.directory or "").startswith("~"):
            _add(element, "jsdl:FileSystem").set("name", "HOME")
        if needs.exclusive:
            _add(element, "jsdl:ExclusiveExecution", "true")
        if (os_name := _SYSTEMS.get((needs.operating_system or "").lower())) is not None:
            kind = _add(_add(element, "jsdl:OperatingSystem"), "jsdl:OperatingSystemType")
            _add(kind, "jsdl:OperatingSystemName", os_name)
        if needs.architecture in _ARCHITECTURES:
            _add(_add(element, "jsdl:CPUArchitecture"), "jsdl:CPUArchitectureName", needs.architecture)
        cores = 1 if parallel else needs.cores_per_process or 1
        if not parallel and needs.cores_per_process is not None:
            self.lose("resources.cores_per_process", "JSDL counts CPUs: each is read as a process again")
        if needs.gpus_per_process:
            self.lose("resources.gpus_per_process", "JSDL knows no GPUs")
        per_node, processes = needs.processes_per_node, needs.processes
        if cores > 1 and processes is None and per_node is None:
            per_node = 1
        amounts = (
            ("jsdl:IndividualCPUCount", None if parallel or per_node is None else per_node * cores),
            ("jsdl:TotalCPUCount", None if parallel or processes is None else processes * cores),
            ("jsdl:TotalPhysicalMemory", needs.memory),
            ("jsdl:TotalResourceCount", needs.nodes),
        )
        for name, amount in amounts:
            if amount is not None:
                # A double, as JSDL has it, holds whole numbers to 2 to the 53rd; it is written in full in any case.
                form = "jsdl:LowerBoundedRange" if "Memory" in name else "jsdl:Exact"
                _add(_add(element, name), form, str(amount))
        if len(element):
            job.append(element)

    def _files(self, job: etree._Element) -> None:
        outputs = {file.path: file for file in self.description.outputs}
        for index, file in enumerate(self.description.inputs):
            self._input(job, index, file)
        for index, output in enumerate(outputs.values()):
            targets: list[str | None] = list(output.targets)
            if not targets:
                targets = [None]
            for url in targets:
                staging = self._staging(job, output)
                _end(staging, "jsdl:Target", f"outputs[{index}].targets", url)
            if output.optional:
                self.lose(f"outputs[{index}].optional", "JSDL's outputs must be there")

    def _input(self, job: etree._Element, index: int, file: Input) -> None:
        urls: list[str | None] = list(file.sources)
        if not urls:
            urls = [None]
        if file.content is not None:
            urls = [inline_url(file.content)]
        for url in urls:
            _end(self._staging(job, file), "jsdl:Source", f"inputs[{index}].sources", url)
        for name in ("size", "sha256", "adler32", "md5"):
            if getattr(file, name) is not None:
                self.lose(f"inputs[{index}].{name}", "JSDL does not say what a file must be like")

    def _staging(self, job: etree._Element, file: Input | Output) -> etree._Element:
        staging = _add(job, "jsdl:DataStaging")
        _add(staging, "jsdl:FileName", _possible("path", file.path))
        _add(staging, "jsdl:CreationFlag", FLAGS[file.creation])
        if file.delete_on_termination:
            _add(staging, "jsdl:DeleteOnTermination", "true")
        return staging


def _end(staging: etree._Element, name: str, element: str, url: str | None) -> None:
    end = _add(staging, name)
    if url is not None:
        _add(end, "jsdl:URI", _possible(element, url))


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, tag(name))
    element.text = text
    return element


def _possible(element: str, text: str) -> str:
    if not xml.text_is_possible(text):
        raise InvalidInput(f"{text!r} has a character that XML cannot hold", element=element)
    return text


def _compare(writer: _Writer, back: Description) -> None:
    """Tell of every field that comes back otherwise and has not been told of yet."""
    told = [note.element for note in writer.lost]
    before, after = _fields(writer.description), _fields(back)
    for name in sorted({*before, *after}):
        if before.get(name) == after.get(name):
            continue
        if not any(name == one or name.startswith((one + ".", one + "[")) for one in told):
            writer.lose(name, f"{before.get(name)!r} is read back as {after.get(name)!r}")


def _fields(description: Description) -> dict[str, object]:
    """The fields by their path, lists and mappings taken apart."""
    found: dict[str, object] = {}

    def take(name: str, value: object) -> None:
        if isinstance(value, msgspec.Struct):
            value = msgspec.structs.asdict(value)
        if isinstance(value, dict):
            for key, inner in value.items():
                take(f"{name}.{key}" if name else key, inner)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                take(f"{name}[{index}]", inner)
        else:
            found[name] = value

    take("", description)
    usual = JobAttributes().duration
    assert usual is not None
    if found["duration"] is UNSET:
        found["duration"] = usual.total_seconds()
    if found["launcher"] == "single":
        found["launcher"] = None
    return {name: value for name, value in found.items() if value is not None}
