"""One activity in the documents of other information models: as JSON values, and as XML where the model has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

from argosy.languages.glue2 import as_element, as_json
from argosy.languages.native import Description
from argosy.languages.xml import possible_text
from argosy.model.projections import BES, DRMAA2, EMI_ES, GLUE2, PSI_J, InformationModel
from argosy.store import Activity

from .about import About
from .activities import computing_activity, utc
from .monitoring import facts

BES_FACTORY = "http://schemas.ggf.org/bes/2006/08/bes-factory"
#: The sub-states of the HPC File Staging Profile.
FILE_STAGING = "http://schemas.ogf.org/hpcp/2007/01/fs"
EMI_TYPES = "http://www.eu-emi.eu/es/2010/12/types"


def document(
    model: InformationModel, activity: Activity, about: About, description: Description | None = None
) -> dict[str, Any] | None:
    """What the model tells of an activity beside its state, in its own names; None where it has nothing of the kind."""
    write = _DOCUMENTS.get(model.name)
    return None if write is None else write(activity, about, description)


def element(
    model: InformationModel, activity: Activity, about: About, description: Description | None = None
) -> etree._Element | None:
    """The same as XML; None for models without a schema for it."""
    write = _ELEMENTS.get(model.name)
    return None if write is None else write(activity, about, description)


def has_xml(model: InformationModel) -> bool:
    """Whether a model has XML for activities."""
    return model.name in _ELEMENTS


# -- BES --------------------------------------------------------------------------------------------------


def _bes(activity: Activity, about: About, description: Description | None) -> dict[str, Any]:
    del about, description
    told = BES.project(facts(activity))
    return {"ActivityStatus": {"state": told.state, "SubState": list(told.attributes)}}


def _bes_element(activity: Activity, about: About, description: Description | None) -> etree._Element:
    del about, description
    told = BES.project(facts(activity))
    status = etree.Element(f"{{{BES_FACTORY}}}ActivityStatus", nsmap={"bes-factory": BES_FACTORY, "fs": FILE_STAGING})
    status.set("state", told.state)
    for attribute in told.attributes:
        etree.SubElement(status, f"{{{FILE_STAGING}}}{attribute}")
    return status


# -- GLUE 2 -----------------------------------------------------------------------------------------------


def _glue2(activity: Activity, about: About, description: Description | None) -> dict[str, Any]:
    return as_json(computing_activity(activity, about, description))


def _glue2_element(activity: Activity, about: About, description: Description | None) -> etree._Element:
    return as_element(computing_activity(activity, about, description))


# -- EMI-ES -----------------------------------------------------------------------------------------------


def _emi_es(activity: Activity, about: About, description: Description | None) -> dict[str, Any]:
    del about, description
    told = EMI_ES.project(facts(activity))
    status: dict[str, Any] = {
        "Status": told.state,
        "Attribute": list(told.attributes),
        "Timestamp": utc(activity.changed),
    }
    if activity.reason:
        status["Description"] = activity.reason
    return {"ActivityStatus": status}


def _emi_es_element(activity: Activity, about: About, description: Description | None) -> etree._Element:
    status = etree.Element(f"{{{EMI_TYPES}}}ActivityStatus", nsmap={"estypes": EMI_TYPES})
    for name, value in _emi_es(activity, about, description)["ActivityStatus"].items():
        for one in value if isinstance(value, list) else [value]:
            etree.SubElement(status, f"{{{EMI_TYPES}}}{name}").text = possible_text(one)
    return status


# -- PSI/J and DRMAA2 -------------------------------------------------------------------------------------


def _psij(activity: Activity, about: About, description: Description | None) -> dict[str, Any]:
    del about, description
    return {
        "state": PSI_J.project(facts(activity)).state,
        "time": utc(activity.changed),
        "message": activity.reason,
        "exit_code": activity.exit_code,
        "metadata": {"native_id": activity.native_id, "signal": activity.signal},
    }


def _drmaa2(activity: Activity, about: About, description: Description | None) -> dict[str, Any]:
    del about, description
    told, usage = DRMAA2.project(facts(activity)), activity.usage
    info: dict[str, Any] = {
        "jobId": activity.id,
        "jobName": activity.name,
        "exitStatus": activity.exit_code,
        "terminatingSignal": activity.signal,
        "annotation": activity.reason,
        "jobState": told.state,
        "jobSubState": told.attributes[0],
        "allocatedMachines": list(activity.hosts),
        "jobOwner": activity.owner,
        "queueName": activity.queue,
        "wallclockTime": None if usage is None else usage.wall_seconds,
        "cpuTime": None if usage is None else usage.cpu_seconds,
        "submissionTime": utc(activity.created),
        "dispatchTime": utc(activity.started),
        "finishTime": utc(activity.ended),
    }
    return {"JobInfo": {name: value for name, value in info.items() if value not in (None, [])}}


_DOCUMENTS: Mapping[str, Callable[[Activity, About, Description | None], dict[str, Any]]] = {
    BES.name: _bes,
    GLUE2.name: _glue2,
    EMI_ES.name: _emi_es,
    PSI_J.name: _psij,
    DRMAA2.name: _drmaa2,
}

_ELEMENTS: Mapping[str, Callable[[Activity, About, Description | None], etree._Element]] = {
    BES.name: _bes_element,
    GLUE2.name: _glue2_element,
    EMI_ES.name: _emi_es_element,
}
