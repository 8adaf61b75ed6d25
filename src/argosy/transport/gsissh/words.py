"""What gsissh says when it fails, as errors of ours with its words in them."""

from __future__ import annotations

import re
import signal

from argosy.model import Unavailable
from argosy.transport.shell.backoff import LoginRefused

_MOST = 1000
_HOST_KEY = ("Host key verification failed", "host key is known", "HOST IDENTIFICATION HAS CHANGED")
#: By these the host, or the program itself, says that who asks is not let in.
_REFUSED = ("Permission denied", "Too many authentication failures")
#: The library's word on a proxy or on a host, and the host's own, which the program passes on.
_LIBRARY = re.compile(r"debug1: (?:GSS Major Status: |Server GSSAPI Error:\s*)")
#: By this the library says that a host is not to be believed; an alert is what the host has to say of the proxy.
_HOST = re.compile(r"name for the remote host|(?<!alert )certificate verify failed")
_DEBUG = re.compile(r"debug[123]: ")
#: What is there all the same: the program, its version, and that of OpenSSL.
_BANNER = re.compile(r"OpenSSH_\S+ ?\S*, OpenSSL ")


def failure(where: str, said: bytes, log: bytes, ended_by: int | None = None) -> Unavailable:
    """Why there is no connection to `where`: `said` was on standard error, and `log` is what the program told."""
    library, rest = _sorted(log.decode("utf-8", "replace"))
    words = _plain(f"{said.decode('utf-8', 'replace')}\n{rest}")
    reason = _plain(library)
    if "HAS CHANGED" in words:
        return LoginRefused(
            f"the host key of {where} has CHANGED. It may be another machine that answers in its place; ask its "
            f"administrators, and correct the known_hosts file if they say so: {words}"
        )
    if _HOST.search(reason):
        return LoginRefused(f"{where} is not believed to be that host, by its certificate: {reason}")
    if reason:
        # Without a proxy no keys can be exchanged by it either; that a host key is not known then comes of this.
        return LoginRefused(f"{where} does not let you in: {reason}")
    if any(sign in words for sign in _HOST_KEY):
        return LoginRefused(
            f"the host key of {where} is not known: {words}. Put the key that its administrators publish into "
            "a known_hosts file that gsissh reads"
        )
    if any(sign in words for sign in _REFUSED):
        return LoginRefused(
            f"{where} does not let you in: {words.rstrip('.')}. It may have no account for the certificate's name, "
            "or the proxy may be a limited one; where keys are not exchanged by GSI the url has to name the account"
        )
    if ended_by is not None:
        words = (
            f"{words} it was ended by {signal.Signals(ended_by).name}, as it is by a proxy that cannot be read".strip()
        )
    return Unavailable(f"{where} cannot be reached through gsissh: {words or 'it said nothing'}")


def _sorted(log: str) -> tuple[str, str]:
    """What the library said last, and what is not for finding faults in programs."""
    library, rest = "", []
    for message in re.split(r"\r\n", log):
        if begin := _LIBRARY.match(message):
            library = message[begin.end() :].partition("\nAttempt 1")[0].replace("GSS Minor Status Error Chain:", "")
        elif not _DEBUG.match(message) and not _BANNER.match(message):
            rest.append(message)
    return library, "\n".join(rest)


def _plain(said: str) -> str:
    lines = [line.strip() for line in said.splitlines()]
    # The frame around OpenSSH's warnings is of @.
    text = " ".join(line for line in lines if line.strip("@ "))
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean if len(clean) <= _MOST else "..." + clean[-_MOST:]
