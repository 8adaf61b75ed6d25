"""A client that costs little, so that what is measured is the server: requests made up beforehand, over bare sockets.

    rest_client.py URL TOKEN create CONNECTIONS REQUESTS [VECTOR]   creates activities that are held
    rest_client.py URL TOKEN differing CONNECTIONS REQUESTS VECTOR  the same, each with arguments of its own
    rest_client.py URL TOKEN long CONNECTIONS REQUESTS VECTOR       the same, of 4 KiB each
    rest_client.py URL TOKEN status CONNECTIONS REQUESTS VECTOR ID... asks how they are; ids on standard input too

Each connection is kept alive and has one request under way. Prints JSON: wall and CPU seconds, items (requests times
the size of the vector), all that were sent, items a second, and the median and 95th percentile of the time a request
took, in ms.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit

from measuring import fraction

_DESCRIPTION = {
    "executable": "/bin/echo",
    "arguments": ["one", "two"],
    "name": "benchmark",
    "environment": {"OMP_NUM_THREADS": "4"},
    "resources": {"processes": 1, "cores_per_process": 1},
    "duration": 600,
    "tags": {"project": "p1"},
    "held": True,
}


def request(address: str, token: str, method: str, path: str, body: object = None) -> bytes:
    """A whole request."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {address}",
        # What is no token is a header of its own: "PROXY: ...".
        token if ": " in token else f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class Connection:
    """One connection; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def do(self, data: bytes) -> bytes:
        """Send a request and read its answer's body. Raises RuntimeError where it was refused."""
        self._writer.write(data)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        body = await self._reader.readexactly(length)
        if head[9:10] != b"2":
            raise RuntimeError(f"{head!r} {body!r}")
        if b'"problem":' in body:  # an element was refused: what is measured is not what was asked for
            raise RuntimeError(f"{body[:1000]!r}")
        return body


async def load(address: str, data: bytes, connections: int, requests: int) -> tuple[float, list[float]]:
    """Send the same request so many times over so many connections; the time that took, and that of each."""
    host, _, port = address.rpartition(":")
    opened = [Connection(*await asyncio.open_connection(host, int(port), limit=2**26)) for _ in range(connections)]
    left = requests
    taken: list[float] = []

    async def work(connection: Connection) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            begin = time.perf_counter()
            await connection.do(data)
            taken.append(time.perf_counter() - begin)

    for connection in opened:
        await connection.do(data)
    begin = time.perf_counter()
    await asyncio.gather(*map(work, opened))
    return time.perf_counter() - begin, taken


def main() -> None:
    url, token, what, connections, requests = sys.argv[1:6]
    vector = int(sys.argv[6]) if len(sys.argv) > 6 else 1
    address = urlsplit(url).netloc
    if what == "create" and vector == 1:
        data = request(address, token, "POST", "/v1/activities", _DESCRIPTION)
    elif what in ("create", "differing", "long"):
        described = [_DESCRIPTION] * vector
        if what != "create":
            described = [_DESCRIPTION | {"arguments": ["one", str(number)]} for number in range(vector)]
        if what == "long":
            described = [
                one | {"environment": {f"NAME_{n}": f"value {n} " * 6 for n in range(48)}} for one in described
            ]
        elements = [{"description": one} for one in described]
        data = request(address, token, "POST", "/v1/activities/batch", elements)
    elif vector == 1:
        data = request(address, token, "GET", f"/v1/activities/{sys.argv[7]}")
    else:
        data = request(address, token, "POST", "/v1/activities/status", sys.argv[7:])
    before = time.process_time()
    wall, taken = asyncio.run(load(address, data, int(connections), int(requests)))
    items = int(requests) * vector
    answer = {
        "wall": wall,
        "cpu": time.process_time() - before,
        "items": items,
        "sent": items + int(connections) * vector,  # with the first request of each connection, whose time is not taken
        "rate": items / wall,
        "p50_ms": fraction(taken, 0.5) * 1e3,
        "p95_ms": fraction(taken, 0.95) * 1e3,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
