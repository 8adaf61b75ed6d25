"""A real service, killed while an activity waits for a resource that is away: it goes when the resource is there."""

from __future__ import annotations

import pytest

from argosy.client import Description
from tests.service.running import RunningService, until

CONFIG = """
[service]
retry_first = 0.1
retry_most = 0.2
match_again = 0.2

[resources.away]
type = "slurm"
poll = 1
spool = "{blocked}/spool"
"""


@pytest.mark.slurm
def test_a_job_outlives_a_killed_service_while_its_resource_is_away(service: RunningService, slurm: None) -> None:
    blocked = service.directory / "blocked"
    blocked.write_text("no directory can be made here\n")
    (service.directory / "argosy.toml").write_text(CONFIG.format(blocked=blocked))
    service.start()
    with service.client() as client:
        made = client.submit(Description(executable="/bin/echo", arguments=["here"], custom={"slurm.mem": "16"}))
        assert made.state == "pending"
        assert "away cannot be used yet" in (made.reason or "")
        since = client.status(made.id).waiting_since
        assert since is not None
    service.kill()
    service.start()
    with service.client() as client:
        until(lambda: client.status(made.id).reason is not None)
        again = client.status(made.id)
        assert (again.state, again.waiting_since) == ("pending", since)
        blocked.unlink()
        done = client.wait(made.id, timeout=60)
        assert (done.state, done.exit_code, done.share) == ("finished", 0, "away")
        assert client.read_file(made.id, "stdout") == b"here\n"
        kinds = [event.kind for event in client.events(made.id)]
        assert kinds.index("waiting") < kinds.index("matched") < kinds.index("submit-intended")
