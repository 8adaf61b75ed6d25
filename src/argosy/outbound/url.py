"""A URL from outside: its parts, and the form in which it may be shown."""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from argosy.model import InvalidInput

MAX_LENGTH = 8192
#: A data: URL is the file itself.
MAX_DATA = 1024 * 1024

# Query parameters that let in whoever has them: presigned URLs of S3 and its like, and tokens.
_SECRET = re.compile(
    r"((?:^|[&;])(?:[^=&;]*(?:signature|token|credential|secret|password|api[-_]?key|authorization|authz)[^=&;]*|sig|key)=)[^&;]*",
    re.IGNORECASE,
)


_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")
#: A host whose last part is a number is an address (as the URL standard of the WHATWG has it, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@functools.lru_cache(maxsize=1024)
def _is_host(host: str) -> bool:
    """Whether everybody reads the same from it: a name, or an address in its usual form. 127.1 and 0x7f000001 are
    addresses to some and names to others, and what is judged here must be what is connected to."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _NAME.fullmatch(host) is not None and _NUMBER.fullmatch(host.rpartition(".")[2]) is None
    return "%" not in host


#: Blanks, control characters and backslashes: what one reader of a URL takes for an end, another does not.
_NEVER = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL (RFC 3986). `text` is the whole, secrets included; `str` of it shows none of them.

    `host` is in lower case, without brackets; `path` and `query` are as they stand there, `name` is the last part of
    the path, decoded.
    """

    text: str = field(repr=False)
    scheme: str
    host: str
    port: int | None
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    path: str
    query: str = field(repr=False)

    @classmethod
    def parse(cls, text: str, element: str | None = None) -> Url:
        """Take a URL apart. Raises InvalidInput where it is none."""
        most = MAX_DATA if text[:5].lower() == "data:" else MAX_LENGTH
        if len(text) > most:
            raise InvalidInput(f"the URL has {len(text)} characters; the most are {most}", element=element)
        if _NEVER.search(text):
            raise InvalidInput(
                f"{shown(text)!r} is no URL: it has a blank, a backslash or a control character in it", element=element
            )
        try:
            parts = urlsplit(text)
            port = parts.port
            host = (parts.hostname or "").rstrip(".")
        except ValueError as error:
            raise InvalidInput(f"{shown(text)!r} is no URL: {error}", element=element) from None
        if not parts.scheme:
            raise InvalidInput(f"{shown(text)!r} is no URL: it begins with a scheme, as https:", element=element)
        if not host.isascii():
            try:
                host = host.encode("idna").decode("ascii").lower().rstrip(".")
            except UnicodeError as error:
                raise InvalidInput(f"{shown(text)!r} has a host that is no name: {error}", element=element) from None
        if host and not _is_host(host):
            raise InvalidInput(f"{shown(text)!r} has a host that is no name and no address", element=element)
        return cls(
            text=text,
            scheme=parts.scheme.lower(),
            host=host,
            port=port,
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            path=parts.path,
            query=parts.query,
        )

    @property
    def name(self) -> str:
        """The last part of the path, decoded as `file` is; empty for a directory."""
        return unquote(self.path.rpartition("/")[2], errors="surrogateescape")

    @property
    def file(self) -> str:
        """The path, decoded; bytes that are no UTF-8 as `os.fsdecode` has them."""
        return unquote(self.path, errors="surrogateescape")

    @property
    def is_directory(self) -> bool:
        """Whether it ends in a slash, which is how a directory is written."""
        return self.path.endswith("/")

    @property
    def place(self) -> str:
        """``HOST`` or ``HOST:PORT``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def bare(self) -> str:
        """The URL without user and password."""
        if not self.host:
            return urlunsplit((self.scheme, self.place, self.path, self.query, ""))
        return f"{self.scheme}://{self.place}{self.path}{'?' if self.query else ''}{self.query}"

    def __str__(self) -> str:
        return shown(self.text)


def shown(url: str) -> str:
    """A URL as it may be written to a log or an event: no password, no signature, no token, no fragment."""
    if "?" not in url and "@" not in url and "#" not in url and url[:5].lower() != "data:":
        return url  # nothing of it can be secret; most are so
    head, question, query = url.partition("?")
    query = query.partition("#")[0]
    head = head.partition("#")[0]
    scheme, separator, rest = head.partition("://")
    if separator:
        authority, slash, path = rest.partition("/")
        if "@" in authority:
            user = authority.rpartition("@")[0].partition(":")
            authority = f"{user[0]}{':***' if user[1] else ''}@{authority.rpartition('@')[2]}"
        head = f"{scheme}://{authority}{slash}{path}"
    elif scheme.lower().startswith("data:"):
        return head if len(head) <= 40 else head[:40] + "..."
    return head + question + _SECRET.sub(r"\1***", query)
