"""What ``-o`` and ``argosy files get`` fetch: a file, a directory with all that is in it, or what a pattern fits."""

from __future__ import annotations

import errno
import fnmatch
import os
import posixpath
import re
import sys
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from argosy.client import Client
from argosy.client.transfer import CHUNK
from argosy.languages.documents import FileDocument
from argosy.model import ArgosyError, InvalidInput, NotFound

from .progress import moving

#: As a target: standard output. A file of that name is ``./-``.
STDOUT = "-"
_MAGIC = re.compile(r"[*?[]")


def check_target(there: str, here: str | None) -> None:
    """Raise OSError where what `fetch` will fetch could not be written, before anything is done for it."""
    if here == STDOUT:
        return
    if here is None or there.endswith("/") or _MAGIC.search(there):
        # A directory, made where it is not there.
        place = os.path.abspath(here or ".")
        while not os.path.lexists(place):
            place = os.path.dirname(place)
    else:
        place = here if os.path.isdir(here) else os.path.dirname(here) or "."
    if not os.path.isdir(place):
        raise NotADirectoryError(errno.ENOTDIR, "there is no such directory", place)
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "nothing can be written there", place)


def target_of(there: str, here: str | None) -> str | None:
    """The file that `fetch` makes of a file; None where it may make several, or writes to standard output."""
    if there.endswith("/") or _MAGIC.search(there) or here == STDOUT:
        return None
    name = posixpath.basename(there)
    return os.path.abspath(os.path.join(here, name) if here and os.path.isdir(here) else here or name)


def fetch(client: Client, id: str, there: str, here: str | None, *, literal: bool = False) -> list[str]:
    """Fetch what `there` means of a job's directory, and say where it is now.

    `here` is a file or a directory for a file, otherwise a directory, which is made; where nothing is said it has the
    name that it has there, and what a pattern fits comes into this directory. ``-`` is standard output, for one file,
    and nothing is said of it. `literal`: nothing is a pattern. Raises NotFound where there is nothing.
    """
    path = there.rstrip("/") or "."
    if here == STDOUT:
        if there.endswith("/") or (_MAGIC.search(path) and not literal):
            raise InvalidInput(f"{there} may be several files; only one goes to standard output", element="path")
        show(client, id, path)
        return []
    if _MAGIC.search(path) and not literal:
        return _fitting(client, id, path, here or ".")
    if not there.endswith("/") and posixpath.normpath(path) != ".":
        try:
            return [_file(client, id, path, here or os.path.basename(path))]
        except InvalidInput as error:
            try:
                directory = _is_directory(client, id, path)
            except ArgosyError:
                raise error from None  # what was asked for is wrong, and not what it is in
            if not directory:
                raise
    return _below(client, id, path, here or os.path.basename(path) or ".")


def show(client: Client, id: str, path: str) -> None:
    """Write a file of a job's to standard output."""
    offset = 0
    while piece := client.read_file(id, path, start=offset, size=CHUNK):
        offset += len(piece)
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def _file(client: Client, id: str, there: str, here: str) -> str:
    with moving(f"fetching {there}") as progress:
        return client.get_file(id, there, here, progress=progress)


def _is_directory(client: Client, id: str, path: str) -> bool:
    parent, name = posixpath.split(posixpath.normpath(path))
    return any(_name(entry) == name and entry.type == "directory" for entry in client.list_files(id, parent))


def _below(client: Client, id: str, there: str, here: str) -> list[str]:
    """A directory with all that is in it; links stay there, as they do when a directory is sent to a target."""
    fetched = []
    left = [(there, here)]
    while left:
        there, here = left.pop()
        entries = list(client.list_files(id, "" if there == "." else there))
        os.makedirs(here, exist_ok=True)
        for entry in entries:
            name = _name(entry)
            inner, outer = posixpath.join(there, name), os.path.join(here, name)
            if entry.type == "directory":
                left.append((inner, outer))
            elif entry.type == "file":
                fetched.append(_file(client, id, inner, outer))
    return fetched


def _fitting(client: Client, id: str, pattern: str, here: str) -> list[str]:
    parts = posixpath.normpath(pattern).split("/")
    fixed = next(index for index, part in enumerate(parts) if _MAGIC.search(part))
    base = "/".join(parts[:fixed])
    fetched = []
    for path, entry in _walk(client, id, base, parts[fixed:]):
        target = os.path.join(here, os.path.relpath(path, base or "."))
        if entry.type == "directory":
            fetched += _below(client, id, path, target)
        elif entry.type == "file":
            os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
            fetched.append(_file(client, id, path, target))
    if not fetched:
        raise NotFound(f"the job has left nothing that fits {pattern}")
    return fetched


def _walk(client: Client, id: str, path: str, parts: list[str]) -> Iterator[tuple[str, FileDocument]]:
    for entry in client.list_files(id, path):
        name = _name(entry)
        if not fnmatch.fnmatchcase(name, parts[0]) or (name.startswith(".") and not parts[0].startswith(".")):
            continue
        inner = posixpath.join(path, name)
        if len(parts) == 1:
            yield inner, entry
        elif entry.type == "directory":
            yield from _walk(client, id, inner, parts[1:])


def _name(entry: FileDocument) -> str:
    """Its last part, as bytes of any kind that it may be: only its address has them. It never leads anywhere else."""
    name = os.fsdecode(unquote_to_bytes(entry.href.rpartition("/")[2]))
    if "/" in name or name in ("", ".", "..") or "\0" in name:
        raise InvalidInput(f"the service told of a file {name!r}, which is no name", element="path")
    return name
