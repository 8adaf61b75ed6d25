"""The fault matrix, as a user sees it: whatever goes wrong ends in a state and a message that can be understood.

`docs/guarantees.md` has the table. What another test shows already is named there and not repeated here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.client import Client, Description, Input, Output
from argosy.languages.documents import ActivityDocument
from argosy.model import ArgosyError, NoRoom, Unavailable
from tests.service.place import Place
from tests.service.running import until
from tests.service.test_kill import check_history
from tests.usecases.conftest import System

DATA = bytes(range(256)) * 1024

# -- sources and targets ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A service that gives a silent source little time."""
    one = System(tmp_path_factory.mktemp("impatient") / "home")
    one.configure()
    config = one.directory / "argosy.toml"
    config.write_text(config.read_text().replace("[staging]", "[staging]\nidle_timeout = 1.5"))
    one.start()
    yield one
    one.end()


#: What is wrong with a source: what the place is told, what the description declares, words of the message.
SOURCES = {
    "missing": (lambda place: place.answers.update({"/f": 404}), {}, ["f: ", "404"]),
    "refusing": (lambda place: place.answers.update({"/f": 403}), {}, ["f: ", "403"]),
    "silent": (lambda place: place.slow.add("/f"), {}, ["f: ", "does not answer in time", "tried 2 times"]),
    "truncated": (lambda place: place.short.add("/f"), {}, ["f: ", "ended too early", "tried 2 times"]),
    "wrong checksum": (lambda place: None, {"sha256": "0" * 64}, ["f: ", "sha256", "0" * 64]),
    "wrong size": (lambda place: None, {"size": 7}, ["f: ", "7"]),
    "redirect loop": (
        lambda place: (place.answers.update({"/f": 302}), place.headers.update({"/f": {"Location": "/f"}})),
        {},
        ["f: ", "circle"],
    ),
}


@pytest.mark.parametrize("what", SOURCES)
def test_a_source_is(system: System, storage: Place, what: str, request: pytest.FixtureRequest) -> None:
    misbehave, declared, words = SOURCES[what]
    storage.files["/f"] = DATA
    misbehave(storage)
    # On a busy machine the others may be silent for as long, too.
    with (request.getfixturevalue("impatient") if what == "silent" else system).client() as client:
        id = client.submit(
            Description(executable="/bin/true", inputs=[Input(path="f", sources=[storage.url + "/f"], **declared)])
        ).id
        failed = _failed(client, id)
        assert all(word in (failed.reason or "") for word in [*words, storage.url]), failed.reason
        assert failed.native_id is None
        assert "f" not in [entry.path for entry in client.list_files(id)], "no half of it stays"


def test_a_target_refuses(system: System, storage: Place) -> None:
    storage.answers["/out"] = 403
    with system.client() as client:
        id = client.submit(
            Description(
                executable="/bin/sh",
                arguments=["-c", "echo result > out"],
                outputs=[Output(path="out", targets=[storage.url + "/out"])],
            )
        ).id
        failed = _failed(client, id)
        assert all(word in (failed.reason or "") for word in ("out: ", "403", storage.url))
        assert failed.exit_code == 0
        assert client.read_file(id, "out") == b"result\n"
        storage.answers.clear()
        client.restart(id)
        assert client.wait(id, timeout=30).state == "finished"
        assert storage.files["/out"] == b"result\n"


# -- a disk that is full ----------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB. Where none can be made the test is skipped; where CI is set it fails."""
    directory = tmp_path / "small"
    directory.mkdir()
    if os.getuid() == 0 and shutil.which("mount"):
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(directory)]
        done = subprocess.run(mount, capture_output=True, text=True, timeout=30, check=False)
        words = done.stderr if done.returncode else None
    else:
        words = "only root mounts one"
    if words is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"there is no small file system: {words}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True, timeout=30)


def _alive(word: str) -> bool:
    """Whether a process has this word in its command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


def _fill(directory: Path) -> Path:
    """Take all room that is left."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(65536)):
                pass
        except OSError:
            return ballast


def test_the_disk_of_the_session_directories_is_full(own_system: System, small_disk: Path, storage: Place) -> None:
    """What is fetched waits, says so, and goes on when there is room; an upload is refused; nothing half stays."""
    config = own_system.directory / "argosy.toml"
    config.write_text(config.read_text().replace("[service]", f'[service]\nsessions = "{small_disk}/sessions"'))
    storage.files["/big"] = bytes(2_000_000)
    own_system.start()
    with own_system.client(patience=0) as client:
        fetches = client.submit(
            Description(executable="/bin/true", held=True, inputs=[Input(path="big", sources=[storage.url + "/big"])])
        ).id
        pushes = client.submit(Description(executable="/bin/true", inputs=[Input(path="big")])).id
        ballast = _fill(small_disk)
        client.start(fetches)
        until(lambda: "No space left" in (client.status(fetches).reason or ""), 30)
        waiting = client.status(fetches)
        assert waiting.state == "running:stage-in:staging"
        assert "big" in (waiting.reason or "")
        with pytest.raises(ArgosyError) as caught:
            client.put_file(pushes, "big", bytes(2_000_000))
        assert isinstance(caught.value, NoRoom | Unavailable), caught.value
        assert "No space left" in caught.value.message
        assert "big" not in [entry.path for entry in client.list_files(pushes)]
        ballast.unlink()
        client.put_file(pushes, "big", bytes(1_000_000))
        for id in (pushes, fetches):
            assert client.wait(id, timeout=60).state == "finished"


def test_the_disk_of_the_database_is_full(small_disk: Path, tmp_path: Path) -> None:
    """What cannot be recorded is refused and not begun; what was recorded goes on when there is room, and the end of a
    job that ends meanwhile is not lost."""
    system = System(small_disk / "home")
    system.configure()
    system.start()
    try:
        with system.client(retries=0, patience=0) as client:
            recorded = client.submit(Description(executable="/bin/true", held=True)).id
            go = tmp_path / "go"
            script = 'while [ ! -e "$1" ]; do sleep 0.05; done; exit 3'
            runs = client.submit(Description(executable="/bin/sh", arguments=["-c", script, "sh", str(go)])).id
            until(lambda: client.status(runs).state == "running:lrms:running", 30)
            ballast = _fill(small_disk)
            refused = None
            for number in range(2000):
                try:
                    client.submit(Description(executable="/bin/true", held=True, name=f"n{number}" * 20))
                except ArgosyError as error:
                    refused = error
                    break
            assert refused is not None
            assert "full" in refused.message.lower() or "No space left" in refused.message, refused
            assert client.status(recorded).state == "pending:held"
            go.touch()
            until(lambda: not _alive(str(go)), 30)
            ballast.unlink()
            done = client.wait(runs, timeout=60)
            assert (done.state, done.exit_code) == ("finished", 3), (done, list(client.events(runs)))
            client.start(recorded)
            assert client.wait(recorded, timeout=30).state == "finished"
    finally:
        system.end()


# -- the batch system -------------------------------------------------------------------------------------------------

#: Leaves one job out, and has another end as those do that the kernel's control groups end for their memory.
_SHIM = """#!/bin/bash
PATH=${{PATH#*:}}
lost=$(cat {control}/lost) oom=$(cat {control}/oom)
{command} "$@" | sed -e "/^$lost[^0-9]/d" -e "/^$oom[^0-9]/s/FAILED/OUT_OF_MEMORY/"
exit "${{PIPESTATUS[0]}}"
"""


class Cluster(System):
    """A service over the real Slurm, whose answers about the jobs in `control` are changed."""

    control: Path
    overdue: str
    """A job whose wall time is used up."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, slurm: None) -> Iterator[Cluster]:
    one = Cluster(tmp_path_factory.mktemp("cluster") / "home")
    one.configure()
    one.control = tmp_path_factory.mktemp("control")
    config = one.directory / "argosy.toml"
    config.write_text(config.read_text().replace("poll = 1", "poll = 1\nlost_after = 3"))
    for command in ("squeue", "sacct"):
        shim = one.control / command
        shim.write_text(_SHIM.format(control=one.control, command=command))
        shim.chmod(0o755)
    for name in ("lost", "oom"):
        (one.control / name).write_text("none")
    one.start(environ={"PATH": f"{one.control}:{os.environ['PATH']}"})
    with one.client() as client:
        one.overdue, native = _running(client, "sleep 3600")
        # Limits are whole minutes; an operator can set an end that is nearer, and Slurm looks every half a minute.
        soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 1))
        _scontrol("update", f"JobId={native}", f"EndTime={soon}")
    yield one
    one.end()


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    with cluster.client() as one:
        yield one


def _failed(client: Client, id: str) -> ActivityDocument:
    done = client.wait(id, timeout=100)
    assert done.state == "failed", (done, list(client.events(id)))
    check_history(client, id)
    return done


def _running(client: Client, script: str, **more: object) -> tuple[str, str]:
    """A job that runs: its id, and Slurm's own."""
    id = client.submit(Description(executable="/bin/sh", arguments=["-c", script], share="slurm", **more)).id
    until(lambda: client.status(id).state == "running:lrms:running", 60)
    native = client.status(id).native_id
    assert native is not None
    return id, native


def _scontrol(*words: str) -> None:
    subprocess.run(["scontrol", *words], check=True, timeout=30)


@pytest.mark.slurm
def test_it_used_too_much_memory(client: Client, cluster: Cluster) -> None:
    """Slurm's state for it is that of a cluster with control groups; this one has none."""
    script = "while [ ! -e go ]; do sleep 0.05; done; kill -9 $PPID; kill -9 $$"
    id, native = _running(client, script, interactive=True)
    (cluster.control / "oom").write_text(native)
    client.put_file(id, "go", b"")
    failed = _failed(client, id)
    assert "more memory than it had asked for" in (failed.reason or "")
    assert "OUT_OF_MEMORY" in (failed.reason or "")


@pytest.mark.slurm
def test_somebody_else_ends_it(client: Client) -> None:
    """An administrator's scancel is no failure of the job's, and is told as what it is."""
    id, native = _running(client, "sleep 3600")
    subprocess.run(["scancel", native], check=True, timeout=30)
    failed = _failed(client, id)
    assert "cancelled" in (failed.reason or "")
    assert "CANCELLED" in (failed.reason or "")


@pytest.mark.slurm
def test_a_signal_ends_it(client: Client) -> None:
    """It ended by itself, as far as anybody can say: its signal is told beside its state."""
    id = client.submit(Description(executable="/bin/sh", arguments=["-c", "kill -SEGV $$"], share="slurm")).id
    done = client.wait(id, timeout=60)
    assert (done.state, done.exit_code, done.signal) == ("finished", 139, 11)
    assert "signal 11" in (done.reason or "")


@pytest.mark.slurm
def test_the_batch_system_loses_it(client: Client, cluster: Cluster) -> None:
    id, native = _running(client, "sleep 3600")
    (cluster.control / "lost").write_text(native)
    try:
        failed = _failed(client, id)
    finally:
        subprocess.run(["scancel", native], check=True, timeout=30)
    assert "neither the queue nor accounting has known it for 3 s" in (failed.reason or "")


@pytest.mark.slurm
@pytest.mark.parametrize("rerunnable", [False, True])
def test_the_batch_system_requeues_it(client: Client, rerunnable: bool) -> None:
    """It runs again only where its owner has said that it may; otherwise that is why it has failed."""
    script = "echo run >> runs; [ $(wc -l < runs) -gt 1 ] || sleep 3600"
    id, native = _running(client, script, rerunnable=rerunnable)
    # That it runs is known before its first command has done anything.
    until(lambda: [entry.path for entry in client.list_files(id) if entry.path == "runs" and entry.size], 30)
    _scontrol("update", f"JobId={native}", "Requeue=1")
    _scontrol("requeue", native)
    until(lambda: client.status(id).state == "running:lrms:queued", 30)
    assert "requeued by the batch system" in [(event.message or "")[:28] for event in client.events(id)]
    # Not at once: a node refuses what is started in the second of the requeueing.
    _scontrol("update", f"JobId={native}", "StartTime=now+2")
    done = client.wait(id, timeout=60)
    runs = client.read_file(id, "runs").split()
    if rerunnable:
        assert (done.state, done.exit_code, runs) == ("finished", 0, [b"run", b"run"])
    else:
        assert (done.state, runs) == ("failed", [b"run"]), (done, list(client.events(id)))
        # The second where the node would not even begin it again.
        told = ("not marked rerunnable", "put it back into the queue")
        assert any(words in (done.reason or "") for words in told), done.reason


@pytest.mark.slurm
def test_its_wall_time_is_used_up(client: Client, cluster: Cluster) -> None:
    failed = _failed(client, cluster.overdue)
    assert "wall time was used up" in (failed.reason or "")
    assert "TIMEOUT" in (failed.reason or "")


@pytest.mark.slurm
def test_the_disk_of_the_spool_is_full(own_system: System, small_disk: Path, slurm: None) -> None:
    """The job's script cannot claim its run there, so it runs nothing, and that is told."""
    config = own_system.directory / "argosy.toml"
    config.write_text(config.read_text().replace("poll = 1", f'poll = 1\nspool = "{small_disk}/spool"'))
    own_system.start()
    with own_system.client() as client:
        first = client.submit(Description(executable="/bin/true", share="slurm")).id
        assert client.wait(first, timeout=60).state == "finished"
        ballast = _fill(small_disk)
        id = client.submit(Description(executable="/bin/sh", arguments=["-c", "echo ran > ran"], share="slurm")).id
        done = client.wait(id, timeout=60)
        assert done.state == "failed", (done, list(client.events(id)))
        assert "could not write into the spool" in (done.reason or "")
        assert "ran" not in [entry.path for entry in client.list_files(id)]
        ballast.unlink()
        client.restart(id)
        assert client.wait(id, timeout=60).state == "finished"
        assert client.read_file(id, "ran") == b"ran\n"
