"""Jobs as processes of this machine.

    spawn       from a job specification to a process
    child       start one process, and learn how it ended
    processes   find and end all processes of a job
    foreign     processes that were not started here
    notes       what the shell of a job leaves to tell
    driver      many jobs, over the reaper
    daemon      start the reaper, or become it
    reaper      the small process that starts jobs and keeps their exit codes
    work, job, journal, clients
                the reaper's parts
    connection  the reaper's client

`child`, `processes`, `daemon`, `reaper` and its parts run in the reaper, with the standard library only: they import
nothing else.
"""

from .driver import LocalDriver
from .executor import LocalJobExecutor

__all__ = ["LocalDriver", "LocalJobExecutor"]
