"""Named points at which the service can be killed, to show that it survives it.

The points are passed in normal operation and cost one comparison. `arm` makes one of them fatal: the process kills
itself there, as a crash would. It is armed only by the tests, through an environment variable.

    create-before   the request is checked, nothing is recorded
    create-after    the activity and the intention to submit are recorded, the client has no answer
    submit-before   the batch system is about to be asked
    command-before  the list of an array is written, its submit command is about to be run (batch systems only)
    command-after   the submit command has ended, its answer is not read (batch systems only)
    submit-after    the batch system has accepted, its id is not stored
    accepted        the batch system's id is stored
    reported        a report has arrived, nothing of it is stored
    stage-in        an upload is complete and has not got its name
    fetching        some bytes of an input file have come from its source
    fetch-arrived   an input file has come whole, and has not got its name
    fetched         an input file is there, nothing of it is stored
    stage-out       the output files are about to be looked at
    pushing         some bytes of an output file have gone to a target
    push-arrived    a target has an output file, its answer is about to be looked at
    pushed          a target has an output file, nothing of it is stored
    cancel-before   a termination is recorded, the batch system has not been told
    cancel-after    the batch system has been told to cancel, nothing of it is stored
    control-before  a hold or the like is recorded, the batch system has not been asked
    control-after   the batch system has been asked for it, nothing of it is stored
    final           a final state is recorded
    notify-before   a message is about to be sent
    notify-after    its receiver has answered, nothing of it is stored
    sweep-before    jobs of a sweep are made, nothing of them is recorded
    sweep-after     activities of a sweep are recorded, nothing has been done about them
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "create-before",
    "create-after",
    "submit-before",
    "command-before",
    "command-after",
    "submit-after",
    "accepted",
    "reported",
    "stage-in",
    "fetching",
    "fetch-arrived",
    "fetched",
    "stage-out",
    "pushing",
    "push-arrived",
    "pushed",
    "cancel-before",
    "cancel-after",
    "control-before",
    "control-after",
    "final",
    "notify-before",
    "notify-after",
    "sweep-before",
    "sweep-after",
)


class Faults:
    """The points of one process. `armed` is ``POINT`` or ``POINT:N``, N being how often it is passed unharmed first."""

    def __init__(self, armed: str | None = None) -> None:
        point, _, count = (armed or "").partition(":")
        if armed and point not in POINTS:
            raise ValueError(f"there is no fault point {point!r}; there are {', '.join(POINTS)}")
        self._armed = point
        self._left = int(count or 0)

    def __call__(self, point: str) -> None:
        """Pass a point."""
        if point != self._armed:
            return
        if self._left:
            self._left -= 1
            return
        os.kill(os.getpid(), signal.SIGKILL)
