"""Files between the caller's machine and the session directory."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

from argosy.client.asynchronous import AsyncClient
from argosy.model import JobState, NotFound, StageOut, StageOutFlags
from argosy.model.directives import in_order

from .describe import Upload, here, in_session

_WHEN = {
    JobState.COMPLETED: StageOutFlags.ON_SUCCESS,
    JobState.FAILED: StageOutFlags.ON_ERROR,
    JobState.CANCELED: StageOutFlags.ON_CANCEL,
}


async def upload(client: AsyncClient, id: str, uploads: Iterable[Upload]) -> None:
    """Put the files into the session directory, each whole or not at all."""
    for one in uploads:
        await client.put_file(id, one.target, one.source)


async def download(client: AsyncClient, id: str, directives: Collection[StageOut], state: JobState) -> str | None:
    """Fetch what is to be staged out of a job that ended in `state`; what could not be, in words, None where all was.

    Each file is written whole or not at all; one that fails does not keep the others.
    """
    failed: list[str] = []
    for index, one in enumerate(in_order(directives)):
        if not one.flags & _WHEN[state]:
            continue
        source = in_session(one.source, f"stage_out[{index}].source")
        target = here(one.target, f"stage_out[{index}].target")
        try:
            await _fetch(client, id, source, target)
        except NotFound as error:
            if not one.flags & StageOutFlags.IF_PRESENT:
                failed.append(f"{source}: {error.message}")
        except OSError as error:
            failed.append(f"{target}: {error.strerror or error}")
    return "stage-out failed: " + "; ".join(failed) if failed else None


async def _fetch(client: AsyncClient, id: str, source: str, target: str) -> None:
    parent, _, name = source.rpartition("/")
    entry = None
    async for one in client.list_files(id, parent):
        if one.path.rpartition("/")[2] == name:
            entry = one
            break
    if entry is None or entry.type != "directory":
        # Where it is not there, asking for it says so in the service's words.
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        await client.get_file(id, source, target)
        return
    os.makedirs(target, exist_ok=True)
    async for one in client.list_files(id, source):
        name = one.path.rpartition("/")[2]
        await _fetch_entry(client, id, f"{source}/{name}", os.path.join(target, name), one.type)


async def _fetch_entry(client: AsyncClient, id: str, source: str, target: str, kind: str) -> None:
    if kind != "directory":
        await client.get_file(id, source, target)
        return
    os.makedirs(target, exist_ok=True)
    async for one in client.list_files(id, source):
        name = one.path.rpartition("/")[2]
        await _fetch_entry(client, id, f"{source}/{name}", os.path.join(target, name), one.type)
