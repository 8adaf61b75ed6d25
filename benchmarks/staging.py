"""Moving files from a web server on this machine: Argosy's staging beside curl on the same files.

A fetched file is whole, checked, and on the disk before it gets its name, and its directory is on the disk before
anybody is told. curl is done when the kernel has the bytes. A ratio is fair only where the files are equally safe
afterwards: so the target is about curl and then sync of each file and of the directory. curl alone, and with 16
connections, is shown beside.

Each round takes all of them, in another order, each with a new directory and nothing left for the disk to write. What
was there before is removed at the end of a round, and the next begins some seconds later: ext4 passes over each inode
that was freed within the last five seconds, which costs more than all the rest of a small file.

Sending is compared, too: the server is the same, and writes what it gets without flushing it, for both. Argosy asks
afterwards what has arrived: the fair row is curl that does so, too, with a HEAD for each file.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import HERE, Found, NotHere, Options, Row

if TYPE_CHECKING:
    from tests.servers.daemons import Daemon

MIB = 1024 * 1024
#: For so long, in seconds, what was removed makes creating slower.
_FREED = 6.0
_ORDER = ["ours", "curl", "curl sync", "parallel", "parallel sync"]
_SEND_ORDER = ["ours", "curl", "curl head", "parallel"]
#: As many files of one activity go at once in the service.
_AT_ONCE = 64


def measure(options: Options) -> Found:
    """Large file, small files, and how much memory the large one takes."""
    sys.path.insert(0, str(HERE.parent))
    from tests.servers import daemons
    from tests.servers.slurm import NotHere as NoServer

    if shutil.which("curl") is None:
        raise NotHere("there is no curl")
    large, count, rounds = options.pick(256, 1024), options.pick(200, 500), options.pick(3, 5)
    found: dict[str, list[float]] = {}
    try:
        with daemons.nginx() as server:
            with (server.data / "large").open("wb") as file:
                for _ in range(large):
                    file.write(os.urandom(MIB))
            names = [f"small-{index}" for index in range(count)]
            for name in names:
                (server.data / name).write_bytes(os.urandom(4096))
            for turn in range(rounds):
                for what, files, unit in (
                    ("large", ["large"], large),
                    ("small", names, count),
                    ("sent large", ["large"], large),
                    ("sent", names, count),
                ):
                    sends = what.startswith("sent")
                    order = _SEND_ORDER if sends else _ORDER
                    for how in order[turn % len(order) :] + order[: turn % len(order)]:
                        if "large" in what and how.startswith("parallel"):
                            continue
                        target = options.scratch / f"{what}-{how}".replace(" ", "-")
                        if sends:
                            target = server.data / target.name
                        target.mkdir()
                        os.sync()
                        url = f"{server.url}/{target.name}"
                        if how == "ours":
                            seconds = asyncio.run(_ours(server, files, target, what, options.scratch))
                        elif sends:
                            seconds = _curl(url, files, server.data, how, send=True)
                        else:
                            seconds = _curl(server.url, files, target, how)
                        if sum(1 for _ in target.iterdir()) != len(files):
                            raise AssertionError(f"{what} {how}: not all files have come")
                        found.setdefault(f"{what} {how}", []).append(unit / seconds)
                for place in (options.scratch, server.data):
                    for old in place.glob("*-*"):
                        if old.is_dir():
                            shutil.rmtree(old)
                os.sync()
                time.sleep(_FREED)
    except NoServer as why:
        raise NotHere(str(why)) from why
    return Found(
        rows=[
            Row(f"{large} MiB", "MiB/s", found["large ours"], found["large curl sync"], "curl, then sync", ">= 0.9"),
            Row(f"{large} MiB", "MiB/s", found["large ours"], found["large curl"], "curl alone"),
            *(
                Row(f"{count} small files", "/s", found["small ours"], found[f"small {how}"], against, target)
                for how, against, target in (
                    ("curl sync", "one curl, then sync", ">= 0.9"),
                    ("parallel sync", "curl --parallel, then sync", ""),
                    ("curl", "one curl alone", ""),
                    ("parallel", "curl --parallel alone", ""),
                )
            ),
            *(
                Row(f"{large} MiB sent", "MiB/s", found["sent large ours"], found[f"sent large {how}"], against, target)
                for how, against, target in (
                    ("curl head", "one curl, PUT, then HEAD", ">= 0.9"),
                    ("curl", "one curl, PUT alone", ""),
                )
            ),
            *(
                Row(f"{count} small files sent", "/s", found["sent ours"], found[f"sent {how}"], against, target)
                for how, against, target in (
                    ("curl head", "one curl, PUT, then HEAD", ">= 0.9"),
                    ("curl", "one curl, PUT alone", ""),
                    ("parallel", "curl --parallel, PUT alone", ""),
                )
            ),
        ],
        notes=[f"the process that staged had at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB"],
    )


async def _ours(server: Daemon, files: list[str], target: Path, what: str, scratch: Path) -> float:
    from argosy.outbound import OutboundPolicy
    from argosy.staging import Fetch, Push, Staging, StagingConfig

    staging = Staging(StagingConfig(cache_size=0), OutboundPolicy(["127.0.0.0/8"]), str(scratch / "staging"))

    warmed = scratch / f"{target.name}-warm"

    async def fetch(name: str) -> None:
        await staging.fetch(Fetch(str(target), name, (f"{server.url}/{name}",)))

    async def send(name: str) -> None:
        [done] = await staging.push(Push(str(server.data), name, (f"{server.url}/{target.name}/{name}",)))
        if done.error is not None:
            raise AssertionError(done.error)

    async def warm(index: int) -> None:
        await staging.fetch(Fetch(str(warmed), f"{index}", (f"{server.url}/small-{index}",)))

    async def together(one: Callable[[Any], Awaitable[None]], of: Iterable[Any]) -> float:
        begun = time.perf_counter()
        left = iter(of)

        async def work() -> None:
            for item in left:
                await one(item)

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
        return time.perf_counter() - begun

    try:
        # The service has long been running when a job comes, and has moved files before.
        warmed.mkdir()
        await together(warm, range(50))
        await asyncio.sleep(0.3)
        return await together(send if what.startswith("sent") else fetch, files)
    finally:
        await staging.close()


def _curl(url: str, files: list[str], place: Path, how: str, *, send: bool = False) -> float:
    word = "upload-file" if send else "output"
    config = "".join(f'url = "{url}/{name}"\n{word} = "{place}/{name}"\n' for name in files)
    more = []
    if how.startswith("parallel"):
        more = ["--no-progress-meter", "--parallel", "--parallel-immediate", "--parallel-max", "16"]
    begun = time.perf_counter()
    command = ["curl", "--silent", "--fail", *more, "--config", "-"]
    subprocess.run(command, input=config, text=True, check=True)
    if how.endswith("head"):
        config = "".join(f'url = "{url}/{name}"\noutput = "/dev/null"\n' for name in files)
        subprocess.run([*command, "--head"], input=config, text=True, check=True)
    if how.endswith("sync"):
        subprocess.run(["sync", *(str(place / name) for name in files), str(place)], check=True)
    return time.perf_counter() - begun
