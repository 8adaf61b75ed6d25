"""Small decisions about paths, URLs and messages, without input or output."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlsplit, urlunsplit

from argosy.model import InvalidInput
from argosy.model.description import session_path
from argosy.outbound import Url

from .errors import Fault, TransferFailed
from .scheme import Scheme


def checked_path(path: str, element: str = "path") -> str:
    """The normal form of a path inside a session directory; a slash at its end stays, for it says: a directory."""
    if path in ("", ".", "./", "/"):
        raise InvalidInput("a file needs a name", element=element)
    normal = session_path(path.rstrip("/") if not path.startswith("/") else path, element)
    if normal == ".":
        return "./"
    return f"{normal}/" if path.endswith("/") else normal


def gate(scheme: Scheme, url: Url) -> str | None:
    """Whose limit of transfers a URL counts for; None is this machine."""
    return url.place if scheme.outbound else None


def quoted(path: str) -> str:
    """A path as it stands in a URL. Names of files are bytes of any kind: see `os.fsdecode`."""
    return quote(path.encode(errors="surrogateescape"), safe="/~!$&'()*+,=:@")


def with_path(url: Url, path: str) -> str:
    """The same URL with another path (as it stands in a URL)."""
    return urlunsplit(urlsplit(url.text)._replace(path=path))


def all_failed(path: str, failures: Sequence[tuple[str, TransferFailed]]) -> TransferFailed:
    """One failure of several sources, each told. Its kind is the one that is easiest to mend."""
    if not failures:
        return TransferFailed(f"{path!r} has no source", Fault.MISSING)
    if len(failures) == 1:
        return failures[0][1]
    kinds = [failure.fault for _, failure in failures]
    kind = next((one for one in (Fault.CREDENTIAL, Fault.TRANSIENT, Fault.CORRUPT) if one in kinds), kinds[0])
    told = "; ".join(
        failure.message if where in failure.message else f"{where}: {failure.message}" for where, failure in failures
    )
    return TransferFailed(f"none of the {len(failures)} sources of {path!r} works: {told}", kind)
