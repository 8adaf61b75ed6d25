"""GLUE 2 (GFD.147): its entities as values, rendered as XML (GFD.209's schema) and as JSON (the OGF's draft)."""

from .document import Document
from .entities import UNDEFINED, UNKNOWN_NUMBER, Entity, ExtendedBoolean, Value
from .json import as_json
from .xml import NAMESPACE, as_element

__all__ = [
    "NAMESPACE",
    "UNDEFINED",
    "UNKNOWN_NUMBER",
    "Document",
    "Entity",
    "ExtendedBoolean",
    "Value",
    "as_element",
    "as_json",
]
