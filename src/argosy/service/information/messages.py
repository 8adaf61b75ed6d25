"""Many activities in one XML message of a model, each answered in its place by a status or a fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lxml import etree

from argosy.languages import glue2
from argosy.languages.xml import possible_text
from argosy.model import ArgosyError
from argosy.model.projections import BES, EMI_ES, GLUE2
from argosy.store import Activity

from . import statuses
from .about import About
from .statuses import BES_FACTORY, EMI_TYPES

ADDRESSING = "http://www.w3.org/2005/08/addressing"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ARGOSY = "urn:argosy:problem"
EMI_ACTIVITY = "http://www.eu-emi.eu/es/2010/12/activity/types"

_GLUE2: Any = {None: glue2.NAMESPACE, "argosy": ARGOSY}

#: What was asked for, and what was found: an id with its record, or with why there is none.
Items = Sequence[tuple[str, Activity | ArgosyError]]


def _add(parent: etree._Element, namespace: str, name: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, f"{{{namespace}}}{name}")
    if text is not None:
        child.text = possible_text(text)
    return child


def _bes(items: Items, about: About, here: str) -> etree._Element:
    """GetActivityStatusesResponse (GFD.108). An activity's reference is its address here."""
    message = etree.Element(
        f"{{{BES_FACTORY}}}GetActivityStatusesResponse",
        nsmap={
            "bes-factory": BES_FACTORY,
            "fs": statuses.FILE_STAGING,
            "wsa": ADDRESSING,
            "soap": SOAP,
        },
    )
    for id, found in items:
        response = _add(message, BES_FACTORY, "Response")
        identifier = _add(response, BES_FACTORY, "ActivityIdentifier")
        _add(identifier, ADDRESSING, "Address", f"{here}/activities/{id}")
        if isinstance(found, ArgosyError):
            fault = _add(response, BES_FACTORY, "Fault")
            etree.SubElement(fault, "faultcode").text = "soap:Client"
            etree.SubElement(fault, "faultstring").text = possible_text(found.message)
            detail = etree.SubElement(fault, "detail")
            unknown = _add(detail, BES_FACTORY, "UnknownActivityIdentifierFault")
            _add(unknown, BES_FACTORY, "Message", found.message)
        else:
            status = statuses.element(BES, found, about)
            assert status is not None
            response.append(status)
    return message


def _glue2(items: Items, about: About, here: str) -> etree._Element:
    """A GLUE 2 document. What there is not is told at its end, in a namespace of ours, where the schema lets it be."""
    del here
    message = etree.Element(f"{{{glue2.NAMESPACE}}}GLUE2", nsmap=_GLUE2)
    for _, found in items:
        if not isinstance(found, ArgosyError):
            entity = statuses.element(GLUE2, found, about)
            assert entity is not None
            message.append(entity)
    for id, found in items:
        if isinstance(found, ArgosyError):
            fault = _add(message, ARGOSY, "problem", found.message)
            fault.set("activity", possible_text(id))
            fault.set("code", found.code)
    return message


def _emi_es(items: Items, about: About, here: str) -> etree._Element:
    """GetActivityStatusResponse (GFD-I.210)."""
    del here
    message = etree.Element(
        f"{{{EMI_ACTIVITY}}}GetActivityStatusResponse", nsmap={"esainfo": EMI_ACTIVITY, "estypes": EMI_TYPES}
    )
    for id, found in items:
        item = _add(message, EMI_ACTIVITY, "ActivityStatusItem")
        _add(item, EMI_TYPES, "ActivityID", id)
        if isinstance(found, ArgosyError):
            fault = _add(item, EMI_TYPES, "ActivityNotFoundFault")
            _add(fault, EMI_TYPES, "Message", found.message)
        else:
            status = statuses.element(EMI_ES, found, about)
            assert status is not None
            item.append(status)
    return message


#: By the model's name.
MESSAGES: Mapping[str, Callable[[Items, About, str], etree._Element]] = {
    BES.name: _bes,
    GLUE2.name: _glue2,
    EMI_ES.name: _emi_es,
}
