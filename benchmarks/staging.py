"""Moving files from a web server on this machine: Argosy's staging beside curl on the same files.

curl writes and is done; staging has each file on the disk before it gives it its name. So it stands beside curl alone,
and beside curl followed by sync of the same files.
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
            for _ in range(rounds):
                for what, files, unit in (("large", ["large"], large), ("small", names, count)):
                    for how in ("ours", "curl", "synced"):
                        target = options.scratch / "target"
                        shutil.rmtree(target, ignore_errors=True)
                        target.mkdir()
                        seconds = (
                            asyncio.run(_ours(server.url, files, target, options.scratch))
                            if how == "ours"
                            else _curl(server.url, files, target, sync=how == "synced")
                        )
                        found.setdefault(f"{what} {how}", []).append(unit / seconds)
    except NoServer as why:
        raise NotHere(str(why)) from why
    return Found(
        rows=[
            Row(f"{large} MiB", "MiB/s", found["large ours"], found["large curl"], "curl", ">= 0.9"),
            Row(f"{large} MiB", "MiB/s", found["large ours"], found["large synced"], "curl and sync"),
            Row(f"{count} small files", "/s", found["small ours"], found["small curl"], "one curl for all", ">= 0.9"),
            Row(f"{count} small files", "/s", found["small ours"], found["small synced"], "one curl for all, and sync"),
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
        await asyncio.gather(*(staging.fetch(Fetch(str(target), name, (f"{url}/{name}",))) for name in files))
        return time.perf_counter() - begun
    finally:
        await staging.close()


def _curl(url: str, files: list[str], target: Path, *, sync: bool) -> float:
    config = "".join(f'url = "{url}/{name}"\noutput = "{target}/{name}"\n' for name in files)
    begun = time.perf_counter()
    subprocess.run(["curl", "--silent", "--fail", "--config", "-"], input=config, text=True, check=True)
    if sync:
        subprocess.run(["sync", *(str(target / name) for name in files)], check=True)
    return time.perf_counter() - begun
