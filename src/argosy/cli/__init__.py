"""The ``argosy`` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code. Says what to install where the clients' dependencies are missing."""
    try:
        from .app import run

        return run(arguments)
    except ModuleNotFoundError as error:
        return _missing(error)
    except KeyboardInterrupt:  # before it has begun
        print("argosy: interrupted", file=sys.stderr)
        return 130


#: What is needed for what. Anything else that is missing is a fault of ours.
_EXTRAS = {
    "click": "client",
    "httpx": "client",
    "lxml": "client",
    "msgspec": "client",
    "litestar": "service",
    "uvicorn": "service",
    "httptools": "service",
}


def _missing(error: ModuleNotFoundError) -> int:
    extra = _EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        raise error
    print(f"argosy: {error.name} is not installed; run: pip install 'argosy[{extra}]'", file=sys.stderr)
    return 1
