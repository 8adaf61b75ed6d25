"""Callers by the tokens of OpenID Connect and OAuth 2.0 issuers: signed JWTs (RFC 7519, RFC 9068, WLCG profile)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import jwt
from msgspec import Meta, Struct

from argosy.identity.cache import Cache, digest
from argosy.identity.caller import Caller
from argosy.identity.contract import Authenticator, Evidence, Refused, read_options, shown
from argosy.identity.policy import Scope
from argosy.identity.tokens import bearer_token
from argosy.model import InvalidInput

from .fetching import Fetcher, check_url
from .keys import KEY_TYPES, IssuerKeys

__all__ = ["IssuerTokens"]

MAX_TOKEN = 16 * 1024
MAX_GROUPS = 1024


class _Options(Struct, forbid_unknown_fields=True, kw_only=True):
    issuers: Annotated[list[str], Meta(min_length=1)]
    audience: Annotated[list[str], Meta(min_length=1)]
    key_hosts: list[str] = []
    group_claims: tuple[str, ...] = ("wlcg.groups", "groups")
    require_scopes: bool = True
    skew: Annotated[float, Meta(ge=0, le=3600)] = 60.0
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """A caller whose token is good as long as its issuer's keys stay."""

    caller: Caller
    issuer: IssuerKeys
    generation: int


class IssuerTokens(Authenticator):
    """Callers whose tokens one of some issuers has signed for us. Their name is ``ISSUER#SUBJECT``.

    Groups are ``ISSUER#GROUP``. Of the scopes those of the WLCG profile count; with `require_scopes` a token without
    any is good for nothing, otherwise for all that its subject may do.
    """

    def __init__(
        self,
        issuers: Collection[IssuerKeys],
        audience: Collection[str],
        *,
        fetcher: Fetcher,
        group_claims: Collection[str] = ("wlcg.groups", "groups"),
        require_scopes: bool = True,
        skew: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuers = {one.issuer: one for one in issuers}
        self._audience = list(audience)
        self._fetcher = fetcher
        self._group_claims = tuple(group_claims)
        self._require_scopes = require_scopes
        self._skew = skew
        self._clock = clock
        self._cache: Cache[_Known] = Cache()

    @classmethod
    def from_config(cls, options: Mapping[str, Any], directory: Path) -> Self:
        del directory
        read = read_options(options, _Options, "oidc")
        for issuer in read.issuers:
            try:
                check_url(issuer, f"the issuer {issuer}")
            except InvalidInput as error:
                raise InvalidInput(error.message, element="identity.oidc.issuers") from None
        fetcher = Fetcher(read.ca_file)
        return cls(
            [IssuerKeys(issuer, fetcher, hosts=read.key_hosts) for issuer in read.issuers],
            read.audience,
            fetcher=fetcher,
            group_claims=read.group_claims,
            require_scopes=read.require_scopes,
            skew=read.skew,
        )

    async def close(self) -> None:
        await self._fetcher.close()

    async def authenticate(self, evidence: Evidence) -> Caller | None:
        token = bearer_token(evidence)
        if token is None or token.count(".") != 2:
            return None
        if len(token) > MAX_TOKEN:
            raise Refused("oversize", f"the token has {len(token)} characters; the most are {MAX_TOKEN}")
        key = digest(token.encode("utf-8", "surrogatepass"))
        now = self._clock()
        known = self._cache.get(key, now, None)
        if known is not None and await known.issuer.refresh() == known.generation:
            return known.caller
        found, until = await self._verify(token, now)
        self._cache.put(key, found, until, None)
        return found.caller

    async def _verify(self, token: str, now: float) -> tuple[_Known, float]:
        header, claims = _unverified(token)
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in KEY_TYPES:
            raise Refused("algorithm", f"the token is signed with {shown(str(algorithm))!r}, which is not accepted")
        if "crit" in header or "b64" in header:
            raise Refused("unsupported", "the token demands an extension that is not supported (RFC 7515, 4.1.11)")
        kid = header.get("kid")
        if kid is not None and not isinstance(kid, str):
            raise Refused("malformed", "the name of the token's key is no text")
        issuer = self._issuers.get(str(claims.get("iss")))
        if issuer is None:
            raise Refused("unknown-issuer", f"the issuer {shown(str(claims.get('iss')))} is not trusted here")
        key = await issuer.find(kid, algorithm)
        try:
            # Times are judged below, by our clock.
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=issuer.issuer,
                options={
                    "require": ["exp", "sub", "iss", "aud"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidSignatureError:
            raise Refused("forged", f"the token's signature is not that of {issuer.issuer}") from None
        except jwt.InvalidAudienceError:
            raise Refused("wrong-audience", "the token is for another service; its audience must be ours") from None
        except jwt.MissingRequiredClaimError as error:
            raise Refused("malformed", f"the token has no {shown(error.claim)!r}") from None
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Refused("malformed", f"the token cannot be accepted: {shown(str(error))}") from None
        until = self._check_times(claims, now)
        return _Known(self._caller(claims, issuer.issuer), issuer, issuer.generation), until

    def _check_times(self, claims: Mapping[str, Any], now: float) -> float:
        times = {}
        for name in ("exp", "nbf", "iat"):
            value = claims.get(name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise Refused("malformed", f"the token's {name!r} is no time")
            times[name] = float(value)
        if now >= times["exp"] + self._skew:
            raise Refused("expired", "the token has expired; get a new one")
        if now < max(times.get("nbf", 0.0), times.get("iat", 0.0)) - self._skew:
            raise Refused("not-yet-valid", "the token is not valid yet; check the clocks")
        return times["exp"] + self._skew

    def _caller(self, claims: Mapping[str, Any], issuer: str) -> Caller:
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
            raise Refused("malformed", "the token's subject is no name")
        scopes = _scopes(claims)
        if not scopes and self._require_scopes:
            raise Refused("no-scope", f"the token has none of the scopes {', '.join(Scope)}")
        groups: list[str] = []
        for claim in self._group_claims:
            value = claims.get(claim, [])
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise Refused("malformed", f"the token's {shown(claim)!r} is no list of names")
            groups += value
        if len(groups) > MAX_GROUPS:
            raise Refused("oversize", f"the token has {len(groups)} groups; the most are {MAX_GROUPS}")
        return Caller(
            f"{issuer}#{subject}",
            method="oidc",
            groups=frozenset(f"{issuer}#{group}" for group in groups),
            scopes=frozenset(scopes) if scopes or self._require_scopes else None,
            expires=float(claims["exp"]),
        )


def _scopes(claims: Mapping[str, Any]) -> list[Scope]:
    """RFC 8693, 4.2: names with spaces between them. Others than ours concern other services."""
    value = claims.get("scope", "")
    if not isinstance(value, str):
        raise Refused("malformed", "the token's scope is no text")
    words = set(value.split(" "))
    return [scope for scope in Scope if scope in words]


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims as they stand there, to find out by which key they are to be verified."""
    try:
        found = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise Refused("malformed", f"the token is no JWT: {shown(str(error))}") from None
    header, claims = found["header"], found["payload"]
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise Refused("malformed", "the token is no JWT")
    return header, claims
