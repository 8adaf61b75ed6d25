"""What gsissh says on standard error when it fails, as errors of ours with its words in them."""

from __future__ import annotations

from argosy.model import Unavailable
from argosy.transport.shell.backoff import LoginRefused

_MOST = 1000
_HOST_KEY = ("Host key verification failed", "host key is known", "HOST IDENTIFICATION HAS CHANGED")
#: By these the host, or the program itself, says that who asks is not let in.
_REFUSED = ("Permission denied", "GSS-API error", "Too many authentication failures")


def failure(where: str, said: bytes) -> Unavailable:
    """Why there is no connection to `where`."""
    words = _plain(said)
    if "HAS CHANGED" in words:
        return LoginRefused(
            f"the host key of {where} has CHANGED. It may be another machine that answers in its place; ask its "
            f"administrators, and correct the known_hosts file if they say so: {words}"
        )
    if any(sign in words for sign in _HOST_KEY):
        return LoginRefused(
            f"the host key of {where} is not known: {words}. Put the key that its administrators publish into "
            "a known_hosts file that gsissh reads"
        )
    if any(sign in words for sign in _REFUSED):
        return LoginRefused(f"{where} does not let you in: {words}")
    return Unavailable(f"{where} cannot be reached through gsissh: {words or 'it said nothing'}")


def _plain(said: bytes) -> str:
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines()]
    # The frame around OpenSSH's warnings is of @.
    text = " ".join(line for line in lines if line.strip("@ "))
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean if len(clean) <= _MOST else "..." + clean[-_MOST:]
