"""Values in the templates of submit scripts."""

from __future__ import annotations

import os

from argosy.model.shell import expand, quote


class Expandable(str):
    """A text in which ``${NAME}`` means that variable where the job runs (PSI/J, JobSpec.setEnvironment)."""

    __slots__ = ()


def bash_escape(o: object) -> str:
    """Shell text that means exactly the value. Paths are made absolute; numbers stand as they are."""
    if isinstance(o, Expandable):
        return expand(str(o))
    if isinstance(o, (int, float)):
        return str(o)
    if isinstance(o, os.PathLike):
        return quote(os.path.join(os.getcwd(), os.fspath(o)))
    return quote(str(o))
