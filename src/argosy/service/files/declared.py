"""What a description says of an input file, its size and checksums, compared with what has come."""

from __future__ import annotations

from collections.abc import Mapping

from argosy.model import InvalidInput
from argosy.model.description import InputFile
from argosy.staging.checksums import Checksums

_SHOWN = {"sha256": "SHA-256", "adler32": "Adler-32", "md5": "MD5"}


def checksums_of(declared: InputFile | None) -> dict[str, str]:
    """The checksums that a file is to have, by algorithm."""
    if declared is None:
        return {}
    given = (("sha256", declared.sha256), ("adler32", declared.adler32), ("md5", declared.md5))
    return {name: value for name, value in given if value is not None}


def compare(path: str, size: int, sums: Mapping[str, str], declared: InputFile | None) -> None:
    """Raise InvalidInput where a file that has come is not what was declared."""
    if declared is None:
        return
    if declared.size is not None and size != declared.size:
        raise InvalidInput(f"{path!r} has {size} bytes; {declared.size} were declared", element=path)
    for name, value in checksums_of(declared).items():
        if sums[name] != value:
            raise InvalidInput(f"{path!r} has the {_SHOWN[name]} {sums[name]}; {value} was declared", element=path)


def check_declared(declared: InputFile, data: bytes) -> None:
    """The same for a file that is here as a whole."""
    digest = Checksums(checksums_of(declared))
    digest.update(data)
    compare(declared.path, len(data), digest.hexadecimal(), declared)
