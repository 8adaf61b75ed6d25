"""The Usage Record format 1.0 as far as we write it: the order of its elements, their types and attributes.

Written from the schema's content model, in words of our own, so that there is a verdict where the schema itself is not.
"""

from __future__ import annotations

import re

from lxml import etree

NS = "{http://schema.ogf.org/urf/2003/09/urf}"
#: The parts of a record: one after the other, those within one part in any order.
PARTS: list[set[str]] = [
    {"RecordIdentity"},
    {"JobIdentity"},
    {"UserIdentity"},
    {"JobName"},
    {"Charge"},
    {"Status"},
    {"Disk", "Memory", "Swap", "Network", "TimeDuration", "TimeInstant", "ServiceLevel"},
    {"WallDuration", "CpuDuration", "NodeCount", "Processors", "EndTime", "StartTime", "MachineName", "SubmitHost"}
    | {"Queue", "ProjectName", "Host", "PhaseResource", "VolumeResource", "Resource", "ConsumableResource"},
]
REQUIRED = {"RecordIdentity", "Status"}
ONCE = {"RecordIdentity", "JobIdentity", "JobName", "Status", "WallDuration", "EndTime", "StartTime", "MachineName"}
DURATION = re.compile(r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?\Z")
INSTANT = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?\Z")
DOMAIN = re.compile(r"([a-zA-Z0-9][a-zA-Z0-9'-]*[a-zA-Z0-9]\.)*([a-zA-Z0-9][a-zA-Z0-9'-]*[a-zA-Z0-9])?\Z")
COUNT = re.compile(r"\+?0*[1-9]\d*\Z")
TYPES = {
    "WallDuration": DURATION,
    "CpuDuration": DURATION,
    "TimeDuration": DURATION,
    "TimeInstant": INSTANT,
    "EndTime": INSTANT,
    "StartTime": INSTANT,
    "Memory": COUNT,
    "NodeCount": COUNT,
    "Processors": COUNT,
    "MachineName": DOMAIN,
    "SubmitHost": DOMAIN,
    "Host": DOMAIN,
}
INNER = {"JobIdentity": ["GlobalJobId", "LocalJobId", "ProcessId"], "UserIdentity": ["LocalUserId", "GlobalUserName"]}
ATTRIBUTES = {
    "RecordIdentity": {"recordId", "createTime"},
    "Memory": {"storageUnit", "phaseUnit", "metric", "type", "description"},
    "TimeInstant": {"type"},
    "Host": {"primary", "description"},
    "Resource": {"description"},
}


def check(root: etree._Element) -> None:
    """Fail where a document is not of the format."""
    assert root.tag == NS + "UsageRecords"
    for record in root:
        assert record.tag in (NS + "JobUsageRecord", NS + "UsageRecord")
        names = [str(child.tag).removeprefix(NS) for child in record]
        assert set(names) >= REQUIRED
        assert all(names.count(name) == 1 for name in ONCE & set(names))
        places = [next(place for place, part in enumerate(PARTS) if name in part) for name in names]
        assert places == sorted(places), names
        for name, child in zip(names, record, strict=True):
            attributes = {str(key).removeprefix(NS) for key in child.attrib}
            assert all(str(key).startswith(NS) for key in child.attrib), "attributes are qualified"
            assert attributes <= ATTRIBUTES.get(name, set()), (name, attributes)
            if name in TYPES:
                assert TYPES[name].match(child.text or ""), (name, child.text)
            if name in INNER:
                inner = [INNER[name].index(str(one.tag).removeprefix(NS)) for one in child]
                assert inner == sorted(set(inner))
        identity = record.find(NS + "RecordIdentity")
        assert identity is not None
        assert re.match(r"\S+\Z", identity.get(NS + "recordId", ""))
