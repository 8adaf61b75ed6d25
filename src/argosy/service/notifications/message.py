"""What a receiver gets: an event and the activity's status, as a CloudEvent (CloudEvents 1.0, structured JSON)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from argosy.model import webhooks
from argosy.model.projections import psij
from argosy.store import Activity, Delivery, Event

CONTENT_TYPE = "application/cloudevents+json"
#: Before the kind of the event in `type`.
TYPE = "argosy.activity."

_encoder = msgspec.json.Encoder()


def body(delivery: Delivery, source: str) -> bytes:
    """The message's body: the same bytes each time it is sent."""
    event = delivery.event
    return _encoder.encode(
        {
            "specversion": "1.0",
            "type": TYPE + event.kind,
            "source": source,
            "subject": event.activity,
            "id": str(event.seq),
            "time": _utc(event.time),
            "datacontenttype": "application/json",
            "data": {"event": _event(event), "activity": _status(delivery.activity)},
        }
    )


def headers(delivery: Delivery, content: bytes, now: float, stamp: float) -> dict[str, str]:
    """The headers that the message is sent with at `now`, which is signed as being `stamp`."""
    secrets = [delivery.secret, *(old.secret for old in delivery.older if old.until > now)]
    signed = webhooks.headers(secrets, delivery.id, int(stamp), content)
    return {"content-type": CONTENT_TYPE, "user-agent": "argosy", "accept-encoding": "identity"} | signed


def _event(event: Event) -> dict[str, Any]:
    fields = {
        "seq": event.seq,
        "activity": event.activity,
        "time": _utc(event.time),
        "kind": event.kind,
        "state": event.state.value,
        "message": event.message,
        "by": event.by,
        "detail": event.detail,
    }
    return _known(fields)


def _status(record: Activity) -> dict[str, Any]:
    """The record as it was when the event was recorded, in the words of the REST interface."""
    usage = record.usage
    share = record.resource if record.queue is None else f"{record.resource}/{record.queue}"
    fields = {
        "id": record.id,
        "name": record.name,
        "state": record.state.value,
        "psij_state": psij(record.state, record.exit_code).name,
        "final": record.state.final,
        "owner": record.owner,
        "version": record.version,
        "share": share,
        "native_id": record.native_id,
        "exit_code": record.exit_code,
        "signal": record.signal,
        "reason": record.reason,
        "created": _utc(record.created),
        "submitted": _utc(record.submitted),
        "started": _utc(record.started),
        "ended": _utc(record.ended),
        "usage": None
        if usage is None
        else _known({"cpu_seconds": usage.cpu_seconds, "wall_seconds": usage.wall_seconds, "max_rss": usage.max_rss}),
        "tags": record.tags or None,
    }
    return _known(fields)


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _utc(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
