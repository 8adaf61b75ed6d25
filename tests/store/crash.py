"""Run by test_crash.py: records activities for ever and says which, until it is killed.

crash.py DATABASE POINT NUMBER     kills itself the NUMBERth time that POINT is reached; "none" waits to be killed
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid

from argosy.model import ActivityState
from argosy.store import Activity, Created
from argosy.store.sqlite import SQLiteStore
from tests.store.making import activity, change, new


async def main(path: str, point: str, number: int) -> None:
    left = number

    def fault(reached: str) -> None:
        nonlocal left
        if reached == point:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    store = SQLiteStore(path, fault=fault)
    await store.open()

    async def client() -> None:
        while True:
            made = activity(uuid.uuid4().hex, tags={"a": "b"})
            (answer,) = await store.create([new(made, made.id.encode(), key=made.id, key_expires=9e9)])
            assert isinstance(answer, Created)
            say("created", made.id)
            (changed,) = await store.change([change(made, state=ActivityState.STAGING_IN)])
            assert isinstance(changed, Activity)
            say("changed", made.id)

    await asyncio.gather(*(client() for _ in range(16)))


def say(what: str, id: str) -> None:
    os.write(1, f"{what} {id}\n".encode())


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
