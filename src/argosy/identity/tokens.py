"""API tokens: random, scoped, expiring secrets that the service's owner gives out, kept as their SHA-256 alone.

A slow hash would add nothing: it protects what people can remember, and nobody can guess 256 random bits.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec
from msgspec import Struct

from argosy.model import InvalidInput, NotFound, Unavailable

from .caller import Caller
from .contract import Authenticator, Evidence, Refused, read_options
from .policy import Scope

#: What a token looks like: a fixed word, its public id, and the secret.
_FORM = re.compile(r"argosy_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_PREFIX = "argosy_"
_OWNER = re.compile(r"[^\x00-\x1f\x7f]{1,512}")


class TokenRecord(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What is kept of a token. Times are in seconds since the epoch."""

    id: str
    sha256: str
    owner: str
    scopes: list[Scope] | None = None
    """None where it may do all that its owner may."""
    created: float
    expires: float
    note: str = ""


class _File(Struct, forbid_unknown_fields=True):
    tokens: list[TokenRecord] = []


class TokenStore:
    """The tokens of a service, in the file ``tokens.json`` of its directory, mode 0600.

    Any number of processes may change it; each change is whole, and a running service heeds it with its next request.
    """

    def __init__(self, directory: str | os.PathLike[str], clock: Callable[[], float] = time.time) -> None:
        self._path = Path(directory) / "tokens.json"
        self._clock = clock
        self._seen: tuple[int, int, int] | None = None
        self._by_id: dict[str, TokenRecord] = {}

    def create(
        self, owner: str, *, lifetime: float, scopes: Collection[Scope] | None = None, note: str = ""
    ) -> tuple[str, TokenRecord]:
        """Make a token for `owner` that ends in `lifetime` seconds. The token itself is told here, and never again."""
        if not _OWNER.fullmatch(owner):
            raise InvalidInput("an owner's name is of 1 to 512 characters on one line", element="owner")
        if not lifetime > 0:
            raise InvalidInput("a token must live for some time", element="expires")
        if scopes is not None and not scopes:
            raise InvalidInput("a token without a scope would be good for nothing", element="scope")
        id = secrets.token_hex(6)
        token = f"{_PREFIX}{id}_{base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b'=').decode()}"
        now = self._clock()
        record = TokenRecord(
            id=id,
            sha256=_hashed(token),
            owner=owner,
            scopes=None if scopes is None else sorted(set(scopes)),
            created=now,
            expires=now + lifetime,
            note=note,
        )
        with self._changing() as tokens:
            tokens.append(record)
        return token, record

    def records(self) -> list[TokenRecord]:
        """All tokens that have been made and not revoked, the oldest first."""
        return sorted(self._read(), key=lambda one: one.created)

    def revoke(self, id: str) -> TokenRecord:
        """End a token now. Raises NotFound."""
        with self._changing() as tokens:
            found = next((one for one in tokens if one.id == id), None)
            if found is None:
                raise NotFound(f"there is no token {id!r}")
            tokens.remove(found)
        return found

    def find(self, token: str) -> TokenRecord:
        """The record of a token that is good. Raises Refused: ``unknown`` or ``expired``."""
        match = _FORM.fullmatch(token)
        record = self._current().get(match[1]) if match is not None else None
        if record is None or not hmac.compare_digest(record.sha256, _hashed(token)):
            raise Refused("unknown", "this API token is not known here; it may have been revoked")
        if self._clock() >= record.expires:
            raise Refused("expired", f"the API token {record.id} has expired; ask the service's owner for a new one")
        return record

    def _current(self) -> dict[str, TokenRecord]:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            self._seen, self._by_id = None, {}
            return self._by_id
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be read: {error.strerror}") from error
        seen = (status.st_mtime_ns, status.st_ino, status.st_size)
        if seen != self._seen:
            self._by_id = {one.id: one for one in self._read()}
            self._seen = seen
        return self._by_id

    def _read(self) -> list[TokenRecord]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_File).tokens
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError) as error:
            raise Unavailable(f"{self._path} cannot be read: {error}") from error

    @contextmanager
    def _changing(self) -> Iterator[list[TokenRecord]]:
        """The tokens, to be changed: written as a whole when the block ends, one process at a time."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            tokens = self._read()
            yield tokens
            temporary = self._path.with_suffix(".tmp")
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(msgspec.json.format(msgspec.json.encode(_File(tokens)), indent=1))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        finally:
            os.close(lock)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class _Options(Struct, forbid_unknown_fields=True):
    pass


class APITokens(Authenticator):
    """Callers by the tokens of a store. Whoever has one is its owner, within its scopes."""

    grants: ClassVar[bool] = True

    def __init__(self, store: TokenStore) -> None:
        self._store = store

    @classmethod
    def from_config(cls, options: Mapping[str, Any], directory: Path) -> Self:
        read_options(options, _Options, "tokens")
        return cls(TokenStore(directory))

    async def authenticate(self, evidence: Evidence) -> Caller | None:
        token = bearer_token(evidence)
        if token is None or not token.startswith(_PREFIX):
            return None
        record = self._store.find(token)
        return Caller(
            record.owner,
            method="api-token",
            scopes=None if record.scopes is None else frozenset(record.scopes),
            expires=record.expires,
        )


def bearer_token(evidence: Evidence) -> str | None:
    """The bearer token of a request (RFC 6750, 2.1), or None."""
    scheme, _, given = evidence.headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else None
