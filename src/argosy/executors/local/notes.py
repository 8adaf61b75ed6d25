"""What the shell of a job leaves to tell beside its exit status: why the application was not run, or what failed later.

A note is a file: ``0 WORDS`` where the application was not run, ``1 WORDS`` where it was. An empty one says nothing.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from pathlib import Path
from typing import NamedTuple

from argosy.executors.places import spools
from argosy.model import Unavailable

#: How much of a note is read, in bytes.
_MUCH = 1000


class Note(NamedTuple):
    """Whether the application was run, and what went wrong."""

    ran: bool
    words: str


class Notes:
    """The notes in one directory, which exists."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    @classmethod
    def new(cls, work_directory: str | Path | None, name: str) -> Notes:
        """Those of one executor, in a new directory beneath its spools. Raises Unavailable, and OSError.

        Where no `work_directory` is given and the usual one cannot be had, in one for temporary files.
        """
        from argosy.transport.local import make_directories  # most programs have no such jobs

        try:
            directory = str(spools(work_directory, name) / uuid.uuid4().hex)
            make_directories([directory])
        except (OSError, Unavailable, RuntimeError):  # the last: there is no home directory
            if work_directory is not None:
                raise
            directory = tempfile.mkdtemp(prefix="argosy-")
        return cls(directory)

    def path(self, tag: str) -> str:
        """Where the note of the job with this tag is to be written."""
        return os.path.join(self._directory, f"note.{tag}")

    def read(self, tag: str) -> Note | None:
        """What a job has left; None where that is nothing."""
        try:
            with open(self.path(tag), "rb") as file:
                text = " ".join(file.read(_MUCH).decode(errors="replace").split())
        except OSError:
            return None  # as it is for nearly all
        return Note(text[0] != "0", text[2:]) if text else None

    def take(self, tag: str) -> Note | None:
        """The same, and remove it where that can be done: what is left of it goes with its directory."""
        note = self.read(tag)
        # A note that stays does no harm, and is not to keep anybody from learning how the job ended.
        with contextlib.suppress(OSError):
            self.forget(tag)
        return note

    def forget(self, tag: str) -> None:
        """Remove a note. Raises OSError."""
        Path(self.path(tag)).unlink(missing_ok=True)
