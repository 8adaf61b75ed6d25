"""Another host as a transport, through the program gsissh of GSI-OpenSSH and a proxy certificate.

command     what the program is started with: options, environment
child       one process of it, as a channel
connection  a few of them to one host with one credential
words       what it says when it fails
"""

from .transport import GSISSHTransport

__all__ = ["GSISSHTransport"]
