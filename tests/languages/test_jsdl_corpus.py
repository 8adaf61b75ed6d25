"""Documents that others have written, and the verdict of the schemas on each."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from argosy.languages.contract import NotValid, Unsupported, check
from argosy.languages.jsdl import JSDL
from argosy.languages.jsdl.grammar import ENUMERATIONS, GRAMMAR, names
from argosy.languages.jsdl.schema import violations
from argosy.languages.jsdl.understood import understood
from argosy.languages.native import checked
from argosy.model import InvalidInput
from tests.languages.test_jsdl_differential import WHOLE

SHARED = Path(__file__).parents[2].parent / "shared"
CORPUS = sorted((SHARED / "corpus" / "jsdl").glob("*.jsdl"))
SCHEMA = SHARED / "schemas" / "jsdl-all.xsd"
XSD = "{http://www.w3.org/2001/XMLSchema}"
FILES = (
    ("jsdl", "jsdl.xsd"),
    ("jsdl-posix", "jsdl-posix.xsd"),
    ("jsdl-hpcpa", "jsdl-hpcpa.xsd"),
    ("jsdl-spmd", "jsdl-spmd.xsd"),
    ("sweep", "sweep.xsd"),
    ("sweepfunc", "sweep-functions.xsd"),
    ("file-sweep", "file-sweep.xsd"),
    ("ac", "hpcp-ac.xsd"),
)

needs_corpus = pytest.mark.skipif(not CORPUS or not SCHEMA.exists(), reason="the documents of others are not here")


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    if not SCHEMA.exists():
        pytest.skip("the schemas are not here")
    return etree.XMLSchema(etree.parse(str(SCHEMA)))


def verdict(schema: etree.XMLSchema, data: bytes) -> bool:
    try:
        return schema.validate(etree.fromstring(data))
    except etree.XMLSyntaxError:
        return False


@needs_corpus
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_strict_reading_has_the_verdict_of_the_schemas(path: Path, schema: etree.XMLSchema) -> None:
    data = path.read_bytes()
    if verdict(schema, data):
        parsed = JSDL().parse(data, strict=True)
        for description in parsed.descriptions if parsed.count else ():
            checked(description)
        if not parsed.count:
            with pytest.raises(Unsupported):
                check(parsed)
    else:
        with pytest.raises(NotValid) as refused:
            JSDL().parse(data, strict=True)
        assert refused.value.line is not None
        assert refused.value.element is not None or "well-formed" in refused.value.message


@needs_corpus
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_lenient_reading_tells_what_it_made_of_each(path: Path, schema: etree.XMLSchema) -> None:
    data = path.read_bytes()
    refused: InvalidInput | None = None
    try:
        parsed = check(JSDL().parse(data))
    except InvalidInput as error:
        refused = error
    if refused is not None:
        assert refused.element is not None or "well-formed" in refused.message
        return
    checked(parsed.one())
    assert parsed.notes or verdict(schema, data), "what is against the schemas is told"


@needs_corpus
def test_every_valid_document_can_be_changed_into_an_invalid_one(schema: etree.XMLSchema) -> None:
    """Mutations of real documents: both verdicts stay the same, whatever is done to them."""
    differing = []
    for path in CORPUS:
        for number, data in enumerate(_mutations(path.read_bytes())):
            try:
                JSDL().parse(data, strict=True)
                ours = True
            except NotValid:
                ours = False
            if ours != verdict(schema, data):
                differing.append((path.name, number))
    assert not differing


def _mutations(data: bytes) -> list[bytes]:
    try:
        root = etree.fromstring(data)
    except etree.XMLSyntaxError:
        return []
    made = []
    elements = [element for element in root.iter(etree.Element) if element is not root]
    for index in range(0, len(elements), max(1, len(elements) // 6)):
        copy = etree.fromstring(data)
        element = [one for one in copy.iter(etree.Element) if one is not copy][index]
        parent = element.getparent()
        assert parent is not None
        kind = index % 4
        if kind == 0:
            parent.remove(element)
        elif kind == 1:
            parent.insert(0, element)
        elif kind == 2:
            element.set("added", "1")
        else:
            element.text = "nonsense"
        made.append(etree.tostring(copy))
    return made


def test_every_element_has_been_decided_on() -> None:
    assert set(names()) == set(understood())


@pytest.mark.skipif(not SCHEMA.exists(), reason="the schemas are not here")
def test_the_grammar_has_every_element_and_every_word_of_the_schemas() -> None:
    for prefix, file in FILES:
        root = etree.parse(str(SHARED / "schemas" / file)).getroot()
        theirs = {f"{prefix}:{one.get('name')}" for one in root.iter(f"{XSD}element") if one.get("name")}
        abstract = {f"{prefix}:{name}" for name, form in GRAMMAR[prefix].items() if form.abstract}
        assert theirs - abstract == {name for name in names() if name.startswith(prefix + ":")}
        words = {one.get("value") for one in root.iter(f"{XSD}enumeration")}
        if prefix == "jsdl":
            assert words == {word for text in ENUMERATIONS.values() for word in text.split()}


@pytest.mark.skipif(not SCHEMA.exists(), reason="the schemas are not here")
def test_every_type_has_the_name_that_it_has_in_the_schemas(schema: etree.XMLSchema) -> None:
    """A document may say of what type an element is (xsi:type), and serialisers of objects do."""
    xsi = "{http://www.w3.org/2001/XMLSchema-instance}type"
    types = {
        f"{prefix}:{one.get('name')}"
        for prefix, file in FILES
        for kind in ("complexType", "simpleType")
        for one in etree.parse(str(SHARED / "schemas" / file)).getroot().iterchildren(f"{XSD}{kind}")
    }
    types |= {"jsdl-posix:Description_Type", "jsdl:Argument_Type", "sweep:Assignment_Type"}  # which are not there
    assert len(types) > 35
    agreed = {True: 0, False: 0}
    for document in WHOLE:
        for index in range(len(list(etree.fromstring(document).iter(etree.Element)))):
            for type in sorted(types):
                root = etree.fromstring(document)
                list(root.iter(etree.Element))[index].set(xsi, type)
                data = etree.tostring(root)
                theirs = verdict(schema, data)
                assert (not violations(etree.fromstring(data))) == theirs, (index, type, data)
                agreed[theirs] += 1
    assert min(agreed.values()) > 100
