"""What becomes of what gsissh says: as OpenSSH 9.2p1 with globus_gssapi_gsi 14.20 said it."""

from __future__ import annotations

import signal

import pytest

from argosy.transport.gsissh.words import failure
from argosy.transport.shell.backoff import LoginRefused

BANNER = "OpenSSH_9.2p1, OpenSSL 3.0.22 25 Aug 2026\r\ndebug1: Connecting to localhost [127.0.0.1] port 5522.\r\n"
EXPIRED = """debug1: GSS Major Status: General failure

GSS Minor Status Error Chain:
globus_gsi_gssapi: Error with gss context
globus_gsi_gssapi: Error with GSI credential
globus_credential: Error with credential: The proxy credential: /tmp/proxy
      with subject: /O=Grid/OU=argosy/CN=Alice Example/CN=257044031
      expired 0 minutes ago.




\r
"""
NONE = """debug1: GSS Major Status: General failure

GSS Minor Status Error Chain:
globus_gsi_gssapi: Error with gss credential handle
globus_credential: Valid credentials could not be found in any of the possible locations specified by the credential \
search order.
Attempt 1
globus_credential: Error reading host credential
globus_sysconfig: Could not find a valid certificate file: The host cert could not be found in: \r
"""
OTHER_NAME = """debug1: Calling gss_init_sec_context\r
debug1: GSS Major Status: Unexpected Gatekeeper or Service Name

GSS Minor Status Error Chain:
globus_gsi_gssapi: Authorization denied: The expected name for the remote host (host@127.0.0.1) does not match the \
authenticated name of the remote host (host@localhost). This happens when the name in the host certificate does not \
match the information obtained from DNS and is often a DNS configuration problem.



\r
gss_init_context failed\r
"""
THEIRS = """debug1: Received Error\r
GSSAPI Error:\x20

GSS Major Status: Authentication Failed
GSS Minor Status Error Chain:
globus_gsi_gssapi: SSL handshake problems
OpenSSL Error: ../ssl/statem/statem_srvr.c:3530: in library: SSL routines, function (null): certificate verify failed
globus_gsi_callback_module: Could not verify credential: Can't get the local trusted CA certificate\r
"""
NO_KEY = (
    "No ED25519 host key is known for [localhost]:5522 and you have requested strict checking.\r\n"
    "Host key verification failed.\r\n"
)
DENIED = "root@localhost: Permission denied (gssapi-keyex,gssapi-with-mic).\r\n"
CLOSED = "ssh_packet_read: read: Connection closed\r\n"


@pytest.mark.parametrize(
    ("log", "refused", "begins", "has"),
    [
        # Without a good proxy gsissh exchanges keys in another way, that want the host's: no fault of these.
        (EXPIRED + NO_KEY, True, "there does not let you in: General failure", "expired 0 minutes ago."),
        (
            NONE + DENIED,
            True,
            "there does not let you in: General failure",
            "specified by the credential search order.",
        ),
        (OTHER_NAME, True, "there is not believed to be that host, by its certificate: ", "(host@localhost)"),
        (THEIRS, True, "there does not let you in: Authentication Failed", "local trusted CA certificate"),
        (NO_KEY, True, "the host key of there is not known: No ED25519", "known_hosts"),
        (DENIED, True, "there does not let you in: root@localhost: Permission denied", "may be a limited one"),
        (
            "debug1: Calling gss_init_sec_context\r\ndebug1: Received GSSAPI_CONTINUE\r\n" + CLOSED,
            False,
            "there cannot be reached through gsissh: ssh_packet_read: read: Connection closed. ",
            "may not believe the proxy",
        ),
        (
            "ssh: connect to host localhost port 5522: Connection refused\r\n",
            False,
            "there cannot be reached",
            "refused",
        ),
        ("", False, "there cannot be reached through gsissh: it said nothing", "nothing"),
    ],
)
def test_the_reason(log: str, refused: bool, begins: str, has: str) -> None:
    error = failure("there", b"", (BANNER + log).encode())
    assert isinstance(error, LoginRefused) is refused
    assert error.message.startswith(begins)
    assert has in error.message
    assert not any(word in error.message for word in ("debug1", "Attempt", "OpenSSH_", "Error Chain"))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGSEGV, "It was ended by SIGSEGV, as it is by a proxy that is torn"),
        (signal.SIGABRT, "It was ended by SIGABRT, as it is by a proxy that is torn"),
        (signal.SIGKILL, "It was ended by SIGKILL"),
        (40, "It was ended by signal 40"),
    ],
)
def test_a_program_that_was_ended(number: int, words: str) -> None:
    assert failure("there", b"", b"", number).message.endswith(words)
