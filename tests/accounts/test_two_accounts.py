"""A service without any rights, and two users of it, each of whose files and jobs belong to their own account."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.servers.accounts import PLACE, SERVICE, USERS, as_account
from tests.waiting import until

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(180), pytest.mark.usefixtures("slurm", "accounts")]

A, B = USERS


class Site:
    """A service that runs as argosy-svc, and tokens of users whose accounts are argosy-a and argosy-b."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[bytes] | None = None
        (home / "argosy.toml").write_text(
            f"""
            [outbound]
            allow = ["127.0.0.1"]
            [resources.cluster]
            type = "slurm"
            poll = 1
            [identity.tokens]
            [accounts]
            reach = "sudo"
            agent = "{PLACE}/bin/argosy-agent"
            [[accounts.map]]
            name = "alice"
            account = "{A}"
            [[accounts.map]]
            name = "bob"
            account = "{B}"
            [[accounts.map]]
            name = "mallory"
            account = "root"
            """
        )
        self.tokens = {name: self.token(name) for name in ("alice", "bob", "mallory", "nobody")}

    def command(self, *words: str) -> list[str]:
        return as_account(SERVICE, f"ARGOSY_HOME={self.home}", str(PLACE / "bin" / "argosy"), *words)

    def token(self, owner: str) -> str:
        done = subprocess.run(
            self.command("token", "create", "--owner", owner, "--json"), capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["token"]

    def start(self) -> None:
        (self.home / "endpoint.json").unlink(missing_ok=True)
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command("serve"), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until((self.home / "endpoint.json").exists, say=self.log)
        self.url = json.loads((self.home / "endpoint.json").read_text())["url"]

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            pid = json.loads((self.home / "endpoint.json").read_text())["pid"]
            os.kill(pid, number)
            self.process.wait(30)
            self.process = None

    def log(self) -> str:
        return (self.home / "log").read_text()

    def ask(self, who: str, method: str, path: str, **named: object) -> httpx.Response:
        with httpx.Client(trust_env=False, timeout=60) as client:
            headers = {"authorization": f"Bearer {self.tokens[who]}"}
            return client.request(method, self.url + path, headers=headers, **named)

    def create(self, who: str, **description: object) -> str:
        answer = self.ask(who, "POST", "/v1/activities", json=description)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def status(self, who: str, id: str) -> dict:
        return self.ask(who, "GET", f"/v1/activities/{id}").json()

    def final(self, who: str, id: str) -> dict:
        until(lambda: self.status(who, id).get("final"), say=lambda: f"{self.status(who, id)}\n{self.log()}")
        return self.status(who, id)

    def session(self, account: str, id: str) -> Path:
        home = Path(pwd.getpwnam(account).pw_dir)
        return home / ".local/share/argosy/sessions" / f"@{account}" / id[-2:] / id


class Storage:
    """A web server on this machine that sees which user asks it, in /proc/net/tcp."""

    def __init__(self) -> None:
        self.files = {"/in.txt": b"from the storage"}
        self.askers: list[int] = []
        storage = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self, status: int, body: bytes = b"") -> None:
                storage.askers.append(_whose(self.client_address[1], self.server.server_port))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_GET(self) -> None:
                content = storage.files.get(self.path)
                self._answer(404 if content is None else 200, content or b"")

            do_HEAD = do_GET

            def do_PUT(self) -> None:
                storage.files[self.path] = self.rfile.read(int(self.headers["content-length"]))
                self._answer(201)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def _whose(local: int, remote: int) -> int:
    """proc_pid_net(5): the user of the socket from the one port to the other."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if [int(words[at].rpartition(":")[2], 16) for at in (1, 2)] == [local, remote]:
            return int(words[7])
    raise LookupError(f"there is no connection from port {local} to port {remote}")


@pytest.fixture
def storage() -> Iterator[Storage]:
    made = Storage()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    home = Path(pwd.getpwnam(SERVICE).pw_dir) / f"service-{os.getpid()}"
    subprocess.run(as_account(SERVICE, "mkdir", "-m", "700", str(home)), check=True)
    made = Site(home)
    made.start()
    yield made
    made.stop()
    subprocess.run(["rm", "-rf", home], check=True)


def test_files_and_jobs_are_the_user_s_own(site: Site) -> None:
    script = "id -un; cat in.txt >copied.txt; umask; ls -ld . | cut -c1-10; cat /proc/self/loginuid >/dev/null; sleep 1"
    ids = {}
    for who, account in (("alice", A), ("bob", B)):
        ids[who] = site.create(
            who,
            executable="/bin/sh",
            arguments=["-c", script],
            inputs=[{"path": "in.txt"}],
            outputs=[{"path": "copied.txt"}],
        )
        put = site.ask(who, "PUT", f"/v1/activities/{ids[who]}/files/in.txt", content=f"of {who}".encode())
        assert put.status_code in (200, 201, 204), put.text
        session = site.session(account, ids[who])
        assert (session.owner(), session.stat().st_mode & 0o777) == (account, 0o700)
    for who, account in (("alice", A), ("bob", B)):
        done = site.final(who, ids[who])
        assert (done["state"], done["exit_code"]) == ("finished", 0), (done, site.log())
        session = site.session(account, ids[who])
        said = site.ask(who, "GET", f"/v1/activities/{ids[who]}/files/stdout").text
        assert said.split()[0] == account
        assert site.ask(who, "GET", f"/v1/activities/{ids[who]}/files/copied.txt").text == f"of {who}"
        for name in ("in.txt", "copied.txt", "stdout"):
            assert (session / name).owner() == account
        # The batch system knows whose job it is.
        shown = subprocess.run(
            ["scontrol", "show", "job", done["native_id"]], capture_output=True, text=True, check=True
        ).stdout
        assert f"UserId={account}(" in shown
        # Nobody else can read it: not the other user, not the service.
        other = B if account == A else A
        for reader in (other, SERVICE):
            for file in (session / "copied.txt", session / "stdout"):
                assert subprocess.run(as_account(reader, "cat", str(file)), capture_output=True).returncode != 0
    assert site.ask("bob", "GET", f"/v1/activities/{ids['alice']}/files/copied.txt").status_code == 404
    listed = site.ask("alice", "GET", f"/v1/activities/{ids['alice']}/files").json()["items"]
    assert {"in.txt", "copied.txt", "stdout"} <= {item["path"] for item in listed}
    purged = site.ask("alice", "DELETE", f"/v1/activities/{ids['alice']}")
    assert purged.status_code in (200, 204), purged.text
    until(lambda: not site.session(A, ids["alice"]).exists(), say=site.log)


_COPY = 'stat -c "%U %a" "$BEARER_TOKEN_FILE"; cat "$BEARER_TOKEN_FILE"; echo; echo "$BEARER_TOKEN_FILE"; '
_RENEWED = 'until grep -q second "$BEARER_TOKEN_FILE"; do sleep 0.1; done; cat "$BEARER_TOKEN_FILE"'


def test_a_job_s_credentials_are_its_account_s_own(site: Site) -> None:
    """In a file that the service cannot read; renewed there, and gone with the job, though the service was killed."""
    added = site.ask("alice", "POST", "/v1/credentials", json={"kind": "token", "token": "first-token"})
    assert added.status_code == 201, added.text
    credential = added.json()["id"]
    script = {"executable": "/bin/sh", "arguments": ["-c", _COPY + _RENEWED]}
    id = site.create("alice", **script, credentials=[credential], offer_credentials=True)
    session = site.session(A, id)
    until(lambda: (session / "stdout").exists() and len((session / "stdout").read_text().split()) == 4, say=site.log)
    owner, mode, token, place = (session / "stdout").read_text().split()
    assert (owner, mode, token) == (A, "600", "first-token")
    assert Path(place) == session.parents[1] / ".credentials" / id / "token"
    for reader in (B, SERVICE):
        done = subprocess.run(as_account(reader, "cat", place), capture_output=True)
        assert done.returncode != 0
    assert subprocess.run(as_account(A, "cat", place), capture_output=True).stdout == b"first-token"
    site.stop(signal.SIGKILL)
    site.start()
    renewed = site.ask("alice", "PUT", f"/v1/credentials/{credential}", json={"kind": "token", "token": "second-token"})
    assert renewed.status_code == 200, renewed.text
    assert site.final("alice", id)["exit_code"] == 0
    assert (session / "stdout").read_text().endswith("second-token")
    until(lambda: not Path(place).parent.exists(), say=site.log)
    assert "-token" not in site.log()


def test_files_are_moved_as_the_account(site: Site, storage: Storage) -> None:
    """What is fetched belongs to the account; what nobody but the account can read is delivered."""
    id = site.create(
        "alice",
        executable="/bin/sh",
        arguments=["-c", "umask 077; id -un >out.txt; cat in.txt >>out.txt"],
        inputs=[{"path": "in.txt", "sources": [f"{storage.url}/in.txt"]}],
        outputs=[{"path": "out.txt", "targets": [f"{storage.url}/out.txt"]}],
    )
    done = site.final("alice", id)
    assert (done["state"], done["exit_code"]) == ("finished", 0), (done, site.log())
    fetched = site.session(A, id) / "in.txt"
    assert (fetched.owner(), fetched.stat().st_mode & 0o077) == (A, 0)
    assert (site.session(A, id) / "out.txt").stat().st_mode & 0o777 == 0o600
    assert storage.files["/out.txt"] == f"{A}\n".encode() + storage.files["/in.txt"]
    # The agent asks, and not the service: it says so by whose the connection is.
    assert set(storage.askers) == {pwd.getpwnam(A).pw_uid}


def test_who_has_no_account_is_told(site: Site) -> None:
    for who, words in (("nobody", "no account"), ("mallory", "account of the system")):
        answer = site.ask(who, "POST", "/v1/activities", json={"executable": "/bin/true"})
        assert answer.status_code == 403, answer.text
        assert words in answer.json()["detail"]
        assert site.ask(who, "GET", "/v1/activities").json()["items"] == []


def test_links_lead_nowhere(site: Site) -> None:
    """What a job makes in its own directory gives its user nothing that the account does not have."""
    secret = Path(pwd.getpwnam(B).pw_dir) / "secret"
    secret.write_text("of b\n")
    os.chown(secret, pwd.getpwnam(B).pw_uid, -1)
    secret.chmod(0o600)
    own = Path(pwd.getpwnam(A).pw_dir) / "own"
    script = f"ln -s {secret} link; ln -s {site.home}/token token; ln -s {Path(pwd.getpwnam(B).pw_dir)} dir; cat link"
    id = site.create("alice", executable="/bin/sh", arguments=["-c", script])
    done = site.final("alice", id)
    assert done["exit_code"] == 1
    assert "Permission denied" in site.ask("alice", "GET", f"/v1/activities/{id}/files/stderr").text
    for path in ("link", "token", "dir/secret", "../../../../own"):
        answer = site.ask("alice", "GET", f"/v1/activities/{id}/files/{path}")
        assert answer.status_code >= 400 or "of b" not in answer.text, answer.text
    assert not own.exists()


def test_a_running_job_is_followed_ended_and_taken_up_after_a_kill(site: Site) -> None:
    id = site.create("alice", executable="/bin/sh", arguments=["-c", "echo begun; sleep 300; echo ended"])
    until(lambda: site.status("alice", id)["state"] == "running:lrms:running", say=site.log)
    until(lambda: site.ask("alice", "GET", f"/v1/activities/{id}/files/stdout").text == "begun\n", say=site.log)
    site.stop(signal.SIGKILL)
    site.start()
    assert site.status("alice", id)["state"] == "running:lrms:running"
    assert site.ask("alice", "POST", f"/v1/activities/{id}/terminate").status_code in (200, 202)
    assert site.final("alice", id)["state"] == "terminated"
    native_id = site.status("alice", id)["native_id"]
    shown = subprocess.run(["scontrol", "show", "job", native_id], capture_output=True, text=True, check=True).stdout
    assert "JobState=CANCELLED" in shown


def test_agents_run_as_the_accounts_and_carry_no_secret(site: Site) -> None:
    owners = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
            owner = process.owner()
        except OSError:
            continue  # it has ended
        if process.name != str(os.getpid()):
            for token in site.tokens.values():
                assert token.encode() not in command + environment
        if b"argosy-agent" in command and b"sudo" not in command:
            owners.add(owner)
    assert A in owners
    assert owners <= {A, B}
    assert not any(token in site.log() for token in site.tokens.values())
