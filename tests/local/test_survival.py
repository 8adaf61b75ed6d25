"""Nothing is lost, and nothing runs twice, whoever is killed."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from argosy.executors.contract import JobRequest
from argosy.executors.local import daemon
from argosy.executors.local.daemon import DaemonError, connect
from argosy.executors.local.job import Job
from argosy.executors.local.journal import Journal
from argosy.executors.local.spawn import prepare, reap, start
from argosy.model import InvalidStateException, JobSpec, Outcome, Phase
from tests.waiting import until_async as until

from .conftest import Bench, alive, handle, new_reaper

pytestmark = pytest.mark.anyio


def appender(file: Path, tag: str) -> JobSpec:
    return JobSpec("/bin/sh", ["-c", 'echo "$1" >> "$2"; exit 3', "sh", tag, str(file)])


def gone(pid: int) -> bool:
    return not alive(pid)


async def test_a_thousand_jobs_none_lost_none_doubled(bench: Bench, tmp_path):
    tags = [f"j{i}" for i in range(1000)]
    requests = [JobRequest(tag, appender(tmp_path / "ran", tag)) for tag in tags]
    # Every request is made twice.
    assert await bench.driver.submit([*requests, *requests[:500]]) == [*tags, *tags[:500]]
    await bench.driver.submit(requests[500:])
    reports = await bench.seen(*tags, seconds=60)
    assert {(report.outcome, report.exit_code) for report in reports} == {(Outcome.EXITED, 3)}
    assert Counter((tmp_path / "ran").read_text().split()) == Counter(tags)
    ends = Counter(report.tag for report in bench.reports if report.phase is Phase.ENDED)
    assert set(ends.values()) == {1}
    children = Path(f"/proc/{bench.pid}/task/{bench.pid}/children").read_text()
    assert children == ""  # no zombies
    assert len(os.listdir(f"/proc/{bench.pid}/fd")) < 16
    await bench.driver.forget([handle(tag) for tag in tags])
    assert await bench.driver.find(tags) == {}
    assert (await bench.driver.status())["jobs"] == 0


async def test_the_same_tag_runs_once_even_after_it_ended(bench: Bench, tmp_path):
    request = JobRequest("once", appender(tmp_path / "ran", "once"))
    await bench.driver.submit([request])
    await bench.seen("once")
    assert await bench.driver.submit([request]) == ["once"]
    assert await bench.driver.find(["once", "never"]) == {"once": "once"}
    assert (tmp_path / "ran").read_text() == "once\n"


async def test_no_defect_while_connecting_again_keeps_the_reaper_out_of_reach(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    ensure, failed = daemon.ensure, []

    def fails_once(*args, **options):
        if not failed:
            failed.append(True)
            raise RuntimeError("can't start new thread")
        return ensure(*args, **options)

    monkeypatch.setattr(daemon, "ensure", fails_once)
    os.kill(bench.pid, signal.SIGKILL)
    bench.pid = await new_reaper(bench.driver)
    assert failed
    assert "can't start new thread" in caplog.text
    assert (await bench.run("/bin/sh", "-c", "exit 3")).exit_code == 3


async def test_only_ended_jobs_are_forgotten(bench: Bench):
    await bench.submit("job", "/bin/sleep", "300")
    with pytest.raises(InvalidStateException, match="cannot forget job: it is"):
        await bench.driver.forget([handle("job")])
    assert await bench.driver.find(["job"]) == {"job": "job"}


CLIENT = """
import asyncio, sys
from argosy.executors.contract import JobRequest
from argosy.executors.local import LocalDriver
from argosy.model import JobSpec
async def main():
    driver = LocalDriver(sys.argv[1], slots=2)
    async def ignore(reports):
        pass
    await driver.open(ignore)
    script = 'until [ -e "$1" ]; do sleep 0.02; done; exit "$2"'
    jobs = [JobRequest(f"c{i}", JobSpec("/bin/sh", ["-c", script, "sh", sys.argv[2], str(i)])) for i in range(20)]
    await driver.submit(jobs)
    print("submitted", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_a_killed_client_loses_nothing(tmp_path, bench_at):
    argv = [sys.executable, "-c", CLIENT, str(tmp_path / "reaper"), str(tmp_path / "go")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as client:
        assert await asyncio.to_thread(client.stdout.readline) == b"submitted\n"
        os.killpg(client.pid, signal.SIGKILL)
    (tmp_path / "go").touch()
    bench = bench_at(tmp_path / "reaper")
    tags = [f"c{i}" for i in range(20)]
    bench.driver.watch([handle(tags[0])])
    await bench.open()
    assert await bench.driver.find([*tags, "no"]) == {tag: tag for tag in tags}
    bench.driver.watch(map(handle, tags))
    reports = await bench.seen(*tags)
    assert [(report.outcome, report.exit_code) for report in reports] == [(Outcome.EXITED, i) for i in range(20)]
    await bench.driver.close()


async def test_a_killed_reaper_loses_exit_codes_but_runs_nothing_twice(bench: Bench, tmp_path):
    done = JobRequest("done", appender(tmp_path / "ran", "done"))
    await bench.driver.submit([done])
    await bench.seen("done")
    script = 'echo "$1" >> ran; until [ -e "$2" ]; do sleep 0.02; done'
    for tag, flag in [("a", "/"), ("b", "go"), ("queued", "/")]:
        argv = [script, "sh", tag, flag if flag != "/" else "go-a"]
        await bench.submit(tag, "/bin/sh", "-c", *argv, directory=tmp_path)
    # They run side by side, and either may be the first to say so.
    await until(lambda: set((tmp_path / "ran").read_text().split()) == {"done", "a", "b"}, "a and b run")
    os.kill(bench.pid, signal.SIGKILL)
    await until(lambda: gone(bench.pid), "the reaper is gone")
    (tmp_path / "go").touch()  # b may end while nobody watches
    bench.pid = await new_reaper(bench.driver)
    (b,) = await bench.seen("b")
    assert (b.outcome, b.exit_code) == (Outcome.LOST, None)
    assert "exit code is not known" in b.message
    running = {r.tag for r in bench.reports if r.phase is Phase.ENDED}
    assert "a" not in running  # it still runs, and is watched
    assert "a" in await bench.driver.list_jobs()
    (tmp_path / "go-a").touch()
    a, queued = await bench.seen("a", "queued")
    assert a.outcome is Outcome.LOST
    assert (queued.outcome, queued.exit_code) == (Outcome.EXITED, 0)  # accepted is accepted
    bench.driver.watch([handle("done")])
    assert await bench.driver.submit([done, JobRequest("a", JobSpec("/usr/bin/touch", [str(tmp_path / "no")]))]) == [
        "done",
        "a",
    ]
    await bench.submit("last", "/bin/true")
    await bench.seen("last")
    first, *both, last = (tmp_path / "ran").read_text().split()
    assert (first, sorted(both), last) == ("done", ["a", "b"], "queued")
    assert not (tmp_path / "no").exists()
    again = [r for r in bench.reports if r.tag == "done" and r.phase is Phase.ENDED]
    assert [(r.outcome, r.exit_code) for r in again] == [(Outcome.EXITED, 3)] * 2


async def test_a_job_of_a_killed_reaper_can_be_cancelled(bench: Bench, tmp_path):
    await bench.submit("long", "/bin/sh", "-c", "echo $$ > p; mv p pid; sleep 300", directory=tmp_path)
    await until((tmp_path / "pid").exists, "it runs")
    os.kill(bench.pid, signal.SIGKILL)
    await until(lambda: gone(bench.pid), "the reaper is gone")
    bench.pid = await new_reaper(bench.driver)  # what is sent into the old one's connection is lost
    assert await bench.driver.control("cancel", [handle("long")]) == [None]
    assert (await bench.seen("long"))[0].outcome is Outcome.CANCELLED
    pid = int((tmp_path / "pid").read_text())
    await until(lambda: gone(pid), "its process is gone")


async def test_reports_are_delivered_again_when_that_failed(tmp_path, bench_at):
    bench = bench_at(tmp_path / "reaper", slots=1)
    failures = iter([RuntimeError("not now")])
    take = bench._on_reports

    async def refuse_once(reports):
        for error in failures:
            raise error
        await take(reports)

    bench._on_reports = refuse_once
    await bench.open()
    await bench.submit("job", "/bin/true")
    await bench.seen("job")
    assert [r.phase for r in bench.reports] == [Phase.RUNNING, Phase.ENDED]
    await bench.driver.close()


async def test_one_reaper_a_directory_and_it_ends_when_nobody_needs_it(tmp_path, bench_at):
    benches = [bench_at(tmp_path / "reaper", slots=2) for _ in range(4)]
    await asyncio.gather(*(bench.open() for bench in benches))
    assert len({bench.pid for bench in benches}) == 1
    mode = stat.S_IMODE
    assert mode(os.stat(tmp_path / "reaper").st_mode) == 0o700
    for name in ("socket", "journal", "lock", "reaper.log"):
        assert mode(os.stat(tmp_path / "reaper" / name).st_mode) == 0o600
    for bench in benches:
        await bench.driver.close()
    await until(lambda: gone(benches[0].pid), "the idle reaper has ended")
    with pytest.raises(FileNotFoundError):
        connect(str(tmp_path / "reaper"))


async def test_a_reaper_that_was_asked_to_end_waits_for_its_jobs(bench: Bench, tmp_path):
    await bench.submit("job", "/bin/sh", "-c", "until [ -e go ]; do sleep 0.02; done; exit 5", directory=tmp_path)
    await bench.seen("job", phase=Phase.RUNNING)
    os.kill(bench.pid, signal.SIGTERM)
    assert not gone(bench.pid)
    (tmp_path / "go").touch()
    assert (await bench.seen("job"))[0].exit_code == 5
    await until(lambda: gone(bench.pid), "the reaper has ended")
    bench.pid = await new_reaper(bench.driver)  # a new one


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_other_users_are_turned_away(bench: Bench, tmp_path):
    path = tmp_path / "reaper"
    for parent in [path, *path.parents]:
        if os.stat(parent).st_uid == 0 and not os.stat(parent).st_mode & 0o001:
            parent.chmod(0o711)
    (path / "socket").chmod(0o666)
    code = (
        "import os, socket, sys\nos.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        'try:\n s.sendall(b\'{"id":1,"do":"status"}\\n\'); print(s.recv(100))\n'
        "except (ConnectionResetError, BrokenPipeError): print(b'')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path / "socket")], capture_output=True, check=True)
    assert done.stdout == b"b''\n"
    assert (await bench.driver.status())["pid"] == bench.pid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount /proc anew")
async def test_processes_of_others_may_be_hidden():
    """Where /proc is mounted with hidepid=1 others' processes are listed there, and cannot be looked at."""
    code = (
        "import os\nfrom argosy.executors.local.processes import Table, open_process\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "assert not {1, os.getppid()} & set(Table().processes)\n"
        "assert open_process(1, 0) is None\n"
        "print('ok')"
    )
    # Another mount on top: what is there already is the whole machine's.
    script = 'mount -t proc -o hidepid=1 proc /proc || exit 77; "$@"'
    words = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"/proc cannot be mounted anew: {done.stderr}")
    assert done.stdout == "ok\n", done.stderr


async def test_a_directory_that_others_may_write_to_is_refused(tmp_path, bench_at):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(Exception, match="others may write"):
        await bench_at(tmp_path / "open").open()
    assert issubclass(DaemonError, Exception)


async def test_nonsense_on_the_socket_harms_nobody(bench: Bench):
    connection = connect(str(bench.directory))
    with connection, connection.makefile("rwb") as file:
        for line in [b"{", b"[]", b'{"do":"what"}', b'{"do":"submit"}', b'{"do":"submit","environ":{},"jobs":[[1]]}',
                     b'{"do":"slots","slots":0}', b'{"do":"find","tags":3}']:  # fmt: skip
            file.write(line + b"\n")
            file.flush()
            assert b'"error"' in file.readline(), line
    assert (await bench.run("/bin/true")).exit_code == 0


def test_the_journal_survives_a_torn_line_and_rewriting(tmp_path):
    said: list[str] = []
    journal = Journal(str(tmp_path), said.append)
    assert journal.read() == ({}, None)
    wires = [[tag, 1, 5.0, True, ["/bin/true"], "/", {"A": "\udcff"}, None, None, None] for tag in ("q", "r", "s", "f")]
    for record in [
        ("boot", "b1"), ("submit", {"BASE": "1"}, wires), ("hold", "q"), ("claim", "r", 6.0, 1),
        ("start", "r", 42, 7, 8, 6.5), ("claim", "s", 6.0, 1), ("exit", "s", {"outcome": "exited", "time": 9.0}),
        ("claim", "f", 1.0, 1), ("forget", "f"),
    ]:  # fmt: skip
        journal.add(*record)
    journal.write(sync=True)
    with (tmp_path / "journal").open("ab") as file:
        file.write(b'garbage\n["claim","q",')

    def check(jobs: dict[str, Job], boot: str | None) -> None:
        assert boot == "b1"
        assert {tag: job.phase for tag, job in jobs.items()} == {"q": "held", "r": "running", "s": "ended"}
        assert jobs["q"].prepared.base == {"BASE": "1"}
        assert jobs["q"].prepared.changes == {"A": "\udcff"}
        assert (jobs["r"].pid, jobs["r"].start_window, jobs["r"].started) == (42, (7, 8), 6.5)
        assert jobs["s"].result == {"outcome": "exited", "time": 9.0}

    jobs, boot = Journal(str(tmp_path), said.append).read()
    check(jobs, boot)
    assert len(said) == 2
    assert "garbage" in said[0]
    assert "cut off" in said[1]
    Journal(str(tmp_path), said.append).rewrite(jobs.values(), "b1")
    check(*Journal(str(tmp_path), said.append).read())
    assert len(said) == 2


def test_after_a_reboot_nothing_runs_again(tmp_path, anyio_backend):
    async def main() -> None:
        journal = Journal(str(tmp_path), print)
        journal.read()
        wires = [[tag, 1, 5.0, True, ["/usr/bin/touch", tag], str(tmp_path), {}, None, None, None] for tag in "cq"]
        journal.add("boot", "another")
        journal.add("submit", {}, wires)
        journal.add("claim", "c", 6.0, 1)
        journal.write(sync=True)
        tmp_path.chmod(0o700)
        bench = Bench(tmp_path, slots=1)
        bench.driver.watch([handle("c"), handle("q")])
        await bench.open()
        c, q = await bench.seen("c", "q")
        assert (c.outcome, q.outcome) == (Outcome.LOST, Outcome.EXITED)
        assert "machine went down" in c.message
        assert not (tmp_path / "c").exists()
        assert (tmp_path / "q").exists()
        await bench.driver.forget([handle("c"), handle("q")])
        await bench.driver.close()
        await until(lambda: gone(bench.pid), "the reaper has ended")

    asyncio.run(main())


async def test_a_full_disk_stops_starting_and_loses_nothing(bench: Bench, tmp_path):
    unlimited = resource.prlimit(bench.pid, resource.RLIMIT_FSIZE)
    await bench.submit("before", "/bin/sh", "-c", "until [ -e go ]; do sleep 0.02; done; exit 3", directory=tmp_path)
    await bench.seen("before", phase=Phase.RUNNING)
    size = os.stat(bench.directory / "journal").st_size
    resource.prlimit(bench.pid, resource.RLIMIT_FSIZE, (size + 10, unlimited[1]))
    submitting = asyncio.create_task(bench.submit("after", "/bin/sh", "-c", "exit 4"))
    log = bench.directory / "reaper.log"
    await until(lambda: "cannot be written" in log.read_text(), "the reaper notices")
    (tmp_path / "go").touch()
    assert not submitting.done()
    assert os.stat(bench.directory / "journal").st_size == size
    resource.prlimit(bench.pid, resource.RLIMIT_FSIZE, unlimited)
    await submitting
    before, after = await bench.seen("before", "after")
    assert (before.exit_code, after.exit_code) == (3, 4)


async def test_killed_between_claim_and_start_record(tmp_path, bench_at):
    """The job whose process is there is found by its tag; that without one may have run and is lost."""
    tmp_path.chmod(0o700)
    journal = Journal(str(tmp_path), print)
    journal.read()
    wires = [[tag, 1, 5.0, True, ["/usr/bin/touch", tag], str(tmp_path), {}, None, None, None] for tag in "xy"]
    journal.add("boot", Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    journal.add("submit", {}, wires)
    journal.add("claim", "x", 6.0, 1)
    journal.add("claim", "y", 6.0, 1)
    journal.write(sync=True)
    started = start(prepare(JobSpec("/bin/sleep", ["300"]), "/", os.environ, "y"))
    try:
        bench = bench_at(tmp_path, slots=2)
        bench.driver.watch([handle("x"), handle("y")])
        await bench.open()
        (x,) = await bench.seen("x")
        assert x.outcome is Outcome.LOST
        assert "whether it ran is not known" in x.message
        assert await bench.driver.list_jobs() == ["y"]
        await bench.driver.control("cancel", [handle("y")])
        assert (await bench.seen("y"))[0].outcome is Outcome.CANCELLED
    finally:
        os.close(started.pidfd)
        assert reap(started.pid).signal in (signal.SIGTERM, signal.SIGKILL)
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "y").exists()
    await bench.driver.close()
