"""Activities and events to and from rows. Columns for what is searched by, one JSON text for the rest."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec

from argosy.model import ActivityState, InvalidInput, Outcome, Usage
from argosy.store.records import Activity, Chore, Event, StoredCredential, Wish


class _Rest(msgspec.Struct, omit_defaults=True):
    queue: str | None = None
    session: str = ""
    intended: float | None = None
    native_id: str | None = None
    submitted: float | None = None
    started: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str | None = None
    hosts: tuple[str, ...] = ()
    start_estimate: float | None = None
    usage: Usage | None = None
    final_at: float | None = None
    terminate_by: str | None = None
    noted: float = 0.0
    failed_in: ActivityState | None = None
    outcome: Outcome | None = None
    waiting_for: str | None = None
    restarts: int = 0
    earlier: tuple[str, ...] = ()
    sweep: str | None = None
    parameters: dict[str, str | int | float | bool] | None = None
    cores: int | None = None
    nodes: int | None = None
    processes: int | None = None
    account: str | None = None
    wish: Wish | None = None
    waiting_since: float | None = None
    groups: tuple[str, ...] = ()
    local_account: str | None = None
    credentials: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()


_rest_of = attrgetter(*_Rest.__struct_fields__)
_STATES = {state.value: state for state in ActivityState}
_encoder = msgspec.json.Encoder()
_rest = msgspec.json.Decoder(_Rest)
_tags = msgspec.json.Decoder(dict[str, str])
_object = msgspec.json.Decoder(dict[str, Any])


def json_text(value: Any) -> str:
    """A value as JSON. Raises TypeError for what JSON cannot hold, InvalidInput for text that is not Unicode."""
    try:
        return _encoder.encode(value).decode()
    except UnicodeEncodeError as error:
        raise _not_unicode(error) from error


def storable(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row itself, once its texts are known to be Unicode. Raises InvalidInput.

    Asked before a row is queued: in the writer it would make a whole batch run again.
    """
    for value in row:
        if type(value) is str and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise _not_unicode(error) from error
    return row


def _not_unicode(error: UnicodeEncodeError) -> InvalidInput:
    return InvalidInput(f"{error.object!r} is not Unicode text: it holds half of a surrogate pair; leave it out")


def state_of(text: str) -> ActivityState:
    """The state that a column holds."""
    return _STATES[text]


def rest_text(activity: Activity) -> str:
    """The fields that have no column of their own."""
    return json_text(_Rest(*_rest_of(activity)))


def tags_text(activity: Activity) -> str | None:
    """The tags as they are shown, None where there are none; equal tags give equal texts."""
    return json_text(dict(sorted(activity.tags.items()))) if activity.tags else None


def activity_row(activity: Activity) -> tuple[Any, ...]:
    """The values of `insert_activity`."""
    state = activity.state
    return (
        activity.id,
        activity.owner,
        state.value,
        int(state.final),
        activity.version,
        activity.created,
        activity.changed,
        activity.name,
        activity.resource,
        activity.native_id,
        activity.expires,
        activity.worker,
        tags_text(activity),
        rest_text(activity),
        activity.sweep,
    )


def read_activity(row: tuple[Any, ...]) -> Activity:
    """The record of a row of `select_activity`."""
    owner, state, version, created, changed, name, resource, expires, worker, tags, rest_json = row[1:]
    rest = _rest.decode(rest_json)
    return Activity(
        id=row[0],
        owner=owner,
        state=_STATES[state],
        version=version,
        created=created,
        changed=changed,
        name=name,
        resource=resource,
        expires=expires,
        worker=worker,
        tags=_tags.decode(tags) if tags else {},
        queue=rest.queue,
        session=rest.session,
        intended=rest.intended,
        native_id=rest.native_id,
        submitted=rest.submitted,
        started=rest.started,
        ended=rest.ended,
        exit_code=rest.exit_code,
        signal=rest.signal,
        reason=rest.reason,
        hosts=rest.hosts,
        start_estimate=rest.start_estimate,
        usage=rest.usage,
        final_at=rest.final_at,
        terminate_by=rest.terminate_by,
        noted=rest.noted,
        failed_in=rest.failed_in,
        outcome=rest.outcome,
        waiting_for=rest.waiting_for,
        restarts=rest.restarts,
        earlier=rest.earlier,
        sweep=rest.sweep,
        parameters=rest.parameters,
        cores=rest.cores,
        nodes=rest.nodes,
        processes=rest.processes,
        account=rest.account,
        wish=rest.wish,
        waiting_since=rest.waiting_since,
        groups=rest.groups,
        local_account=rest.local_account,
        credentials=rest.credentials,
        environments=rest.environments,
    )


def event_row(event: Event, owner: str) -> tuple[Any, ...]:
    """The values of `insert_event` that follow the activity."""
    detail = None if event.detail is None else json_text(event.detail)
    return (owner, event.time, event.kind, event.state.value, event.message, event.by, detail)


def read_event(row: tuple[Any, ...]) -> Event:
    """The event of a row of `events_of_…`."""
    activity, time, kind, state, message, by, detail, seq = row
    return Event(
        activity, time, kind, _STATES[state], message, by, None if detail is None else _object.decode(detail), seq
    )


def read_chore(row: tuple[Any, ...]) -> Chore:
    """The outbox entry of a row of `select_chores`."""
    number, kind, payload, attempts, due = row
    return Chore(number, kind, _object.decode(payload), attempts, due)


def credential_row(one: StoredCredential) -> tuple[Any, ...]:
    """The values of `insert_credential` and `update_credential`, by number."""
    return (
        one.id,
        one.owner,
        one.kind,
        one.version,
        one.created,
        one.changed,
        one.expires,
        one.renew_at,
        one.sealed,
        json_text(one.rest),
    )


def read_credential(row: tuple[Any, ...]) -> StoredCredential:
    """The credential of a row."""
    id, owner, kind, version, created, changed, expires, renew_at, sealed, rest = row
    return StoredCredential(id, owner, kind, version, created, changed, expires, renew_at, sealed, _object.decode(rest))
