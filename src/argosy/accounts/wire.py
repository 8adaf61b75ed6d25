"""Messages between the service and an agent: MessagePack, each with its length before it (four bytes, big-endian)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec import Struct

from argosy.model import (
    ArgosyError,
    Conflict,
    InvalidInput,
    InvalidJobException,
    InvalidStateException,
    LimitExceeded,
    NoRoom,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    SubmitException,
    Unavailable,
)
from argosy.staging import Fault, TransferFailed

#: The longest message, in bytes. What is longer goes in several.
MOST = 16 * 1024 * 1024
#: How much of a file one message carries.
CHUNK = 256 * 1024

_ERRORS: dict[str, type[ArgosyError]] = {
    kind.code: kind
    for kind in (
        Conflict,
        InvalidInput,
        InvalidJobException,
        InvalidStateException,
        LimitExceeded,
        NoRoom,
        NotAllowed,
        NotFound,
        PreconditionFailed,
        Unavailable,
    )
}


class Problem(Struct, omit_defaults=True, array_like=True):
    """An error, as it goes over the wire; `fault` and `retry_after` are those of a transfer that failed."""

    code: str
    message: str
    element: str | None = None
    transient: bool = False
    fault: str | None = None
    retry_after: float | None = None


class Ask(Struct, omit_defaults=True, tag="ask"):
    """Do `what` with `args`; `id` is that of all messages about it."""

    id: int
    what: str
    args: dict[str, Any] = {}


class More(Struct, omit_defaults=True, tag="more"):
    """A piece of the content that goes with a request or an answer; an empty one is its end."""

    id: int
    data: bytes = b""


class Cancel(Struct, omit_defaults=True, tag="cancel"):
    """What was asked for is not wanted any more."""

    id: int


class Tell(Struct, omit_defaults=True, tag="tell"):
    """Something that happens on the way."""

    id: int
    value: Any = None


class Done(Struct, omit_defaults=True, tag="done"):
    """The answer; nothing comes after it."""

    id: int
    value: Any = None
    problem: Problem | None = None


Message = Ask | More | Cancel | Tell | Done
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


class Broken(ArgosyError):
    """What came is no message."""

    code = "broken"


def encode(message: Message) -> bytes:
    """A message with its length. Raises InvalidInput for one that is too long."""
    body = _encoder.encode(message)
    if len(body) > MOST:
        raise InvalidInput(f"a message of {len(body)} bytes is too long; the most are {MOST}")
    return len(body).to_bytes(4, "big") + body


async def read(stream: asyncio.StreamReader) -> Message | None:
    """The next message; None at the end. Raises Broken."""
    try:
        length = int.from_bytes(await stream.readexactly(4), "big")
        if length > MOST:
            raise Broken(f"a message of {length} bytes was announced; the most are {MOST}")
        return _decoder.decode(await stream.readexactly(length))
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Broken("the other side ended within a message") from None
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(f"what came is no message: {error}") from None


def problem_of(error: ArgosyError) -> Problem:
    """An error of ours, for the other side."""
    message = error.message[:10_000]
    if isinstance(error, TransferFailed):
        return Problem(error.code, message, error.element, fault=error.fault, retry_after=error.retry_after)
    transient = isinstance(error, SubmitException) and error.transient
    return Problem(error.code, message, error.element, transient)


def error_of(problem: Problem) -> ArgosyError:
    """The error that the other side meant."""
    if problem.code == SubmitException.code:
        return SubmitException(problem.message, transient=problem.transient)
    if problem.code == TransferFailed.code and problem.fault in set(Fault):
        fault = Fault(problem.fault)
        return TransferFailed(problem.message, fault, retry_after=problem.retry_after, element=problem.element)
    return _ERRORS.get(problem.code, ArgosyError)(problem.message, element=problem.element)
