"""What random users do to a service that dies under them, and what they were told of it."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from argosy.client import Client, Description, Output
from argosy.languages.native import Notify
from argosy.languages.sweeps.document import SweepDescription, SweepNode
from argosy.model import ArgosyError, InvalidInput, Unavailable
from argosy.model.webhooks import new_secret
from tests.notifications.receiver import Receiver, receiving
from tests.service.running import RunningService

SECRET = new_secret()
#: One line in one write for each run of a job: two of the same would show.
_COUNT = 'printf "%s\\n" "$ARGOSY_JOB_TAG" >> "$1"; sleep "$2"; '
_JOB = ["-c", _COUNT + "exit 3", "sh"]
_LACKING = ["-c", _COUNT + 'test -e "$3" && touch out.txt; exit 0', "sh"]


@dataclass
class Asked:
    """One creation: its key, what was said of it, and what became known."""

    key: str
    description: Description
    kind: str
    ids: set[str] = field(default_factory=set)
    terminated: bool = False
    """A termination was answered."""
    purging: bool = False
    """A purge was asked for."""


@dataclass
class World:
    """All that is outside the service."""

    directory: Path
    service: RunningService
    asked: list[Asked] = field(default_factory=list)
    sweeps: list[Asked] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    answered: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    receiver: Receiver = field(default_factory=lambda: Receiver(""))
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def runs(self) -> Path:
        return self.directory / "runs"

    @contextmanager
    def listening(self) -> Iterator[None]:
        with receiving() as self.receiver:
            yield

    def raise_faults(self) -> None:
        if self.faults:
            raise ExceptionGroup("the users themselves failed", self.faults)

    def count(self, what: str) -> None:
        with self.lock:
            self.answered[what] = self.answered.get(what, 0) + 1


def act(world: World, chance: random.Random) -> None:
    """One thing that somebody does, on a connection of their own."""
    try:
        with world.service.client(retries=0) as client:
            for _ in range(chance.randint(1, 20)):
                _one(world, client, chance)
    except (OSError, ValueError, Unavailable):
        return  # it is not there now, or its files are being written


def _one(world: World, client: Client, chance: random.Random) -> None:
    acts: list[tuple[int, Callable[[World, Client, random.Random], str]]] = [
        (8, _create),
        (2, _create_many),
        (2, _again),
        (1, _sweep),
        (2, _act_on_sweep),
        (10, _change),
        (5, _terminate),
        (4, _restart),
        (3, _purge),
        (1, _subscribe),
    ]
    (what,) = chance.choices([one for _, one in acts], [weight for weight, _ in acts])
    try:
        world.count(what(world, client, chance))
    except (InvalidInput, Unavailable):
        raise
    except ArgosyError as error:
        world.count(f"{what.__name__[1:]}: {type(error).__name__}")


def _asked(world: World, chance: random.Random) -> Asked:
    with world.lock:
        key = f"key-{len(world.asked)}"
        kind = chance.choice(["quick", "quick", "slow", "lacking", "absent"])
        seconds = "0" if kind != "slow" else chance.choice(["0.3", "1", "5"])
        gate = str(world.directory / f"{key}.gate")
        more = {"notify": [Notify(url=f"{world.receiver.url}/own", secret=SECRET)]} if chance.random() < 0.3 else {}
        arguments = [*(_LACKING if kind == "lacking" else _JOB), str(world.runs), seconds, gate]
        description = Description(
            executable="/bin/sh" if kind != "absent" else gate,
            arguments=arguments,
            share="local",
            outputs=[Output(path="out.txt")] if kind == "lacking" else [],
            held=chance.random() < 0.3,
            **more,
        )
        one = Asked(key, description, kind)
        world.asked.append(one)
    return one


def _create(world: World, client: Client, chance: random.Random) -> str:
    one = _asked(world, chance)
    one.ids.add(client.submit(one.description, key=one.key).id)
    return "create"


def _create_many(world: World, client: Client, chance: random.Random) -> str:
    many = [_asked(world, chance) for _ in range(chance.randint(2, 12))]
    answers = client.submit_many([one.description for one in many], keys=[one.key for one in many])
    for one, answer in zip(many, answers, strict=True):
        one.ids.add(answer.activity.id)
    return "create many"


def _some(world: World, chance: random.Random, *kinds: str) -> tuple[Asked, str] | None:
    with world.lock:
        known = [one for one in world.asked if one.ids and (not kinds or one.kind in kinds)]
    if not known:
        return None
    one = chance.choice(known[-30:])
    return one, next(iter(one.ids))


def _again(world: World, client: Client, chance: random.Random) -> str:
    with world.lock:
        if not world.asked:
            return "nothing"
        one = chance.choice(world.asked)
    one.ids.add(client.submit(one.description, key=one.key).id)
    return "create again"


def _change(world: World, client: Client, chance: random.Random) -> str:
    found = _some(world, chance)
    if found is None:
        return "nothing"
    action = chance.choice(["hold", "release", "release", "suspend", "resume", "resume", "start"])
    client.change_many([(found[1], action)], wait=chance.choice([0.0, 0.1]))
    return action


def _terminate(world: World, client: Client, chance: random.Random) -> str:
    found = _some(world, chance, "slow", "quick")
    if found is None:
        return "nothing"
    client.terminate(found[1])
    found[0].terminated = True
    return "terminate"


def _restart(world: World, client: Client, chance: random.Random) -> str:
    found = _some(world, chance, "lacking", "absent")
    if found is None:
        return "nothing"
    gate = world.directory / f"{found[0].key}.gate"
    if chance.random() < 0.7 and not gate.exists():
        new = gate.with_name(f"{gate.name}.{threading.get_ident()}")
        new.write_text(f"#!/bin/sh\nshift 3\n{_COUNT}exit 3\n")
        new.chmod(0o700)
        new.rename(gate)
        if found[0].kind == "lacking":
            # What the job did not leave, its owner puts there.
            with contextlib.suppress(OSError):
                (world.service.directory / "sessions" / found[1][-2:] / found[1] / "out.txt").touch()
    client.restart(found[1])
    return "restart"


def _purge(world: World, client: Client, chance: random.Random) -> str:
    found = _some(world, chance)
    if found is None:
        return "nothing"
    found[0].purging = True
    client.purge(found[1], terminate=chance.random() < 0.5)
    return "purge"


def _sweep(world: World, client: Client, chance: random.Random) -> str:
    with world.lock:
        key = f"sweep-{len(world.sweeps)}"
        description = {
            "executable": "/bin/sh",
            "arguments": [*_JOB, str(world.runs), "0"],
            "share": "local",
            "environment": {"N": "{{n}}"},
        }
        sweep = SweepDescription(
            description=description, sweep=SweepNode(parameter="n", from_=1, to=chance.randint(1, 25)), window=5
        )
        one = Asked(key, sweep, "sweep")
        world.sweeps.append(one)
    one.ids.add(client.submit_sweep(sweep, key=key).id)
    return "sweep"


def _act_on_sweep(world: World, client: Client, chance: random.Random) -> str:
    with world.lock:
        known = [one for one in world.sweeps if one.ids]
    if not known:
        return "nothing"
    one = chance.choice(known)
    (id,) = one.ids
    verb = chance.choice(["hold", "release", "release", "terminate", "purge"])
    if verb == "purge":
        one.purging = True
        client.purge_sweep(id, terminate=chance.random() < 0.5)
    else:
        getattr(client, f"{verb}_sweep")(id)
        one.terminated = one.terminated or verb == "terminate"
    return f"{verb} sweep"


def _subscribe(world: World, client: Client, chance: random.Random) -> str:
    with world.lock:
        if world.answered.get("subscribe", 0) > 3:
            return "nothing"
    client.subscribe(f"{world.receiver.url}/all", states=["final"], secret=SECRET)
    return "subscribe"
