"""Secrets at rest: AES-256-GCM with a key that is kept apart from the database, bound to the record they belong to."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from argosy.model import InvalidInput, Unavailable

_NONCE = 12
_NAME = 4
_KEY = 32


class Vault:
    """Seals with the first of its keys, and opens with any of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Each key is of 32 bytes."""
        if not keys or any(len(key) != _KEY for key in keys):
            raise ValueError("a key is of 32 bytes")
        self._ciphers = {hashlib.sha256(key).digest()[:_NAME]: AESGCM(key) for key in keys}
        self._first = hashlib.sha256(keys[0]).digest()[:_NAME]
        #: The name of the key that it seals with, and of all with which it opens: the start of each key's SHA-256.
        self.current = self._first.hex()
        self.names = [name.hex() for name in self._ciphers]

    def seal(self, secret: bytes, *bound: str) -> bytes:
        """The secret so that only `open` with the same `bound` texts gives it back."""
        nonce = os.urandom(_NONCE)
        return self._first + nonce + self._ciphers[self._first].encrypt(nonce, secret, _bound(bound))

    def open(self, sealed: bytes, *bound: str) -> bytes:
        """What was sealed. Raises Unavailable where the key or the record is another than it was sealed with."""
        cipher = self._ciphers.get(sealed[:_NAME])
        if cipher is None:
            raise Unavailable("it was sealed with a key that the service does not have any more")
        nonce, rest = sealed[_NAME : _NAME + _NONCE], sealed[_NAME + _NONCE :]
        try:
            return cipher.decrypt(nonce, rest, _bound(bound))
        except (InvalidTag, ValueError):
            raise Unavailable("the record it belongs to has been changed by somebody else; add it again") from None


def _bound(texts: Sequence[str]) -> bytes:
    return b"\0".join(text.encode() for text in texts)


def open_vault(path: Path, *, make: bool = False) -> Vault:
    """The vault whose keys are in a file, each 32 bytes in Base64 on a line of its own, the newest first.

    `make` makes the file where there is none. Raises InvalidInput where it cannot be used, or others could read it.
    """
    if make:
        with contextlib.suppress(FileExistsError):
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(base64.b64encode(os.urandom(_KEY)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise InvalidInput(f"others can read the key in {path}; run: chmod 600 {path}", element=_ELEMENT)
            content = file.read(64 * 1024)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", element=_ELEMENT) from None
    return vault_of(content, str(path), _ELEMENT)


def vault_of(content: bytes, what: str, element: str) -> Vault:
    """The vault of keys in Base64, divided by space of any kind. Raises InvalidInput, which says what holds them."""
    try:
        return Vault([base64.b64decode(word, validate=True) for word in content.split()])
    except (binascii.Error, ValueError):
        raise InvalidInput(
            f"{what} does not hold keys of 32 bytes in Base64; make one with: openssl rand -base64 32", element=element
        ) from None


_ELEMENT = "credentials.key_file"
