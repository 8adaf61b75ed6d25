"""The Rimrock interface: jobs and short commands on named hosts, as clients of that service ask for them.

The documents and addresses are those of Rimrock's own description (seed of the protocol: ``/api/jobs`` and
``/api/process``); docs/rimrock.md says where this differs on purpose.
"""

from __future__ import annotations

from .endpoint import Rimrock

__all__ = ["Rimrock"]
