"""The body of a large answer, taken from its socket by a thread: half the work of passing it through the event loop."""

from __future__ import annotations

import socket
import struct
from concurrent.futures import Executor

from argosy.outbound.web import Answer
from argosy.staging.errors import Fault, TransferFailed
from argosy.staging.scheme import Sink
from argosy.staging.threads import run_abortable

from . import answers

#: From how many bytes on a thread and a connection that cannot be used again are worth it.
LARGE = 4 * 1024 * 1024
_PIECE = 1024 * 1024


async def receive(what: str, answer: Answer, sink: Sink, executor: Executor, idle: float) -> None:
    """Write an answer's body to the sink. `idle` is for how long nothing may come, in seconds."""
    size = answers.length(answer.headers)
    taken = answer.take() if size is not None and size >= LARGE else None
    if size is None or taken is None:
        while piece := await answer.piece():
            await sink.write(piece)
        return
    early, own = taken
    with own:
        left = size - sum(map(len, early))
        for piece in early:
            await sink.write(piece)
        own.setblocking(True)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(idle), int(idle % 1 * 1e6)))
        try:
            await sink.finished()
            await run_abortable(executor, lambda: _taken(what, own, left, sink), lambda: own.shutdown(socket.SHUT_RDWR))
        finally:
            # Its protocol has not seen the body: nobody else may have this connection.
            answer.close()


def _taken(what: str, own: socket.socket, left: int, sink: Sink) -> None:
    memory = memoryview(bytearray(_PIECE))
    while left:
        try:
            count = own.recv_into(memory, min(left, _PIECE), socket.MSG_WAITALL)
        except BlockingIOError:
            raise TransferFailed(f"{what}: the server does not answer in time", Fault.TRANSIENT) from None
        except OSError as error:
            raise TransferFailed(f"{what}: {error.strerror or error}", Fault.TRANSIENT) from error
        if not count:
            raise TransferFailed(f"{what}: the answer ended too early", Fault.TRANSIENT)
        sink.write_blocking(memory[:count])
        left -= count
