"""Credentials and delegations over HTTP. No answer holds a secret."""

from __future__ import annotations

import msgspec
from litestar import delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from argosy.languages.documents_credentials import (
    CredentialDocument,
    DelegationDocument,
    DelegationRequest,
    NewCredential,
)
from argosy.model import NotFound, clock
from argosy.service.contract import Operations, StoredCredential

from . import bodies, render
from .parameter_types import ApiRequest

_new = msgspec.json.Decoder(NewCredential)
_asked = msgspec.json.Decoder(DelegationRequest)


def credential_routes(operations: Operations) -> list[HTTPRouteHandler]:
    """The routes under ``/credentials`` and ``/delegations``."""

    @get(
        "/credentials",
        operation_id="list_credentials",
        summary="The caller's credentials, never the secrets",
        opt={"problems": (503,)},
    )
    async def listed(request: ApiRequest) -> list[CredentialDocument]:
        return [document(one) for one in await operations.credentials(request.user)]

    @get(
        "/credentials/{id:str}",
        operation_id="get_credential",
        summary="One credential, never its secret",
        opt={"problems": (404, 503)},
    )
    async def one(request: ApiRequest, id: FromPath[str]) -> CredentialDocument:
        found = next((one for one in await operations.credentials(request.user) if one.id == id), None)
        if found is None:
            raise NotFound(f"there is no credential {id!r}")
        return document(found)

    @post(
        "/credentials",
        operation_id="add_credential",
        summary="Keep a proxy, token, S3 key, ssh key or password for the caller's activities",
        opt={"body": NewCredential, "problems": (400, 413, 415, 422, 429, 503)},
    )
    async def add(request: ApiRequest) -> CredentialDocument:
        bodies.check_type(request.headers.get("content-type", ""))
        return document(await operations.add_credential(request.user, bodies.decode(await request.body(), _new)))

    @put(
        "/credentials/{id:str}",
        operation_id="replace_credential",
        summary="Another secret in the place of one; activities that wait for it go on",
        opt={"body": NewCredential, "problems": (400, 404, 409, 413, 415, 422, 503)},
    )
    async def replace(request: ApiRequest, id: FromPath[str]) -> CredentialDocument:
        bodies.check_type(request.headers.get("content-type", ""))
        new = bodies.decode(await request.body(), _new)
        return document(await operations.replace_credential(request.user, id, new))

    @delete(
        "/credentials/{id:str}",
        operation_id="remove_credential",
        summary="Forget a credential",
        opt={"problems": (404, 503)},
    )
    async def remove(request: ApiRequest, id: FromPath[str]) -> None:
        await operations.remove_credential(request.user, id)

    @post(
        "/delegations",
        operation_id="request_delegation",
        summary="Begin to delegate a proxy: the service makes a key and asks for it to be signed",
        opt={"body": DelegationRequest, "body_optional": True, "problems": (400, 409, 413, 415, 422, 429, 503)},
    )
    async def delegate(request: ApiRequest) -> DelegationDocument:
        bodies.check_type(request.headers.get("content-type", ""))
        asked = bodies.decode(await request.body() or b"{}", _asked)
        id, csr = await operations.request_delegation(request.user, asked)
        return DelegationDocument(id=id, request=csr)

    @put(
        "/delegations/{id:str}",
        operation_id="finish_delegation",
        summary="The chain that was signed for a delegation, in PEM, the new proxy first",
        opt={"body": "application/x-pem-file", "problems": (404, 409, 413, 422, 503)},
    )
    async def finish(request: ApiRequest, id: FromPath[str]) -> CredentialDocument:
        chain = (await request.body()).decode("latin-1")
        return document(await operations.finish_delegation(request.user, id, chain))

    return [listed, one, add, replace, remove, delegate, finish]


def document(record: StoredCredential) -> CredentialDocument:
    """What may be known of a credential."""
    rest = record.rest
    renewal = rest.get("renewal", {})
    return CredentialDocument(
        id=record.id,
        kind=record.kind,
        name=rest.get("name", ""),
        hosts=rest.get("hosts", []),
        created=render.utc(record.created),
        changed=render.utc(record.changed),
        expires=None if record.expires is None else render.utc(record.expires),
        expired=record.expires is not None and record.expires <= clock.now(),
        waiting=rest.get("waiting", False),
        subject=rest.get("subject"),
        scope=rest.get("scope"),
        renewed_from=renewal.get("myproxy") or renewal.get("issuer"),
        renewal_error=rest.get("renewal_error"),
    )
