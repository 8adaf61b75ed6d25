"""The server's certificate: read again when its files change, TLS 1.2 and 1.3 only."""

from __future__ import annotations

import logging
import os
import ssl
import stat
import time
from dataclasses import dataclass
from typing import Any

from argosy.model import InvalidInput

from .handshake import CIPHERS, ENCRYPTED, AskingObject, asking_context

log = logging.getLogger(__name__)

#: How long a client may take for its handshake, and for saying goodbye, in seconds.
HANDSHAKE = 15.0
GOODBYE = 5.0
#: The files are looked at with a new connection, but not more often than this, in seconds.
_LOOK = 1.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM: the certificate with those of the CAs between it and a root, and its key without a password."""

    cert: str
    key: str


class ServerTLS:
    """What asyncio takes for the server's SSL context.

    With `ask` clients may show certificates, which are in the scope of each request for somebody else to judge.
    New files serve the connections that come after them. While they do not fit each other the old ones stay.
    """

    def __init__(self, certificate: Certificate, *, ask: bool = False) -> None:
        """Raises InvalidInput where the files cannot be used."""
        self._files = certificate
        self._ask = ask
        self._seen = self._look()
        self._looked = time.monotonic()
        try:
            self._context = self._load()
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{certificate.cert} and {certificate.key}: {_why(error)}", element="tls") from None

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, server_side: bool = True, server_hostname: Any = None
    ) -> ssl.SSLObject | AskingObject:
        """One connection, as `ssl.SSLContext.wrap_bio` makes it."""
        del server_hostname
        if not server_side:
            raise ValueError("this is the server's side")
        if time.monotonic() - self._looked >= _LOOK:
            self.reload()
        if isinstance(self._context, ssl.SSLContext):
            return self._context.wrap_bio(incoming, outgoing, server_side=True)
        return AskingObject(self._context, incoming, outgoing)

    def reload(self, *, force: bool = False) -> None:
        """Read the files again, if they have changed (`force`: in any case)."""
        self._looked = time.monotonic()
        try:
            seen = self._look()
        except InvalidInput as error:
            log.warning("the certificate stays as it is: %s", error)
            return
        if seen == self._seen and not force:
            return
        try:
            self._context = self._load()
        except (OSError, ValueError) as error:
            # Perhaps only one of the two is there yet: they are tried again with the next connection.
            log.warning("%s and %s cannot be used, the certificate stays: %s", *_names(self._files), _why(error))
            return
        self._seen = seen
        log.info("the certificate has been read again from %s", self._files.cert)

    def _look(self) -> tuple[tuple[int, int, int], ...]:
        found = []
        for path in _names(self._files):
            try:
                status = os.stat(path)
            except OSError as error:
                raise InvalidInput(f"{path} cannot be read: {error.strerror}", element="tls") from None
            found.append((status.st_mtime_ns, status.st_ino, status.st_size))
            if path == self._files.key and stat.S_IMODE(status.st_mode) & 0o007:
                raise InvalidInput(f"everybody can read the key {path}; run: chmod 600 {path}", element="tls.key")
        return tuple(found)

    def _load(self) -> Any:
        if self._ask:
            return asking_context(self._files)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_ciphers(CIPHERS)
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self._files.cert, self._files.key, password=_no_password)
        return context


def _names(files: Certificate) -> tuple[str, str]:
    return files.cert, files.key


def _no_password() -> str:
    # Otherwise OpenSSL asks for it on the terminal.
    raise ValueError(ENCRYPTED)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
