"""The strict verdict on a document: the grammar made into XML Schema, which libxml2 then checks."""

from __future__ import annotations

import functools
import itertools
import re
import threading
from typing import Any

from lxml import etree

from argosy.model.choices import none_of

from ..contract import NotValid
from .grammar import ENUMERATIONS, GRAMMAR, Form, type_name
from .names import NAMESPACES, known, path

_XSD = "http://www.w3.org/2001/XMLSchema"
_OCCURS = {"": ("1", "1"), "?": ("0", "1"), "*": ("0", "unbounded"), "+": ("1", "unbounded")}
# A text under a name of its own.
_DESCRIPTION = "Description_Type"
_ANY = {"##other": ("0", "unbounded"), "##other1": ("1", "1"), "##other+": ("1", "unbounded")}
# A schema keeps the errors of its last document.
_one_at_a_time = threading.Lock()
#: The most that is told about one document.
_MOST = 20
_QUALIFIED = re.compile(r"\{([^}]*)\}(\w[\w.-]*)")
#: One of few words is right, and another one is there.
_ENUMERATION = re.compile(
    r"\[facet 'enumeration'\] The value '(.*)' is not an element of the set \{(.*)\}\.?\Z", re.DOTALL
)
_PREFIXES = re.compile(r"([\w.-]+):")
_WILDCARD = re.compile(r"##other\{[^}]*\}\*")


def violations(root: etree._Element) -> list[tuple[int | None, str, str]]:
    """What is against the schemas in a document: line, sentence, and element; in the order of the document."""
    with _one_at_a_time:
        schema = _schema()
        if schema.validate(root):
            return []
        entries: Any = schema.error_log
        found = list(itertools.islice(entries, _MOST))
    return [(entry.line or None, _readable(entry.message), _at(root, entry.path)) for entry in found]


def _at(root: etree._Element, xpath: str | None) -> str:
    """The element that libxml2 means, as we name elements."""
    if not xpath:
        return path(root)
    wanted = set(_PREFIXES.findall(xpath))
    declared = (found for _, found in etree.iterwalk(root, events=("start-ns",)))
    try:
        at = root.xpath(xpath, namespaces={prefix: uri for prefix, uri in declared if prefix in wanted})
    except etree.XPathEvalError:  # a prefix stands for several namespaces
        at = []
    return path(at[0]) if isinstance(at, list) and at and isinstance(at[0], etree._Element) else path(root)


def validate(root: etree._Element) -> None:
    """Raise NotValid, with line and element, where the document is against the schemas."""
    for line, message, element in violations(root):
        raise NotValid(message, line=line, element=element)


def _readable(message: str) -> str:
    message = _WILDCARD.sub("anything of another namespace", message)
    message = _QUALIFIED.sub(lambda name: known(name[0]) or name[2], message)
    message = _ENUMERATION.sub(lambda found: none_of(found[1], re.findall(r"'([^']*)'", found[2])), message)
    return message.rstrip(". ")


@functools.cache
def _schema() -> etree.XMLSchema:
    texts = {f"argosy:{prefix}.xsd": _document(prefix) for prefix in GRAMMAR}

    class Here(etree.Resolver):
        """Imports come from memory, and from nowhere else."""

        def resolve(self, system_url: str, public_id: str, context: Any) -> Any:  # type: ignore[override]  # the stubs err
            del public_id
            return self.resolve_string(texts[system_url], context)  # type: ignore[call-arg]

    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    parser.resolvers.add(Here())
    driver = _element("schema", targetNamespace="urn:argosy:jsdl")
    for prefix in GRAMMAR:
        _add(driver, "import", namespace=NAMESPACES[prefix], schemaLocation=f"argosy:{prefix}.xsd")
    return etree.XMLSchema(etree.fromstring(etree.tostring(driver), parser))


def _document(prefix: str) -> bytes:
    """The schema of one namespace."""
    schema = etree.Element(
        f"{{{_XSD}}}schema",
        {"targetNamespace": NAMESPACES[prefix], "elementFormDefault": "qualified"},
        nsmap={"xsd": _XSD, **NAMESPACES},
    )
    for other in sorted(_others(prefix)):
        _add(schema, "import", namespace=NAMESPACES[other], schemaLocation=f"argosy:{other}.xsd")
    if prefix == "jsdl":
        for type, words in ENUMERATIONS.items():
            restriction = _add(_add(schema, "simpleType", name=type), "restriction", base="xsd:string")
            for word in words.split():
                _add(restriction, "enumeration", value=word)
        _add(_add(schema, "simpleType", name=_DESCRIPTION), "restriction", base="xsd:string")
    for name, form in GRAMMAR[prefix].items():
        _declare(schema, prefix, name, form)
    return etree.tostring(schema)


def _others(prefix: str) -> set[str]:
    words = {
        word
        for form in GRAMMAR[prefix].values()
        for one in (form, *form.local.values())
        for word in [*(one.content or "").split(), one.instead_of or ""]
    }
    return {word.partition(":")[0] for word in words if ":" in word} - {prefix}


def _declare(parent: etree._Element, prefix: str, name: str, form: Form) -> etree._Element:
    declared = _add(parent, "element", name=name)
    if form.abstract:
        declared.set("abstract", "true")
        return declared
    if form.nillable:
        declared.set("nillable", "true")
    if form.instead_of is not None:
        declared.set("substitutionGroup", form.instead_of)
    if form.text is not None and not form.attributes:
        declared.set("type", _type(prefix, form.text))
        return declared
    called = type_name(prefix, name)
    if called is None:
        _define(_add(declared, "complexType"), prefix, form)
        return declared
    declared.set("type", f"{prefix}:{called}")
    schema = declared.getroottree().getroot()
    if not any(one.get("name") == called for one in schema.iterchildren(f"{{{_XSD}}}complexType")):
        _define(_add(schema, "complexType", name=called), prefix, form)
    return declared


def _define(complex: etree._Element, prefix: str, form: Form) -> None:
    if form.text is not None:
        extension = _add(_add(complex, "simpleContent"), "extension", base=_type(prefix, form.text))
        _attributes(extension, form)
        return
    sequence = _add(complex, "sequence")
    for word in (form.content or "").split():
        _particle(sequence, prefix, word, form)
    _attributes(complex, form)


def _particle(sequence: etree._Element, prefix: str, word: str, form: Form) -> None:
    if word in _ANY:
        least, most = _ANY[word]
        _add(sequence, "any", namespace="##other", processContents="lax", minOccurs=least, maxOccurs=most)
        return
    name = word.rstrip("?*+")
    least, most = _OCCURS[word[len(name) :]]
    if name.startswith("~"):
        child = _declare(sequence, prefix, name[1:], form.local[name[1:]])
    else:
        child = _add(sequence, "element", ref=name if ":" in name else f"{prefix}:{name}")
    child.set("minOccurs", least)
    child.set("maxOccurs", most)


def _attributes(parent: etree._Element, form: Form) -> None:
    for word in form.attributes.split():
        if word == "##other":
            _add(parent, "anyAttribute", namespace="##other", processContents="lax")
            continue
        name, _, type = word.partition(":")
        use = "required" if type.endswith("!") else "optional"
        _add(parent, "attribute", name=name, type=f"xsd:{type.rstrip('!')}", use=use)


def _type(prefix: str, type: str) -> str:
    return f"{prefix}:{type}" if type in ENUMERATIONS or type == _DESCRIPTION else f"xsd:{type}"


def _element(kind: str, **attributes: str) -> etree._Element:
    return etree.Element(f"{{{_XSD}}}{kind}", attributes, nsmap={"xsd": _XSD})


def _add(parent: etree._Element, kind: str, /, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{_XSD}}}{kind}", attributes)
