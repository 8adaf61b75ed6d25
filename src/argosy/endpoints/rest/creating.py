"""Creating activities over HTTP: one, or many at once."""

from __future__ import annotations

from litestar import Response, post
from litestar.handlers import HTTPRouteHandler

from argosy.languages.contract import Language, in_its_terms
from argosy.languages.documents import ActivityDocument, BatchElement, Result
from argosy.languages.native import Description
from argosy.model import ArgosyError, InvalidInput
from argosy.service.administration.limits import Limits
from argosy.service.caller import Caller
from argosy.service.contract import CreateRequest, Operations

from . import bodies, render
from .notifications import subscription
from .parameter_types import ApiRequest, Key, Strict
from .streaming import short_body
from .vectors import LINES, Vectors, only, result

#: So many notes are told among the events of each of a document's jobs.
_EACH = 10
#: Of so many jobs of a document, the first ones, it is looked for where in it stands what is wrong with them.
_PLACED = 100


def creation_routes(operations: Operations, limits: Limits) -> list[HTTPRouteHandler]:
    """The routes that make activities."""
    vectors = Vectors(limits)

    @post(
        "/activities",
        operation_id="create_activity",
        summary="Create an activity; with an Idempotency-Key a repeat answers with the first one",
        opt={
            "body": (Description, *bodies.media_types()[1:]),
            "answers": {200: ActivityDocument, 201: ActivityDocument},
            "problems": (400, 409, 413, 415, 422, 429, 503),
        },
    )
    async def create(
        request: ApiRequest, idempotency_key: Key = None, strict: Strict = False
    ) -> Response[ActivityDocument]:
        language = bodies.language_of(request.headers.get("content-type", ""))
        document, existed = await create_one(
            operations, request.user, await request.body(), idempotency_key, language, strict=strict
        )
        return Response(document, status_code=200 if existed else 201, headers=created_headers(document))

    @post(
        "/activities/batch",
        status_code=200,
        operation_id="create_activities",
        summary="Create many activities; each is answered in its place, by itself",
        description="Nothing is made before all of the body has come. As application/x-ndjson it has an element on "
        "each line, and a line that is no JSON is a problem in its place; an array that is none is refused as a whole.",
        opt={
            "body": (list[BatchElement], LINES, *bodies.media_types()[1:]),
            "answers": {200: list[Result]},
            "problems": (400, 413, 415, 422, 429, 503),
        },
        request_max_body_size=limits.vector_body,
    )
    async def create_batch(
        request: ApiRequest, idempotency_key: Key = None, strict: Strict = False
    ) -> Response[list[Result] | bytes]:
        kind = bodies.kind_of(request.headers.get("content-type", ""))
        length = request.headers.get("content-length")
        size = int(length) if length is not None and length.isdecimal() else None
        if kind != LINES and (language := bodies.language_of(kind)) is not None:
            body = await short_body(request.receive, limits.body)
            return Response(await create_all(operations, request.user, body, idempotency_key, language, strict=strict))
        answers = await vectors.create(operations, request.user, request.receive, size, lines=kind == LINES)
        return Response(answers, media_type="application/json")

    return [create, create_batch]


async def create_one(
    operations: Operations,
    caller: Caller,
    body: bytes,
    key: str | None,
    language: Language | None = None,
    *,
    strict: bool = False,
) -> tuple[ActivityDocument, bool]:
    """Create the activity that `body` describes; also whether an earlier request had made it."""
    key = bodies.check_key(key, "Idempotency-Key")
    notes: list[str] = []
    if language is None:
        description, notes = bodies.decode_one(body)
    else:
        described, notes = await bodies.describe(language, body, strict=strict)
        if len(described) != 1:
            raise InvalidInput(
                f"the document describes {len(described)} jobs; send it to {render.ROOT}batch, which answers for each"
            )
        (description,) = described
    (created,) = await operations.create(caller, [CreateRequest(description, key, notes=tuple(notes))])
    if language is not None and isinstance(created, ArgosyError):
        created = in_its_terms(created, language, body, description)
    made = only([created])
    document = render.activity(made.activity)
    document.notes = notes
    document.subscriptions = [subscription(one, secret=True) for one in made.subscriptions]
    return document, made.existed


async def create_all(
    operations: Operations, caller: Caller, body: bytes, key: str | None, language: Language, *, strict: bool
) -> list[Result]:
    """Create all activities that a document describes. The first answer has the notes; `key` gives each a key."""
    key = bodies.check_key(key, "Idempotency-Key")
    described, notes = await bodies.describe(language, body, strict=strict)
    requests = [
        CreateRequest(
            description,
            None if key is None else bodies.check_key(f"{key}/{index}", "Idempotency-Key"),
            # They are of all jobs; where there are many, the first one has them.
            notes=tuple(notes) if not index or len(notes) <= _EACH else (),
        )
        for index, description in enumerate(described)
    ]
    results = []
    for index, answer in enumerate(await operations.create(caller, requests)):
        if isinstance(answer, ArgosyError) and index < _PLACED:
            results.append(render.result(in_its_terms(answer, language, body, described[index])))
        else:
            results.append(result(index, answer))
    if results and results[0].activity is not None:
        results[0].activity.notes = notes
    return results


def created_headers(document: ActivityDocument) -> dict[str, str]:
    """The headers of an answer to a creation."""
    return {"Location": document.links["self"], "ETag": f'"{document.version}"'}
