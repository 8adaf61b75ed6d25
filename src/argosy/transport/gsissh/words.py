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
#: The library's word on a proxy or on a host, and that of the host's, which the program passes on.
_OURS = re.compile(r"debug1: GSS Major Status: ")
_THEIRS = re.compile(r"(?:debug1: Server )?GSSAPI Error:\s*(?:GSS Major Status: )?")
#: By this the library says that a host is not to be believed.
_HOST = re.compile(r"name for the remote host|certificate verify failed")
#: What is told of the exchange of certificates, and of its end.
_BEGUN, _DONE = "debug1: Calling gss_init_sec_context", "debug1: Received GSSAPI_COMPLETE"
_DEBUG = re.compile(r"debug[123]: ")
#: What is there all the same: the program, its version, and that of OpenSSL.
_BANNER = re.compile(r"OpenSSH_\S+ ?\S*, OpenSSL ")

#: Of a proxy that is torn the library dies so; any other signal is somebody's who sent it.
_DIES = (signal.SIGSEGV, signal.SIGABRT)


def failure(where: str, said: bytes, log: bytes, ended_by: int | None = None) -> Unavailable:
    """Why there is no connection to `where`: `said` was on standard error, and `log` is what the program told."""
    told = log.decode("utf-8", "replace")
    ours, theirs, rest = map(_plain, _sorted(told))
    words = " ".join(filter(None, (_plain(said.decode("utf-8", "replace")), rest)))
    if "HAS CHANGED" in words:
        return LoginRefused(
            f"the host key of {where} has CHANGED. It may be another machine that answers in its place; ask its "
            f"administrators, and correct the known_hosts file if they say so: {words}"
        )
    if _HOST.search(ours):
        return LoginRefused(f"{where} is not believed to be that host, by its certificate: {ours}")
    if theirs or ours:
        # Without a proxy no keys can be exchanged by it either; that a host key is not known then comes of this.
        return LoginRefused(f"{where} does not let you in: {theirs or ours}")
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
    words = words or "it said nothing"
    if ended_by is not None:
        words += f". It was ended by {_name(ended_by)}"
        if ended_by in _DIES:
            words += ", as it is by a proxy that is torn"
    elif _BEGUN in told and _DONE not in told:
        words += ". Certificates were being exchanged: it may not believe the proxy"
    return Unavailable(f"{where} cannot be reached through gsissh: {words}")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of real time
        return f"signal {number}"


def _sorted(log: str) -> tuple[str, str, str]:
    """What the library said last, here and on the host, and what is not for finding faults in programs."""
    ours, theirs, rest = "", "", []
    for message in log.split("\r\n"):  # those of the library have lines of their own
        if begin := _OURS.match(message):
            ours = _reason(message[begin.end() :])
        elif begin := _THEIRS.match(message):
            theirs = _reason(message[begin.end() :])
        elif not _DEBUG.match(message) and not _BANNER.match(message):
            rest.append(message)
    return ours, theirs, "\n".join(rest)


def _reason(said: str) -> str:
    """Without the list of all places in which a credential was looked for."""
    return said.partition("\nAttempt 1")[0].replace("GSS Minor Status Error Chain:", "")


def _plain(said: str) -> str:
    lines = [line.strip() for line in said.splitlines()]
    # The frame around OpenSSH's warnings is of @.
    text = " ".join(line for line in lines if line.strip("@ "))
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean if len(clean) <= _MOST else "..." + clean[-_MOST:]
