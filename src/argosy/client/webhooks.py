"""For receivers of notifications: is this message really from the service, and what does it say.

    event = verify(headers, body, secret)          # raises NotVerified
    print(event.data.activity["state"])

A receiver answers 2xx as soon as it has the message safe; any other answer has it sent again, with the same
`Message.id`, by which doubles are dropped.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from argosy.languages.documents import EventDocument
from argosy.model import InvalidInput, webhooks

#: How much the clocks of sender and receiver may differ, in seconds (Standard Webhooks proposes 5 minutes).
TOLERANCE = 300.0


class NotVerified(InvalidInput):
    """The message is not from who has the secret, was changed on the way, or is too old."""

    code = "not-verified"


class Data(msgspec.Struct):
    """What happened, and the activity's status as it was recorded with it."""

    event: EventDocument
    activity: dict[str, Any]


class Message(msgspec.Struct, kw_only=True):
    """A notification (CloudEvents 1.0).

    `message` is the id of the message, the same each time it is sent; `id` that of the event within `source`, the
    same for all subscriptions; `subject` the activity's.
    """

    message: str = ""
    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    data: Data


_decoder = msgspec.json.Decoder(Message)


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secret: str | Sequence[str],
    *,
    tolerance: float = TOLERANCE,
    now: float | None = None,
) -> Message:
    """The message in a request with these headers and this body, once its signature has been found good.

    `secret` may be several while one replaces another. Raises NotVerified.
    """
    fields = {name.lower(): value for name, value in headers.items()}
    try:
        id, stamp, given = (fields[name] for name in (webhooks.ID, webhooks.TIMESTAMP, webhooks.SIGNATURE))
    except KeyError as error:
        raise NotVerified(f"the header {error.args[0]} is missing", element=str(error.args[0])) from None
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 13):
        raise NotVerified("the header webhook-timestamp is no number", element=webhooks.TIMESTAMP)
    secrets = [secret] if isinstance(secret, str) else secret
    expected = [webhooks.signature(one, id, int(stamp), body).encode() for one in secrets]
    # Each is compared with each, so that the time it takes tells nothing.
    good = [hmac.compare_digest(one.encode(), other) for one in given.split(" ") for other in expected]
    if not any(good):
        raise NotVerified("the signature is not of this message and secret", element=webhooks.SIGNATURE)
    if abs((time.time() if now is None else now) - int(stamp)) > tolerance:
        raise NotVerified(
            f"the message is more than {tolerance:g} s old, or from the future", element=webhooks.TIMESTAMP
        )
    try:
        message = _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise NotVerified(f"the signature is good, but this is no notification: {error}") from None
    message.message = id
    return message
