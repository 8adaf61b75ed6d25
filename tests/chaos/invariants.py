"""What must hold once the chaos is over and everything that was under way has come to its end."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from argosy.client import Client
from argosy.languages.documents import ActivityDocument, EventDocument
from argosy.model import ArgosyError, Conflict
from argosy.model.activity import RESTARTED, ActivityState, may_follow, may_restart
from tests.chaos.users import SECRET, World
from tests.service.running import until

_SETTLES = 60.0


def check(world: World) -> None:
    """Have everything come to an end, and look."""
    with world.service.client() as client:
        _ask_again(world, client)
        _end(world, client)
        activities = {one.id: one for one in client.list()}
        histories = {id: list(client.events(id)) for id in activities}
        _known(world, activities)
        for id, events in histories.items():
            _legal(activities[id], events)
        _ran(world, activities, histories)
        _counted(world, client, activities)
        _told(world, client, activities, histories)
        until(lambda: not _strays(world, activities))
    _nothing_left(world)
    log = world.service.log()
    for words in ("Traceback", "a defect", "internal error", "never retrieved"):
        assert words not in log, log[log.index(words) - 2000 :][:6000]


def _ask_again(world: World, client: Client) -> None:
    """What a client does that was not answered: the same again, under the same key."""
    for one in world.asked:
        with contextlib.suppress(Conflict):  # it was purged
            one.ids.add(client.submit(one.description, key=one.key).id)
            continue
        assert one.purging, one.key
    for one in world.sweeps:
        with contextlib.suppress(Conflict):
            one.ids.add(client.submit_sweep(one.description, key=one.key).id)
            continue
        assert one.purging, one.key
    for one in (*world.asked, *world.sweeps):
        assert len(one.ids) <= 1, f"{one.key} was made more than once: {one.ids}"


def _end(world: World, client: Client) -> None:
    """Let go what is held; wait for all. Nothing may lie about."""
    for sweep in client.sweeps():
        with contextlib.suppress(ArgosyError):
            client.release_sweep(sweep.id)
    deadline = time.monotonic() + _SETTLES
    while True:
        alive = [one for one in client.list() if not ActivityState(one.state).final]
        sweeps = [one for one in client.sweeps() if not one.final or one.purging]
        if not alive and not sweeps:
            return
        told = [(one.id, one.state, one.reason, list(client.events(one.id))) for one in alive[:5]]
        assert time.monotonic() < deadline, f"still there: {told}, {sweeps}\n{world.service.log()[-4000:]}"
        for one in alive:
            action = {"pending:held": "start", "running:lrms:suspended": "resume"}.get(one.state, "release")
            client.change_many([(one.id, action)], wait=0.0)
        time.sleep(0.2)


def _known(world: World, activities: dict[str, ActivityDocument]) -> None:
    for one in world.asked:
        for id in one.ids:
            assert id in activities or one.purging, f"{one.key}, {id} is lost"
            if one.terminated and id in activities:
                assert activities[id].state in ("terminated", "finished", "failed")
    ids = {id for one in world.asked for id in one.ids}
    for id, found in activities.items():
        assert id in ids or found.sweep is not None, f"nobody has asked for {id}"


def _legal(activity: ActivityDocument, events: list[EventDocument]) -> None:
    """States follow each other as the model allows, and times do not go back."""
    times = [event.time for event in events]
    assert times == sorted(times), events
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    assert events[0].kind == "created"
    assert events[-1].state == activity.state
    for old, new in pairwise(events):
        before, after = ActivityState(old.state), ActivityState(new.state)
        allowed = may_restart if new.kind == RESTARTED else may_follow
        assert before is after or allowed(before, after), events
    assert sum(event.kind == "submit-intended" for event in events) <= 1 + sum(
        event.kind == RESTARTED for event in events
    )


def _ran(world: World, activities: dict[str, ActivityDocument], histories: dict[str, list[EventDocument]]) -> None:
    """No submission ran twice; what has finished did run; what ran is known."""
    tags = Counter(world.runs.read_text().split()) if world.runs.exists() else Counter()
    assert [tag for tag, count in tags.items() if count > 1] == []
    ran = Counter(re.sub(r"-\d+$", "", tag) for tag in tags)
    for id, found in activities.items():
        intended = sum(event.kind == "submit-intended" for event in histories[id])
        assert ran[id] <= intended, (id, ran[id], histories[id])
        if found.state == "finished":
            assert ran[id], histories[id]


def _counted(world: World, client: Client, activities: dict[str, ActivityDocument]) -> None:
    """Each activity that has ended is in the ledger, each of its jobs once; sweeps add up."""
    records = list(client.usage_records())
    keys = Counter((one.activity, one.run) for one in records)
    assert [key for key, count in keys.items() if count > 1] == []
    by_activity = {one.activity: one for one in records}
    for id, found in activities.items():
        assert by_activity[id].state == found.state, (by_activity[id], found)
        assert by_activity[id].exit_code == found.exit_code
    assert client.usage().items[0].jobs == len(records)
    theirs = Counter(one.sweep for one in activities.values())
    for sweep in client.sweeps():
        assert sum(sweep.counts.values()) == sweep.total, sweep
        assert sweep.ended == sweep.made, sweep
        assert theirs[sweep.id] <= sweep.made, sweep
        if sweep.state == "finished":
            assert sweep.made == sweep.total, sweep


def _told(
    world: World,
    client: Client,
    activities: dict[str, ActivityDocument],
    histories: dict[str, list[EventDocument]],
) -> None:
    """Whoever wanted to be told was told of everything, in order, each under one id."""

    def missing() -> list[object]:
        with world.receiver.news:
            # A service that was killed while it sent has sent half of one.
            got = [one for one in world.receiver.got if len(one.body) == int(one.headers["content-length"])]
        first = {(one.path, one.id): one.verified_at(SECRET) for one in got}
        own: dict[str, list[int]] = {}
        for (path, _), message in first.items():
            if path.endswith("/own"):
                own.setdefault(message.subject or "", []).append(message.data.event.seq)
        lacks: list[object] = []
        for one in world.asked:
            for id in one.ids & activities.keys() if one.description.notify else ():
                wanted = [event.seq for event in histories[id] if event.kind in ("created", "state")]
                if own.get(id, []) != wanted:
                    lacks.append((id, own.get(id, []), wanted))
        return lacks

    deadline = time.monotonic() + _SETTLES
    while lacks := missing():
        assert time.monotonic() < deadline, lacks[:3]
        time.sleep(0.1)
    assert list(client.dead_letters()) == []


def _strays(world: World, activities: dict[str, ActivityDocument]) -> set[str]:
    """Session directories that nobody has, and activities without one."""
    there = {path.name for path in _sessions(world.service.directory / "sessions")}
    return {id for id in there if id not in activities}


def _sessions(root: Path) -> Iterator[Path]:
    yield from (path for path in root.glob("*/*") if not path.name.startswith("."))


def _nothing_left(world: World) -> None:
    """No process of any job is there any more."""
    mark = str(world.runs).encode()
    left = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if int(path.parent.name) != os.getpid() and mark in path.read_bytes():
                left.append(path.read_bytes())
    assert left == []
