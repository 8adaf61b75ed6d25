"""New credentials in the place of those about to end: proxies from a MyProxy server, tokens by a refresh token or in
exchange for the old one.

Only servers that the service's owner has named are asked, so that nobody makes the service connect elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from argosy.identity.oidc.fetching import Fetcher, check_url
from argosy.languages.documents_credentials import Renewal
from argosy.model import InvalidInput, Unavailable

from .kinds import Secret

#: How long a MyProxy server may take, in seconds; and for how long a proxy is asked for, in hours.
MYPROXY_LIMIT = 60.0
HOURS = 12
_PORT = 7512
_TOOL = "myproxy-logon"


@dataclass(frozen=True, slots=True)
class Renewed:
    """A new secret, when it ends, and what may be shown of it."""

    secret: Secret = field(repr=False)
    expires: float | None
    shown: dict[str, Any] = field(default_factory=dict)


class Renewer:
    """Asks the servers. `myproxy` are ``HOST`` or ``HOST:PORT``, `issuers` the URLs of issuers."""

    def __init__(
        self,
        *,
        myproxy: Collection[str] = (),
        issuers: Collection[str] = (),
        ca_directory: str | None = None,
        certificate: tuple[str, str] | None = None,
        fetcher: Fetcher | None = None,
    ) -> None:
        """`certificate` are the files of the service's own certificate and key, by which MyProxy servers know it."""
        self._myproxy = frozenset(myproxy)
        self._issuers = frozenset(issuers)
        self._ca_directory = ca_directory
        self._certificate = certificate
        self._fetcher = fetcher

    def check(self, kind: str, renewal: Renewal) -> None:
        """Raise InvalidInput unless a credential of this kind can be renewed so."""
        if kind == "proxy":
            if renewal.myproxy is None or not renewal.username:
                raise InvalidInput("a proxy is renewed from a MyProxy server: name myproxy and username", element=_AT)
            if renewal.myproxy not in self._myproxy:
                known = ", ".join(sorted(self._myproxy)) or "none"
                raise InvalidInput(f"the MyProxy servers known here are: {known}", element=f"{_AT}.myproxy")
            for value in (renewal.username, renewal.passphrase or ""):
                if value.startswith("-") or not value.isprintable():
                    raise InvalidInput("it must be printable and must not begin with a dash", element=_AT)
            if renewal.passphrase is None and self._certificate is None:
                # A MyProxy server gives nothing to whoever shows an old proxy and is nobody besides.
                raise InvalidInput(
                    "give the passphrase; the service has no certificate of its own to renew without one",
                    element=f"{_AT}.passphrase",
                )
            if shutil.which(_TOOL) is None:
                raise InvalidInput(f"{_TOOL} is not installed at the service", element=_AT)
        elif kind == "token":
            if renewal.issuer not in self._issuers:
                known = ", ".join(sorted(self._issuers)) or "none"
                raise InvalidInput(f"the issuers at which tokens are renewed are: {known}", element=f"{_AT}.issuer")
            if not renewal.client_id:
                raise InvalidInput("give the client_id for which the token was made", element=f"{_AT}.client_id")
        else:
            raise InvalidInput(f"a credential of kind {kind} cannot be renewed by the service", element=_AT)

    async def renew(self, kind: str, secret: Secret, renewal: Renewal) -> Renewed:
        """A new one. Raises Unavailable, or InvalidInput where the server is not allowed any more."""
        if kind == "proxy" and renewal.myproxy in self._myproxy:
            return await self._from_myproxy(secret, renewal)
        if kind == "token" and renewal.issuer in self._issuers:
            return await self._from_issuer(secret, renewal)
        raise InvalidInput("the server that it is renewed from is not known here any more")

    async def _from_myproxy(self, secret: Secret, renewal: Renewal) -> Renewed:
        host, _, port = (renewal.myproxy or "").partition(":")
        with tempfile.TemporaryDirectory(prefix="argosy-") as directory:  # mode 0700
            old, new = Path(directory, "old"), Path(directory, "new")
            command = [_TOOL, "-s", host, "-p", port or str(_PORT), "-l", renewal.username or "", "-t", str(HOURS)]
            command += ["-o", str(new), "-q"]
            environ = {name: value for name, value in os.environ.items() if not name.startswith(("X509_", "MYPROXY_"))}
            if self._ca_directory is not None:
                environ["X509_CERT_DIR"] = self._ca_directory
            if secret.passphrase is not None:
                command.append("-S")
            else:
                # The proxy itself is shown, by the service as itself: the server must know it as a renewer.
                if self._certificate is None:
                    raise Unavailable("the service has no certificate any more to renew it without a passphrase")
                cert, key = self._certificate
                _write(old, secret.pem or "")
                command += ["-n", "-a", str(old)]
                environ |= {"X509_USER_CERT": cert, "X509_USER_KEY": key, "X509_USER_PROXY": str(Path(directory, "no"))}
            said = await _run(command, secret.passphrase, environ)
            secret.pem = _read(new)
        if not secret.pem:
            raise Unavailable(f"the MyProxy server {renewal.myproxy} gives no proxy: {said}")
        return Renewed(secret, None)

    async def _from_issuer(self, secret: Secret, renewal: Renewal) -> Renewed:
        issuer = (renewal.issuer or "").rstrip("/")
        fetcher = self._fetcher
        if fetcher is None:
            fetcher = self._fetcher = Fetcher()
        found = await fetcher.json(f"{issuer}/.well-known/openid-configuration")
        endpoint = found.get("token_endpoint")
        if not isinstance(endpoint, str):
            raise Unavailable(f"{issuer} names no token endpoint")
        try:
            check_url(endpoint, f"the token endpoint of {issuer}", {check_url(issuer, "the issuer")})
        except InvalidInput as error:
            raise Unavailable(error.message) from None
        form = _refreshing(secret) if secret.refresh_token else _exchanging(secret, renewal, issuer, found)
        form |= {"client_id": renewal.client_id or ""}
        form |= {"client_secret": secret.client_secret} if secret.client_secret else {}
        form |= {"scope": renewal.scope} if renewal.scope else {}
        answer = await fetcher.json(endpoint, form)
        token, again = answer.get("access_token"), answer.get("refresh_token")
        if not isinstance(token, str) or not token:
            said = {name: answer[name] for name in ("error", "error_description") if isinstance(answer.get(name), str)}
            raise Unavailable(f"{issuer} gives no new token: {' '.join(said.values()) or 'it does not say why'}")
        if answer.get("issued_token_type", _ACCESS_TOKEN) not in (_ACCESS_TOKEN, _JWT):
            raise Unavailable(f"{issuer} gives another kind of token than was asked for")
        secret.token = token
        if isinstance(again, str) and again:
            secret.refresh_token = again
        return Renewed(secret, _lifetime(answer), _shown(answer))

    async def close(self) -> None:
        """Let go of connections."""
        if self._fetcher is not None:
            await self._fetcher.close()


_AT = "renewal"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a kind
_JWT = "urn:ietf:params:oauth:token-type:jwt"


def _refreshing(secret: Secret) -> dict[str, str]:
    """RFC 6749, 6."""
    return {"grant_type": "refresh_token", "refresh_token": secret.refresh_token or ""}


def _exchanging(secret: Secret, renewal: Renewal, issuer: str, found: Mapping[str, Any]) -> dict[str, str]:
    """RFC 8693, 2.1: the token itself, while it is good, for another one."""
    grants = found.get("grant_types_supported")
    if isinstance(grants, list) and _EXCHANGE not in grants:
        raise Unavailable(f"{issuer} exchanges no tokens; replace the token by one with a refresh token")
    form = {"grant_type": _EXCHANGE, "subject_token": secret.token or "", "subject_token_type": _ACCESS_TOKEN}
    form |= {"requested_token_type": _ACCESS_TOKEN}
    return form | ({"audience": renewal.audience} if renewal.audience else {})


def _lifetime(answer: Mapping[str, Any]) -> float | None:
    seconds = answer.get("expires_in")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        return None
    return time.time() + seconds


def _shown(answer: Mapping[str, Any]) -> dict[str, Any]:
    scope = answer.get("scope")
    return {"scope": scope} if isinstance(scope, str) else {}


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "w") as file:
        file.write(text)


def _read(path: Path) -> str | None:
    try:
        return path.read_text("latin-1")
    except OSError:
        return None


async def _run(command: list[str], given: str | None, environ: dict[str, str]) -> str:
    """Run a tool with a secret on its standard input; what it says."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE if given is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environ,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(MYPROXY_LIMIT):
            said, _ = await process.communicate(None if given is None else given.encode() + b"\n")
    except TimeoutError:
        raise Unavailable(f"{command[0]} has not ended within {MYPROXY_LIMIT:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return " ".join(said.decode(errors="replace").split())[:500]
