"""The records that job scripts leave in the spool: their names, their content, and how they are read.

A spool has four directories. A record is written under ``tmp/`` and renamed into ``new/``, so that a file in ``new/``
is always whole. ``claims/`` holds one directory for each tag that was claimed, ``out/`` what the scripts themselves
printed.

A record's name is ``ID.RUN.KIND``: the native id with everything but letters, digits and ``._-`` made ``_``, the
number of requeues by the batch system before this run, and a `RecordKind`. Its content is ``key=value`` lines; keys
that are not known here are left aside, so that scripts of a newer version can be read.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from argosy.model import Usage

from .hosts import expand_hosts

#: The directories of a spool, all of which must exist before a script runs.
SPOOL_DIRECTORIES = ("tmp", "new", "claims", "out")

#: The exit status of a script that did not start the application; its record says why in `note`. (The same
#: status from the application itself comes without a `note` and with `ran` true.)
NOT_RUN = 125
#: The exit status of a script whose application ended with 0 and whose files could not be staged out.
NOT_STAGED_OUT = 121

#: Stands for the native id in the claim of a job that was withdrawn: whatever copy of it starts runs nothing.
WITHDRAWN = "withdrawn"

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_NAME = re.compile(r"(?P<id>[A-Za-z0-9._-]+)\.(?P<run>\d{1,9})\.(?P<kind>[a-z][a-z-]*)\Z", re.ASCII)
_KEY = re.compile(r"[a-z_]+\Z", re.ASCII)


class RecordKind(StrEnum):
    """What a record tells."""

    STAGE_IN = "stage-in"
    """The run is claimed; its files are about to be brought in. Like STAGE_OUT and CLEANUP, of jobs that stage only."""
    START = "start"
    """The run is claimed; the application is about to start."""
    STAGE_OUT = "stage-out"
    """The application has ended; its files are about to be brought out."""
    CLEANUP = "cleanup"
    """Files are about to be removed."""
    EXIT = "exit"
    """The run has ended."""
    DUPLICATE = "duplicate"
    """The run was claimed by another; nothing was run."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one record says. Times are seconds since the epoch by the clock of the job's host.

    `exit_code` is the application's, 128 + n where signal n ended it; it is given with EXIT only. `ran` is false where
    the application was not started, and `note` then says why; with `ran` true `note` tells of what went wrong
    beside the application. `failed`: that is enough to make a failure of a job whose application succeeded.
    `terminated`: a TERM signal reached the script. `owner` and `owner_run` are, in a
    DUPLICATE, the native id and run that hold the claim, None where that could not be read. `usage` counts
    what ran on the script's own host.
    """

    kind: RecordKind
    tag: str
    native_id: str
    run: int
    time: float
    hosts: tuple[str, ...] = ()
    exit_code: int | None = None
    ran: bool = True
    failed: bool = False
    terminated: bool = False
    note: str | None = None
    usage: Usage | None = None
    owner: str | None = None
    owner_run: int | None = None

    @property
    def repeated(self) -> bool:
        """Whether this DUPLICATE is of its own job: the batch system requeued one that may not run again."""
        return self.kind is RecordKind.DUPLICATE and self.owner == self.native_id


def safe_id(native_id: str) -> str:
    """The native id as it stands in names of records."""
    return _UNSAFE.sub("_", native_id)


def record_name(native_id: str, run: int, kind: RecordKind) -> str:
    """The name of a record."""
    return f"{safe_id(native_id)}.{run}.{kind}"


def claim_path(spool: str, tag: str) -> str:
    """The directory that holds the claim of a tag. It may be removed once no copy of the job can start any more."""
    return f"{spool}/claims/{tag}"


def parse_record(name: str, data: bytes) -> Record:
    """What the record of that name says. Raises ValueError where name or content is not as above."""
    match = _NAME.match(name)
    if match is None:
        raise ValueError(f"{name!r} is not the name of a record")
    try:
        kind = RecordKind(match["kind"])
    except ValueError:
        raise ValueError(f"{name!r} is not the name of a record: there is no kind {match['kind']!r}") from None
    fields = _fields(name, data)
    try:
        record = Record(
            kind=kind,
            tag=fields["tag"],
            native_id=fields["id"],
            run=_whole(fields["run"]),
            time=_seconds(fields["time"]),
            hosts=expand_hosts(fields.get("hosts", "")),
            exit_code=_whole(fields["exit"], 255) if kind is RecordKind.EXIT else None,
            ran=kind is not RecordKind.DUPLICATE and _flag(fields.get("ran", "1")),
            failed=_flag(fields.get("failed", "0")),
            terminated=_flag(fields.get("term", "0")),
            note=fields.get("note") or None,
            usage=_usage(fields),
            owner=fields.get("owner") or None,
            owner_run=_whole(fields["owner_run"]) if fields.get("owner_run") else None,
        )
    except KeyError as error:
        raise ValueError(f"the record {name} does not say {error.args[0]}") from error
    except ValueError as error:
        raise ValueError(f"the record {name} is not as it should be: {error}") from error
    if not record.tag or safe_id(record.native_id) != match["id"] or record.run != int(match["run"]):
        raise ValueError(f"the record {name} is about another job or run: {record.native_id!r}, run {record.run}")
    return record


def _fields(name: str, data: bytes) -> dict[str, str]:
    text = data.decode("utf-8", "replace")
    if not text.endswith("\n"):
        raise ValueError(f"the record {name} is cut off")
    fields: dict[str, str] = {}
    for line in text[:-1].split("\n"):
        key, equals, value = line.partition("=")
        if not equals or not _KEY.match(key) or key in fields:
            raise ValueError(f"the record {name} has an odd line: {line!r}")
        fields[key] = value
    return fields


def _usage(fields: dict[str, str]) -> Usage | None:
    user, system = fields.get("user"), fields.get("sys")
    wall, rss = fields.get("wall"), fields.get("rss")
    if not (user or system or wall or rss):
        return None
    return Usage(
        cpu_seconds=_seconds(user or "0") + _seconds(system or "0") if user or system else None,
        wall_seconds=_seconds(wall) if wall else None,
        max_rss=_whole(rss) if rss else None,
    )


def _whole(text: str, most: int | None = None) -> int:
    if not re.match(r"\d{1,19}\Z", text, re.ASCII) or (most is not None and int(text) > most):
        raise ValueError(f"{text!r} is not a whole number" + (f" up to {most}" if most is not None else ""))
    return int(text)


def _seconds(text: str) -> float:
    if not re.match(r"\d+(\.\d*)?\Z", text, re.ASCII) or not math.isfinite(value := float(text)):
        raise ValueError(f"{text!r} is not a number of seconds")
    return value


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(f"{text!r} is neither 0 nor 1")
    return text == "1"
