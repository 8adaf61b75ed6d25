"""Subscriptions, and the messages that could not be delivered."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from argosy.languages.documents import Problem, SubscriptionDocument
from argosy.languages.documents_notifications import (
    DeadLetterDocument,
    DeadLetterPage,
    NewSubscriptionDocument,
    RotationDocument,
    SubscriptionPage,
)
from argosy.model import InvalidInput
from argosy.model.notification import Callback
from argosy.service.administration.limits import Limits
from argosy.service.contract import Delivery, Operations, Subscription
from argosy.service.notifications import NewSubscription

from . import bodies, each, render
from .parameter_types import ApiRequest, Cursor, Limit
from .problems import problem

_new = msgspec.json.Decoder(NewSubscriptionDocument)
_rotation = msgspec.json.Decoder(RotationDocument)
_number = msgspec.json.Decoder(Annotated[int, msgspec.Meta(ge=0, le=bodies.MAX_NUMBER)])


def notification_routes(operations: Operations, limits: Limits) -> list[HTTPRouteHandler]:
    """The routes of notifications."""
    return [*_subscriptions(operations), *_dead_letters(operations, limits)]


def _subscriptions(operations: Operations) -> list[HTTPRouteHandler]:
    @post(
        "/subscriptions",
        operation_id="create_subscription",
        summary="Tell a URL what happens; the answer has the secret, which is shown this once",
        opt={
            "body": NewSubscriptionDocument,
            "answers": {201: SubscriptionDocument},
            "problems": (400, 404, 413, 415, 422, 429, 503),
        },
    )
    async def create(request: ApiRequest) -> Response[SubscriptionDocument]:
        bodies.check_type(request.headers.get("content-type", ""))
        asked = bodies.decode(await request.body(), _new)
        new = NewSubscription(
            Callback(asked.url, asked.states, asked.kinds, asked.secret),
            activity=asked.activity,
            tags=asked.tags,
            resource=asked.resource,
            name=asked.name,
        )
        made = await operations.subscribe(request.user, new)
        return Response(subscription(made, secret=True), status_code=201, headers={"Cache-Control": "no-store"})

    @get(
        "/subscriptions",
        operation_id="list_subscriptions",
        summary="The caller's subscriptions, newest first",
        opt={"problems": (422, 503)},
    )
    async def page(
        request: ApiRequest,
        activity: Annotated[str | None, QueryParameter(description="Those to this one only.")] = None,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> SubscriptionPage:
        found = await operations.subscriptions(request.user, activity=activity, after=cursor or None, limit=limit)
        items = [subscription(one) for one in found]
        return SubscriptionPage(items=items, next=items[-1].id if len(items) == limit else None)

    @delete(
        "/subscriptions/{id:str}",
        operation_id="delete_subscription",
        summary="Tell it nothing more; what was still to be told is dropped",
        opt={"problems": (404, 503)},
    )
    async def remove(request: ApiRequest, id: FromPath[str]) -> None:
        await operations.unsubscribe(request.user, id)

    @post(
        "/subscriptions/{id:str}/rotate",
        status_code=200,
        operation_id="rotate_secret",
        summary="Sign with another secret, which is shown this once; the old one signs beside it for a while",
        opt={"body": RotationDocument, "problems": (400, 404, 413, 415, 422, 429, 503)},
    )
    async def rotate(request: ApiRequest, id: FromPath[str]) -> Response[SubscriptionDocument]:
        content = await request.body()
        asked = RotationDocument()
        if content:
            bodies.check_type(request.headers.get("content-type", ""))
            asked = bodies.decode(content, _rotation)
        made = await operations.rotate_secret(request.user, id, secret=asked.secret, overlap=asked.overlap)
        return Response(subscription(made, secret=True), headers={"Cache-Control": "no-store"})

    return [create, page, remove, rotate]


def _dead_letters(operations: Operations, limits: Limits) -> list[HTTPRouteHandler]:
    @get(
        "/notifications/dead",
        operation_id="list_dead_letters",
        summary="The messages that could not be delivered, oldest first",
        opt={"problems": (422, 503)},
    )
    async def dead(
        request: ApiRequest,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> DeadLetterPage:
        found = await operations.dead_letters(request.user, after=_after(cursor), limit=limit)
        return DeadLetterPage(
            items=[dead_letter(one) for one in found], next=str(found[-1].number) if len(found) == limit else None
        )

    @post(
        "/notifications/resend",
        status_code=200,
        operation_id="resend_dead_letters",
        summary="Try dead letters again; for each null, or what is wrong",
        opt={
            "body": list[int],
            "problems": (400, 413, 415, 422, 429, 503),
        },
    )
    async def resend(request: ApiRequest) -> list[Problem | None]:
        bodies.check_type(request.headers.get("content-type", ""))
        numbers = each.elements(await request.body(), _number, limits.vector)
        answers = await operations.resend(request.user, numbers.good)
        return [None if error is None else problem(error) for error in numbers.answered(answers)]

    return [dead, resend]


def subscription(record: Subscription, *, secret: bool = False) -> SubscriptionDocument:
    """A subscription as its owner sees it; with its secret only where it was made just now."""
    return SubscriptionDocument(
        id=record.id,
        url=record.url,
        created=render.utc(record.created),
        activity=record.activity,
        states=list(record.states),
        kinds=list(record.kinds),
        tags=record.tags,
        resource=record.resource,
        name=record.name,
        ended=None if record.ended is None else render.utc(record.ended),
        why=record.why,
        secret=record.secret if secret else None,
        old_secrets_until=None if record.older_until is None else render.utc(record.older_until),
    )


def dead_letter(record: Delivery) -> DeadLetterDocument:
    """A message that was given up."""
    return DeadLetterDocument(
        number=record.number,
        message=record.id,
        subscription=record.subscription,
        url=record.url,
        activity=record.activity.id,
        event=render.event(record.event),
        recorded=render.utc(record.created),
        died=render.utc(record.died or record.created),
        attempts=record.attempts,
        reason=record.words or "",
    )


def _after(cursor: str | None) -> int:
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 16):
        raise InvalidInput(f"{cursor!r} is no cursor; take `next` of the page before", element="cursor")
    return int(cursor)
