"""GLUE 2 entities as XML, of the OGF's schema ``http://schemas.ogf.org/glue/2009/03/spec_2.0_r1``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lxml import etree

from argosy.languages.xml import possible_text

from .entities import FORMS, Entity, ExtendedBoolean, Value

#: The namespace of the schema.
NAMESPACE = "http://schemas.ogf.org/glue/2009/03/spec_2.0_r1"
_DECLARED: Any = {None: NAMESPACE}


def as_element(entity: Entity) -> etree._Element:
    """The entity's element."""
    form = FORMS[entity.kind]
    element = etree.Element(_name(entity.kind), nsmap=_DECLARED)
    if form.base is not None:
        element.set("BaseType", form.base)
    if entity.created is not None:
        element.set("CreationTime", entity.created)
    if entity.validity is not None:
        element.set("Validity", str(entity.validity))
    _add(element, "ID", entity.id)
    if entity.name is not None:
        _add(element, "Name", entity.name)
    for info in entity.other_info:
        _add(element, "OtherInfo", info)
    if entity.extensions:
        extensions = etree.SubElement(element, _name("Extensions"))
        for key, value in entity.extensions.items():
            extension = etree.SubElement(extensions, _name("Extension"))
            _add(extension, "LocalID", key)
            _add(extension, "Key", key)
            _add(extension, "Value", value)
    for name, told in entity.told().items():
        values: Sequence[Value] = told if isinstance(told, list) else [told]
        for one in values:
            _add(element, name, _text(one))
    associations = etree.SubElement(element, _name("Associations"))
    for role in form.roles:
        for id in entity.associations.get(role, ()):
            _add(associations, role, id)
    return element


def _name(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _add(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, _name(name)).text = possible_text(text)


def _text(value: Value) -> str:
    return str(value.value) if isinstance(value, ExtendedBoolean) else str(value)
