"""How the service and an agent tell each other of paths and files. Names are bytes on the way, as to the kernel."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from argosy.service.contract import FileInfo


def encoded(paths: Sequence[str]) -> list[bytes]:
    """Paths as they are sent."""
    return [os.fsencode(path) for path in paths]


def texts(paths: Sequence[bytes]) -> list[str]:
    """Paths that were sent."""
    return [os.fsdecode(path) for path in paths]


def told(info: FileInfo) -> list[Any]:
    """What is sent of a file."""
    return [os.fsencode(info.path), info.type, info.size, info.modified, info.executable, info.etag]


class _Told(msgspec.Struct, array_like=True):
    """A FileInfo as it comes from an agent: a user's own process may have made it up, but it has this form."""

    path: bytes
    type: str
    size: int
    modified: float
    executable: bool
    etag: str


def file_info(came: Any) -> FileInfo:
    """What was sent of a file. Raises msgspec.ValidationError where it is anything else."""
    info = msgspec.convert(came, _Told)
    return FileInfo(os.fsdecode(info.path), info.type, info.size, info.modified, info.executable, info.etag)
