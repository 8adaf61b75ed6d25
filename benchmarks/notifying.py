"""Notifications: from a request that changes an activity to the receiver's knowledge of it, and what subscribers cost.

Activities are created held and then terminated, so that no job runs in between.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
from measuring import Found, Options, Row, Sample, alternate, column, fraction
from running import Server, service

from argosy.client import Client

_LIMIT = 60.0
_HELD = {"executable": "/bin/true", "held": True}
_CONFIG = '[resources.local]\ntype = "local"\n[outbound]\nallow = ["127.0.0.0/8"]\n[notifications]\nallow_http = true\n'
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


def measure(options: Options) -> Found:
    """Beside the same POST by a client that has nothing else to do; creations beside those without a subscriber."""
    found = Found()
    rounds = options.pick(2, 5)
    with (
        _receiver() as receiver,
        service(options.scratch / "notifying", config=_CONFIG) as told,
        service(options.scratch / "silent", config=_CONFIG) as silent,
        told.client() as client,
        silent.client() as quiet,
    ):
        client.subscribe(receiver.url, states=["terminated"])
        singles = options.pick(50, 200)
        ways = {"argosy": lambda: _each(client, receiver, singles), "post": lambda: _posts(receiver, singles)}
        taken = alternate(rounds, ways)
        for name, unit in (("p50_ms", "ms p50"), ("p95_ms", "ms p95")):
            ours, reference = column(taken["argosy"], name), column(taken["post"], name)
            found.rows.append(Row("from the request to the receiver", unit, ours, reference, "httpx POST"))
        many = options.pick(300, 1000)
        taken = {"argosy": [_all(told, client, receiver, many) for _ in range(rounds)]}
        for name, unit in (("rate", "messages/s"), ("cpu_us", "us CPU of the service, all of it")):
            found.rows.append(Row(f"{many} at once, to one host", unit, column(taken["argosy"], name)))
        ways = {"told": lambda: _create(told, client, many), "silent": lambda: _create(silent, quiet, many)}
        taken = alternate(rounds, ways)
        found.rows.append(
            Row(
                "a creation with a subscriber to other states",
                "us CPU",
                column(taken["told"], "cpu_us"),
                column(taken["silent"], "cpu_us"),
                "nobody subscribed",
            )
        )
    return found


@dataclass
class _Receiver:
    """A receiver as fast as can be: it answers 204, and notes when each message came, by its activity."""

    url: str
    came: dict[str, float] = field(default_factory=dict)
    count: int = 0
    news: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, ids: set[str]) -> None:
        """Until there was a message about each of these. Raises TimeoutError."""
        with self.news:
            if not self.news.wait_for(lambda: ids <= self.came.keys(), _LIMIT):
                raise TimeoutError(f"{len(ids - self.came.keys())} messages have not come in {_LIMIT:g} s")

    def serve(self, connection: socket.socket) -> None:
        """One connection, kept alive."""
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            rest = b""
            while True:
                while b"\r\n\r\n" not in rest:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    rest += piece
                head, _, rest = rest.partition(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                while len(rest) < length:
                    rest += connection.recv(65536)
                body, rest = rest[:length], rest[length:]
                now = time.perf_counter()
                connection.sendall(_ANSWER)
                with self.news:
                    self.came[body.partition(b'"subject":"')[2].partition(b'"')[0].decode()] = now
                    self.count += 1
                    self.news.notify_all()


@contextlib.contextmanager
def _receiver() -> Iterator[_Receiver]:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        receiver = _Receiver(f"http://127.0.0.1:{listening.getsockname()[1]}/hook")

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    threading.Thread(target=receiver.serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield receiver
        listening.shutdown(socket.SHUT_RDWR)


def _held(client: Client, count: int) -> list[str]:
    made = client.submit_many([_HELD] * count)
    return [one.activity.id for one in made if one.activity is not None]


def _each(client: Client, receiver: _Receiver, count: int) -> Sample:
    late = []
    for id in _held(client, count):
        begin = time.perf_counter()
        client.terminate(id)
        receiver.wait({id})
        late.append((receiver.came[id] - begin) * 1e3)
    return {"p50_ms": statistics.median(late), "p95_ms": fraction(late, 0.95)}


def _posts(receiver: _Receiver, count: int) -> Sample:
    late = []
    with httpx.Client() as http:
        for number in range(count):
            id = f"post{number}-{time.perf_counter_ns()}"
            body = b'{"subject":"%s","data":"%s"}' % (id.encode(), b"x" * 900)
            begin = time.perf_counter()
            http.post(receiver.url, content=body)
            receiver.wait({id})
            late.append((receiver.came[id] - begin) * 1e3)
    return {"p50_ms": statistics.median(late), "p95_ms": fraction(late, 0.95)}


def _all(server: Server, client: Client, receiver: _Receiver, count: int) -> Sample:
    ids = _held(client, count)
    before, begin = server.cpu(), time.perf_counter()
    client.change_many([(id, "terminate") for id in ids])
    receiver.wait(set(ids))
    wall = max(receiver.came[id] for id in ids) - begin
    return {"rate": count / wall, "cpu_us": (server.cpu() - before) / count * 1e6}


def _create(server: Server, client: Client, count: int) -> Sample:
    before = server.cpu()
    _held(client, count)
    return {"cpu_us": (server.cpu() - before) / count * 1e6}
