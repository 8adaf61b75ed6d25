"""Who sent a request: asked once, in the same way, by every endpoint of a service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from litestar.types import HTTPScope

from argosy.identity import Evidence
from argosy.model import ArgosyError
from argosy.service.administration.limits import Limits
from argosy.service.audit import Trail
from argosy.service.caller import Caller

from .limiting import Callers
from .peer import evidence

#: From a request's headers (names in lower case) to who sent it; None for nobody we know.
Authenticate = Callable[[Mapping[str, str]], Caller | None]
#: From what was seen of a request to who sent it; None for nobody we know. Raises Refused, NotAllowed, Unavailable.
Identify = Callable[[Evidence], Awaitable[Caller | None]]


class Door:
    """The service's own token first, then the ways of authentication that are switched on."""

    def __init__(
        self,
        authenticate: Authenticate,
        identify: Identify | None = None,
        trail: Trail | None = None,
        limits: Limits | None = None,
        seen: Callable[[Caller], Awaitable[None]] | None = None,
    ) -> None:
        """`trail` is told of those who are not let in; those who are stand in the lines of what they do. `seen` is told
        of those who have brought a credential that may be used for them."""
        #: What each caller may ask of all endpoints at once.
        self.callers = Callers(limits or Limits())
        self._authenticate = authenticate
        self._identify = identify
        self._trail = trail
        self._seen = seen

    async def caller(self, scope: HTTPScope, headers: Mapping[str, str] | None = None) -> Caller | None:
        """Who it is; None where no credential was sent. `headers` are the scope's, where they have been read already.

        Raises Refused, NotAllowed, Unavailable.
        """
        if headers is None:
            headers = read_headers(scope)
        caller = self._authenticate(headers)
        if caller is None and self._identify is not None:
            try:
                caller = await self._identify(evidence(scope, headers))
            except ArgosyError as error:
                self._tell({"result": getattr(error, "reason", error.code), "message": error.message})
                raise
        if caller is None:
            self._tell({"result": "no-credential"})
        elif caller.credential is not None and self._seen is not None:
            await self._seen(caller)
        return caller

    def _tell(self, what: dict[str, str]) -> None:
        if self._trail is not None:
            self._trail.write({"decision": "authentication"} | what)


def read_headers(scope: HTTPScope) -> dict[str, str]:
    """The headers by their names, in lower case."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
