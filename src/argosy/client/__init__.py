"""The Python client of the service, synchronous and asynchronous.

    from argosy.client import Client, Description

    with Client() as client:
        activity = client.submit(Description(executable="/bin/hostname"))
        print(client.wait(activity.id).exit_code, client.read_file(activity.id, "stdout"))

Errors are those of `argosy.model.errors`, and two more: `ServiceUnreachable` and `NotAuthenticated`.
"""

from argosy.languages.native import Description, Environment, Input, Output, Resources

from .asynchronous import AsyncClient
from .discovery import Endpoint, discover
from .errors import NotAuthenticated, ServiceUnreachable
from .synchronous import Client

__all__ = [
    "AsyncClient",
    "Client",
    "Description",
    "Endpoint",
    "Environment",
    "Input",
    "NotAuthenticated",
    "Output",
    "Resources",
    "ServiceUnreachable",
    "discover",
]
