"""What a description language is: texts to descriptions and back, and what was not understood or got lost on the way.

Every language meets the others in `native.Description`. A language is found by its entry point in the group
`argosy.languages`; see `registry`.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, TypeVar

from argosy.model import ArgosyError, InvalidInput, LimitExceeded, NotAllowed

from .native import Description
from .sweeps import Expansion, listed

E = TypeVar("E", bound=ArgosyError)

#: The longest document that is read, in bytes.
MAX_BYTES = 8 * 1024 * 1024


class Support(StrEnum):
    """What a language's element is to us."""

    MANDATORY = "mandatory"
    """It must be there wherever its parent is."""
    OPTIONAL = "optional"
    """It may be there, and is understood."""
    UNSUPPORTED = "unsupported"
    """A description that has it is refused, unless the element itself is marked as optional by its author."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element, field or directive of a language, and what becomes of it."""

    name: str
    support: Support
    meaning: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something in a document that was not understood, or that another language cannot say.

    `element` is where, as the language names it; `line` counts from 1. `refused`: the document asks for it, so whoever
    would run the job must refuse it.
    """

    element: str
    message: str
    line: int | None = None
    refused: bool = False

    def __str__(self) -> str:
        return f"{self.element}: {self.message}" + (f" (line {self.line})" if self.line else "")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a document, as its language names it; `line` counts from 1."""

    element: str
    line: int | None = None


class NotValid(InvalidInput):
    """A document that is not of its language: not well-formed, or against the language's rules."""

    code = "invalid-document"

    def __init__(self, message: str, *, element: str | None = None, line: int | None = None) -> None:
        super().__init__(message + (f" (line {line})" if line else ""), element=element)
        self.line = line


class Unsupported(InvalidInput):
    """A document that is of its language, and asks for what is not supported. `elements` are all that it names."""

    code = "unsupported"

    def __init__(self, message: str, *, elements: Sequence[str]) -> None:
        super().__init__(message, element=elements[0] if elements else None)
        self.elements = list(elements)


@dataclass(slots=True)
class Parsed:
    """What a document says.

    `descriptions` gives its jobs one by one, each made when it is asked for; there are `count`. Iterating may raise
    InvalidInput. `notes` are complete before the first of them. `expansion` has them by their numbers, where the
    document is a sweep or an array.
    """

    descriptions: Iterator[Description]
    count: int = 1
    notes: list[Note] = field(default_factory=list)
    expansion: Expansion | None = None

    @classmethod
    def of(cls, expansion: Expansion, notes: list[Note] | None = None) -> Parsed:
        """A sweep or an array."""
        return cls(listed(expansion), expansion.count, notes or [], expansion)

    def one(self) -> Description:
        """The description, of a document that has one."""
        if self.count > 1:
            raise InvalidInput(f"the document describes {self.count} jobs, where one is wanted")
        for description in self.descriptions:  # where there is none it says why
            return description
        raise InvalidInput("the document describes no job")


@dataclass(frozen=True, slots=True)
class Written:
    """A document, and what of the description is not in it."""

    data: bytes
    lost: list[Note]


class Language(ABC):
    """A description language. Has no state and does no input or output."""

    name: ClassVar[str]
    #: The first is what documents are sent as.
    media_types: ClassVar[tuple[str, ...]]

    @abstractmethod
    def recognises(self, data: bytes) -> bool:
        """Whether this looks like a document of the language. Cheap: the document may be anything."""

    @abstractmethod
    def parse(self, data: bytes, *, strict: bool = False) -> Parsed:
        """Read a document.

        `strict` holds it to every rule of the language; otherwise what is usually meant is accepted, and noted. Raises
        NotValid. What is not supported becomes a note that `check` turns into a refusal; Unsupported is raised where
        nothing could be made of the document at all.
        """

    @abstractmethod
    def write(self, description: Description) -> Written:
        """The description as a document. Raises InvalidInput where the language cannot hold it at all."""

    def place(self, data: bytes, element: str, description: Description) -> Place | None:
        """Where the document says what became this element of the description; None where that is not known."""
        del data, element, description
        return None

    @abstractmethod
    def elements(self) -> Sequence[Element]:
        """All that the language has, and what becomes of each."""


def in_its_terms(error: E, language: Language, data: bytes, description: Description) -> E:
    """An error that names an element of the description, so that it names the place in the document as well."""
    if error.element is None or not isinstance(error, (InvalidInput, LimitExceeded, NotAllowed)):
        return error
    try:
        place = language.place(data, error.element, description)
    except InvalidInput:  # it has been read before; if it cannot be now, our own name is what there is
        place = None
    told = copy.copy(error)
    ours = f"{error.element} of the job that it describes"
    if place is None:
        told.message = f"{error.message} ({ours})"
    else:
        told.element = place.element
        told.message = f"{error.message} (line {place.line}; {ours})" if place.line else f"{error.message} ({ours})"
    told.args = (told.message,)
    return told


def check(parsed: Parsed) -> Parsed:
    """Refuse a document that asks for what is not understood; whoever runs jobs calls this before it takes any.

    Raises Unsupported naming every such element. What its author marked as optional, and what has no effect, passes.
    """
    refused = [note for note in parsed.notes if note.refused]
    if refused:
        words = "; ".join(str(note) for note in refused[:10])
        more = f"; and {len(refused) - 10} more" if len(refused) > 10 else ""
        raise Unsupported(f"not supported: {words}{more}", elements=[note.element for note in refused])
    return parsed
