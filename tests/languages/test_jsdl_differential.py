"""Documents changed at random: our verdict is that of the schemas, and nothing is a traceback."""

from __future__ import annotations

import copy
import random
from pathlib import Path

import pytest
from lxml import etree

from argosy.languages.contract import NotValid, check
from argosy.languages.jsdl import JSDL
from argosy.languages.jsdl.names import NAMESPACES, tag
from argosy.model import InvalidInput
from tests.languages.documents import assignment, definition, exact, posix, resources, sweep, values

SHARED = Path(__file__).parents[2].parent / "shared"
SCHEMA = SHARED / "schemas" / "jsdl-all.xsd"

_LIMITS = "".join(
    f"<jsdl-posix:{name}>1</jsdl-posix:{name}>"
    for name in ("WallTimeLimit", "FileSizeLimit", "MemoryLimit", "StackSizeLimit", "ThreadCountLimit")
)
_IDENTIFICATION = (
    "<jsdl:JobIdentification><jsdl:JobName>n</jsdl:JobName><jsdl:JobAnnotation>k=v</jsdl:JobAnnotation>"
    "</jsdl:JobIdentification>"
)
_ASKED = (
    '<jsdl:FileSystem name="HOME"><jsdl:FileSystemType>normal</jsdl:FileSystemType>'
    "<jsdl:MountPoint>/h</jsdl:MountPoint>"
    '<jsdl:DiskSpace><jsdl:LowerBoundedRange exclusiveBound="true">1.5</jsdl:LowerBoundedRange></jsdl:DiskSpace>'
    "</jsdl:FileSystem><jsdl:ExclusiveExecution>true</jsdl:ExclusiveExecution>"
    '<jsdl:IndividualCPUCount><jsdl:Exact epsilon="0.5">2</jsdl:Exact><jsdl:Exact>4</jsdl:Exact><jsdl:Range>'
    '<jsdl:LowerBound exclusiveBound="true">1</jsdl:LowerBound><jsdl:UpperBound>8</jsdl:UpperBound></jsdl:Range>'
    "</jsdl:IndividualCPUCount>" + exact("TotalCPUCount", "4.0")
)
_STAGED = (
    '<jsdl:DataStaging name="s"><jsdl:FileName>f</jsdl:FileName><jsdl:FilesystemName>HOME</jsdl:FilesystemName>'
    "<jsdl:CreationFlag>overwrite</jsdl:CreationFlag><jsdl:DeleteOnTermination>true</jsdl:DeleteOnTermination>"
    "<jsdl:Source><jsdl:URI>http://h/f</jsdl:URI></jsdl:Source></jsdl:DataStaging>"
)
_LOOP = (
    '<sweepfunc:LoopInteger start="1" end="3" step="1"><sweepfunc:Exception>2</sweepfunc:Exception>'
    "</sweepfunc:LoopInteger>"
)
_SWEPT = sweep(
    assignment("//jsdl-posix:Argument[1]", values("1", "2")),
    sweep(assignment("substring(//jsdl-posix:Argument[2],1,1)", _LOOP)),
)
_ARGUMENTS = (
    '<jsdl-posix:Argument>a</jsdl-posix:Argument><jsdl-posix:Argument filesystemName="HOME">b</jsdl-posix:Argument>'
    '<jsdl-posix:Output>o</jsdl-posix:Output><jsdl-posix:Environment name="A">1</jsdl-posix:Environment>'
)
_HPC = (
    "<jsdl:Application><jsdl-hpcpa:HPCProfileApplication><jsdl-hpcpa:Executable>/x</jsdl-hpcpa:Executable>"
    '<jsdl-hpcpa:Environment name="A">1</jsdl-hpcpa:Environment></jsdl-hpcpa:HPCProfileApplication></jsdl:Application>'
)
_SPMD = (
    "<jsdl:Application><jsdl-spmd:SPMDApplication><jsdl-posix:Executable>/x</jsdl-posix:Executable>"
    "<jsdl-spmd:NumberOfProcesses>4</jsdl-spmd:NumberOfProcesses><jsdl-spmd:ProcessesPerHost>2"
    "</jsdl-spmd:ProcessesPerHost><jsdl-spmd:SPMDVariation>http://www.ogf.org/jsdl/2007/02/jsdl-spmd/MPI"
    "</jsdl-spmd:SPMDVariation></jsdl-spmd:SPMDApplication></jsdl:Application>"
)
WHOLE = [
    definition(_IDENTIFICATION + posix(_ARGUMENTS + _LIMITS) + resources(_ASKED) + _STAGED, _SWEPT),
    definition(_IDENTIFICATION + posix(_ARGUMENTS) + resources(exact("TotalCPUCount", "4")) + _STAGED, _SWEPT),
    definition(_HPC),
    definition(_SPMD),
]
TEXTS = (
    *(
        "",
        "0",
        "-1",
        " 1 ",
        "+1",
        "-0",
        "1.5",
        "1e3",
        "NaN",
        "INF",
        "true",
        "TRUE",
        "1 2",
        "0x1",
        "9" * 400,
        "1e400",
        "a",
    ),
    *(
        "ä\u2028",
        "\n \t",
        "2147483648",
        "-9223372036854775809",
        "http://h/ x",
        "${X}",
        "/",
        "../x",
        "append",
        "swap",
        "1_0",
    ),
    *("LINUX", "HOME", "//p:Argument", "]]>", "١٢"),
)
_NAMES = ("Exact", "Argument", "Sweep", "Value", "Bogus", "URI")
TAGS = [
    *(f"{{{uri}}}{name}" for uri in NAMESPACES.values() for name in _NAMES),
    "{urn:v}z",
    "plain",
    "{http://schemas.ggf.org/jsdl/2006/01/jsdl}JobName",
]  # fmt: skip
ATTRIBUTES = (
    *("name", "filesystemName", "exclusiveBound", "epsilon", "start", "end", "step", "id", "prefix", "ns", "optional"),
    *("{urn:v}optional", "actualtotalcpucount", "{http://www.w3.org/2001/XMLSchema-instance}nil"),
    *("{http://www.w3.org/2001/XMLSchema-instance}type", "{http://www.w3.org/XML/1998/namespace}lang"),
)


def changed(root: etree._Element, chance: random.Random) -> bytes | None:
    """A document after a few changes; None where that is no document any more."""
    for _ in range(chance.randint(1, 3)):
        elements = list(root.iter(etree.Element))
        element = chance.choice(elements)
        parent = element.getparent()
        kind = chance.randrange(9)
        try:
            if kind == 0:
                element.text = chance.choice(TEXTS)
            elif kind == 1:
                element.set(chance.choice(ATTRIBUTES), chance.choice(TEXTS))
            elif kind == 2 and element.attrib:
                del element.attrib[chance.choice(list(element.attrib))]
            elif kind == 3:
                etree.SubElement(element, chance.choice(TAGS)).text = chance.choice(TEXTS)
            elif kind == 4:
                element.insert(0, chance.choice([etree.Comment("c"), etree.ProcessingInstruction("pi", "x")]))
            elif parent is None:
                continue
            elif kind == 5:
                parent.remove(element)
            elif kind == 6:
                parent.insert(chance.randint(0, len(parent)), copy.deepcopy(chance.choice(elements[1:])))
            elif kind == 7:
                parent.insert(0, element)
            else:
                element.tag = chance.choice(TAGS)
        except (ValueError, AssertionError):
            return None  # what XML itself cannot hold
    return etree.tostring(root)


def ours(data: bytes, *, strict: bool) -> bool:
    try:
        parsed = JSDL().parse(data, strict=strict)
    except NotValid as error:
        return _named(error) and False
    try:
        for _ in zip(range(3), check(parsed).descriptions, strict=False):
            pass
    except InvalidInput as error:
        return _named(error)
    return True


def _named(error: InvalidInput) -> bool:
    assert error.element, error
    return True


@pytest.mark.parametrize("seed", range(4))
def test_any_changes_get_the_verdict_of_the_schemas(seed: int) -> None:
    chance = random.Random(seed)
    schema = etree.XMLSchema(etree.parse(str(SCHEMA))) if SCHEMA.exists() else None
    bases = [etree.fromstring(one) for one in WHOLE]
    valid = tried = 0
    for _ in range(700):
        data = changed(copy.deepcopy(chance.choice(bases)), chance)
        if data is None:
            continue
        root = etree.fromstring(data)
        theirs = schema is not None and root.tag == tag("jsdl:JobDefinition") and schema.validate(root)
        mine = ours(data, strict=True)
        assert schema is None or mine == theirs, (data, schema.error_log)
        ours(data, strict=False)
        tried += 1
        valid += mine
    assert tried > 500
    assert tried / 10 < valid < tried


@pytest.mark.parametrize("seed", range(3))
def test_bytes_changed_at_random_are_never_a_traceback(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(400):
        data = bytearray(chance.choice(WHOLE))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(data))
            if chance.random() < 0.5:
                data[place] = chance.choice(b"<>&\"'/=!?[]-x0\x00\xff\xc3\n")
            else:
                piece = [
                    b"<!DOCTYPE x>",
                    b"&lol;",
                    b"<![CDATA[",
                    b"<?xml encoding='utf-7'?>",
                    b"]]>",
                    b"&#0;",
                    b"&#xFFFF;",
                ]
                data[place:place] = chance.choice(piece)
        for strict in (True, False):
            ours_or_not(bytes(data), strict=strict)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "utf-32", "ascii", "cp1252"]
)
@pytest.mark.parametrize("told", [None, "UTF-8", "UTF-16", "ISO-8859-1", "klingon", "UTF-7", "IBM037"])
def test_encodings(encoding: str, told: str | None) -> None:
    text = WHOLE[2].decode()
    lead = f'<?xml version="1.0" encoding="{told}"?>' if told else ""
    ours_or_not((lead + text).encode(encoding), strict=True)


def ours_or_not(data: bytes, *, strict: bool) -> None:
    try:
        parsed = JSDL().parse(data, strict=strict)
        for _ in zip(range(3), check(parsed).descriptions, strict=False):
            pass
    except InvalidInput:
        pass
