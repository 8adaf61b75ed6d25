"""The gsissh transport: whom it believes, who is let in, what it starts, and what happens when connections break.

The program is GSI-OpenSSH's where that is installed (make check-gsissh does it), with its server; elsewhere a stand-in
that verifies proxies as the grid's programs do and goes on as the real ssh. See tests/servers/gsissh.py.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from argosy import Job, JobExecutor, JobSpec, JobState
from argosy.delegation.proxies import request, sign
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig
from argosy.model import Command, Unavailable
from argosy.transport import Credential, Transport, open_transport
from argosy.transport.gsissh import GSISSHTransport
from argosy.transport.shell import backoff, sessions
from argosy.transport.shell.backoff import LoginRefused
from tests.servers.gsissh import Gsissh, install
from tests.servers.sshd import Sshd, make_key, running

pytestmark = [pytest.mark.anyio, pytest.mark.ssh]

TRUE = Command(("true",))
ALICE = "/O=Grid/OU=argosy/CN=Alice Example"


@pytest.fixture
def proxy(gsissh: Gsissh, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The test's own copy of Alice's proxy, which gsissh finds."""
    file = tmp_path / "proxy"
    file.write_bytes((gsissh.directory / "proxy").read_bytes())
    file.chmod(0o600)
    monkeypatch.setenv("PATH", gsissh.path)
    monkeypatch.setenv("X509_USER_PROXY", str(file))
    return file


@pytest.fixture
def own(gsissh: Gsissh, proxy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A server and a program of the test's own."""
    with running(tmp_path / "own-sshd") as server:
        users = {ALICE: (server.user_key, server.user)}
        made = install(tmp_path / "own", gsissh.grid, server, users)
        monkeypatch.setenv("PATH", made.path)
        yield server, made


class Lent(Credential):
    """The proxy that a test says; None where there is none that is good."""

    def __init__(self, file: Callable[[], object]) -> None:
        self._file = file

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Mapping[str, str]]:
        await self.check()
        yield {"X509_USER_PROXY": str(self._file())}

    async def check(self) -> None:
        if self._file() is None:
            raise Unavailable("there is none")


@asynccontextmanager
async def to(gsissh: Gsissh, credential: Credential | None = None) -> AsyncIterator[Transport]:
    transport = GSISSHTransport(gsissh.url, config=gsissh.config, credential=credential)
    try:
        yield transport
    finally:
        await transport.close()


async def refusal(gsissh: Gsissh, kind: type[Unavailable] = LoginRefused) -> str:
    async with to(gsissh) as transport:
        with pytest.raises(kind) as caught:
            await transport.run(TRUE, timeout=20)
        return caught.value.message


def children() -> set[int]:
    """The processes of gsissh that this one has started; the library's own loop may start others meanwhile."""
    here = Path(f"/proc/{os.getpid()}/task")
    found = {int(pid) for task in here.glob("*/children") for pid in read(task).split()}
    return {pid for pid in found if read(Path(f"/proc/{pid}/comm")).strip() in ("gsissh", "ssh")}


def read(file: Path) -> str:
    """What the kernel tells there; empty where the process, or the thread, has ended."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


# -- urls and the program ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("gsissh://", "no gsissh url"),
        ("gsissh://me:secret@host", "password"),
        ("gsissh://host/path", "nothing comes after"),
        ("gsissh://-oProxyCommand=x", "no name of a host"),
        ("gsissh://-lroot@host", "no name of a host"),
        ("gsissh://%2DoProxyCommand=x", "no name of a host"),
        ("gsissh://a%20b@host", "no name of a host"),
        ("gsissh://ho%0Ast", "no name of a host"),
    ],
)
async def test_a_url_that_names_no_host(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        open_transport(url)
    assert "secret" not in str(caught.value)


async def test_without_the_program_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: Path, gsissh: Gsissh
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin")
    (tmp_path / "gsissh").mkdir()
    assert "install GSI-OpenSSH" in await refusal(gsissh, Unavailable)


async def test_neither_asyncssh_nor_a_shell_is_needed_here(proxy: Path, gsissh: Gsissh) -> None:
    script = (
        "import sys, asyncio; sys.modules['asyncssh'] = None\n"
        "from argosy.model import Command; from argosy.transport import open_transport\n"
        "async def main():\n"
        f"    there = open_transport('gsissh://there', config={str(gsissh.config)!r})\n"
        "    print((await there.run(Command(('echo', 'x; id')), timeout=20)).stdout)\n"
        "    await there.close()\n"
        "asyncio.run(main())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("x; id\n\n", "")


async def test_what_it_is_started_with(own: tuple[Sshd, Gsissh], monkeypatch: pytest.MonkeyPatch) -> None:
    _, gsissh = own
    async with to(gsissh) as transport:
        await transport.run(TRUE, timeout=20)
    line = gsissh.lines()
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no", "GSSAPIDelegateCredentials=no"):
        assert f"-o {option} " in line
    assert " -- there echo " in line
    delegating = GSISSHTransport(gsissh.url, config=gsissh.config, delegate=True)
    await delegating.run(TRUE, timeout=20)
    await delegating.close()
    assert "-o GSSAPIDelegateCredentials=yes " in gsissh.lines()


async def test_nothing_of_this_environment_goes_to_it_or_there(
    own: tuple[Sshd, Gsissh], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, gsissh = own
    server.stop()
    server.options["AcceptEnv"] = "*"
    server.start()
    monkeypatch.setenv("LC_LEAK", "x")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nonexistent")
    gsissh.configure("SendEnv *")
    before = children()
    async with to(gsissh) as transport:
        printed = (await transport.run(Command(("env",)), timeout=20)).stdout
        (pid,) = children() - before
        environ = Path(f"/proc/{pid}/environ").read_text()
    assert "LC_LEAK" not in printed + environ
    assert "SSH_AUTH_SOCK" not in environ
    assert "X509_USER_PROXY" in environ


# -- who is believed, and who is let in -------------------------------------------------------------------------------


async def test_an_unknown_host_is_refused_whatever_the_configuration_says(own: tuple[Sshd, Gsissh]) -> None:
    server, gsissh = own
    server.known_hosts.write_text("")
    gsissh.configure("StrictHostKeyChecking no", "GSSAPIKeyExchange no")
    assert "is not known" in await refusal(gsissh)


async def test_a_changed_host_key_is_refused(own: tuple[Sshd, Gsissh], tmp_path: Path) -> None:
    server, gsissh = own
    gsissh.configure("GSSAPIKeyExchange no")
    other = make_key(tmp_path / "other")
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {Path(f'{other}.pub').read_text()}")
    assert "has CHANGED" in await refusal(gsissh)


def _no_proxy(file: Path, gsissh: Gsissh) -> None:
    file.unlink()


def _readable(file: Path, gsissh: Gsissh) -> None:
    file.chmod(0o644)


def _limited(file: Path, gsissh: Gsissh) -> None:
    gsissh.proxy("alice", file, "-limited")


def _expired(file: Path, gsissh: Gsissh) -> None:
    key, asked = request()
    chain = sign(asked, file.read_bytes(), lifetime=-1)
    first, _, rest = chain.partition("-----END CERTIFICATE-----\n")
    file.write_text(f"{first}-----END CERTIFICATE-----\n{key}{rest}")


def _torn(file: Path, gsissh: Gsissh) -> None:
    whole = file.read_text()
    file.write_text(whole[: whole.rindex("-----BEGIN CERTIFICATE-----")])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_no_proxy, "Valid credentials could not be found"),
        (_readable, "Valid credentials could not be found"),
        (_limited, "limited"),
        (_expired, "expired"),
    ],
)
async def test_a_proxy_that_is_not_good_is_refused_in_gsisshs_words(
    proxy: Path, gsissh: Gsissh, spoil, words: str
) -> None:
    spoil(proxy, gsissh)
    said = await refusal(gsissh)
    assert "there does not let you in: " in said
    assert words in said
    assert "debug" not in said


async def test_a_proxy_of_which_the_library_dies(proxy: Path, gsissh: Gsissh) -> None:
    _torn(proxy, gsissh)
    assert "was ended by SIGSEGV" in await refusal(gsissh, Unavailable)


async def test_who_has_no_account_there_is_refused(own: tuple[Sshd, Gsissh]) -> None:
    _, gsissh = own
    (gsissh.directory / "gridmap").write_text("")
    said = await refusal(gsissh)
    assert "there does not let you in: " in said
    assert "Permission denied (gssapi-keyex,gssapi-with-mic). It may have no account" in said


async def test_refused_logins_are_few(own: tuple[Sshd, Gsissh], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "_WAIT_REFUSED", 60.0)
    _, gsissh = own
    (gsissh.directory / "gridmap").write_text("")
    async with to(gsissh) as transport:
        answers = await asyncio.gather(*(transport.run(TRUE, timeout=20) for _ in range(20)), return_exceptions=True)
        assert all(isinstance(answer, Unavailable) for answer in answers)
    assert len(gsissh.lines().splitlines()) == 1


async def test_another_credential_is_tried_at_once(
    own: tuple[Sshd, Gsissh], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "_WAIT_REFUSED", 60.0)
    _, gsissh = own
    newest = tmp_path / "nosuch"

    credential = Lent(lambda: str(newest))

    async with to(gsissh, credential) as transport:
        with pytest.raises(LoginRefused):
            await transport.run(TRUE, timeout=20)
        with pytest.raises(Unavailable, match="next attempt"):
            await transport.run(TRUE, timeout=20)
        newest = gsissh.proxy("alice", tmp_path / "new")
        assert (await transport.run(TRUE, timeout=20)).returncode == 0


async def test_without_a_good_credential_nothing_is_started(own: tuple[Sshd, Gsissh]) -> None:
    _, gsissh = own

    async with to(gsissh, Lent(lambda: None)) as transport:
        with pytest.raises(Unavailable, match="there is none"):
            await transport.run(TRUE, timeout=20)
    assert not (gsissh.directory / "lines").exists()


async def test_a_login_does_not_outlast_its_credential(
    own: tuple[Sshd, Gsissh], proxy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("argosy.transport.gsissh.connection._LOOK", 0.0)
    _, gsissh = own
    good: Path | None = proxy
    before = children()
    async with to(gsissh, Lent(lambda: good)) as transport:
        await transport.watch(str(tmp_path), lambda: None)
        await transport.run(TRUE, timeout=20)
        good = None
        with pytest.raises(Unavailable, match="there is none"):
            await transport.run(TRUE, timeout=20)
        async with asyncio.timeout(10):
            while children() != before:
                await asyncio.sleep(0.05)
        good = proxy
        assert (await transport.run(TRUE, timeout=20)).returncode == 0


async def test_connections_are_not_shared_among_credentials(own: tuple[Sshd, Gsissh], proxy: Path) -> None:
    _, gsissh = own

    one = Lent(lambda: str(proxy))

    other = Lent(lambda: "/nonexistent")

    async with to(gsissh, one) as transport, to(gsissh, other) as second:
        await transport.run(TRUE, timeout=20)
        with pytest.raises(LoginRefused):
            await second.run(TRUE, timeout=20)


# -- sessions, and connections that break -----------------------------------------------------------------------------


async def test_few_logins_are_enough(own: tuple[Sshd, Gsissh]) -> None:
    server, gsissh = own
    async with to(gsissh) as one, to(gsissh) as other:
        await asyncio.gather(*(transport.run(TRUE, timeout=30) for transport in (one, other) for _ in range(20)))
        assert (server.directory / "log").read_text().count("Accepted ") <= 4
        await one.close()
        assert (await other.run(TRUE, timeout=20)).returncode == 0


async def test_many_owners_at_once_are_not_too_many_for_the_host(own: tuple[Sshd, Gsissh], proxy: Path) -> None:
    server, gsissh = own
    server.stop()
    server.options["MaxStartups"] = "10:100:10"
    server.start()
    async with AsyncExitStack() as stack:
        owners = [await stack.enter_async_context(to(gsissh, Lent(lambda: proxy))) for _ in range(24)]
        answers = await asyncio.gather(*(transport.run(TRUE, timeout=50) for transport in owners))
        assert {answer.returncode for answer in answers} == {0}


async def test_somebodys_shell_that_hangs_keeps_nobody_else_waiting(
    own: tuple[Sshd, Gsissh], proxy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argosy.transport.gsissh.connection._AT_ONCE", 1)
    server, gsissh = own
    server.stop()
    hangs = f"mkdir {tmp_path}/hangs 2>/dev/null && cat >/dev/null"
    server.options["ForceCommand"] = f'{hangs}; exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
    server.start()
    async with to(gsissh, Lent(lambda: proxy)) as one, to(gsissh, Lent(lambda: proxy)) as other:
        waiting = asyncio.create_task(one.run(TRUE, timeout=30))
        async with asyncio.timeout(20):
            while not (tmp_path / "hangs").exists():
                await asyncio.sleep(0.02)
        assert (await other.run(TRUE, timeout=10)).returncode == 0
        assert not waiting.done()
        waiting.cancel()


async def test_a_host_that_does_not_answer_keeps_nobody_waiting_for_long(
    own: tuple[Sshd, Gsissh], proxy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argosy.transport.gsissh.connection._AT_ONCE", 1)
    monkeypatch.setattr("argosy.transport.gsissh.connection.CONNECT_TIMEOUT", 0.5)
    server, gsissh = own
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        right = gsissh.config.read_text()
        gsissh.config.write_text(right.replace(f"Port {server.port}", f"Port {silent.getsockname()[1]}"))
        async with to(gsissh, Lent(lambda: proxy)) as one, to(gsissh, Lent(lambda: proxy)) as other:
            waiting = asyncio.create_task(one.run(TRUE, timeout=30))
            kept, _ = await asyncio.to_thread(silent.accept)
            gsissh.config.write_text(right)
            assert (await other.run(TRUE, timeout=15)).returncode == 0
            assert not waiting.done()
            waiting.cancel()
            kept.close()


async def test_a_login_of_which_much_is_told(own: tuple[Sshd, Gsissh]) -> None:
    # More than a pipe holds: the program tells of each of these.
    _, gsissh = own
    gsissh.configure(*("Host there" for _ in range(3000)))
    async with to(gsissh) as transport:
        assert (await transport.run(TRUE, timeout=20)).returncode == 0
    (gsissh.directory / "gridmap").write_text("")
    said = await refusal(gsissh)
    assert "there does not let you in: " in said
    assert "Applying options" not in said


async def test_no_log_is_left_over(own: tuple[Sshd, Gsissh], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, gsissh = own
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    async with to(gsissh) as transport:
        await transport.run(TRUE, timeout=20)
        assert not list(place.iterdir())

    def full(path: str, mode: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.mkfifo", full)
    assert "No space left" in await refusal(gsissh, Unavailable)
    assert not list(place.iterdir())


async def test_what_login_shells_print_is_no_output(own: tuple[Sshd, Gsissh], tmp_path: Path) -> None:
    server, gsissh = own
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/sh\necho Welcome; echo Mail >&2; exec /bin/sh "$@"\n')
    shell.chmod(0o755)
    server.stop()
    server.options["ForceCommand"] = f'{shell} -c "$SSH_ORIGINAL_COMMAND"'
    server.start()
    async with to(gsissh) as transport:
        done = await transport.run(Command(("echo", "x")), timeout=20)
        assert (done.stdout, done.stderr) == ("x\n", "")
        assert await transport.watch(f"{tmp_path}/nosuch", lambda: None) is None


async def test_a_host_without_a_shell_says_so(own: tuple[Sshd, Gsissh]) -> None:
    server, gsissh = own
    server.stop()
    server.options["ForceCommand"] = "echo This account is not available >&2; exit 1"
    server.start()
    assert "ended with 1: This account is not available" in await refusal(gsissh, Unavailable)


async def test_an_answer_lost_with_the_connection_is_not_known(own: tuple[Sshd, Gsissh], tmp_path: Path) -> None:
    server, gsissh = own
    async with to(gsissh) as transport:
        script = 'touch "$1"; while [ ! -e "$2" ]; do sleep 0.1; done'
        command = Command(("sh", "-c", script, "sh", f"{tmp_path}/begun", f"{tmp_path}/go"))
        waiting = asyncio.create_task(transport.run(command, timeout=30))
        async with asyncio.timeout(20):
            while not (tmp_path / "begun").exists():
                await asyncio.sleep(0.02)
        assert server.cut() > 0
        with pytest.raises(Unavailable, match="not known"):
            await waiting
        (tmp_path / "go").touch()
        assert (await transport.run(TRUE, timeout=20)).returncode == 0


async def test_connections_that_broke_while_nobody_used_them(
    own: tuple[Sshd, Gsissh], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As after a while: a shell is not taken to be there because it has just answered.
    monkeypatch.setattr(sessions, "_FRESH", 0.0)
    server, gsissh = own
    async with to(gsissh) as transport:
        await asyncio.gather(*(transport.run(TRUE, timeout=20) for _ in range(5)))
        server.cut()
        answers = await asyncio.gather(*(transport.run(TRUE, timeout=20) for _ in range(6)))
        assert {answer.returncode for answer in answers} == {0}


async def test_a_host_that_is_away_for_a_while(own: tuple[Sshd, Gsissh], tmp_path: Path) -> None:
    server, gsissh = own
    async with to(gsissh) as transport:
        changed = asyncio.Event()
        assert await transport.watch(str(tmp_path), changed.set) is not None
        server.stop()
        answers = [await asyncio.gather(transport.run(TRUE, timeout=5), return_exceptions=True) for _ in range(3)]
        assert all(isinstance(answer, Unavailable) for (answer,) in answers)
        (tmp_path / "meanwhile").touch()
        server.start()
        await asyncio.wait_for(changed.wait(), 60)


async def test_a_file_that_arrives_in_part_is_not_written(own: tuple[Sshd, Gsissh], tmp_path: Path) -> None:
    server, gsissh = own
    async with to(gsissh) as transport:
        await transport.run(TRUE, timeout=20)
        writing = asyncio.create_task(transport.write(f"{tmp_path}/f", bytes(100_000_000)))
        async with asyncio.timeout(30):
            while not list(tmp_path.glob("f.*")):
                await asyncio.sleep(0.01)
        server.cut()
        with pytest.raises(Unavailable):
            await writing
        assert not (tmp_path / "f").exists()


async def test_nothing_is_left_over(own: tuple[Sshd, Gsissh], tmp_path: Path) -> None:
    _, gsissh = own
    before = children()
    async with to(gsissh) as transport:
        await transport.watch(str(tmp_path), lambda: None)
        waiting = asyncio.create_task(transport.run(Command(("sleep", "60")), timeout=50))
        await asyncio.gather(*(transport.run(TRUE, timeout=20) for _ in range(3)))
        assert children() > before
        waiting.cancel()
        assert (await transport.run(TRUE, timeout=20)).returncode == 0
    assert children() == before


async def test_they_die_with_us(own: tuple[Sshd, Gsissh], tmp_path: Path) -> None:
    _, gsissh = own
    script = (
        "import asyncio, sys; from argosy.model import Command; from argosy.transport import open_transport\n"
        "async def main():\n"
        f"    there = open_transport('gsissh://there', config={str(gsissh.config)!r})\n"
        f"    await there.watch({str(tmp_path)!r}, lambda: None)\n"
        "    await there.run(Command(('true',)), timeout=20)\n"
        "    print('up', flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        theirs = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        assert len(theirs) == 2
        process.send_signal(signal.SIGKILL)
    async with asyncio.timeout(20):
        while any(Path(f"/proc/{pid}/exe").exists() for pid in theirs):
            await asyncio.sleep(0.05)


# -- whole ------------------------------------------------------------------------------------------------------------


@pytest.mark.slurm
def test_psij_jobs_on_slurm(proxy: Path, gsissh: Gsissh, slurm: None, tmp_path: Path) -> None:
    config = BatchExecutorConfig(
        work_directory=tmp_path / "work", batch=BatchConfig(poll=1.0), ssh_config=gsissh.config
    )
    executor = JobExecutor.get_instance("slurm", url=gsissh.url, config=config)
    jobs = [Job(JobSpec("/bin/sh", ["-c", "echo $0; exit 3", "a b"], stdout_path=tmp_path / "out"))]
    jobs.append(Job(JobSpec("/bin/sleep", ["60"])))
    for job in jobs:
        executor.submit(job)
    done = jobs[0].wait(timedelta(seconds=60))
    assert done is not None
    assert (done.state, done.exit_code) == (JobState.FAILED, 3)
    assert (tmp_path / "out").read_text() == "a b\n"
    jobs[1].cancel()
    ended = jobs[1].wait(timedelta(seconds=60))
    assert ended is not None
    assert ended.state is JobState.CANCELED
