"""The one place where a value becomes shell text.

Everything a user supplies passes through `quote` or `expand` on its way into a script or a remote
command line; nothing else puts values between quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .errors import InvalidJobException

_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]+\Z", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
# `${NAME}` is a reference; `$${NAME}` is the text `${NAME}` itself. Everything else is literal.
_REFERENCE = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)


def quote(value: str) -> str:
    """One shell word that means exactly `value`, newlines and quotes included.

    The NUL character can be in no argument of any process (execve(2)); it is refused.
    """
    if "\0" in value:
        raise InvalidJobException(f"a value contains the NUL character, which no program can receive: {value!r}")
    if _SAFE.match(value):
        return value
    return "'" + value.replace("'", "'\\''") + "'"


def join(words: Iterable[str]) -> str:
    """The words as one command line."""
    return " ".join(map(quote, words))


def is_variable_name(name: str) -> bool:
    """Whether a shell can export a variable of this name (POSIX.1-2017, 3.235)."""
    return _NAME.match(name) is not None


def expand(value: str) -> str:
    """Shell text for `value` in which ``${NAME}`` is replaced by that variable when the script runs.

    Source: PSI/J, JobSpec.setEnvironment, "simple variable substitution". A variable that is not
    set gives nothing. ``$${NAME}`` gives the text ``${NAME}``.
    """
    parts: list[str] = []
    literal = ""
    end = 0
    for match in _REFERENCE.finditer(value):
        literal += value[end : match.start()]
        escaped, name = match.groups()
        end = match.end()
        if escaped:
            literal += "${" + name + "}"
            continue
        if literal:
            parts.append(quote(literal))
            literal = ""
        parts.append('"${' + name + '-}"')
    literal += value[end:]
    if literal or not parts:
        parts.append(quote(literal))
    return "".join(parts)


def escape_references(value: str) -> str:
    """A text that `expand` and `substitute` turn into `value`, whatever stands in it."""
    return _REFERENCE.sub(r"$\g<0>", value)


def references(value: str) -> tuple[str, list[str]]:
    """`value` as a text in which nothing is replaced, and the variables that it refers to.

    References stay as they are written; what `escape_references` has put in is taken out.
    """
    names: list[str] = []

    def plain(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if not escaped:
            names.append(name)
        return "${" + name + "}"

    return _REFERENCE.sub(plain, value), names


def substitute(value: str, variables: Mapping[str, str]) -> str:
    """`value` with ``${NAME}`` replaced now, for processes started without a shell; as `expand` otherwise."""
    if "${" not in value:
        return value

    def replace(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        return "${" + name + "}" if escaped else variables.get(name, "")

    return _REFERENCE.sub(replace, value)
