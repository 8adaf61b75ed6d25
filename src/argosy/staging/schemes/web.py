"""Requests to web servers: sessions by client certificate, redirections judged one by one, faults in words."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import ssl
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from urllib.parse import urljoin

from argosy.outbound import Url
from argosy.outbound.web import Answer, Body, Client, WebFault
from argosy.staging.contract import Credentials
from argosy.staging.errors import Fault, TransferFailed
from argosy.staging.scheme import Context

from . import answers

#: How many redirections are followed.
MAX_REDIRECTS = 10
#: Sessions with a client certificate that are kept though nobody uses them.
_IDLE_SESSIONS = 8
#: Not every name that begins with 127. is an address.
_THIS_MACHINE = re.compile(r"localhost|::1|127(\.[0-9]+){3}")
_SCHEMES = ("http", "https")
_ALWAYS = {"User-Agent": "Argosy", "Accept": "*/*", "Accept-Encoding": "identity"}
_REDIRECT = frozenset({301, 302, 307, 308})
Headers = Mapping[str, str]
#: Makes the headers that let us in, for the URL that is asked.
Signing = Callable[[str, Url, Headers], Headers]


class Web:
    """Sessions of one scheme; closed with it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._clients: OrderedDict[str, tuple[Client, list[int]]] = OrderedDict()

    def ask(
        self,
        method: str,
        url: Url,
        credentials: Credentials,
        *,
        headers: Headers | None = None,
        body: Body | None = None,
        size: int | None = None,
        signing: Signing | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> AbstractAsyncContextManager[Answer]:
        """An answer with a status of success, or one of `accept`; redirections are followed. `body` is called for each
        request that carries it, `size` is its length. `signing` lets us in, in place of tokens and passwords.

        Raises TransferFailed, NotAllowed, Unavailable.
        """
        return _Asked(self, method, url, credentials, headers or {}, body, size, signing, accept)

    def check(self, url: Url) -> None:
        """Raise NotAllowed where the policy has something against a URL, InvalidInput where it is none of the web."""
        self._context.policy.check(url, schemes=_SCHEMES)

    def enter(self, certificate: str | None) -> tuple[str, Client]:
        """The client for whoever shows this certificate, until they `leave` by the name that comes with it."""
        key = hashlib.sha256(certificate.encode()).hexdigest() if certificate else ""
        return key, self._client(key, certificate)

    def _client(self, key: str, certificate: str | None) -> Client:
        """The connections for these credentials' certificate. Without one all share one."""
        found = self._clients.get(key)
        if found is None:
            timeouts = self._context.timeouts
            made = Client(self._context.policy, self._tls(certificate), connecting=timeouts.connect, idle=timeouts.idle)
            found = self._clients[key] = (made, [0])
        found[1][0] += 1
        self._clients.move_to_end(key)
        return found[0]

    def leave(self, key: str) -> None:
        """See `enter`."""
        self._clients[key][1][0] -= 1
        if key:
            idle = [one for one, (_, used) in self._clients.items() if one and not used[0]]
            for old in idle[:-_IDLE_SESSIONS]:
                self._clients.pop(old)[0].close()

    def _tls(self, certificate: str | None) -> ssl.SSLContext:
        if certificate is None:
            return self._context.tls()
        # OpenSSL reads a chain with its key from a file only; it is ours alone, and gone at once.
        fd, name = tempfile.mkstemp(dir=self._context.directory, prefix="certificate-")
        try:
            with os.fdopen(fd, "w") as file:
                file.write(certificate)
            return self._context.tls(name)
        except ssl.SSLError as error:
            raise TransferFailed(f"the certificate cannot be used: {error.reason or error}", Fault.CREDENTIAL) from None
        finally:
            os.unlink(name)

    async def close(self) -> None:
        """Close all connections."""
        while self._clients:
            self._clients.popitem()[1][0].close()


class _Asked(AbstractAsyncContextManager[Answer]):
    """A request and, where it is redirected, those that follow it. No generator: requests are many."""

    def __init__(
        self,
        web: Web,
        method: str,
        url: Url,
        credentials: Credentials,
        headers: Headers,
        body: Body | None,
        size: int | None,
        signing: Signing | None,
        accept: frozenset[int],
    ) -> None:
        self._web = web
        self._method = method
        self._url = url
        self._credentials = credentials
        self._headers = headers
        self._body = body
        self._size = size
        self._signing = signing
        self._accept = accept
        self._exchange: AbstractAsyncContextManager[Answer] | None = None

    async def __aenter__(self) -> Answer:
        certificate = self._credentials.certificate if self._url.scheme == "https" else None
        self._key, client = self._web.enter(certificate)
        try:
            return await self._answered(client)
        except BaseException as error:
            self._web.leave(self._key)
            self._raise(error)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._exchange is not None
        try:
            await self._exchange.__aexit__(kind, error, trace)
        finally:
            self._web.leave(self._key)
        if error is not None:
            self._raise(error)

    async def _answered(self, client: Client) -> Answer:
        origin, seen = _origin(self._url), {self._url.text}
        while True:
            url = self._url
            self._web.check(url)
            sent = {**_ALWAYS, **self._headers}
            # To another origin than the one that was named goes nothing that lets us in.
            if _origin(url) == origin:
                sign = self._signing
                sent |= sign(self._method, url, sent) if sign is not None else _login(url, self._credentials)
            self._exchange = client.ask(self._method, url, sent, self._body, self._size)
            answer = await self._exchange.__aenter__()
            if 200 <= answer.status < 300 or answer.status in self._accept:
                return answer
            try:
                if answer.status in _REDIRECT and "Location" in answer.headers:
                    self._url = _next(url, answer.headers["Location"], seen)
                    continue
                text = (await _beginning(answer)) if self._method != "HEAD" else ""
                raise answers.failure(str(url), answer.status, answer.reason, answer.headers, text)
            finally:
                await self._exchange.__aexit__(None, None, None)

    def _raise(self, error: BaseException) -> None:
        """Raise what a fault of the web means for the transfer; nothing for what is none."""
        if isinstance(error, WebFault):
            raise TransferFailed(f"{self._url}: {error}", Fault.TRANSIENT) from error
        if isinstance(error, TimeoutError):
            raise TransferFailed(f"{self._url}: the server does not answer in time", Fault.TRANSIENT) from error
        if isinstance(error, ssl.SSLError):
            raise answers.tls_failure(str(self._url), error) from error
        if isinstance(error, OSError):
            words = error.strerror or str(error) or type(error).__name__
            raise TransferFailed(f"{self._url}: {words}", Fault.TRANSIENT) from error


def _origin(url: Url) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def is_private(url: Url) -> bool:
    """Whether secrets may be sent there: nobody on the way can read them."""
    return url.scheme == "https" or _THIS_MACHINE.fullmatch(url.host) is not None


def _login(url: Url, credentials: Credentials) -> Headers:
    if not is_private(url):
        return {}
    token = credentials.token_for(url.host)
    if token is not None:
        return {"Authorization": f"Bearer {token}"}
    known = credentials.password_for(url.host, url.place)
    if known is not None:
        return _basic(known.user, known.password)
    if url.user is not None and url.password is not None:
        return _basic(url.user, url.password)
    return {}


def _basic(user: str, password: str) -> Headers:
    if ":" in user:
        raise TransferFailed("the name of a user cannot have a colon in it", Fault.CREDENTIAL)
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def _next(url: Url, location: str, seen: set[str]) -> Url:
    target = Url.parse(urljoin(url.bare, location))
    if target.scheme not in ("http", "https"):
        raise TransferFailed(f"{url} leads to {target}, which is no http", Fault.REFUSED)
    if url.scheme == "https" and target.scheme == "http":
        raise TransferFailed(f"{url} leads away from https, to {target}", Fault.REFUSED)
    if target.text in seen:
        raise TransferFailed(f"{url} leads in a circle, to {target} again", Fault.REFUSED)
    if len(seen) > MAX_REDIRECTS:
        raise TransferFailed(f"{url}: more than {MAX_REDIRECTS} redirections", Fault.REFUSED)
    seen.add(target.text)
    return target


async def _beginning(answer: Answer) -> str:
    try:
        data = await answer.read(2048)
    except (WebFault, OSError):
        return ""  # the status says enough
    return data.decode("utf-8", "replace")
