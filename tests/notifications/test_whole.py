"""Notifications as users and receivers see them: a real service, a real receiver, and deaths of both."""

from __future__ import annotations

import contextlib
from functools import partial

import pytest

from argosy.client import Client, Description
from argosy.client.webhooks import NotVerified, verify
from argosy.languages.native import Notify
from argosy.model import ArgosyError, InvalidInput, NotAllowed, NotFound
from argosy.model.webhooks import new_secret
from tests.notifications.receiver import Receiver, nobody, receiving
from tests.service.running import RunningService, until

TRUE = Description(executable="/bin/true", share="local")


def told(receiver: Receiver, id: str) -> list[str]:
    """The states that a receiver was told of, doubles dropped, in the order in which they first came."""
    first = {got.id: got for got in receiver.got}
    messages = [verify(got.headers, got.body, _SECRET) for got in first.values()]
    return [message.data.event.state for message in messages if message.subject == id]


_SECRET = new_secret()


def _is_told(receiver: Receiver, id: str, states: list[str]) -> bool:
    return told(receiver, id) == states


def asking(url: str, *states: str) -> Description:
    return Description(
        executable="/bin/true", share="local", notify=[Notify(url=url, states=list(states), secret=_SECRET)]
    )


def test_a_job_is_told_of_from_its_creation_to_its_end(service: RunningService, receiver: Receiver) -> None:
    service.start()
    with service.client() as client:
        made = client.submit(asking(receiver.url))
        assert [one.secret for one in made.subscriptions] == [_SECRET]
        done = client.wait(made.id, timeout=30)
        events = [event for event in client.events(made.id) if event.kind in ("created", "state")]
        receiver.wait(lambda: len(receiver.got) >= len(events))
        messages = [got.verified(_SECRET) for got in receiver.got]
        assert [message.data.event for message in messages] == events
        last = messages[-1]
        assert last.type == "argosy.activity.state"
        assert last.specversion == "1.0"
        assert last.subject == made.id
        assert last.source.startswith("urn:argosy:")
        assert last.data.activity["state"] == done.state == "finished"
        assert last.data.activity["exit_code"] == 0
        assert receiver.got[-1].headers["content-type"] == "application/cloudevents+json"
        assert client.description(made.id).notify[0].secret is None
        assert next(client.subscriptions(activity=made.id)).secret is None
        assert len(set(receiver.ids())) == len(events)
    for path in service.directory.glob("argosy.db*"):
        assert path.stat().st_mode & 0o077 == 0
    assert _SECRET not in service.log()


def test_only_what_was_asked_for_is_told(service: RunningService, receiver: Receiver) -> None:
    service.start()
    with service.client() as client:
        mine = client.subscribe(f"{receiver.url}/tagged", states=["final"], tags={"project": "a"}, secret=_SECRET)
        fitting = Description(executable="/bin/true", share="local", tags={"project": "a", "more": "b"})
        other = Description(executable="/bin/true", share="local", tags={"project": "b"})
        ids = [client.submit(one).id for one in (other, fitting, TRUE)]
        for id in ids:
            client.wait(id, timeout=30)
        receiver.wait(lambda: len(receiver.got) == 1)
        (got,) = receiver.got
        assert got.path == "/hook/tagged"
        assert got.verified(_SECRET).subject == ids[1]
        client.unsubscribe(mine.id)
        with pytest.raises(NotFound):
            client.unsubscribe(mine.id)
        later = client.submit(fitting)
        client.subscribe(receiver.url, activity=later.id, secret=_SECRET)
        client.wait(client.submit(fitting).id, timeout=30)
        client.wait(later.id, timeout=30)
    assert {one.verified(_SECRET).subject for one in receiver.got} <= {ids[1], later.id}


def test_what_cannot_be_a_receiver_is_refused_and_nothing_recorded(service: RunningService) -> None:
    service.start()
    with service.client() as client:
        for url, error, element in (
            ("https://169.254.169.254/latest", NotAllowed, "url"),
            ("https://10.1.2.3/", NotAllowed, "url"),
            ("ftp://example.org/", InvalidInput, "url"),
            ("https://user:pw@example.org/", InvalidInput, "url"),
        ):
            with pytest.raises(error) as refused:
                client.subscribe(url)
            assert refused.value.element == element
            with pytest.raises(error) as refused:
                client.submit(asking(url))
            assert refused.value.element == f"notify[0].{element}"
        with pytest.raises(InvalidInput) as wrong:
            client.subscribe("https://example.org/", secret="short")
        assert wrong.value.element == "secret"
        with pytest.raises(InvalidInput) as wrong:
            client.subscribe("https://example.org/", states=["final", "running:nowhere"])
        assert wrong.value.element == "states[1]"
        with pytest.raises(NotFound):
            client.subscribe("https://example.org/", activity="0" * 32)
        assert list(client.subscriptions()) == []
        assert list(client.list()) == []


@pytest.mark.kill
@pytest.mark.parametrize("point", ["final", "notify-before", "notify-after"])
@pytest.mark.parametrize("passed", [0, 2])
def test_a_kill_loses_no_message_and_doubles_have_the_same_id(
    service: RunningService, receiver: Receiver, point: str, passed: int
) -> None:
    service.start(fault=f"{point}:{passed}")
    with contextlib.suppress(ArgosyError, OSError), service.client(retries=0) as client:
        for number in range(3):
            client.wait(client.submit(asking(receiver.url), key=f"k{number}").id, timeout=30)
    assert service.died(), service.log()
    service.start()
    with service.client() as client:
        ids = [client.submit(asking(receiver.url), key=f"k{number}").id for number in range(3)]
        for id in ids:
            client.wait(id, timeout=30)
            expected = [event.state for event in client.events(id) if event.kind in ("created", "state")]
            receiver.wait(partial(_is_told, receiver, id, expected))
    doubles = len(receiver.got) - len(set(receiver.ids()))
    assert doubles <= 8
    if point == "notify-after":
        assert doubles >= 1


def test_a_receiver_that_was_down_is_told_in_order_and_keeps_nobody_waiting(
    service: RunningService, receiver: Receiver
) -> None:
    service.start()
    with nobody() as port, service.client() as client:
        jobs = [client.submit(asking(f"http://127.0.0.1:{port}/hook")).id for _ in range(20)]
        other = client.submit(asking(receiver.url, "final")).id
        receiver.wait(lambda: told(receiver, other) == ["finished"])
        for id in jobs:
            client.wait(id, timeout=30)
        assert list(client.dead_letters()) == []
        with receiving(port) as late:
            expected = {
                id: [event.state for event in client.events(id) if event.kind in ("created", "state")] for id in jobs
            }
            late.wait(lambda: all(told(late, id) == states for id, states in expected.items()))
            assert len(late.got) == sum(map(len, expected.values()))
        # What was purged meanwhile is told of all the same.
        last = client.submit(asking(f"http://127.0.0.1:{port}/hook", "final")).id
        client.wait(last, timeout=30)
        client.purge(last)
        with receiving(port) as late:
            late.wait(lambda: told(late, last) == ["finished"])
            until(lambda: not list(client.subscriptions(activity=last)) or _ended(client, last))


def _ended(client: Client, id: str) -> bool:
    return all(one.ended for one in client.subscriptions(activity=id))


def test_a_changed_message_and_another_secret_are_found_out(service: RunningService, receiver: Receiver) -> None:
    service.start()
    with service.client() as client:
        made = client.subscribe(receiver.url, states=["final"])
        assert made.secret is not None
        id = client.submit(TRUE).id
        receiver.wait(lambda: len(receiver.got) == 1)
    (got,) = receiver.got
    assert got.verified(made.secret).subject == id
    assert verify(got.headers, got.body, [new_secret(), made.secret]).message == got.id
    with pytest.raises(NotVerified):
        got.verified(new_secret())
    with pytest.raises(NotVerified):
        verify(got.headers, got.body.replace(b"finished", b"failed!!"), made.secret)
    for header in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        with pytest.raises(NotVerified):
            verify({k: v for k, v in got.headers.items() if k != header}, got.body, made.secret)
    with pytest.raises(NotVerified):
        verify(got.headers | {"webhook-id": "msg_other"}, got.body, made.secret)
    with pytest.raises(NotVerified, match="old"):
        verify(got.headers, got.body, made.secret, now=got.at + 3600)
    with pytest.raises(NotVerified):
        verify(got.headers | {"webhook-signature": "v1,\xff v1a, "}, got.body, made.secret)
