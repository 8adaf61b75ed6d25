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
#: What may be there several times; of the first few each differs in its metric or type.
SEVERAL = {"Disk", "Memory", "Swap", "Network", "TimeDuration", "TimeInstant", "ServiceLevel"}
MANY = {"UserIdentity", "ProjectName", "Host", "PhaseResource", "VolumeResource", "Resource", "ConsumableResource"}
STATES = ["Aborted", "Completed", "Failed", "Held", "Queued", "Started", "Suspended"]
DURATION = re.compile(r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?\Z", re.ASCII)
_DAY = r"-?(?!0000)([1-9]\d{4,}|\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_HOUR = r"(([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?|24:00:00(\.0+)?)(Z|[+-](0\d|1[0-4]):[0-5]\d)?"
INSTANT = re.compile(rf"{_DAY}T{_HOUR}\Z", re.ASCII)
DOMAIN = re.compile(r"(?=.{0,255}\Z)([a-zA-Z0-9][a-zA-Z0-9'-]*[a-zA-Z0-9]\.)*([a-zA-Z0-9][a-zA-Z0-9'-]*[a-zA-Z0-9])?\Z")
COUNT = re.compile(r"\+?0*[1-9]\d*\Z", re.ASCII)
TOKEN = re.compile(r"(?! )(?:[^\t\r\n ]| (?! ))*(?<! )\Z")
TEXT = re.compile(r".*\Z", re.DOTALL)
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
    "Status": re.compile(rf"({'|'.join(STATES)})\Z"),
    "JobName": TEXT,
    "Queue": TEXT,
    "ProjectName": TEXT,
    "Resource": TEXT,
}
INNER = {"JobIdentity": ["GlobalJobId", "LocalJobId", "ProcessId"], "UserIdentity": ["LocalUserId", "GlobalUserName"]}
UNIT = re.compile(r"([KMGPE]?B|[KMGPE]?b)\Z")
#: The attributes that we write, and their types.
ATTRIBUTES: dict[str, dict[str, re.Pattern[str]]] = {
    "RecordIdentity": {"recordId": TOKEN, "createTime": INSTANT},
    "Memory": {"storageUnit": UNIT, "phaseUnit": DURATION, "metric": TOKEN, "type": TOKEN, "description": TEXT},
    "CpuDuration": {"usageType": re.compile(r"(user|system)\Z"), "description": TEXT},
    "TimeInstant": {"type": TOKEN},
    "Host": {"primary": re.compile(r"(true|false|0|1)\Z"), "description": TEXT},
    "Resource": {"description": TEXT},
}


def check(root: etree._Element) -> None:
    """Fail where a document is not of the format."""
    assert root.tag == NS + "UsageRecords"
    assert not root.attrib
    _only_elements(root)
    for record in root:
        assert record.tag in (NS + "JobUsageRecord", NS + "UsageRecord")
        assert not record.attrib
        _only_elements(record)
        _record(record)


def _record(record: etree._Element) -> None:
    names = [_local(child) for child in record]
    assert set(names) >= REQUIRED
    for name in set(names) - MANY:
        alike = [
            (one.get(NS + "metric"), one.get(NS + "type"), one.get(NS + "usageType"))
            for one in record
            if _local(one) == name
        ]
        most = len(alike) if name in SEVERAL else 2 if name == "CpuDuration" else 1
        assert len(alike) <= most, name
        assert len(set(alike)) == len(alike), name
    places = [next(place for place, part in enumerate(PARTS) if name in part) for name in names]
    assert places == sorted(places), names
    for name, child in zip(names, record, strict=True):
        assert all(str(key).startswith(NS) for key in child.attrib), "attributes are qualified"
        for key, value in child.attrib.items():
            known = ATTRIBUTES.get(name, {})
            assert known[str(key).removeprefix(NS)].match(str(value)), (name, key, value)
        if name in INNER:
            _only_elements(child)
            inner = [INNER[name].index(_local(one)) for one in child]
            assert inner == sorted(inner)
            assert all(inner.count(place) == 1 or INNER[name][place] == "ProcessId" for place in inner)
            assert not any(len(one) or one.attrib for one in child)
            continue
        assert not len(child), name
        if name != "RecordIdentity":
            assert TYPES[name].match(child.text or ""), (name, child.text)
    identity = record[0]
    assert identity.get(NS + "recordId"), "it is required, and names the record"
    assert not identity.text


def _local(element: etree._Element) -> str:
    assert str(element.tag).startswith(NS), "elements are qualified"
    return str(element.tag).removeprefix(NS)


def _only_elements(element: etree._Element) -> None:
    assert not "".join([element.text or "", *((child.tail or "") for child in element)]).strip()
