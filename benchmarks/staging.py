"""Moving files from a web server on this machine: Argosy's staging beside curl on the same files.

A fetched file is whole, checked, and on the disk before it gets its name, and its directory is on the disk before
anybody is told. curl is done when the kernel has the bytes. A ratio is fair only where the files are equally safe
afterwards: so the target is about curl and then sync of each file and of the directory. curl alone, and with 16
connections, is shown beside.

Each round takes all of them, in another order, each with an empty directory and nothing left for the disk to write.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from measuring import HERE, Found, NotHere, Options, Row

MIB = 1024 * 1024
_ORDER = ["ours", "curl", "curl sync", "parallel", "parallel sync"]
#: As many files of one activity go at once in the service.
_AT_ONCE = 32


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
                for what, files, unit in (("large", ["large"], large), ("small", names, count)):
                    for how in _ORDER[turn % len(_ORDER) :] + _ORDER[: turn % len(_ORDER)]:
                        if what == "large" and how.startswith("parallel"):
                            continue
                        target = options.scratch / "target"
                        shutil.rmtree(target, ignore_errors=True)
                        target.mkdir()
                        os.sync()
                        seconds = (
                            asyncio.run(_ours(server.url, files, target, options.scratch))
                            if how == "ours"
                            else _curl(server.url, files, target, how)
                        )
                        found.setdefault(f"{what} {how}", []).append(unit / seconds)
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
        ],
        notes=[f"the process that staged had at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB"],
    )


async def _ours(url: str, files: list[str], target: Path, scratch: Path) -> float:
    from argosy.outbound import OutboundPolicy
    from argosy.staging import Fetch, Staging, StagingConfig

    staging = Staging(StagingConfig(cache_size=0), OutboundPolicy(["127.0.0.0/8"]), str(scratch / "staging"))
    try:
        # The service has long been running when a job comes.
        await staging.fetch(Fetch(str(scratch), "warm", (f"{url}/small-0",)))
        begun = time.perf_counter()
        left = iter(files)

        async def work() -> None:
            for name in left:
                await staging.fetch(Fetch(str(target), name, (f"{url}/{name}",)))

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
        return time.perf_counter() - begun
    finally:
        await staging.close()


def _curl(url: str, files: list[str], target: Path, how: str) -> float:
    config = "".join(f'url = "{url}/{name}"\noutput = "{target}/{name}"\n' for name in files)
    more = []
    if how.startswith("parallel"):
        more = ["--no-progress-meter", "--parallel", "--parallel-immediate", "--parallel-max", "16"]
    begun = time.perf_counter()
    subprocess.run(["curl", "--silent", "--fail", *more, "--config", "-"], input=config, text=True, check=True)
    if how.endswith("sync"):
        subprocess.run(["sync", *(str(target / name) for name in files), str(target)], check=True)
    return time.perf_counter() - begun
