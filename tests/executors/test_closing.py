"""A driver that is closed while a submit command hangs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from argosy.batch.slurm import Slurm
from argosy.executors.batch import driver as module
from argosy.executors.batch.driver import BatchConfig, BatchDriver
from argosy.executors.contract import JobRequest, Report
from argosy.model import JobSpec, Unavailable
from argosy.transport.local import LocalTransport
from tests.executors.fake_slurm import FakeSlurm

pytestmark = pytest.mark.anyio


async def _nothing(reports: Sequence[Report]) -> None:
    del reports


async def test_a_submit_command_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the job was accepted is then not known, whatever the command's end looks like."""
    monkeypatch.setattr(module, "_CLOSING", 0.1)
    fake = FakeSlurm(tmp_path / "bin")
    os.mkfifo(tmp_path / "begun")
    hanging = fake.directory / "sbatch"
    hanging.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/begun\nexec sleep 1000\n")
    transport = LocalTransport({"PATH": fake.path})
    driver = BatchDriver(Slurm(), transport, str(tmp_path / "spool"), BatchConfig(command_timeout=600))
    await driver.open(_nothing)
    submitting = asyncio.create_task(driver.submit([JobRequest("a", JobSpec("/bin/true"))]))
    pid = int(await asyncio.to_thread((tmp_path / "begun").read_text))
    command = os.pidfd_open(pid)
    try:
        async with asyncio.timeout(60):
            await driver.close()
            (answer,) = await submitting
        assert isinstance(answer, Unavailable)
        assert "not known" in answer.message
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(command, ended.set)
        async with asyncio.timeout(60):
            await ended.wait()
        asyncio.get_running_loop().remove_reader(command)
    finally:
        os.close(command)


async def test_an_array_that_is_tried_apart_gets_its_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was refused, and its first jobs hang: those that were not tried yet are answered as well."""
    monkeypatch.setattr(module, "_CLOSING", 0.1)
    fake = FakeSlurm(tmp_path / "bin")
    os.mkfifo(tmp_path / "begun")
    begun = os.open(tmp_path / "begun", os.O_RDWR)  # always there to be written to, by however many
    (fake.directory / "sbatch").write_text(
        "#!/bin/sh\nif grep -q '^#SBATCH --array'; then echo 'sbatch: error: no arrays' >&2; exit 1; fi\n"
        f"echo x >{tmp_path}/begun\nexec sleep 1000\n"
    )
    transport = LocalTransport({"PATH": fake.path})
    driver = BatchDriver(Slurm(), transport, str(tmp_path / "spool"), BatchConfig(command_timeout=600))
    await driver.open(_nothing)
    requests = [JobRequest(f"a{number}", JobSpec("/bin/true")) for number in range(40)]
    submitting = asyncio.create_task(driver.submit(requests))
    await asyncio.to_thread(os.read, begun, 1)
    async with asyncio.timeout(60):
        await driver.close()
        answers = await submitting
    os.close(begun)
    assert [type(answer) for answer in answers] == [Unavailable] * 40
