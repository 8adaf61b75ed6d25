"""GLUE 2 entities as JSON, of the OGF's schemas ``http://schemas.ogf.org/glue/2014/11/spec_2.0_r1/``.

A document is an object: kinds of entities, and the list of each. Where the schemas misspell an attribute, its name is
that of the specification.
"""

from __future__ import annotations

from typing import Any

from .entities import FORMS, Entity, ExtendedBoolean, Form

_BOOLEANS = {ExtendedBoolean.TRUE: True, ExtendedBoolean.FALSE: False, ExtendedBoolean.UNDEFINED: None}
#: Spelt as the XML schema misspells it, and attributes that JSON has once where XML has them several times.
_NAMES = {"MaxStateInStreams": "MaxStageInStreams"}
_SINGLE = frozenset({"InterfaceVersion"})


def as_json(entity: Entity) -> dict[str, Any]:
    """The entity as JSON values."""
    form = FORMS[entity.kind]
    found: dict[str, Any] = {"ID": entity.id}
    if entity.name is not None:
        found["Name"] = entity.name
    if entity.created is not None:
        found["CreationTime"] = entity.created
    if entity.validity is not None:
        found["Validity"] = entity.validity
    if entity.other_info:
        found["OtherInfo"] = entity.other_info
    if entity.extensions:
        found["Extension"] = entity.extensions
    for name, value in entity.told().items():
        if isinstance(value, ExtendedBoolean):
            found[name] = _BOOLEANS[value]
        else:
            found[_NAMES.get(name, name)] = value[0] if name in _SINGLE and isinstance(value, list) else value
    if entity.kind == "ToStorageService":
        computing, storage = entity.associations["ServiceID"]
        found["Associations"] = {"ComputingServiceID": computing, "StorageServiceID": storage}
    else:
        found["Associations"] = _associations(entity, form)
    return found


def _associations(entity: Entity, form: Form) -> dict[str, Any]:
    renamed = set(form.json_roles.values())
    roles = {role: role for role in form.roles if role not in renamed} | form.json_roles
    found: dict[str, Any] = {}
    for name, role in roles.items():
        ids = entity.associations.get(role, [])
        if ids or name in form.required:
            found[name] = (ids[0] if ids else None) if name in form.single else ids
    return found
