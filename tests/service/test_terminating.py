"""Use case 3, terminate a job: only the first request is processed, and nothing of the job is left running."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from argosy.client import Description
from argosy.model import NotFound
from tests.service.running import RunningService, marked, until

#: Children and their children, each with the mark in its environment.
_TREE = '%s sleep 3600 & sh -c "sleep 3600; :" & nohup sleep 3600 & echo ready > ready; wait'
#: Without a parent, and in a session of its own, as a daemon is.
_DAEMONS = '(sh -c "sleep 3600; :" &) ; (setsid sh -c "sleep 3600; :" &) ;'


def _tracks_daemons(share: str) -> bool:
    """Whether what leaves the job's tree of processes is found: our own reaper does, Slurm where it uses cgroups."""
    if share != "slurm":
        return True
    config = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, check=True).stdout
    return re.search(r"^ProctrackType\s*=\s*proctrack/cgroup", config, re.MULTILINE) is not None


def test_nothing_is_left_running(service: RunningService, share: str, tmp_path: Path) -> None:
    service.start()
    mark = str(tmp_path)
    with service.client() as client:
        script = _TREE % (_DAEMONS if _tracks_daemons(share) else "")
        id = client.submit(
            Description(executable="/bin/sh", arguments=["-c", script], environment={"MARK": mark}, share=share)
        ).id

        def ready() -> bool:
            try:
                return client.read_file(id, "ready") == b"ready\n"
            except NotFound:
                return False

        until(ready, 60)
        until(lambda: len(marked(mark)) >= 4)  # one that becomes another program shows no environment for a moment
        first = client.terminate(id)
        second = client.terminate(id)
        assert first.state == "running:terminating", "the answer does not wait for the end"
        assert second.state in ("running:terminating", "terminated")
        done = client.wait(id, 60)
        assert done.state == "terminated"
        until(lambda: not marked(mark), 30)
        events = list(client.events(id))
        states = [event.state for event in events]
        assert states[-2:] == ["running:terminating", "terminated"], "the second request is ignored"
        assert states.count("running:terminating") == states.count("terminated") == 1
        ignored = client.terminate(id)
        assert (ignored.state, ignored.version) == ("terminated", done.version)
        assert list(client.events(id)) == events


def test_a_job_that_has_completed_stays_so(service: RunningService) -> None:
    service.start()
    with service.client() as client:
        id = client.submit(Description(executable="/bin/true")).id
        done = client.wait(id, 30)
        assert (done.state, done.exit_code) == ("finished", 0)
        assert client.terminate(id).version == done.version
        with pytest.raises(NotFound):
            client.terminate("0" * 32)
