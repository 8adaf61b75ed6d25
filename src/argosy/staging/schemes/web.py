"""Requests to web servers: sessions by client certificate, redirections judged one by one, faults in words."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import ssl
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from argosy.model import ArgosyError
from argosy.outbound import Url, connector
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
_REDIRECT = frozenset({301, 302, 307, 308})
_BUFFER = 1024 * 1024

Answer = aiohttp.ClientResponse
Headers = Mapping[str, str]
#: Makes the headers that let us in, for the URL that is asked.
Signing = Callable[[str, Url, Headers], Headers]


class Web:
    """Sessions of one scheme; closed with it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sessions: OrderedDict[str, tuple[aiohttp.ClientSession, list[int]]] = OrderedDict()

    @contextlib.asynccontextmanager
    async def ask(
        self,
        method: str,
        url: Url,
        credentials: Credentials,
        *,
        headers: Headers | None = None,
        body: Callable[[], Any] | None = None,
        size: int | None = None,
        signing: Signing | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> AsyncIterator[Answer]:
        """An answer with a status of success, or one of `accept`; redirections are followed. `body` is called for each
        request that carries it, `size` is its length. `signing` lets us in, in place of tokens and passwords.

        Raises TransferFailed, NotAllowed, Unavailable.
        """
        origin, seen = _origin(url), {url.text}
        async with self._session(url, credentials) as session:
            while True:
                self._context.policy.check(url, schemes=("http", "https"))
                sent = {"Accept-Encoding": "identity", **(headers or {})}
                # To another origin than the one that was named goes nothing that lets us in.
                if _origin(url) == origin:
                    sent |= signing(method, url, sent) if signing is not None else _login(url, credentials)
                if body is not None and size is not None:
                    sent["Content-Length"] = str(size)
                async with self._one(session, method, url, sent, body) as answer:
                    if answer.status in _REDIRECT and "Location" in answer.headers:
                        url = _next(url, answer.headers["Location"], seen)
                        continue
                    if not 200 <= answer.status < 300 and answer.status not in accept:
                        text = (await _beginning(answer)) if method != "HEAD" else ""
                        raise answers.failure(str(url), answer.status, answer.reason, answer.headers, text)
                    yield answer
                    return

    @contextlib.asynccontextmanager
    async def _one(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: Url,
        headers: Headers,
        body: Callable[[], Any] | None,
    ) -> AsyncIterator[Answer]:
        what = str(url)
        try:
            async with session.request(
                method,
                URL(url.bare, encoded=True),
                headers=headers,
                data=body() if body is not None else None,
                allow_redirects=False,
            ) as answer:
                yield answer
        except ArgosyError:
            raise
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            cause = getattr(error, "certificate_error", None) or error.__cause__ or error
            if isinstance(cause, ssl.SSLError):
                raise answers.tls_failure(what, cause) from error
            raise TransferFailed(f"{what}: no secure connection: {error}", Fault.TRANSIENT) from error
        except aiohttp.ClientPayloadError as error:
            raise TransferFailed(f"{what}: the answer ended too early", Fault.TRANSIENT) from error
        except TimeoutError as error:
            raise TransferFailed(f"{what}: the server does not answer in time", Fault.TRANSIENT) from error
        except aiohttp.InvalidURL as error:
            raise TransferFailed(f"{what} is no URL that can be asked for", Fault.REFUSED) from error
        except (aiohttp.ClientError, OSError) as error:
            inner = _argosy_error(error)
            if inner is not None:
                raise inner from error
            if isinstance(error, ssl.SSLError):
                raise answers.tls_failure(what, error) from error
            words = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise TransferFailed(f"{what}: {words}", Fault.TRANSIENT) from error

    @contextlib.asynccontextmanager
    async def _session(self, url: Url, credentials: Credentials) -> AsyncIterator[aiohttp.ClientSession]:
        """A session for these credentials' certificate. Without one all share one."""
        certificate = credentials.certificate if url.scheme == "https" else None
        key = hashlib.sha256(certificate.encode()).hexdigest() if certificate else ""
        if key not in self._sessions:
            self._sessions[key] = (self._made(certificate), [0])
        session, users = self._sessions[key]
        self._sessions.move_to_end(key)
        users[0] += 1
        try:
            yield session
        finally:
            users[0] -= 1
            idle = [key for key, (_, used) in self._sessions.items() if key and not used[0]]
            for old in idle[:-_IDLE_SESSIONS]:
                await self._sessions.pop(old)[0].close()

    def _made(self, certificate: str | None) -> aiohttp.ClientSession:
        timeouts = self._context.timeouts
        return aiohttp.ClientSession(
            connector=connector(self._context.policy, tls=self._tls(certificate), limit=0),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=None, sock_connect=timeouts.connect, sock_read=timeouts.idle
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_BUFFER,
            requote_redirect_url=False,
            headers={"User-Agent": "Argosy"},
        )

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
        while self._sessions:
            await self._sessions.popitem()[1][0].close()


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
        return {"Authorization": aiohttp.BasicAuth(known.user, known.password, "utf-8").encode()}
    if url.user is not None and url.password is not None:
        return {"Authorization": aiohttp.BasicAuth(url.user, url.password, "utf-8").encode()}
    return {}


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
        data = await answer.content.read(2048)
    except (aiohttp.ClientError, OSError, TimeoutError):
        return ""  # the status says enough
    return data.decode("utf-8", "replace")


def _argosy_error(error: BaseException | None) -> ArgosyError | None:
    """What our own resolver said, beneath what was made of it."""
    while error is not None:
        if isinstance(error, ArgosyError):
            return error
        error = error.__cause__ or error.__context__
    return None
