"""TLS connections in which a client may show any certificates: OpenSSL finds that it has the key, and judges no more.

The standard library's `ssl` cannot leave the judgement to somebody else: it would refuse proxies of the older kinds,
and could not say why. Here a connection of pyOpenSSL takes the place of an `ssl.SSLObject` in asyncio's transport.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

if TYPE_CHECKING:
    from .tls import Certificate

#: RFC 7301: what is spoken here.
_PROTOCOL = b"http/1.1"
_AT_ONCE = 64 * 1024
ENCRYPTED = "the key is encrypted; the service needs one without a password"
#: Forward secrecy and authenticated encryption alone; TLS 1.3 has no others.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def asking_context(certificate: Certificate) -> SSL.Context:
    """A context that asks for a client's certificate and takes any, or none. Raises ssl.SSLError, OSError."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS.encode())
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    # A session that goes on has lost all of the client's certificates but the first: each handshake is a whole one.
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"argosy")
    context.set_alpn_select_callback(_select)
    with open(certificate.key, "rb") as file:
        try:
            key: Any = load_pem_private_key(file.read(), None)
        except TypeError:
            raise ValueError(ENCRYPTED) from None
    try:
        context.use_certificate_chain_file(certificate.cert)
        context.use_privatekey(key)
        context.check_privatekey()
    except SSL.Error as error:
        raise ssl.SSLError(1, _words(error)) from None
    # OpenSSL asks this of each certificate. The signature of the handshake is checked whatever is answered here.
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    return context


def _select(connection: SSL.Connection, offered: list[bytes]) -> Any:
    return _PROTOCOL if _PROTOCOL in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _words(error: SSL.Error) -> str:
    found = error.args[0] if error.args else ()
    return "; ".join(one[-1] for one in found if one and one[-1]) if isinstance(found, list) else str(error)


class AskingObject:
    """What asyncio's transport needs of an `ssl.SSLObject` at the server's side, and `peer_chain`."""

    server_side = True

    def __init__(self, context: SSL.Context, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
        self._connection = SSL.Connection(context, None)
        self._connection.set_accept_state()
        self._incoming = incoming
        self._outgoing = outgoing

    @property
    def peer_chain(self) -> tuple[bytes, ...]:
        """The client's certificates in DER, its own first; none where it showed none."""
        own = self._connection.get_peer_certificate()
        if own is None:
            return ()
        first = crypto.dump_certificate(crypto.FILETYPE_ASN1, own)
        others = [
            crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in self._connection.get_peer_cert_chain() or ()
        ]
        # OpenSSL keeps the client's own apart from the others, at the server's side.
        return (first, *(one for one in others if one != first))

    def do_handshake(self) -> None:
        """See `ssl.SSLObject`, here and below."""
        self._step(self._connection.do_handshake)

    def read(self, size: int = 1024, buffer: memoryview | None = None) -> bytes | int:
        try:
            if buffer is None:
                return bytes(self._step(self._connection.recv, size))
            return int(self._step(self._connection.recv_into, buffer, size))
        except SSL.ZeroReturnError:
            return b"" if buffer is None else 0

    def write(self, data: bytes) -> int:
        return int(self._step(self._connection.send, data))

    def unwrap(self) -> None:
        try:
            if not self._step(self._connection.shutdown):
                raise ssl.SSLWantReadError
        except SSL.ZeroReturnError:
            return

    def getpeercert(self, binary_form: bool = False) -> dict[str, Any]:
        del binary_form
        return {}

    def cipher(self) -> tuple[str, str, int] | None:
        name = self._connection.get_cipher_name()
        if name is None:
            return None
        return name, self._connection.get_cipher_version() or "", self._connection.get_cipher_bits() or 0

    def compression(self) -> None:
        return None

    def version(self) -> str:
        """The protocol, e.g. ``TLSv1.3``."""
        return self._connection.get_protocol_version_name()

    def _step(self, do: Any, *arguments: Any) -> Any:
        """One call of OpenSSL with what has arrived, and what it wants to send after it."""
        if data := self._incoming.read():
            self._connection.bio_write(data)
        try:
            return do(*arguments)
        except SSL.ZeroReturnError:
            raise
        except (SSL.WantReadError, SSL.WantWriteError):
            raise ssl.SSLWantReadError from None
        except SSL.SysCallError as error:
            raise ssl.SSLEOFError(8, str(error)) from None
        except SSL.Error as error:
            raise ssl.SSLError(1, _words(error)) from None
        finally:
            self._flush()

    def _flush(self) -> None:
        while True:
            try:
                self._outgoing.write(self._connection.bio_read(_AT_ONCE))
            except SSL.WantReadError:
                return
