"""CAN-01, run a remote job: a science gateway's developer, whose program submits jobs and asks what became of them.

The names have the numbers of the canonical use case: steps, exceptions (what may be otherwise), acceptance.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from argosy.client import Client, Description, Input
from argosy.languages.native import Notify
from argosy.model import Conflict, InvalidInput, NotFound
from argosy.service.config import load_config
from tests.notifications.receiver import receiving
from tests.service.running import until
from tests.usecases.conftest import System


def test_steps_2_and_3_submit_and_poll(alice: Client, share: str) -> None:
    """Submission answers with an id; the state is asked for by it until the job has completed."""
    id = alice.submit(Description(executable="/bin/sh", arguments=["-c", "echo done > result"], share=share)).id
    seen = []

    def completed() -> bool:
        activity = alice.status(id)
        seen.append(activity.state)
        return activity.final

    until(completed, 60)
    assert seen[-1] == "finished"
    assert alice.read_file(id, "result") == b"done\n"


def test_exception_1_callbacks_instead_of_polling(alice: Client, share: str) -> None:
    with receiving() as receiver:
        made = alice.submit(Description(executable="/bin/true", share=share, notify=[Notify(url=receiver.url)]))
        (subscription,) = made.subscriptions
        assert subscription.secret is not None

        def told() -> list[str]:
            return [got.verified(subscription.secret).data.event.state for got in receiver.got]

        receiver.wait(lambda: bool(receiver.got) and told()[-1] == "finished")
        states = told()
    assert states[0] == "pending"
    assert "running:lrms:running" in states
    assert states == [event.state for event in alice.events(made.id) if event.kind in ("created", "state")]


def test_exception_2_files_before_during_and_after(alice: Client, share: str) -> None:
    """The session directory is written before the job runs, read while it does, written too where the job asks for
    that, and read after its end."""
    job = Description(
        executable="/bin/sh",
        arguments=["-c", "cat in > out; while [ ! -e go ]; do sleep 0.05; done; echo more >> out"],
        share=share,
        inputs=[Input(path="in")],
        interactive=True,
    )
    id = alice.submit(job).id
    alice.put_file(id, "in", b"input\n")

    def written() -> bool:
        try:
            return alice.read_file(id, "out") == b"input\n"
        except NotFound:
            return False

    until(written, 60)
    assert not alice.status(id).final
    alice.put_file(id, "go", b"")
    assert alice.wait(id, timeout=60).state == "finished"
    assert alice.read_file(id, "out") == b"input\nmore\n"


@pytest.mark.kill
def test_exception_3_at_most_once(own_system: System) -> None:
    """The answer to a submission is lost, as the service is killed: the same one again is the first job."""
    runs = own_system.directory.parent / "runs"
    job = Description(executable="/bin/sh", arguments=["-c", 'echo once >> "$1"', "sh", str(runs)])
    own_system.start(fault="create-after")
    with own_system.client(retries=0) as client, pytest.raises(Exception):  # noqa: B017, PT011 - any, the answer is lost
        client.submit(job, key="job-1")
    assert own_system.died()
    own_system.start()
    with own_system.client() as client:
        first, again = client.submit(job, key="job-1"), client.submit(job, key="job-1")
        assert first.id == again.id
        assert client.wait(first.id, timeout=60).state == "finished"
        with pytest.raises(Conflict):
            client.submit(Description(executable="/bin/false"), key="job-1")
    assert runs.read_text() == "once\n"


def test_exception_3_for_how_long_is_published(alice: Client) -> None:
    """And so is for how long a status is kept."""
    times = alice.service().times
    assert times is not None
    assert (times.key_lifetime, times.retention) == (7 * 86_400, 7 * 86_400)


def test_acceptance_2_usage_is_of_the_authenticated_user(alice: Client, bob: Client, share: str) -> None:
    before = sum(item.jobs for item in bob.usage().items)
    id = alice.submit(Description(executable="/bin/true", share=share, name="of alice")).id
    alice.wait(id, timeout=60)
    (record,) = alice.usage_records(activity=id)
    assert (record.user, record.activity) == ("alice", id)
    assert sum(item.jobs for item in bob.usage().items) == before


def test_acceptance_3_what_cannot_be_accepted_is_refused_at_once(alice: Client) -> None:
    with pytest.raises(InvalidInput) as caught:
        alice.submit(Description(executable="/bin/true", share="nosuch"))
    assert caught.value.element == "share"
    assert "nosuch" in caught.value.message


def test_acceptance_4_the_status_is_there_for_a_day_and_longer(alice: Client, system: System, share: str) -> None:
    id = alice.submit(Description(executable="/bin/true", share=share)).id
    done = alice.wait(id, timeout=60)
    assert done.expires is not None
    assert done.ended is not None
    left = datetime.fromisoformat(done.expires) - datetime.fromisoformat(done.ended)
    assert left >= timedelta(hours=24)


def test_acceptance_4_no_owner_can_make_it_less(own_system: System) -> None:
    config = own_system.directory / "argosy.toml"
    config.write_text(config.read_text().replace("[service]", "[service]\nretention = 86399"))
    with pytest.raises(InvalidInput, match="retention"):
        load_config(own_system.directory)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("nosuch-program", lambda done, stderr: done.exit_code == 127 and b"nosuch-program" in stderr),
        ("exit 3", lambda done, stderr: (done.state, done.exit_code) == ("finished", 3)),
        ("kill -9 $$", lambda done, stderr: done.signal == 9 or done.exit_code == 137),
    ],
)
def test_acceptance_5_what_went_wrong_can_be_seen(alice: Client, share: str, script: str, says) -> None:
    id = alice.submit(Description(executable="/bin/sh", arguments=["-c", script], share=share)).id
    done = alice.wait(id, timeout=60)
    assert says(done, alice.read_file(id, "stderr")), done
