"""Who asks, once that is established."""

from __future__ import annotations

from dataclasses import dataclass, field

from .policy import Role, Scope

#: The method of callers that the service's own token, or nothing else, vouches for.
OWN_TOKEN = "own-token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential that came with a request and with which the service may act for its owner.

    `kind` is e.g. ``x509-proxy``; `data` is the secret itself, which no representation shows; `expires` is in seconds
    since the epoch.
    """

    kind: str
    data: bytes = field(repr=False)
    expires: float


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated identity. `name` owns the activities that it creates.

    Names of different methods cannot be mistaken for each other: that of a certificate begins with ``/``, that of a
    token of an issuer is ``ISSUER#SUBJECT``, and a local user's has neither character.
    """

    name: str
    method: str = OWN_TOKEN
    """How the identity was established: ``own-token``, ``x509``, ``oidc``, ``api-token``, ``local``."""
    groups: frozenset[str] = frozenset()
    roles: frozenset[Role] = frozenset({Role.USER})
    scopes: frozenset[Scope] | None = None
    """What the credential is good for; None where it is not limited."""
    expires: float | None = None
    """When the credential ends, in seconds since the epoch; None where it does not."""
    credential: Credential | None = field(default=None, compare=False)
