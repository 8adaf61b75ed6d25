"""Usage records in XML: the OGF's Usage Record format 1.0 (GFD.98).

Elements stand in the order that its schema has; attributes are qualified. A name that its `domainNameType` cannot hold
is left out, and so is what nobody measured.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from lxml import etree

from argosy.store import UsageRecord

from .xml import possible_text

NAMESPACE = "http://schema.ogf.org/urf/2003/09/urf"
MEDIA_TYPE = "application/xml"
HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<urf:UsageRecords xmlns:urf="{NAMESPACE}">\n'.encode()
TAIL = b"</urf:UsageRecords>\n"

_STATUS = {"finished": "Completed", "failed": "Failed", "terminated": "Aborted"}
#: GFD.98's domainNameType: labels of two characters and more.
_DOMAIN = re.compile(r"(?:[a-zA-Z0-9][a-zA-Z0-9'-]*[a-zA-Z0-9]\.)*[a-zA-Z0-9][a-zA-Z0-9'-]*[a-zA-Z0-9]\Z")
_PREFIX = {"urf": NAMESPACE}
#: What a serialized record needs not say again, within `HEAD`.
_DECLARED = f' xmlns:urf="{NAMESPACE}"'.encode()


def element(record: UsageRecord, *, now: float) -> bytes:
    """One ``JobUsageRecord`` as a child of what `HEAD` opens; `now` is its time of creation."""
    root = etree.Element(_name("JobUsageRecord"), nsmap=_PREFIX)
    _add(root, "RecordIdentity", None, recordId=f"urn:argosy:{record.activity}:{record.number}", createTime=_time(now))
    job = _add(root, "JobIdentity", None)
    _add(job, "GlobalJobId", f"urn:argosy:{record.activity}")
    if record.native_id is not None:
        _add(job, "LocalJobId", record.native_id)
    _add(_add(root, "UserIdentity", None), "GlobalUserName", record.owner)
    if record.name is not None:
        _add(root, "JobName", record.name)
    _add(root, "Status", _STATUS[record.state])
    if record.max_rss:
        _add(root, "Memory", str(record.max_rss), storageUnit="B", metric="max", type="physical")
    for kind, moment in (("created", record.created), ("submitted", record.submitted)):
        if moment is not None:
            _add(root, "TimeInstant", _time(moment), type=kind)
    _run(root, record)
    return etree.tostring(root).replace(_DECLARED, b"", 1) + b"\n"


def _run(root: etree._Element, record: UsageRecord) -> None:
    for name, seconds in (("WallDuration", record.wall_seconds), ("CpuDuration", record.cpu_seconds)):
        if seconds is not None:
            _add(root, name, f"PT{max(seconds, 0.0) + 0.0:.3f}S")
    for name, count in (("NodeCount", record.nodes), ("Processors", record.cores)):
        if count:
            _add(root, name, str(count))
    for name, moment in (("EndTime", record.ended), ("StartTime", record.started)):
        if moment is not None:
            _add(root, name, _time(moment))
    if record.resource is not None and _is_domain(record.resource):
        _add(root, "MachineName", record.resource)
    if record.queue is not None:
        _add(root, "Queue", record.queue)
    if record.account is not None:
        _add(root, "ProjectName", record.account)
    for index, host in enumerate(filter(_is_domain, record.hosts)):
        _add(root, "Host", host, **({"primary": "true"} if index == 0 else {}))
    if record.exit_code is not None:
        _add(root, "Resource", str(record.exit_code), description="exitcode")


def _is_domain(text: str) -> bool:
    return len(text) <= 255 and _DOMAIN.match(text) is not None


def _add(parent: etree._Element, name: str, text: str | None, **attributes: str) -> etree._Element:
    made = etree.SubElement(parent, _name(name), {_name(key): value for key, value in attributes.items()})
    made.text = None if text is None else possible_text(text)
    return made


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
