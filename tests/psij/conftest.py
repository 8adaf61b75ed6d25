"""Fixtures for the tests of argosy.psij."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import argosy.psij as psij
from argosy.executors import plugins
from argosy.psij import _descriptors
from argosy.psij.executors.batch.batch_scheduler_executor import BatchSchedulerExecutorConfig

from .plugin import write_plugin


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The third party's plug-in on sys.path; the directory of its batch system."""
    site, root = tmp_path / "site", tmp_path / "toy"
    write_plugin(site, root)
    monkeypatch.syspath_prepend(str(site))
    for registry in (plugins.executors, plugins.launchers):
        monkeypatch.setattr(registry, "_entries", {})
    monkeypatch.setattr(_descriptors, "_seen", set())
    before = set(sys.modules)
    yield root
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("toyplug", "psij"):
            del sys.modules[name]


@pytest.fixture
def make(toy: Path, tmp_path: Path) -> Callable[..., psij.JobExecutor]:
    """Makes an executor of the plug-in."""

    def make(name: str = "toy", **settings: object) -> psij.JobExecutor:
        settings = {"queue_polling_interval": 0.2, "initial_queue_polling_delay": 0.1} | settings
        config = BatchSchedulerExecutorConfig(work_directory=tmp_path / "work dir", **settings)
        return psij.JobExecutor.get_instance(name, config=config)

    return make
