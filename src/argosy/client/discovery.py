"""Where the service is, and the token that it knows us by."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec

from argosy.model import InvalidInput

from .errors import NotAuthenticated, ServiceUnreachable

START = "start one with: argosy serve"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A service's URL, the token for it, and the path of its Unix socket where it has one on this machine.

    For https: `ca_file`, the CAs of the service's certificate in PEM where the system's are not meant, and
    `certificate`, a proxy or a certificate with its key in PEM, by which the service knows us instead of by a token.
    """

    url: str
    token: str = field(repr=False)
    socket: str | None = None
    ca_file: str | None = None
    certificate: str | None = None


class _EndpointFile(msgspec.Struct):
    url: str
    socket: str | None = None
    pid: int | None = None


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """The private directory of this user's service: ARGOSY_HOME, or ``argosy`` in the XDG data directory."""
    if environ.get("ARGOSY_HOME"):
        return Path(environ["ARGOSY_HOME"]).expanduser()
    base = environ.get("XDG_DATA_HOME", "")
    # XDG Base Directory Specification: a relative path is to be ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / "argosy"


def discover(environ: Mapping[str, str] = os.environ) -> Endpoint:
    """The service to talk to.

    ARGOSY_URL names one, with its token in ARGOSY_TOKEN or in the file ARGOSY_TOKEN_FILE, or a certificate or proxy in
    the file ARGOSY_CERTIFICATE; ARGOSY_CA_FILE has the CAs of its own certificate. Otherwise it is the one
    whose private directory is `home`. Raises ServiceUnreachable where there is none, NotAuthenticated where there is
    no token, or others could have read it, and InvalidInput where ARGOSY_URL is none.
    """
    if environ.get("ARGOSY_URL"):
        url = _url(environ["ARGOSY_URL"])
        authorities = environ.get("ARGOSY_CA_FILE") or None
        if environ.get("ARGOSY_TOKEN"):
            return Endpoint(url, _token(environ["ARGOSY_TOKEN"], "the variable ARGOSY_TOKEN"), ca_file=authorities)
        if environ.get("ARGOSY_TOKEN_FILE"):
            return Endpoint(url, read_token(Path(environ["ARGOSY_TOKEN_FILE"])), ca_file=authorities)
        if environ.get("ARGOSY_CERTIFICATE"):
            return Endpoint(url, "", ca_file=authorities, certificate=environ["ARGOSY_CERTIFICATE"])
        raise NotAuthenticated("ARGOSY_URL is set; set ARGOSY_TOKEN_FILE to the file with its token too")
    directory = home(environ)
    path = directory / "endpoint.json"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_EndpointFile)
    except FileNotFoundError:
        raise ServiceUnreachable(f"there is no service in {directory}; {START}") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise ServiceUnreachable(f"{path} cannot be read: {error}") from None
    token_file = Path(environ["ARGOSY_TOKEN_FILE"]) if environ.get("ARGOSY_TOKEN_FILE") else directory / "token"
    given = environ.get("ARGOSY_TOKEN")
    token = _token(given, "the variable ARGOSY_TOKEN") if given else read_token(token_file)
    socket = found.socket if found.socket is not None and os.path.exists(found.socket) else None
    return Endpoint(found.url.rstrip("/"), token, socket)


def read_token(path: Path) -> str:
    """The token in a file that nobody else can read. Raises NotAuthenticated."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise NotAuthenticated(f"others can read the token in {path}; run: chmod 600 {path}")
            token = file.read(4096).decode("ascii", "replace")
    except OSError as error:
        raise NotAuthenticated(f"the token in {path} cannot be read: {error}") from None
    return _token(token, str(path))


def _token(text: str, place: str) -> str:
    """The token in a text; errors name the place and never the token."""
    token = text.strip()
    if not token or not (token.isascii() and token.isprintable()):
        raise NotAuthenticated(f"there is no token in {place}: it is one line of printable ASCII characters")
    return token


def _url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise InvalidInput(f"{text!r} is no URL: {error}", element="ARGOSY_URL") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidInput(f"{text!r} is no address of a service, such as https://host:8443", element="ARGOSY_URL")
    return text.rstrip("/")


def running_pid(directory: Path) -> int | None:
    """The process of the service that has this directory, None where none has: its lock tells, the file may be old."""
    try:
        found = msgspec.json.decode((directory / "endpoint.json").read_bytes(), type=_EndpointFile)
        with (directory / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return found.pid
    except (OSError, msgspec.MsgspecError):
        return None
    return None
