"""Another host as a transport, through ssh and the package asyncssh. Nothing is installed there."""

import logging

try:
    import asyncssh  # noqa: F401
except ImportError as error:
    raise ImportError("an ssh:// url needs the package asyncssh: pip install 'argosy[ssh]'") from error

from .transport import SSHTransport

__all__ = ["SSHTransport"]

# asyncssh tells of each command at INFO: that is for its own debugging.
if (_log := logging.getLogger("asyncssh")).level == logging.NOTSET:
    _log.setLevel(logging.WARNING)
