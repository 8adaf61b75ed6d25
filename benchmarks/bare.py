"""An ASGI application that answers the same to everything, as the service's endpoint is served. bare.py URL_FILE"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from argosy.endpoints.server import Addresses, serve

_BODY = b'{"id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "state": "pending:held", "padding": "' + b"x" * 500 + b'"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Read what was sent, and answer."""
    while (await receive()).get("more_body"):
        continue
    await send({"type": "http.response.start", "status": 201, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


def ready(addresses: Addresses) -> None:
    """Tell whoever started this where it listens."""
    file = Path(sys.argv[1])
    temporary = file.with_suffix(".tmp")
    temporary.write_text(addresses.url)
    temporary.rename(file)


if __name__ == "__main__":
    asyncio.run(serve(answer, ready=ready))
