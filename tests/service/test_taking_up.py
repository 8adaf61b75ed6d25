"""What a service that is started again knows of the jobs that it takes up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from argosy.executors.contract import Handle
from argosy.model import ActivityState
from tests.service.driving import ToldDriver, create, record, told_service, until


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class _Handed(ToldDriver):
    def __init__(self, submitted: Iterable[str] = ()) -> None:
        super().__init__()
        self.submitted += submitted
        self.handles: dict[str, Handle] = {}

    def watch(self, handles: Iterable[Handle]) -> None:
        self.handles |= {handle.tag: handle for handle in handles}


@pytest.mark.anyio
async def test_whether_a_job_may_run_again_is_known_after_a_restart(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        ids = {await create(service, rerunnable=rerunnable): rerunnable for rerunnable in (True, False)}
        for one in ids:
            await until(lambda one=one: _is_submitted(service, one))
    later = _Handed(driver.submitted)
    async with told_service(tmp_path, driver=later):
        await until(lambda: set(later.handles) == set(ids))
        assert {tag: handle.rerunnable for tag, handle in later.handles.items()} == ids


async def _is_submitted(service: object, id: str) -> bool:
    return (await record(service, id)).state is ActivityState.SUBMITTED
