"""What the commands share: the client, names of jobs, and JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, TypeVar

import click

from argosy.client import Client
from argosy.model import InvalidInput, NotFound

F = TypeVar("F", bound=Callable[..., Any])

#: Abbreviations are looked for among so many of the newest jobs.
RECENT = 500
_ID_LENGTH = 32
#: So often a command that does not wait asks again where the service does not answer.
_IMPATIENT = 2

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one document a line.")


def connect(*, patient: bool = False) -> AbstractContextManager[Client]:
    """The client of this user's service. One that waits is `patient`: a restart of the service does not end it."""
    return Client() if patient else Client(retries=_IMPATIENT)


def full_id(client: Client, name: str) -> str:
    """The id that a name means: an id, a beginning or an end of one, or ``@last``.

    Raises NotFound where there is none, InvalidInput where there are several.
    """
    if name == "@last":
        for newest in client.list(page_size=1):
            return newest.id
        raise NotFound("you have no jobs; start one with: argosy run -- COMMAND")
    if len(name) >= _ID_LENGTH:
        return name
    if len(name) < 4:
        raise InvalidInput(f"{name!r} is too short for a job's id; write 4 characters of it or more, or @last")
    found = [a.id for a in islice(client.list(), RECENT) if a.id.startswith(name) or a.id.endswith(name)]
    if len(found) > 1:
        raise InvalidInput(f"{name!r} may be any of {len(found)} jobs: {', '.join(found[:3])}, ...; write more of it")
    # What was not found here may be older than that; the service knows.
    return found[0] if found else name


def full_ids(client: Client, names: Iterable[str]) -> list[str]:
    """The ids that names mean."""
    return [full_id(client, name) for name in names]


def print_json(document: Any) -> None:
    """One document, on a line of its own, in UTF-8 whatever the locale is (RFC 8259, 8.1)."""
    import msgspec

    sys.stdout.flush()
    sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
    sys.stdout.buffer.flush()


def pairs(option: str, values: Iterable[str], *, separator: str = "=") -> dict[str, str]:
    """``KEY=VALUE`` options as a dictionary."""
    out = {}
    for value in values:
        key, found, rest = value.partition(separator)
        if not key or not found:
            raise click.BadParameter(f"{value!r}: write KEY{separator}VALUE", param_hint=option)
        out[key] = rest
    return out
