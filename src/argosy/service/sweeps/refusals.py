"""Jobs of a sweep that cannot be made: why, in words that lead to what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from argosy.languages import registry
from argosy.languages.contract import in_its_terms
from argosy.languages.native import Description
from argosy.languages.sweeps import Value
from argosy.languages.sweeps.template import told
from argosy.model import ArgosyError
from argosy.store import SweepDocument

E = TypeVar("E", bound=ArgosyError)

#: Of so many jobs, the first ones, it is looked for where in the document stands what is wrong with them.
PLACED = 20


def in_the_documents_terms(error: E, document: SweepDocument, job: Description) -> E:
    """The same fault of a job, its element named as the sweep's document has it: that may have to be looked for."""
    if document.language != "json":
        return in_its_terms(error, registry.language(document.language), document.data, job)
    if error.element is not None:
        error.element = f"description.{error.element}"
    return error


def why_not(error: ArgosyError, index: int, values: Mapping[str, Value]) -> str:
    """Why a job could not be made: the place, what is wrong there, and the job's values."""
    shown = told(values)
    words = f"{error.message} (job {index}{f': {shown}' if shown else ''})"
    return f"{error.element}: {words}" if error.element else words
