"""Random users at once, and a service that is killed at random moments: whatever happens, what was promised holds.

ARGOSY_CHAOS_KILLS says for how many, ARGOSY_CHAOS_SEED with which choices; the seed of a failed test is in its output.
"""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import pytest

from tests.chaos.invariants import check
from tests.chaos.users import World, act
from tests.service.running import RunningService

pytestmark = [pytest.mark.kill, pytest.mark.timeout(600)]

CONFIG = """
[service]
retry_first = 0.05
retry_most = 0.5
housekeeping = 0.5
sweep_window = 10

[resources.local]
type = "local"
slots = 4

[outbound]
allow = ["127.0.0.0/8"]

[notifications]
allow_http = true
retry_first = 0.1
retry_most = 0.5
"""
KILLS = int(os.environ.get("ARGOSY_CHAOS_KILLS", "4"))
#: On a busy machine fewer kills are enough: so many seconds for each.
EACH = 5.0
SEED = int(os.environ.get("ARGOSY_CHAOS_SEED", time.time_ns() % 1_000_000))
USERS = 3


def test_what_is_promised_holds_under_kills(tmp_path: Path) -> None:
    print(f"ARGOSY_CHAOS_SEED={SEED}")
    service = RunningService(tmp_path / "home")
    service.directory.mkdir(mode=0o700)
    (service.directory / "argosy.toml").write_text(CONFIG)
    world = World(tmp_path, service)
    over = threading.Event()
    users = [threading.Thread(target=_use, args=(world, random.Random(SEED + n), over)) for n in range(USERS)]
    chance = random.Random(SEED + USERS)
    try:
        with world.listening():
            service.start()
            for user in users:
                user.start()
            deadline = time.monotonic() + KILLS * EACH
            while world.kills < KILLS and time.monotonic() < deadline:
                over.wait(chance.choice([0.02, 0.2, 0.6, 1.2, 2.0]))
                service.kill()
                world.kills += 1
                service.start()
            over.set()
            for user in users:
                user.join(60)
            world.raise_faults()
            check(world)
            print(f"{world.kills} kills; {dict(sorted(world.answered.items()))}")
    finally:
        over.set()
        for user in users:
            user.join(60)
        service.end()


def _use(world: World, chance: random.Random, over: threading.Event) -> None:
    while not over.is_set():
        try:
            act(world, chance)
        except Exception as error:  # of the test itself: what a dead service causes is expected there
            world.faults.append(error)
            return
