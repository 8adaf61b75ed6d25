"""Fixtures for all tests."""

from __future__ import annotations

import os

import pytest

from tests.servers.slurm import NotHere, ensure_slurm


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def slurm() -> None:
    """A real Slurm on this machine. Without one the test is skipped; where CI is set it fails."""
    try:
        ensure_slurm()
    except NotHere as error:
        if os.environ.get("CI"):
            pytest.fail(f"there is no Slurm: {error}")
        pytest.skip(f"there is no Slurm: {error}")
