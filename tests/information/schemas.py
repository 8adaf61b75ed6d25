"""The official schemas, where they are at hand."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lxml import etree
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

SCHEMAS = Path(__file__).parents[2].parent / "shared" / "schemas"


@cache
def xsd(name: str) -> etree.XMLSchema:
    if not (SCHEMAS / name).exists():
        pytest.skip(f"{name} is not here")
    return etree.XMLSchema(etree.parse(SCHEMAS / name))


def check_xml(name: str, content: bytes) -> etree._Element:
    schema = xsd(name)
    root = etree.fromstring(content)
    assert schema.validate(root), schema.error_log
    return root


@cache
def _registry() -> Registry[Any]:
    directory = SCHEMAS / "glue2-json" / "schema"
    if not directory.exists():
        pytest.skip("the JSON schemas of GLUE 2 are not here")
    read = [json.loads(_mended(path.read_text())) for path in sorted(directory.glob("*.json"))]
    return Registry().with_resources((one["id"], Resource(one, DRAFT4)) for one in read)


def _mended(text: str) -> str:
    # "float" is no type of JSON schema.
    return text.replace('"float"', '"number"')


def check_json(content: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(content)
    registry = _registry()
    schema = registry.contents("http://schemas.ogf.org/glue/2014/11/spec_2.0_r1/Glue2.json")
    jsonschema.Draft4Validator(schema, registry=registry).validate(document)
    known = set(schema["properties"])
    assert set(document) <= known
    return document
