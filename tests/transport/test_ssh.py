"""The ssh transport against a real sshd: whom it believes, who is let in, and what happens when connections break."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from argosy.model import Command, Unavailable
from argosy.transport import Transport, open_transport
from argosy.transport.shell import sessions
from tests.servers.sshd import Sshd, make_key, running
from tests.waiting import until_async as until

pytestmark = [pytest.mark.anyio, pytest.mark.ssh]

TRUE = Command(("true",))


@pytest.fixture
def own(sshd: Sshd, tmp_path: Path):
    """A server of the test's own, which it may stop and cut."""
    with running(tmp_path / "own-sshd") as server:
        yield server


@asynccontextmanager
async def to(server: Sshd) -> AsyncIterator[Transport]:
    transport = open_transport(server.url, config=server.config)
    try:
        yield transport
    finally:
        await transport.close()


async def refusal(server: Sshd) -> str:
    async with to(server) as transport:
        with pytest.raises(Unavailable) as caught:
            await transport.run(TRUE, timeout=20)
        return caught.value.message


# -- urls -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("gopher://host", "begins with one of"),
        ("host", "begins with one of"),
        ("ssh://", "no ssh url"),
        ("ssh://me:secret@host", "password"),
        ("ssh://host/path", "nothing comes after"),
        ("ssh://host:port", "no ssh url"),
    ],
)
async def test_a_url_that_names_no_host(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        open_transport(url)
    assert "secret" not in str(caught.value)


def test_asyncssh_is_imported_only_for_ssh_and_missed_in_words() -> None:
    script = (
        "import sys, argosy; argosy.JobExecutor.get_instance('slurm'); assert 'asyncssh' not in sys.modules\n"
        "sys.modules['asyncssh'] = None\n"
        "try: argosy.JobExecutor.get_instance('slurm', url='ssh://host')\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'argosy[ssh]'" in done.stdout


# -- who is believed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("files", ["none", "/dev/null", "/nonexistent/known_hosts"])
@pytest.mark.parametrize("strict", ["no", "accept-new", None])
async def test_an_unknown_host_is_refused_whatever_the_configuration_says(own: Sshd, files: str, strict: str) -> None:
    own.write_config(UserKnownHostsFile=files, StrictHostKeyChecking=strict)
    words = await refusal(own)
    assert "is not known" in words
    assert f"ssh -p {own.port} {own.user}@127.0.0.1" in words
    shown = subprocess.run(["ssh-keygen", "-lf", own.host_key], capture_output=True, text=True, check=True).stdout
    assert shown.split()[1] in words


async def test_a_changed_host_key_is_refused(own: Sshd, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    own.known_hosts.write_text(f"[127.0.0.1]:{own.port} {Path(f'{other}.pub').read_text()}")
    assert "has CHANGED" in await refusal(own)


async def test_an_odd_line_in_known_hosts_concerns_that_line(own: Sshd, caplog: pytest.LogCaptureFixture) -> None:
    own.known_hosts.write_text("@nonsense x y\nhost\n\xff\n" + own.known_hosts.read_text(), "latin-1")
    async with to(own) as transport:
        assert (await transport.run(TRUE, timeout=20)).returncode == 0
    assert "line 1" in caplog.text


async def test_host_key_alias_hashed_names_and_global_files(own: Sshd, tmp_path: Path) -> None:
    key = Path(f"{own.host_key}.pub").read_text()
    (tmp_path / "global").write_text(f"the-cluster {key}")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", tmp_path / "global"], check=True, capture_output=True)
    own.write_config(UserKnownHostsFile="none", GlobalKnownHostsFile=tmp_path / "global", HostKeyAlias="the-cluster")
    async with to(own) as transport:
        assert (await transport.run(TRUE, timeout=20)).returncode == 0


async def test_a_certified_host(own: Sshd, tmp_path: Path) -> None:
    authority = make_key(tmp_path / "ca")
    subprocess.run(
        ["ssh-keygen", "-q", "-s", authority, "-I", "x", "-h", "-n", "127.0.0.1", f"{own.host_key}.pub"], check=True
    )
    own.stop()
    own.options["HostCertificate"] = f"{own.host_key}-cert.pub"
    own.start()
    own.known_hosts.write_text(f"@cert-authority [127.0.0.1]:* {Path(f'{authority}.pub').read_text()}")
    async with to(own) as transport:
        assert (await transport.run(TRUE, timeout=20)).returncode == 0


# -- who is let in ----------------------------------------------------------------------------------------------------


async def test_a_wrong_key_is_refused_in_sshs_words(own: Sshd, tmp_path: Path) -> None:
    own.write_config(IdentityFile=make_key(tmp_path / "stranger"))
    words = await refusal(own)
    assert "does not let you in" in words
    assert "Permission denied" in words


async def test_a_key_with_a_passphrase_is_never_asked_for(own: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", "secret")
    own.trust(Path(f"{key}.pub"))
    own.write_config(IdentityFile=key)
    words = await refusal(own)
    assert "has a passphrase" in words
    assert "ssh-add" in words


def listens(path: Path) -> bool:
    """Whether somebody can be reached at it: the file is there before that."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


async def test_a_key_with_a_passphrase_in_an_agent(own: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", "secret")
    own.trust(Path(f"{key}.pub"))
    place = tmp_path / "agent"
    ask = tmp_path / "ask"
    ask.write_text("#!/bin/sh\necho secret\n")
    ask.chmod(0o700)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", place], stdout=subprocess.DEVNULL)
    try:
        await until(lambda: agent.poll() is not None or listens(place))
        environ = {
            "SSH_AUTH_SOCK": str(place),
            "SSH_ASKPASS": str(ask),
            "SSH_ASKPASS_REQUIRE": "force",
            "PATH": "/usr/bin:/bin",
        }
        subprocess.run(["ssh-add", "-q", key], env=environ, check=True, stdin=subprocess.DEVNULL, timeout=20)
        own.write_config(IdentityFile=key, IdentityAgent=place)
        async with to(own) as transport:
            assert (await transport.run(TRUE, timeout=20)).returncode == 0
    finally:
        agent.kill()
        agent.wait()


async def test_a_user_certificate_and_identity_files_that_are_not_there(own: Sshd, tmp_path: Path) -> None:
    authority, key = make_key(tmp_path / "ca"), make_key(tmp_path / "certified")
    subprocess.run(["ssh-keygen", "-q", "-s", authority, "-I", "x", "-n", own.user, f"{key}.pub"], check=True)
    (tmp_path / "certified-cert.pub").rename(tmp_path / "elsewhere.pub")
    own.stop()
    own.options["TrustedUserCAKeys"] = f"{authority}.pub"
    own.start()
    extra = f"Host there\n    IdentityFile {tmp_path}/nosuch\n"
    own.write_config(extra, IdentityFile=key, CertificateFile=tmp_path / "elsewhere.pub")
    async with to(own) as transport:
        assert (await transport.run(TRUE, timeout=20)).returncode == 0


async def test_hops(own: Sshd) -> None:
    hop = f"{own.user}@127.0.0.1:{own.port}"
    settings = f"IdentityFile {own.user_key}\n    UserKnownHostsFile {own.known_hosts}"
    extra = f"Host behind\n    ProxyJump {hop},{hop}\nHost *\n    {settings}"
    own.write_config(extra.replace("Host behind", "Host there", 1))
    async with to(own) as transport:
        assert (await transport.run(TRUE, timeout=20)).returncode == 0
    log = (own.directory / "log").read_text()
    assert log.count("Accepted publickey") >= 3


async def test_a_hop_that_is_not_believed(own: Sshd, tmp_path: Path) -> None:
    lines = ["Host hop", "HostName 127.0.0.1", f"Port {own.port}", "UserKnownHostsFile none"]
    own.write_config("\n".join([*lines, f"IdentityFile {own.user_key}"]), ProxyJump="hop")
    assert "is not known" in await refusal(own)


async def test_hops_that_go_round(own: Sshd) -> None:
    own.write_config(ProxyJump="there")
    assert "goes round" in await refusal(own)


# -- sessions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sessions", [1, 2])
async def test_few_sessions_are_enough(sshd: Sshd, tmp_path: Path, sessions: int) -> None:
    with running(tmp_path / "few", MaxSessions=sessions) as server:
        async with to(server) as transport, to(server) as other:
            changed = asyncio.Event()
            stops = [await one.watch(str(tmp_path), changed.set) for one in (transport, other)]
            done = await asyncio.gather(
                *(one.run(Command(("echo", str(n))), timeout=60) for n in range(10) for one in (transport, other))
            )
            assert [int(one.stdout) for one in done] == [n for n in range(10) for _ in range(2)]
            if sessions == 2:
                (tmp_path / "new").touch()
                await asyncio.wait_for(changed.wait(), 60)
            for stop in stops:
                if stop is not None:
                    stop()


async def test_what_login_shells_print_is_no_output(sshd: Sshd, tmp_path: Path) -> None:
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/sh\necho Welcome; echo Mail >&2; exec /bin/sh "$@"\n')
    shell.chmod(0o755)
    with running(tmp_path / "noisy", ForceCommand=f'{shell} -c "$SSH_ORIGINAL_COMMAND"') as server:
        async with to(server) as transport:
            done = await transport.run(Command(("echo", "x")), timeout=20)
            assert (done.stdout, done.stderr) == ("x\n", "")
            (tmp_path / "d").mkdir()
            (tmp_path / "d" / "f").write_bytes(b"y")
            assert await transport.collect(str(tmp_path / "d")) == [("f", b"y")]
            assert await transport.watch(f"{tmp_path}/nosuch", lambda: None) is None


async def test_a_host_without_a_shell_says_so(sshd: Sshd, tmp_path: Path) -> None:
    with running(tmp_path / "none", ForceCommand="echo This account is not available >&2; exit 1") as server:
        assert "not available" in await refusal(server)


async def test_nothing_of_this_environment_goes_there(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_LEAK", "x")
    with running(tmp_path / "env", AcceptEnv="*") as server:
        server.write_config(SendEnv="LC_*", SetEnv="OTHER=y")
        async with to(server) as transport:
            printed = (await transport.run(Command(("env",)), timeout=20)).stdout
    assert "LC_LEAK" not in printed
    assert "SSH_CONNECTION" not in printed
    assert "HOME=" in printed


# -- connections that break -------------------------------------------------------------------------------------------


async def test_one_connection_for_all(own: Sshd) -> None:
    async with to(own) as one, to(own) as other:
        await asyncio.gather(*(transport.run(TRUE, timeout=20) for transport in (one, other) for _ in range(5)))
        assert (own.directory / "log").read_text().count("Accepted publickey") == 1
        await one.close()
        assert (await other.run(TRUE, timeout=20)).returncode == 0


async def test_an_answer_lost_with_the_connection_is_not_known(own: Sshd, tmp_path: Path) -> None:
    async with to(own) as transport:
        command = Command(
            (
                "sh",
                "-c",
                'touch "$1"; while [ ! -e "$2" ]; do sleep 0.1; done',
                "sh",
                f"{tmp_path}/begun",
                f"{tmp_path}/go",
            )
        )
        waiting = asyncio.create_task(transport.run(command, timeout=30))
        async with asyncio.timeout(20):
            while not (tmp_path / "begun").exists():
                await asyncio.sleep(0.02)
        assert own.cut() > 0
        with pytest.raises(Unavailable, match="not known"):
            await waiting
        (tmp_path / "go").touch()
        # The next one connects again.
        assert (await transport.run(TRUE, timeout=20)).returncode == 0


async def test_a_connection_that_broke_while_nobody_used_it(own: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    # As after a while: a shell is not taken to be there because it has just answered.
    monkeypatch.setattr(sessions, "_FRESH", 0.0)
    async with to(own) as transport:
        for _ in range(2):
            await transport.run(TRUE, timeout=20)
            own.cut()
        answers = await asyncio.gather(*(transport.run(TRUE, timeout=20) for _ in range(10)))
        assert {answer.returncode for answer in answers} == {0}


async def test_connections_that_break_all_the_time(own: Sshd) -> None:
    async with to(own) as transport:
        answered = 0
        for _ in range(10):
            for answer in await asyncio.gather(
                *(transport.run(TRUE, timeout=20) for _ in range(5)), return_exceptions=True
            ):
                assert isinstance(answer, Unavailable) or answer.returncode == 0
                answered += not isinstance(answer, Unavailable)
            own.cut()
        assert answered >= 10


async def test_a_host_that_is_away_for_a_while(own: Sshd, tmp_path: Path) -> None:
    async with to(own) as transport:
        changed = asyncio.Event()
        stop = await transport.watch(str(tmp_path), changed.set)
        assert stop is not None
        own.stop()
        answers = [await asyncio.gather(transport.run(TRUE, timeout=5), return_exceptions=True) for _ in range(5)]
        assert all(isinstance(answer, Unavailable) for (answer,) in answers)
        (tmp_path / "meanwhile").touch()
        own.start()
        await asyncio.wait_for(changed.wait(), 60)
        changed.clear()
        (tmp_path / "after").touch()
        await asyncio.wait_for(changed.wait(), 60)
        stop()


async def test_a_file_that_arrives_in_part_is_not_written(own: Sshd, tmp_path: Path) -> None:
    async with to(own) as transport:
        await transport.run(TRUE, timeout=20)
        writing = asyncio.create_task(transport.write(f"{tmp_path}/f", bytes(200_000_000)))
        async with asyncio.timeout(30):
            while not list(tmp_path.glob("f.*")):
                await asyncio.sleep(0.01)
        own.cut()
        with pytest.raises(Unavailable):
            await writing
        assert not (tmp_path / "f").exists()


async def test_the_watching_process_ends_with_its_connection(own: Sshd, tmp_path: Path) -> None:
    def watching() -> list[str]:
        found = subprocess.run(["pgrep", "-f", str(tmp_path / "seen")], capture_output=True, text=True, check=False)
        return found.stdout.split()

    (tmp_path / "seen").mkdir()
    async with to(own) as transport:
        await transport.watch(str(tmp_path / "seen"), lambda: None)
        assert watching()
        own.cut()
    async with asyncio.timeout(20):
        while watching():
            await asyncio.sleep(0.1)
