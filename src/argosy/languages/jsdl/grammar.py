"""JSDL 1.0 and its extensions as data: which element holds which, in which order, with which attributes.

Sources: JSDL 1.0 (GFD.56, GFD.136), the HPC Profile Application Extension (GFD.111), the SPMD Application Extension
(GFD.115), the Parameter Sweep Extension (GFD.149), and the HPC activity credential.

In `content` each word is a child: ``?`` none or one, ``*`` any number, ``+`` one or more, nothing exactly one.
``~Name`` is local to its parent and described in `local`; ``prefix:Name`` is of another namespace; ``##other`` stands
for any elements of other namespaces. In `attributes` each word is ``name:type``, with ``!`` where it must be there;
``##other`` as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: The types that are lists of words, by the names that the schemas give them.
ENUMERATIONS: dict[str, str] = {
    "ProcessorArchitectureEnumeration": "sparc powerpc x86 x86_32 x86_64 parisc mips ia64 arm other",
    "FileSystemTypeEnumeration": "swap temporary spool normal",
    "CreationFlagEnumeration": "overwrite append dontOverwrite",
    "OperatingSystemTypeEnumeration": (
        "Unknown MACOS ATTUNIX DGUX DECNT Tru64_UNIX OpenVMS HPUX AIX MVS OS400 OS_2 JavaVM MSDOS WIN3x WIN95 WIN98 "
        "WINNT WINCE NCR3000 NetWare OSF DC_OS Reliant_UNIX SCO_UnixWare SCO_OpenServer Sequent IRIX Solaris SunOS "
        "U6000 ASERIES TandemNSK TandemNT BS2000 LINUX Lynx XENIX VM Interactive_UNIX BSDUNIX FreeBSD NetBSD GNU_Hurd "
        "OS9 MACH_Kernel Inferno QNX EPOC IxWorks VxWorks MiNT BeOS HP_MPE NextStep PalmPilot Rhapsody Windows_2000 "
        "Dedicated OS_390 VSE TPF Windows_R_Me Caldera_Open_UNIX OpenBSD Not_Applicable Windows_XP z_OS other"
    ),
}


@dataclass(frozen=True, slots=True)
class Form:
    """The form of an element: `content` of elements, or `text` of a type."""

    content: str | None = None
    attributes: str = ""
    text: str | None = None
    nillable: bool = False
    abstract: bool = False
    instead_of: str | None = None
    local: Mapping[str, Form] = field(default_factory=dict)


def _text(type: str = "string", attributes: str = "") -> Form:
    return Form(text=type, attributes=attributes)


_BOUND = _text("double", "exclusiveBound:boolean ##other")
_RANGE = Form(
    "~UpperBoundedRange? ~LowerBoundedRange? ~Exact* ~Range*",
    "##other",
    local={
        "UpperBoundedRange": _BOUND,
        "LowerBoundedRange": _BOUND,
        "Exact": _text("double", "epsilon:double ##other"),
        "Range": Form("~LowerBound ~UpperBound", "##other", local={"LowerBound": _BOUND, "UpperBound": _BOUND}),
    },
)
_SOURCE = Form("URI? ##other", "##other")

_JSDL: dict[str, Form] = {
    "JobDefinition": Form("JobDescription ##other", "id:ID ##other"),
    "JobDescription": Form("JobIdentification? Application? Resources? DataStaging* ##other", "##other"),
    "JobIdentification": Form("JobName? Description? JobAnnotation* JobProject* ##other", "##other"),
    "JobName": _text(),
    "Description": _text("Description_Type"),
    "JobAnnotation": _text(),
    "JobProject": _text(),
    "Application": Form("ApplicationName? ApplicationVersion? Description? ##other", "##other"),
    "ApplicationName": _text(),
    "ApplicationVersion": _text(),
    "Resources": Form(
        "CandidateHosts? FileSystem* ExclusiveExecution? OperatingSystem? CPUArchitecture? IndividualCPUSpeed? "
        "IndividualCPUTime? IndividualCPUCount? IndividualNetworkBandwidth? IndividualPhysicalMemory? "
        "IndividualVirtualMemory? IndividualDiskSpace? TotalCPUTime? TotalCPUCount? TotalPhysicalMemory? "
        "TotalVirtualMemory? TotalDiskSpace? TotalResourceCount? ##other",
        "##other",
    ),
    "CandidateHosts": Form("HostName+"),
    "HostName": _text(),
    "FileSystem": Form("FileSystemType? Description? MountPoint? DiskSpace? ##other", "name:NCName! ##other"),
    "FileSystemType": _text("FileSystemTypeEnumeration"),
    "MountPoint": _text(),
    "DiskSpace": _RANGE,
    "ExclusiveExecution": _text("boolean"),
    "OperatingSystem": Form("OperatingSystemType? OperatingSystemVersion? Description? ##other", "##other"),
    "OperatingSystemType": Form("OperatingSystemName ##other", "##other"),
    "OperatingSystemName": _text("OperatingSystemTypeEnumeration"),
    "OperatingSystemVersion": _text(),
    "CPUArchitecture": Form("CPUArchitectureName ##other", "##other"),
    "CPUArchitectureName": _text("ProcessorArchitectureEnumeration"),
    **dict.fromkeys(
        (
            "IndividualCPUSpeed",
            "IndividualCPUTime",
            "IndividualCPUCount",
            "IndividualNetworkBandwidth",
            "IndividualPhysicalMemory",
            "IndividualVirtualMemory",
            "IndividualDiskSpace",
            "TotalCPUTime",
            "TotalCPUCount",
            "TotalPhysicalMemory",
            "TotalVirtualMemory",
            "TotalDiskSpace",
            "TotalResourceCount",
        ),
        _RANGE,
    ),
    "DataStaging": Form(
        "FileName FilesystemName? CreationFlag DeleteOnTermination? Source? Target? ##other", "name:NCName ##other"
    ),
    "FileName": _text(),
    "FilesystemName": _text("NCName"),
    "CreationFlag": _text("CreationFlagEnumeration"),
    "DeleteOnTermination": _text("boolean"),
    "Source": _SOURCE,
    "Target": _SOURCE,
    "URI": _text("anyURI"),
}

_PLACED = "filesystemName:NCName ##other"
LIMITS = (
    "WallTimeLimit",
    "FileSizeLimit",
    "CoreDumpLimit",
    "DataSegmentLimit",
    "LockedMemoryLimit",
    "MemoryLimit",
    "OpenDescriptorsLimit",
    "PipeSizeLimit",
    "StackSizeLimit",
    "CPUTimeLimit",
    "ProcessCountLimit",
    "VirtualMemoryLimit",
    "ThreadCountLimit",
)
_POSIX: dict[str, Form] = {
    "POSIXApplication": Form(
        "Executable? Argument* Input? Output? Error? WorkingDirectory? Environment* "
        + " ".join(f"{name}?" for name in LIMITS)
        + " UserName? GroupName?",
        "name:NCName ##other",
    ),
    "Executable": _text("string", _PLACED),
    "Argument": _text("normalizedString", _PLACED),
    "Input": _text("string", _PLACED),
    "Output": _text("string", _PLACED),
    "Error": _text("string", _PLACED),
    "WorkingDirectory": _text("string", _PLACED),
    "Environment": _text("string", "name:NCName! " + _PLACED),
    **{name: _text("nonNegativeInteger", "##other") for name in LIMITS},
    "UserName": _text("string", "##other"),
    "GroupName": _text("string", "##other"),
}

_HPCPA: dict[str, Form] = {
    "HPCProfileApplication": Form(
        "Executable? Argument* Input? Output? Error? WorkingDirectory? Environment* UserName?", "name:NCName ##other"
    ),
    "Environment": _text("string", "name:NCName! ##other"),
    **{
        name: _text("string", "##other")
        for name in ("Executable", "Argument", "Input", "Output", "Error", "WorkingDirectory", "UserName")
    },
}

_SPMD: dict[str, Form] = {
    "SPMDApplication": Form(
        "jsdl-posix:Executable? jsdl-posix:Argument* jsdl-posix:Input? jsdl-posix:Output? jsdl-posix:Error? "
        "jsdl-posix:WorkingDirectory? jsdl-posix:Environment* jsdl-posix:UserName? NumberOfProcesses? "
        "ProcessesPerHost? ThreadsPerProcess? SPMDVariation ##other",
        "name:NCName ##other",
    ),
    "NumberOfProcesses": Form(text="positiveInteger", attributes="actualtotalcpucount:boolean ##other", nillable=True),
    "ProcessesPerHost": _text("positiveInteger", "##other"),
    "ThreadsPerProcess": Form(
        text="positiveInteger", attributes="actualindividualcpucount:boolean ##other", nillable=True
    ),
    "SPMDVariation": _text("anyURI"),
}

_SWEEP: dict[str, Form] = {
    "Sweep": Form("Assignment+ Sweep* ##other", "##other"),
    "Assignment": Form("Parameter+ Function"),
    "Parameter": Form(abstract=True),
    "Function": Form(abstract=True),
    "DocumentNode": Form("NamespaceBinding+ ~Match", instead_of="sweep:Parameter", local={"Match": _text()}),
    "NamespaceBinding": Form("", "ns:anyURI! prefix:NCName!"),
}
_FUNCTIONS: dict[str, Form] = {
    "Values": Form("~Value+", "##other", instead_of="sweep:Function", local={"Value": _text("anyType")}),
    "LoopInteger": Form(
        "~Exception*",
        "start:integer! end:integer! step:integer ##other",
        instead_of="sweep:Function",
        local={"Exception": _text("integer")},
    ),
    "LoopDouble": Form(
        "~Exception*",
        "start:double! end:double! step:double! ##other",
        instead_of="sweep:Function",
        local={"Exception": _text("double")},
    ),
}
_FILE_SWEEP: dict[str, Form] = {
    "FileSweep": Form(
        "~TemplateFile+ ~FileToken+",
        instead_of="sweep:Parameter",
        local={
            "TemplateFile": Form("jsdl:FileName jsdl:FilesystemName?"),
            "FileToken": Form("", "value:string! assignDefault:string"),
        },
    ),
}
_CREDENTIAL: dict[str, Form] = {
    "Credential": Form("##other1 ~SupplementalTokens?", "Id:ID", local={"SupplementalTokens": Form("##other+", "")}),
}

#: Every element that may be the root or be referred to, by prefix and name.
GRAMMAR: dict[str, dict[str, Form]] = {
    "jsdl": _JSDL,
    "jsdl-posix": _POSIX,
    "jsdl-hpcpa": _HPCPA,
    "jsdl-spmd": _SPMD,
    "sweep": _SWEEP,
    "sweepfunc": _FUNCTIONS,
    "file-sweep": _FILE_SWEEP,
    "ac": _CREDENTIAL,
}

#: Elements whose type does not have the element's own name in the schemas; None where it has no name at all. A document
#: may name the type of an element (``xsi:type``): what serialises objects does.
_TYPES: dict[str, str | None] = {
    **{f"jsdl:{name}": "RangeValue_Type" for name, form in _JSDL.items() if form is _RANGE},
    **{
        f"jsdl:{name}": "Boundary_Type"
        for name in ("UpperBoundedRange", "LowerBoundedRange", "LowerBound", "UpperBound")
    },
    **{f"jsdl:{name}": "SourceTarget_Type" for name in ("Source", "Target")},
    **{
        f"{prefix}:{name}": "FileName_Type"
        for prefix in ("jsdl-posix", "jsdl-hpcpa")
        for name in ("Executable", "Input", "Output", "Error")
    },
    **{f"{prefix}:WorkingDirectory": "DirectoryName_Type" for prefix in ("jsdl-posix", "jsdl-hpcpa")},
    **{f"jsdl-posix:{name}": "Limits_Type" for name in LIMITS},
    **{f"sweep:{name}": None for name in _SWEEP if name != "Sweep"},
    **{f"sweepfunc:{name}": None for name in _FUNCTIONS},
    "ac:Credential": "CredentialType",
    "ac:SupplementalTokens": "SupplementalTokensType",
}


def type_name(prefix: str, name: str) -> str | None:
    """What the schemas call the type of an element that has elements or attributes in it."""
    return _TYPES.get(f"{prefix}:{name}", f"{name}_Type")


def names() -> list[str]:
    """All elements as ``prefix:Name``, those that are local to another one included."""
    found: list[str] = []

    def collect(prefix: str, name: str, form: Form) -> None:
        if not form.abstract and f"{prefix}:{name}" not in found:
            found.append(f"{prefix}:{name}")
        for inner, its in form.local.items():
            collect(prefix, inner, its)

    for prefix, forms in GRAMMAR.items():
        for name, form in forms.items():
            collect(prefix, name, form)
    return found
