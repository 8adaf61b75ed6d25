"""What JSDL's elements come to."""

from __future__ import annotations

import pytest
from lxml import etree

from argosy.languages.contract import NotValid, Support, Unsupported, check
from argosy.languages.jsdl import JSDL, ranges
from argosy.languages.jsdl.grammar import LIMITS
from argosy.languages.jsdl.names import NAMESPACES
from argosy.languages.jsdl.understood import understood
from argosy.languages.native import Description, Resources
from tests.languages.documents import arguments, definition, exact, posix, resources


def one(job: str, *, strict: bool = True) -> Description:
    return check(JSDL().parse(definition(job), strict=strict)).one()


def refused(job: str, *, strict: bool = True) -> list[str]:
    with pytest.raises(Unsupported) as error:
        check(JSDL().parse(definition(job), strict=strict))
    return [element.rpartition("/")[2] for element in error.value.elements]


def test_a_posix_application() -> None:
    found = one(
        "<jsdl:JobIdentification><jsdl:JobName>n</jsdl:JobName><jsdl:Description>d</jsdl:Description>"
        "<jsdl:JobAnnotation>key=value</jsdl:JobAnnotation><jsdl:JobAnnotation>free words</jsdl:JobAnnotation>"
        "<jsdl:JobProject>p</jsdl:JobProject></jsdl:JobIdentification>"
        + posix(
            arguments("a b", "${HOME}", "")
            + "<jsdl-posix:Input>in</jsdl-posix:Input><jsdl-posix:Output>out</jsdl-posix:Output>"
            "<jsdl-posix:Error>err</jsdl-posix:Error><jsdl-posix:WorkingDirectory>/w</jsdl-posix:WorkingDirectory>"
            '<jsdl-posix:Environment name="A"> b </jsdl-posix:Environment>'
            "<jsdl-posix:WallTimeLimit>60</jsdl-posix:WallTimeLimit>"
        )
    )
    assert found == Description(
        executable="/bin/echo",
        arguments=["a b", "$${HOME}", ""],  # JSDL knows no references: they are texts
        name="n",
        account="p",
        tags={"description": "d", "key": "value", "annotation": "free words"},
        stdin="in",
        stdout="out",
        stderr="err",
        directory="/w",
        environment={"A": " b "},
        duration=60.0,
    )


def test_layout_comments_and_cdata_are_no_content() -> None:
    found = one(posix(arguments("<!-- none -->", "<![CDATA[<a>]]>", "\n  one\n  two\n"), "\n   /bin/date\n "))
    assert found.executable == "/bin/date"
    assert found.arguments == ["", "<a>", "one   two"]


def test_hpc_profile_and_spmd_applications() -> None:
    hpc = one(
        "<jsdl:Application><jsdl-hpcpa:HPCProfileApplication><jsdl-hpcpa:Executable>x</jsdl-hpcpa:Executable>"
        "<jsdl-hpcpa:Argument>1</jsdl-hpcpa:Argument></jsdl-hpcpa:HPCProfileApplication></jsdl:Application>"
    )
    assert (hpc.executable, hpc.arguments, hpc.launcher, hpc.duration) == ("x", ["1"], None, None)
    spmd = one(_spmd("<jsdl-spmd:NumberOfProcesses>8</jsdl-spmd:NumberOfProcesses>"))
    assert spmd.launcher == "mpirun"
    assert spmd.resources == Resources(processes=8)
    counted = one(
        _spmd('<jsdl-spmd:NumberOfProcesses xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
              'actualtotalcpucount="true"/>')
        + resources(exact("TotalCPUCount", "16"))
    )  # fmt: skip
    assert counted.resources == Resources(processes=16)
    assert refused(_spmd("", "POE")) == ["SPMDVariation"]


def _spmd(inner: str, variation: str = "OpenMPI") -> str:
    return (
        "<jsdl:Application><jsdl-spmd:SPMDApplication><jsdl-posix:Executable>x</jsdl-posix:Executable>"
        f"{inner}<jsdl-spmd:SPMDVariation>http://www.ogf.org/jsdl/2007/02/jsdl-spmd/{variation}"
        "</jsdl-spmd:SPMDVariation></jsdl-spmd:SPMDApplication></jsdl:Application>"
    )


_HOSTS = (
    "<jsdl:CandidateHosts><jsdl:HostName>slurm/debug</jsdl:HostName><jsdl:HostName>cluster</jsdl:HostName>"
    "</jsdl:CandidateHosts>"
)
_OTHER = "<jsdl:CPUArchitecture><jsdl:CPUArchitectureName>other</jsdl:CPUArchitectureName></jsdl:CPUArchitecture>"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (exact("TotalCPUCount", "4"), Resources(processes=4)),
        (
            exact("IndividualCPUCount", "2.0") + exact("TotalResourceCount", "5"),
            Resources(nodes=5, processes_per_node=2),
        ),
        (exact("TotalCPUCount", "10") + exact("TotalResourceCount", "5"), Resources(nodes=5, processes=10)),
        (
            exact("IndividualPhysicalMemory", "1e9") + exact("TotalResourceCount", "2"),
            Resources(nodes=2, memory=2 * 10**9),
        ),
        (exact("TotalPhysicalMemory", "1000"), Resources(memory=1000)),
        ("<jsdl:ExclusiveExecution>1</jsdl:ExclusiveExecution>", Resources(exclusive=True)),
        ("<jsdl:TotalCPUCount/>", None),
        (
            (
                "<jsdl:OperatingSystem><jsdl:OperatingSystemType><jsdl:OperatingSystemName>LINUX"
                "</jsdl:OperatingSystemName></jsdl:OperatingSystemType></jsdl:OperatingSystem>"
            ),
            Resources(operating_system="linux"),
        ),
        (
            (
                "<jsdl:CPUArchitecture><jsdl:CPUArchitectureName>x86_64</jsdl:CPUArchitectureName>"
                "</jsdl:CPUArchitecture>"
            ),
            Resources(architecture="x86_64"),
        ),
        (_HOSTS, Resources(candidates=["slurm/debug", "cluster"])),
    ],
)  # fmt: skip
def test_resources(asked: str, found: Resources | None) -> None:
    assert one(posix() + resources(asked)).resources == found


@pytest.mark.parametrize(
    ("text", "minimum", "least"),
    [
        ("<Exact>3</Exact>", 1, 3),
        ('<Exact epsilon="0.5">3</Exact>', 1, 3),
        ('<Exact epsilon="1">3</Exact>', 1, 2),
        ("<Exact>2.5</Exact>", 1, None),
        ("<LowerBoundedRange>2.5</LowerBoundedRange>", 1, 3),
        ("<LowerBoundedRange>2</LowerBoundedRange>", 1, 2),
        ('<LowerBoundedRange exclusiveBound="true">2</LowerBoundedRange>', 1, 3),
        ("<UpperBoundedRange>8</UpperBoundedRange>", 1, 1),
        ('<UpperBoundedRange exclusiveBound="1">1</UpperBoundedRange>', 1, None),
        ("<Range><LowerBound>4</LowerBound><UpperBound>8</UpperBound></Range>", 1, 4),
        ('<Range><LowerBound exclusiveBound="true">4</LowerBound><UpperBound>4</UpperBound></Range>', 1, None),
        ("<Exact>9</Exact><Exact>7</Exact>", 1, 7),
        ("<LowerBoundedRange>-INF</LowerBoundedRange>", 1, 1),
        ("<LowerBoundedRange>1e300</LowerBoundedRange>", 1, None),
    ],
)
def test_the_least_whole_number_of_a_range(text: str, minimum: int, least: int | None) -> None:
    element = etree.fromstring(f'<R xmlns="{NAMESPACES["jsdl"]}">{text}</R>')
    assert ranges.read(element).least(minimum) == least


def test_files() -> None:
    found = one(
        posix("", "tool")
        + _staging("tool", "<jsdl:Source><jsdl:URI>https://h/t</jsdl:URI></jsdl:Source>")
        + _staging("pushed", "<jsdl:Source/>", "append")
        + _staging("inline", "<jsdl:Source><jsdl:URI>data:,a%0Ab</jsdl:URI></jsdl:Source>")
        + _staging("both", "<jsdl:Source><jsdl:URI>ftp://h/b</jsdl:URI></jsdl:Source><jsdl:Target/>", "dontOverwrite")
        + _staging("out", "<jsdl:Target><jsdl:URI>s3://b/1</jsdl:URI></jsdl:Target>", deleted=True)
        + _staging("out", "<jsdl:Target><jsdl:URI>s3://b/2</jsdl:URI></jsdl:Target>")
        + _staging("scratch", "", deleted=True)
    )
    assert found.executable == "./tool"
    inputs = {file.path: file for file in found.inputs}
    outputs = {file.path: file for file in found.outputs}
    assert inputs["tool"].sources == ["https://h/t"]
    assert inputs["tool"].executable
    assert (inputs["pushed"].sources, inputs["pushed"].creation) == ([], "append")
    assert inputs["inline"].content == "a\nb"
    assert inputs["both"].creation == outputs["both"].creation == "refuse"
    assert outputs["out"].targets == ["s3://b/1", "s3://b/2"]
    assert outputs["out"].delete_on_termination
    assert outputs["scratch"].optional
    assert outputs["scratch"].delete_on_termination


def _staging(name: str, ends: str, flag: str = "overwrite", *, deleted: bool = False) -> str:
    delete = "<jsdl:DeleteOnTermination>true</jsdl:DeleteOnTermination>" if deleted else ""
    return (
        f"<jsdl:DataStaging><jsdl:FileName>{name}</jsdl:FileName><jsdl:CreationFlag>{flag}</jsdl:CreationFlag>"
        f"{delete}{ends}</jsdl:DataStaging>"
    )


def test_file_systems() -> None:
    systems = resources(
        '<jsdl:FileSystem name="HOME"/><jsdl:FileSystem name="DATA"><jsdl:MountPoint>/data</jsdl:MountPoint>'
        '</jsdl:FileSystem><jsdl:FileSystem name="WORK"/>'
    )
    found = one(
        posix(
            '<jsdl-posix:Argument filesystemName="HOME">.rc</jsdl-posix:Argument>'
            '<jsdl-posix:Argument filesystemName="DATA">x</jsdl-posix:Argument>'
            '<jsdl-posix:Input filesystemName="DATA">in</jsdl-posix:Input>'
            '<jsdl-posix:Output filesystemName="WORK">out</jsdl-posix:Output>'
            '<jsdl-posix:Environment name="H" filesystemName="HOME"/>'
        )
        + systems
    )
    assert found.arguments == ["${HOME}/.rc", "/data/x"]
    assert (found.stdin, found.stdout) == ("/data/in", "out")
    assert found.environment == {"H": "${HOME}"}
    home = one(posix('<jsdl-posix:WorkingDirectory filesystemName="HOME">w</jsdl-posix:WorkingDirectory>') + systems)
    assert home.directory == "~/w"
    assert refused(posix('<jsdl-posix:Input filesystemName="HOME">in</jsdl-posix:Input>') + systems) == ["Input"]
    undeclared = posix('<jsdl-posix:Input filesystemName="NONE">in</jsdl-posix:Input>')
    assert refused(undeclared) == refused(undeclared, strict=False) == ["Input"]


_SECRET = "<jsdl:Source/><ac:Credential><x:Secret>hush</x:Secret></ac:Credential>"


@pytest.mark.parametrize("limit", [limit for limit in LIMITS if limit not in ("WallTimeLimit", "MemoryLimit")])
def test_limits_that_are_not_kept_are_refused_by_name(limit: str) -> None:
    assert refused(posix(f"<jsdl-posix:{limit}>1</jsdl-posix:{limit}>")) == [limit]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, element in understood().items()
        if element.support is Support.UNSUPPORTED and name.startswith(("jsdl:Individual", "jsdl:Total"))
    ],
)
def test_resources_that_cannot_be_asked_for_are_refused_by_name(name: str) -> None:
    plain = name.partition(":")[2]
    assert refused(posix() + resources(exact(plain, "1"))) == [plain]


@pytest.mark.parametrize(
    ("job", "named"),
    [
        (posix("<jsdl-posix:UserName>u</jsdl-posix:UserName>"), "UserName"),
        (posix() + resources(_OTHER), "CPUArchitectureName"),
        (posix() + _staging("f", _SECRET), "Credential"),
        (posix() + _staging("../f", "<jsdl:Source/>"), "DataStaging"),
        (posix() + _staging("f", "<jsdl:Source><jsdl:URI>here</jsdl:URI></jsdl:Source>"), "Source"),
        ("<jsdl:Application><jsdl:ApplicationName>blast</jsdl:ApplicationName></jsdl:Application>", "Application"),
        (posix("<jsdl-posix:WorkingDirectory>w</jsdl-posix:WorkingDirectory>"), "WorkingDirectory"),
        (posix(executable=""), "Executable"),
        (posix() + resources(exact("TotalCPUCount", "3") + exact("TotalResourceCount", "2")), "TotalCPUCount"),
    ],
)  # fmt: skip
def test_what_is_valid_and_cannot_be_is_refused_by_name(job: str, named: str) -> None:
    assert refused(job)[0].partition("[")[0] == named
    with pytest.raises((Unsupported, NotValid)):
        check(JSDL().parse(definition(job)))


def test_no_secret_is_in_a_message() -> None:
    job = posix() + _staging("f", _SECRET)
    with pytest.raises(Unsupported) as error:
        check(JSDL().parse(definition(job)))
    assert "hush" not in error.value.message


def test_vendor_elements_are_refused_when_strict_and_told_when_not() -> None:
    job = posix() + "<x:Magic/>"
    assert refused(job) == ["Magic"]
    parsed = check(JSDL().parse(definition(job)))
    assert [note.element.rpartition("/")[2] for note in parsed.notes] == ["Magic"]


def test_an_element_marked_as_optional_is_skipped_and_told() -> None:
    limit = '<jsdl-posix:StackSizeLimit x:optional="true">1</jsdl-posix:StackSizeLimit>'
    parsed = check(JSDL().parse(definition(posix(limit) + '<x:Magic optional="true"/>'), strict=True))
    assert {note.element.rpartition("/")[2] for note in parsed.notes} == {"StackSizeLimit", "Magic"}
    assert all("optional" in note.message for note in parsed.notes)
    assert parsed.one().executable == "/bin/echo"


def test_elements_that_jsdl_does_not_have_are_refused_by_name() -> None:
    staging = (
        "<jsdl:DataStaging><jsdl:FileName>f</jsdl:FileName><jsdl:CreationFlag>overwrite</jsdl:CreationFlag>"
        "<jsdl:HandleAsArchive>true</jsdl:HandleAsArchive></jsdl:DataStaging>"
    )
    assert refused(posix() + staging, strict=False) == ["HandleAsArchive"]
    with pytest.raises(NotValid) as error:
        JSDL().parse(definition(posix() + staging), strict=True)
    assert error.value.line == 1


def test_what_the_wild_writes_is_accepted_and_told() -> None:
    job = (
        posix("<jsdl-posix:Output>o</jsdl-posix:Output>" + arguments("late"))
        + "<jsdl:DataStaging><jsdl:FileName>f</jsdl:FileName><jsdl:Source/></jsdl:DataStaging>"
        + "<jsdl:JobIdentification><jsdl:JobName>n</jsdl:JobName></jsdl:JobIdentification>"
    )
    parsed = check(JSDL().parse(definition(job)))
    found = parsed.one()
    assert (found.name, found.arguments, found.inputs[0].creation) == ("n", ["late"], "overwrite")
    assert any("schema" in note.message for note in parsed.notes)
    with pytest.raises(NotValid):
        JSDL().parse(definition(job), strict=True)


@pytest.mark.parametrize(
    "job",
    [
        posix("<jsdl-posix:WallTimeLimit>soon</jsdl-posix:WallTimeLimit>"),
        posix() + resources("<jsdl:TotalCPUCount><jsdl:Exact>many</jsdl:Exact></jsdl:TotalCPUCount>"),
        posix() + resources("<jsdl:ExclusiveExecution>perhaps</jsdl:ExclusiveExecution>"),
        posix() + "<jsdl:DataStaging><jsdl:CreationFlag>overwrite</jsdl:CreationFlag></jsdl:DataStaging>",
        posix("<jsdl-posix:Executable>twice</jsdl-posix:Executable>"),
        posix("<jsdl-posix:Input><x:y/></jsdl-posix:Input>"),
        posix() + posix(),
    ],
)
def test_nonsense_is_refused_with_its_place_in_lenient_mode_too(job: str) -> None:
    with pytest.raises(NotValid) as error:
        JSDL().parse(definition(job))
    assert error.value.element is not None
    assert error.value.element.startswith("JobDefinition")


def test_a_sweep_of_another_version_is_not_taken_for_decoration() -> None:
    with pytest.raises(Unsupported) as error:
        check(JSDL().parse(definition(posix(), '<Sweep xmlns="urn:draft"/>')))
    assert error.value.elements == ["JobDefinition/Sweep"]
