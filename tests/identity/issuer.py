"""An issuer of tokens on this machine: discovery, keys that change, and answers that are wrong on demand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.identity.pki import rsa_key

AUDIENCE = "https://argosy.example.org"


class Issuer:
    """Signs tokens. `answers` replaces what a path answers: a document, or (status, headers, body)."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"one": rsa_key("issuer one")}
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.url = ""

    def jwks(self) -> list[dict[str, Any]]:
        found = []
        for kid, key in self.keys.items():
            elliptic = isinstance(key, ec.EllipticCurvePrivateKey)
            algorithm = ECAlgorithm if elliptic else RSAAlgorithm
            found.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"})
        return found

    def token(
        self,
        *,
        kid: str | None = "one",
        algorithm: str = "RS256",
        key: Any = None,
        headers: dict[str, Any] | None = None,
        without: tuple[str, ...] = (),
        **claims: Any,
    ) -> str:
        """A good token, but for what is said."""
        now = int(time.time())
        whole = {
            "iss": self.url,
            "sub": "alice",
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            "scope": "openid compute.read compute.create",
            **claims,
        }
        for name in without:
            del whole[name]
        more = ({"kid": kid} if kid is not None else {}) | (headers or {})
        return jwt.encode(whole, self.keys[kid or "one"] if key is None else key, algorithm, headers=more)

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(path)
        found = self.answers.get(path)
        if found is None and path == "/.well-known/openid-configuration":
            found = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if found is None and path == "/keys":
            found = {"keys": self.jwks()}
        if found is None:
            return 404, {}, b""
        return found if isinstance(found, tuple) else (200, {}, json.dumps(found).encode())


@contextmanager
def issuing() -> Iterator[Issuer]:
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = issuer.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # whoever asked may have read enough
                self.wfile.write(body)

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["content-length"])).decode()
            issuer.forms.append(dict(parse_qsl(sent)))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fresh_rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)
