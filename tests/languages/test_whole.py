"""Descriptions in other languages through a whole service, run for real on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.client import Client
from argosy.languages import registry
from argosy.languages.contract import check
from argosy.model import ArgosyError
from tests.languages.documents import arguments, assignment, definition, posix, sweep, values
from tests.service.running import RunningService


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    running = RunningService(tmp_path / "home")
    running.directory.mkdir(mode=0o700)
    (running.directory / "argosy.toml").write_text('[resources.local]\ntype = "local"\n')
    yield running
    running.end()


def run(client: Client, data: bytes) -> list[tuple[int | None, str]]:
    """The exit codes and outputs of all jobs of a document."""
    found = []
    for description in check(registry.parse(data)).descriptions:
        ended = client.wait(client.submit(description).id, timeout=60)
        assert ended.final, ended
        found.append((ended.exit_code, client.read_file(ended.id, "stdout").decode()))
    return found


def test_scripts_and_sweeps_run_as_their_authors_expect(service: RunningService, tmp_path: Path) -> None:
    service.start()
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    with service.client() as client:
        assert run(
            client, b'#!/bin/bash\n#SBATCH -n 1\nset -e\necho "it\'s $0"; cat <<E\n${HOME:+home}\nE\nexit 3\n'
        ) == [(3, "it's ./script\nhome\n")]
        there = f"#!/bin/bash\n#SBATCH --chdir='{elsewhere}'\npwd\n".encode()
        assert run(client, there) == [(0, f"{elsewhere}\n")]
        assert run(client, b"#PBS -J 1-3\necho $PBS_ARRAY_INDEX\n") == [(0, "1\n"), (0, "2\n"), (0, "3\n")]
        swept = sweep(assignment("//jsdl-posix:Argument[1]", values("$HOME", "${HOME}")))
        assert run(client, definition(posix(arguments("a", "b  c")), swept)) == [
            (0, "$HOME b  c\n"),
            (0, "${HOME} b  c\n"),
        ]


@pytest.mark.kill
def test_an_inline_file_is_written_whole_though_the_service_is_killed_meanwhile(service: RunningService) -> None:
    service.start(fault="stage-in")
    description = next(registry.parse(b"#!/bin/sh\n#SBATCH -n 1\necho done\n").descriptions)
    with contextlib.suppress(ArgosyError, OSError), service.client(retries=0) as client:
        client.wait(client.submit(description, key="k").id, timeout=30)
    assert service.died(), service.log()
    service.start()
    with service.client() as client:
        ended = client.wait(client.submit(description, key="k").id, timeout=60)
        assert (ended.exit_code, client.read_file(ended.id, "stdout")) == (0, b"done\n")
        assert {entry.path for entry in client.list_files(ended.id)} == {"script", "stderr", "stdout"}
