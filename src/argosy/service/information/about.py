"""What the service is called: names that stay the same, and what its owner says of it in ``[information]``."""

from __future__ import annotations

import hashlib
import socket
from typing import Annotated, Literal
from urllib.parse import quote

from msgspec import Meta, Struct


class Storage(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A storage service whose files the jobs see as files: GLUE 2's ToStorageService."""

    service: str
    """The storage service's id, a URI."""
    local_path: str
    remote_path: str


class About(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The ``[information]`` of the configuration; all of it may be left out."""

    authority: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")] = ""
    """What makes the ids of what this service publishes unique; default: the host's name and a number."""
    name: str = "Argosy"
    url: Annotated[str, Meta(pattern=r"^https?://[^\s/]+$")] = ""
    """The address it is known by, without a path: ``https://hpc.example.org``; default: that it was asked by."""
    quality: Literal["development", "pre-production", "production", "testing"] = "production"
    contact: str | None = None
    """Where to write to, a URI like ``mailto:help@example.org``."""
    domain: str | None = None
    """The id of the administrative domain (site) that it belongs to, e.g. ``urn:glue2:AdminDomain:example.org``."""
    place: str | None = None
    country: str | None = None
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(gt=-180, le=180)] | None = None
    access: list[str] = []
    """Who may use it, as rules of GLUE 2's ``basic`` scheme: ``VO:atlas``, ``ALL``."""
    storage: list[Storage] = []

    def urn(self, kind: str, *parts: str) -> str:
        """The id of one of its entities; the same as long as the service is."""
        return ":".join(["urn:glue2", kind, self.authority, *(quote(part, safe="") for part in parts)])


def default_authority(directory: str) -> str:
    """For the service of a private directory: a host can have several."""
    host = socket.getfqdn()
    if host.partition(".")[0] == "localhost":  # a name that every host has
        host = socket.gethostname()
    return f"{host}:{hashlib.sha256(f'{host}:{directory}'.encode()).hexdigest()[:10]}"
