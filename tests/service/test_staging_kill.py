"""The service is killed while files are moved; the stage begins again, and every file is whole and there once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.client import Client, Description, Input, Output
from argosy.model import ArgosyError
from tests.service.place import Place, running
from tests.service.running import RunningService
from tests.service.test_kill import check_history

pytestmark = [pytest.mark.kill, pytest.mark.timeout(120)]

DATA = bytes(range(256)) * 4096
MOVING = ["fetching", "fetch-arrived", "fetched", "stage-out", "pushing", "push-arrived", "pushed"]


@pytest.fixture
def place() -> Iterator[Place]:
    with running() as one:
        one.files = {"/a": DATA, "/b": b"more"}
        yield one


def _describe(place: Place, runs: Path) -> Description:
    return Description(
        executable="/bin/sh",
        arguments=["-c", 'echo "$ARGOSY_JOB_TAG" >> "$1"; cat a b > o; mkdir r; cp b r/1; cp b r/2', "sh", str(runs)],
        inputs=[
            Input(path="a", sources=[place.url + "/a"], size=len(DATA)),
            Input(path="b", sources=[place.url + "/nothing", place.url + "/b"], creation="refuse"),
        ],
        outputs=[
            Output(path="o", targets=[place.url + "/o1", place.url + "/o2"]),
            Output(path="r/", targets=[place.url + "/r/"]),
        ],
    )


@pytest.mark.parametrize(("point", "passed"), [*((point, 0) for point in MOVING), ("fetched", 1), ("pushed", 1)])
def test_a_stage_begins_again(service: RunningService, place: Place, point: str, passed: int, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    (service.directory / "argosy.toml").write_text('[outbound]\nallow = ["127.0.0.0/8"]\n')
    service.start(fault=f"{point}:{passed}")
    with contextlib.suppress(ArgosyError, OSError), service.client(retries=0) as client:
        client.wait(client.submit(_describe(place, runs), key="k").id, timeout=30)
    assert service.died(), service.log()
    service.start()
    with service.client() as client:
        activity = client.submit(_describe(place, runs), key="k")
        done = client.wait(activity.id, timeout=60)
        assert (done.state, done.exit_code) == ("finished", 0), list(client.events(activity.id))
        assert runs.read_text().split() == [activity.id]
        assert {path: data for path, data in place.files.items() if path not in ("/a", "/b")} == {
            "/o1": DATA + b"more",
            "/o2": DATA + b"more",
            "/r/1": b"more",
            "/r/2": b"more",
        }
        check_history(client, activity.id)
        _told_once(client, activity.id)


def _told_once(client: Client, id: str) -> None:
    """Each file is told of once for each place, and nothing of staging is left lying."""
    moved = [
        (event.detail["path"], event.detail.get("target"))
        for event in client.events(id)
        if event.kind in ("fetched", "pushed") and event.detail is not None
    ]
    assert len(moved) == len(set(moved)) == 5, moved
    names = {entry.path for entry in client.list_files(id)}
    assert names == {"a", "b", "o", "r", "stdout", "stderr"}
