"""Which files of a session directory a path means: one, those that fit a pattern, or all of a directory."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from argosy.model import InvalidInput, NotFound
from argosy.model.description import PARTIAL

from .beneath import parent_of
from .errors import Fault, TransferFailed

_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class Found:
    """A file: its path in the session directory, and its name beneath a target that is a directory. `plain`: it was
    named itself, and not by a pattern or a directory."""

    path: str
    name: str
    size: int
    plain: bool = False


def is_pattern(path: str) -> bool:
    """Whether a path stands for what fits it: it has ``*``, ``?`` or ``[`` in it."""
    return _MAGIC.search(path) is not None


def find(directory: str, path: str, most: int) -> list[Found]:
    """The plain files that a path means, by name. Links are followed as far as they stay in the session directory, but
    those in a directory that is sent whole are not. Blocks.

    Raises TransferFailed where there are none, or more than `most`.
    """
    with _as_failure(path):
        found = list(_limited(_find(directory, path), path, most))
        if not found:
            raise FileNotFoundError
    return sorted(found, key=lambda one: one.path)


@contextmanager
def _as_failure(path: str) -> Iterator[None]:
    try:
        yield
    except (NotFound, FileNotFoundError):
        what = "nothing that fits" if is_pattern(path) else "no"
        raise TransferFailed(f"the job has left {what} {path!r} in its session directory", Fault.MISSING) from None
    except InvalidInput as error:
        raise TransferFailed(error.message, Fault.REFUSED) from error
    except OSError as error:
        raise TransferFailed(f"{path!r} cannot be read: {error.strerror}", Fault.REFUSED) from error


def _named(directory: str, path: str) -> Found | None:
    with parent_of(directory, path) as (parent, name):
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    return None if stat.S_ISDIR(status.st_mode) else Found(path, os.path.basename(path), status.st_size, plain=True)


def _limited(found: Iterator[Found], path: str, most: int) -> Iterator[Found]:
    for count, one in enumerate(found):
        if count >= most:
            raise TransferFailed(f"{path!r} means more than {most} files", Fault.REFUSED)
        yield one


def _find(directory: str, path: str) -> Iterator[Found]:
    if is_pattern(path):
        yield from _fitting(directory, path)
    elif path.endswith("/"):
        base = path.rstrip("/")
        base = "" if base == "." else base
        yield from _below(directory, base, base)
    else:
        named = _named(directory, path)
        if named is not None:
            yield named
        else:
            yield from _below(directory, path, path)


def _names(directory: str, path: str) -> list[tuple[str, os.stat_result]]:
    with parent_of(directory, path or ".") as (parent, name):
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        with os.scandir(fd) as entries:
            return [
                (entry.name, os.stat(entry.name, dir_fd=fd, follow_symlinks=False))
                for entry in entries
                if not entry.name.startswith(PARTIAL)
            ]
    finally:
        os.close(fd)


def _below(directory: str, path: str, base: str) -> Iterator[Found]:
    for name, status in _names(directory, path):
        inner = f"{path}/{name}" if path else name
        if stat.S_ISDIR(status.st_mode):
            yield from _below(directory, inner, base)
        elif stat.S_ISREG(status.st_mode):
            yield Found(inner, inner[len(base) + 1 :] if base else inner, status.st_size)


def _fitting(directory: str, pattern: str) -> Iterator[Found]:
    """Names are relative to the directory before the first part that is a pattern. ``**`` is no more than ``*``."""
    parts = pattern.rstrip("/").split("/")
    fixed = next(index for index, part in enumerate(parts) if is_pattern(part))
    base = "/".join(parts[:fixed])
    for path, status in _walk(directory, base, parts[fixed:]):
        if stat.S_ISREG(status.st_mode):
            if not pattern.endswith("/"):
                yield Found(path, path[len(base) + 1 :] if base else path, status.st_size)
        elif stat.S_ISDIR(status.st_mode):
            yield from _below(directory, path, base)


def _walk(directory: str, path: str, parts: list[str]) -> Iterator[tuple[str, os.stat_result]]:
    try:
        names = _names(directory, path)
    except (NotFound, NotADirectoryError):
        return
    for name, status in names:
        if not fnmatch.fnmatchcase(name, parts[0]) or (name.startswith(".") and not parts[0].startswith(".")):
            continue
        inner = f"{path}/{name}" if path else name
        if len(parts) == 1:
            yield inner, status
        elif stat.S_ISDIR(status.st_mode):
            yield from _walk(directory, inner, parts[1:])
