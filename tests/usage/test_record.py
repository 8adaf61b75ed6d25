"""Usage records in XML, for whatever a job was called and whatever is known of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from argosy.languages import usage_record
from argosy.store import UsageRecord
from tests.usage import urf

SCHEMA = Path(__file__).parents[2].parent / "shared" / "schemas" / "ur.xsd"
_STUB = b"""<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/2000/09/xmldsig#"
 elementFormDefault="qualified"><xsd:element name="KeyInfo" type="xsd:anyType"/></xsd:schema>"""

text = st.text(max_size=20)
seconds = st.floats(0, 4e9)
counts = st.integers(1, 10**6)
records = st.builds(
    UsageRecord,
    number=st.integers(1, 10**12),
    activity=st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    run=st.integers(0, 9),
    owner=text,
    account=st.none() | text,
    name=st.none() | text,
    resource=st.none() | text | st.sampled_from(["local", "cluster", "node-1.example.org", "my_cluster", "a"]),
    queue=st.none() | text,
    native_id=st.none() | text,
    state=st.sampled_from(["finished", "failed", "terminated"]),
    exit_code=st.none() | st.integers(0, 255),
    created=seconds,
    submitted=st.none() | seconds,
    started=st.none() | seconds,
    ended=st.none() | seconds,
    final_at=seconds,
    nodes=st.none() | counts,
    processes=st.none() | counts,
    cores=st.none() | counts,
    cpu_seconds=st.none() | st.floats(-1, 1e9),
    wall_seconds=st.none() | st.floats(-1, 1e9),
    core_seconds=st.none() | st.floats(0, 1e12),
    max_rss=st.none() | st.integers(0, 2**50),
    hosts=st.lists(text | st.sampled_from(["n1", "node-1.example.org", "x"]), max_size=3).map(tuple),
)


def document(some: list[UsageRecord]) -> etree._Element:
    lines = b"".join(usage_record.element(one, now=1.5e9) for one in some)
    return etree.fromstring(usage_record.HEAD + lines + usage_record.TAIL)


@settings(max_examples=200, deadline=None)
@given(st.lists(records, max_size=3))
def test_every_record_is_of_the_format(some: list[UsageRecord]) -> None:
    root = document(some)
    urf.check(root)
    assert len(root) == len(some)


@pytest.mark.skipif(not SCHEMA.exists(), reason="the schema is not here")
@settings(max_examples=50, deadline=None)
@given(st.lists(records, max_size=3))
def test_the_schema_says_so_too(some: list[UsageRecord]) -> None:
    schema().assertValid(document(some))


def schema() -> etree.XMLSchema:
    class Signatures(etree.Resolver):
        """The schema of signatures is asked for by its address; none of it is used."""

        def resolve(self, url: str, id: str, context: object) -> object:
            return self.resolve_string(_STUB, context) if "xmldsig" in url else None

    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Signatures())
    return etree.XMLSchema(etree.parse(str(SCHEMA), parser))


def test_what_is_known_is_told() -> None:
    one = UsageRecord(
        7, "0" * 32, 0, "/DC=org/CN=Alice", "project", "sort", "cluster", "debug", "4711", "finished", 3,
        0.0, 1.0, 2.5, 12.75, 13.0, 2, 4, 8, 20.25, 10.25, 82.0, 1024, ("n01.example.org", "bad_name"),
    )  # fmt: skip
    (record,) = document([one])
    found = {str(child.tag).removeprefix(urf.NS): child.text for child in record}
    assert found["Status"] == "Completed"
    assert found["WallDuration"] == "PT10.250S"
    assert found["CpuDuration"] == "PT20.250S"
    assert found["StartTime"] == "1970-01-01T00:00:02.500Z"
    assert found["EndTime"] == "1970-01-01T00:00:12.750Z"
    assert (found["NodeCount"], found["Processors"], found["Memory"]) == ("2", "8", "1024")
    assert (found["MachineName"], found["Queue"], found["ProjectName"]) == ("cluster", "debug", "project")
    assert [child.text for child in record.findall(urf.NS + "Host")] == ["n01.example.org"]
    assert [one.text for one in record.iter(urf.NS + "LocalJobId")] == ["4711"]
    assert [one.text for one in record.iter(urf.NS + "GlobalUserName")] == ["/DC=org/CN=Alice"]


#: What GFD.98's schema and its words have something against, done to a record that is good.
BROKEN = [
    ("<urf:Status>Completed</urf:Status>", ""),
    ("<urf:Status>Completed</urf:Status>", "<urf:Status>Done</urf:Status>"),
    ("<urf:Status>Completed</urf:Status>", "<Status>Completed</Status>"),
    ("<urf:GlobalJobId>", "<urf:LocalJobId>x</urf:LocalJobId><urf:GlobalJobId>"),
    ("<urf:JobIdentity>", "<urf:JobIdentity>x"),
    (' urf:recordId="', ' recordId="'),
    (' urf:recordId="urn', ' urf:recordId=" urn'),
    ("<urf:WallDuration>", "<urf:WallDuration>P"),
    ("</urf:WallDuration>", "</urf:WallDuration><urf:WallDuration>PT1S</urf:WallDuration>"),
    ("</urf:CpuDuration>", "</urf:CpuDuration><urf:CpuDuration>PT1S</urf:CpuDuration>"),
    ("</urf:Queue>", "</urf:Queue><urf:Queue>other</urf:Queue>"),
    ("</urf:NodeCount>", "</urf:NodeCount><urf:NodeCount>3</urf:NodeCount>"),
    ("<urf:NodeCount>2", "<urf:NodeCount>0"),
    ('urf:storageUnit="B"', 'urf:storageUnit="TB"'),
    ('urf:primary="true"', 'urf:primary="yes"'),
    ('urf:type="submitted"', 'urf:type="created"'),
    ("<urf:EndTime>1970-01-01T00", "<urf:EndTime>1970-13-01T00"),
    ("<urf:EndTime>1970-01-01T00", "<urf:EndTime>1970-01-01T25"),
    ("<urf:MachineName>cluster", "<urf:MachineName>" + "c" * 256),
    ("<urf:MachineName>cluster", "<urf:MachineName>my_cluster"),
    ("<urf:Queue>debug", "<urf:Queue><urf:Host>a1</urf:Host>"),
    ("<urf:JobName>", "<urf:JobName urf:colour='red'>"),
]


@pytest.mark.parametrize(("good", "bad"), BROKEN)
def test_the_content_model_sees_what_is_wrong(good: str, bad: str) -> None:
    one = UsageRecord(
        7, "0" * 32, 0, "/DC=org/CN=Alice", "project", "sort", "cluster", "debug", "4711", "finished", 3,
        0.0, 1.0, 2.5, 12.75, 13.0, 2, 4, 8, 20.25, 10.25, 82.0, 1024, ("n01.example.org",),
    )  # fmt: skip
    root = document([one])
    urf.check(root)
    text = etree.tostring(root).decode()
    assert good in text
    with pytest.raises((AssertionError, LookupError, StopIteration)):
        urf.check(etree.fromstring(text.replace(good, bad, 1)))
