"""A command to run on some host, and how it ended. Batch systems write the first and read the second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """The directory and the environment that a program of this machine had at some moment. Each equals itself only.

    `directory` is None where it was not there any more.
    """

    directory: str | None
    environ: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Command:
    """An argument list, never a shell line, and what goes to its standard input.

    `environment` changes that of whoever runs it: a text sets a variable, None removes it. On this machine it starts
    with `origin`, where there is one, in place of the transport's own; on other hosts that means nothing.
    """

    argv: tuple[str, ...]
    stdin: str = ""
    environment: Mapping[str, str | None] = field(default_factory=dict)
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """What a command printed and its exit code. Text is UTF-8, with U+FFFD for bytes that are not: what it says to
    people can be stored and sent on, whatever encoding it is in."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def words(self) -> str:
        """What it had to say, for a person: standard error, else standard output, else its exit code."""
        said = self.stderr.strip() or self.stdout.strip()
        return said or f"{self.argv[0]} ended with exit code {self.returncode} and said nothing"
