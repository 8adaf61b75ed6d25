"""How the service is reached, as its endpoints tell it to those who publish it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interface:
    """One protocol that the service is reached by: its name and version, and its address.

    `key` tells it from the others in ids. `languages` are those that it takes descriptions in; None for all.
    """

    name: str
    version: str
    url: str
    key: str = "rest"
    languages: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What is known once the service is served.

    `address` is its URL as seen from its own host, without a path. `interfaces` have their path as `url`.
    `authentication` are the ways of it (``token``, ``local``, ``x509``, ``oidc``). `issuer` is the distinguished name
    of who issued its host's certificate.
    """

    address: str = ""
    interfaces: tuple[Interface, ...] = (Interface("org.argosy.rest", "1", "/v1"),)
    authentication: tuple[str, ...] = ("token",)
    issuer: str | None = None
