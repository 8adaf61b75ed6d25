"""Activities as a client wants them told: how much of them, and in which information model (GES 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from lxml import etree

from argosy.languages.documents import ActivityDocument, Result
from argosy.languages.looks import ModelDocument, SpentDocument, StepDocument
from argosy.languages.native import Description
from argosy.model import ArgosyError, NotFound, TooLarge, clock
from argosy.model.projections import GES, InformationModel
from argosy.service.caller import Caller
from argosy.service.contract import Activity, Event, Operations
from argosy.service.information import messages, statuses
from argosy.service.information.monitoring import Verbosity, facts, spent

from . import render
from .each import Elements
from .problems import HttpError, problem

#: The most events that are told with an activity; its own address has all of them.
EVENTS = 1000
#: The most activities that are told in full in one answer.
IN_FULL = 1000


async def document(
    operations: Operations, caller: Caller, record: Activity, verbosity: Verbosity, model: InformationModel
) -> ActivityDocument:
    """The activity, as much of it as is wanted, and in the model's words beside our own."""
    found = _basic(record) if verbosity is Verbosity.BASIC else render.activity(record)
    events: list[Event] = []
    description: Description | None = None
    if verbosity is Verbosity.FULL:
        events = await operations.events(caller, record.id, limit=EVENTS)
        description = await _description(operations, caller, record.id)
        found.history = [render.event(event) for event in events]
        found.description = description
        found.spent = _spent(record, events)
    if model is not GES:
        projected = model.project(facts(record))
        found.told = ModelDocument(
            model=model.name,
            state=projected.state,
            attributes=list(projected.attributes),
            document=None
            if verbosity is Verbosity.BASIC
            else statuses.document(model, record, operations.about, description),
            history=_history(record, events, model) if verbosity is Verbosity.FULL else None,
        )
    return found


async def results(
    operations: Operations, caller: Caller, ids: Elements[str], verbosity: Verbosity, model: InformationModel
) -> list[Result]:
    """Many activities, each in its place."""
    if verbosity is Verbosity.FULL and len(ids.good) > IN_FULL:
        raise TooLarge(f"{len(ids.good)} activities in full in one request; the most are {IN_FULL}: send them in parts")
    found = ids.answered(await operations.status(caller, ids.good))
    if verbosity is Verbosity.DETAILED and model is GES:
        return [render.result(one) for one in found]
    return [await _result(operations, caller, one, verbosity, model) for one in found]


async def _result(
    operations: Operations, caller: Caller, found: Activity | ArgosyError, verbosity: Verbosity, model: InformationModel
) -> Result:
    if not isinstance(found, ArgosyError):
        try:
            return Result(activity=await document(operations, caller, found, verbosity, model))
        except NotFound as error:  # purged meanwhile
            found = error
    return Result(problem=problem(found))


async def xml(
    operations: Operations, caller: Caller, record: Activity, verbosity: Verbosity, model: InformationModel
) -> bytes:
    """The activity as the model's own XML."""
    description = None
    if verbosity is Verbosity.FULL:
        description = await _description(operations, caller, record.id)
    element = statuses.element(model, record, operations.about, description)
    if element is None:
        raise no_xml(model)
    return serialized(element)


async def xml_results(
    operations: Operations, caller: Caller, ids: Elements[str], model: InformationModel, here: str
) -> bytes:
    """Many activities as one message of the model. `here` is the address of this service."""
    if model.name not in messages.MESSAGES:
        raise no_xml(model)
    found = ids.answered(await operations.status(caller, ids.good))
    # One that is no id at all has no other name than this.
    asked = ids.asked("")
    return serialized(messages.MESSAGES[model.name](list(zip(asked, found, strict=True)), operations.about, here))


def no_xml(model: InformationModel) -> HttpError:
    """There is no XML for that."""
    return HttpError(
        HTTPStatus.NOT_ACCEPTABLE,
        "not-acceptable",
        f"{model.name} has no XML here; ask for application/json, or for one of {', '.join(messages.MESSAGES)}",
    )


def serialized(element: etree._Element) -> bytes:
    """The bytes of a document."""
    return etree.tostring(element, encoding="UTF-8", xml_declaration=True)


def _basic(record: Activity) -> ActivityDocument:
    whole = render.activity(record)
    return ActivityDocument(
        id=whole.id,
        state=whole.state,
        psij_state=whole.psij_state,
        final=whole.final,
        owner=whole.owner,
        created=whole.created,
        changed=whole.changed,
        version=whole.version,
    )


async def _description(operations: Operations, caller: Caller, id: str) -> Description | None:
    try:
        return await operations.description(caller, id)
    except NotFound:
        # Who operates the service sees what became of an activity, and not what its owner asked for.
        return None


def _spent(record: Activity, events: Sequence[Event]) -> SpentDocument:
    now = clock.now()
    end = record.final_at if record.final_at is not None else now
    phases = {phase.value: round(seconds, 3) for phase, seconds in spent(events, now).items()}
    return SpentDocument(total=round(max(0.0, end - record.created), 3), **phases)


def _history(record: Activity, events: Sequence[Event], model: InformationModel) -> list[StepDocument]:
    told = model.history([event.state for event in events], record.exit_code)
    return [
        StepDocument(time=render.utc(events[at].time), state=step.state, attributes=list(step.attributes))
        for at, step in told
    ]
