"""Activities over HTTP: create, look, list, start, terminate."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal, TypeVar

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, HeaderParameter, QueryParameter

from argosy.languages.contract import Language, in_its_terms
from argosy.languages.documents import ActivityDocument, ActivityPage, BatchElement, Result
from argosy.languages.native import Description
from argosy.model import ArgosyError, InvalidInput
from argosy.model.notification import check_state
from argosy.model.projections import GES, MODELS, information_model
from argosy.service.administration.limits import Limits
from argosy.service.caller import Caller
from argosy.service.contract import CreateRequest, Operations, Query
from argosy.service.information.monitoring import Verbosity
from argosy.service.information.statuses import has_xml

from . import bodies, each, monitoring, render, waiting
from .negotiation import XML, preferred
from .notifications import subscription
from .streaming import short_body
from .vectors import LINES, Vectors, result

T = TypeVar("T")

#: Words for several states: those that are not final, and those that are.
_GROUPS = {"active": ("pending", "running"), "final": ("finished", "failed", "terminated")}

ApiRequest = Request[Caller, None, State]
Text = Annotated[str | None, QueryParameter()]
Key = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="A submission id of yours: a repeat answers with what was made first.",
        schema_extra={"minLength": 1, "maxLength": bodies.MAX_KEY},
    ),
]
Strict = Annotated[bool, QueryParameter(description="Hold a document in JSDL or the like to every rule of it.")]
Instant = Annotated[str | None, QueryParameter(description="RFC 3339, e.g. 2024-05-01T00:00:00Z.")]

HowMuch = Annotated[
    Literal["basic", "detailed", "full"],
    QueryParameter(description="basic: the state; detailed: the record; full: with history, times, description."),
]
Model = Annotated[str, QueryParameter(description="The information model.", schema_extra={"enum": list(MODELS)})]

#: What is told differently to different callers for each question, and changes with time.
_VARY = {"Vary": "Accept", "Cache-Control": "private, no-cache"}

#: So many notes are told among the events of each of a document's jobs.
_EACH = 10
#: Of so many jobs of a document, the first ones, it is looked for where in it stands what is wrong with them.
_PLACED = 100


def activity_routes(operations: Operations, closing: asyncio.Event, limits: Limits) -> list[HTTPRouteHandler]:
    """The routes under ``/activities``, apart from files and events."""

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

    vectors = Vectors(limits)

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

    @get(
        "/activities",
        operation_id="list_activities",
        summary="Activities, newest first",
        opt={"problems": (422, 503)},
    )
    async def page(
        request: ApiRequest,
        states: Annotated[
            list[str] | None,
            QueryParameter(name="state", description="E.g. running, running:lrms, active, final; repeatable."),
        ] = None,
        tags: Annotated[
            list[str] | None, QueryParameter(name="tag", description="KEY:VALUE; repeatable, all must hold.")
        ] = None,
        name: Text = None,
        resource: Text = None,
        owner: Annotated[
            str | None, QueryParameter(description="For operators: of this owner; * is everybody's. Default: yours.")
        ] = None,
        sweep: Annotated[str | None, QueryParameter(description="Only the activities of this sweep.")] = None,
        created_from: Instant = None,
        created_before: Instant = None,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 50,
        cursor: Annotated[str | None, QueryParameter(description="`next` of the page before.")] = None,
    ) -> ActivityPage:
        query = Query(
            states=_states(states or ()),
            tags=_tags(tags or ()),
            name=name,
            resource=resource,
            owner=owner,
            sweep=sweep,
            created_from=instant(created_from, "created_from"),
            created_before=instant(created_before, "created_before"),
            limit=limit,
            after=cursor,
        )
        records, following = await operations.page(request.user, query)
        return ActivityPage(items=[render.activity(record) for record in records], next=following)

    @post(
        "/activities/status",
        status_code=200,
        operation_id="status_of_activities",
        summary="Many activities as they are now; each is answered in its place",
        opt={
            "body": list[str],
            "answers": {200: (list[Result], XML)},
            "problems": (400, 406, 413, 415, 422, 429, 503),
        },
    )
    async def statuses(
        request: ApiRequest, verbosity: HowMuch = "detailed", model: Model = "ges"
    ) -> list[Result] | Response[bytes]:
        bodies.check_type(request.headers.get("content-type", ""))
        ids = each.ids(await request.body(), limits.vector)
        projection = information_model(model)
        if preferred(request.headers.get("accept")) == XML:
            here = str(request.base_url).rstrip("/") + "/v1"
            return Response(
                await monitoring.xml_results(operations, request.user, ids, projection, here),
                media_type=XML,
                headers=_VARY,
            )
        return await monitoring.results(operations, request.user, ids, Verbosity(verbosity), projection)

    @get(
        "/activities/{id:str}",
        operation_id="get_activity",
        summary="An activity as it is now, or once it has changed",
        opt={"answers": {200: (ActivityDocument, XML), 304: None}, "problems": (404, 406, 422, 503)},
    )
    async def one(
        request: ApiRequest,
        id: FromPath[str],
        wait: Annotated[
            float, QueryParameter(ge=0, description="Answer once it is final, but after so many seconds (60) at most.")
        ] = 0,
        version: Annotated[
            int | None, QueryParameter(description="With wait: answer as soon as its version is another.")
        ] = None,
        verbosity: HowMuch = "detailed",
        model: Model = "ges",
    ) -> Response[ActivityDocument | bytes | None]:
        projection = information_model(model)
        wanted = preferred(request.headers.get("accept"))
        if wanted == XML and not has_xml(projection):
            raise monitoring.no_xml(projection)
        record = await waiting.changed(operations, request.user, id, version=version, wait=wait, closing=closing)
        if wanted == XML:
            content = await monitoring.xml(operations, request.user, record, Verbosity(verbosity), projection)
            return Response(content, media_type=XML, headers=_VARY)
        if verbosity != "detailed" or projection is not GES:
            document = await monitoring.document(operations, request.user, record, Verbosity(verbosity), projection)
            return Response(document, headers=_VARY)
        headers = {"ETag": f'"{record.version}"', "Cache-Control": "private, no-cache"}
        if request.headers.get("if-none-match", "").removeprefix("W/") == headers["ETag"]:
            return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(render.activity(record), headers=headers)

    @get(
        "/activities/{id:str}/description",
        operation_id="get_description",
        summary="What was asked for",
        opt={"problems": (404, 503)},
    )
    async def description(request: ApiRequest, id: FromPath[str]) -> Description:
        return await operations.description(request.user, id)

    @post(
        "/activities/{id:str}/start",
        status_code=200,
        operation_id="start_activity",
        summary="Let an activity go that was created held",
        opt={"problems": (404, 409, 503)},
    )
    async def start(request: ApiRequest, id: FromPath[str]) -> ActivityDocument:
        (started,) = await operations.start(request.user, [id])
        return render.activity(_value(started))

    @post(
        "/activities/{id:str}/terminate",
        status_code=202,
        operation_id="terminate_activity",
        summary="Begin to end an activity; ending one that has ended changes nothing",
        opt={"problems": (404, 409, 503)},
    )
    async def terminate(request: ApiRequest, id: FromPath[str]) -> ActivityDocument:
        (ending,) = await operations.terminate(request.user, [id])
        return render.activity(_value(ending))

    return [create, create_batch, page, statuses, one, description, start, terminate]


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
    made = _value(created)
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


def _value(element: T | ArgosyError) -> T:
    if isinstance(element, ArgosyError):
        raise element
    return element


def _states(states: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for state in states:
        meant = _GROUPS.get(state, (state,))
        for one in meant:
            check_state(one, "state", more=_GROUPS)
        found |= dict.fromkeys(meant)
    return tuple(found)


def _tags(tags: list[str] | tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for tag in tags:
        key, colon, value = tag.partition(":")
        if not key or not colon:
            raise InvalidInput(f"{tag!r} is no tag; write KEY:VALUE", element="tag")
        pairs.append((key, value))
    return tuple(pairs)


def instant(text: str | None, element: str) -> float | None:
    """A time in a query, in seconds since the epoch. Raises InvalidInput naming the element."""
    if text is None:
        return None
    try:
        # A + of a zone's offset that was not encoded has become a space on the way.
        instant = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no time; write RFC 3339, e.g. 2024-05-01T00:00:00Z", element=element) from None
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
