"""A host that is logged in to with the proxy of whoever asks, where each has an account of their own; real Slurm.

GSI-OpenSSH is the real one where that is installed, and else the stand-in; see tests/servers/gsissh.py.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pwd
import re
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from argosy.delegation.proxies import request, sign
from tests.rimrock.conftest import HOST, Answered, Site
from tests.servers.accounts import USERS
from tests.servers.gsissh import Gsissh, install
from tests.servers.needs import NotHere, absent
from tests.servers.simpleca import SimpleCA
from tests.servers.sshd import Sshd, make_key, running
from tests.service.running import RunningService
from tests.waiting import LIMIT, until

pytestmark = [pytest.mark.slurm, pytest.mark.ssh, pytest.mark.timeout(120)]

A, B = USERS
ALICE, BOB = (f"/O=Grid/OU=argosy/CN={name} Example" for name in ("Alice", "Bob"))
SERVICE, SERVICES = "/O=Grid/OU=argosy/CN=The Service", "services.example.org"
LENT = "lent.example.org"


class OwnSite(Site):
    """A service whose host lets Alice and Bob of the CA into accounts of theirs, and the stranger into none."""

    def __init__(self, service: RunningService, grid: SimpleCA, server: Sshd, gsissh: Gsissh) -> None:
        self.server = server
        self.gsissh = gsissh
        self.sessions = service.directory.parent / "sessions"
        super().__init__(service, grid)

    def restart(self) -> None:
        self.service.kill()
        self.service.start(environ=environ(self.gsissh))
        Site.__init__(self, self.service, self.grid)

    def job(self, proxy: str, script: str, **more: object) -> dict:
        answered = self.ask("POST", "/api/jobs", {"host": HOST, "script": script} | more, proxy=proxy)
        assert answered.status == 201, (answered, self.service.log())
        return answered.json

    def told(self) -> str:
        """What has been said of the newest activities, for a test that fails."""
        with contextlib.closing(sqlite3.connect(self.service.directory / "argosy.db")) as database:
            return "\n".join(map(str, database.execute("SELECT * FROM event ORDER BY seq DESC LIMIT 30")))

    def activity(self, id: str, more: str = "") -> dict:
        """What the service's owner sees of an activity."""
        token = (self.service.directory / "token").read_text().strip()
        words = ["--header", f"Authorization: Bearer {token}", f"{self.url}/v1/activities/{id}{more}"]
        return self.curl(*words, proxy=None).json

    def kinds(self, id: str) -> set[str]:
        """What kinds of things have happened to an activity."""
        return {event["kind"] for event in self.activity(id, "/events")["items"]}

    def until(self, proxy: str, id: str, word: str, timeout: float = LIMIT) -> dict:
        found: dict = {}

        def reached() -> bool:
            found.update(self.ask("GET", f"/api/jobs/{id}", proxy=proxy).json)
            return found["status"] == word

        until(reached, timeout, say=lambda: f"{found}\n{self.told()}\n{self.service.log()}")
        return found


def environ(gsissh: Gsissh) -> dict[str, str]:
    """The service's: it has a proxy of its own."""
    return {"PATH": gsissh.path, "X509_USER_PROXY": str(gsissh.directory.parent / "proxy")}


@pytest.fixture(scope="module")
def own(grid: SimpleCA, slurm: None, sshd: Sshd, accounts: None) -> Iterator[OwnSite]:
    # Both accounts must come by here, to which pytest's own directories are closed.
    place = Path(tempfile.mkdtemp(prefix="argosy-own-"))
    place.chmod(0o711)
    home = place / "home"
    home.mkdir(mode=0o711)
    try:
        with running(place / "sshd", UsePAM="yes") as server:
            keys = {name: make_key(place / "sshd" / name) for name in (A, B)}
            for key in keys.values():
                server.trust(Path(f"{key}.pub"))
            server.directory.chmod(0o711)  # it is read as the account
            grid.user("service", "The Service")
            users = {ALICE: (keys[A], A), BOB: (keys[B], B), SERVICE: (server.user_key, server.user)}
            gsissh = install(place / "bin", grid, server, users)
            gsissh.proxy("service", place / "proxy")
            (home / "argosy.toml").write_text(
                f"""
                [service]
                sessions = "{place}/sessions"
                retry_most = 1
                [tls]
                cert = "{grid.path}/host.cert"
                key = "{grid.path}/host.key"
                [identity]
                users = ["/O=Grid/OU=argosy/*"]
                [identity.x509]
                ca_directory = "{grid.certificates}"
                [resources.zeus]
                type = "slurm"
                url = "{gsissh.url}"
                ssh_config = "{gsissh.config}"
                poll = 1
                [resources.everybodys]
                type = "slurm"
                url = "{gsissh.url}"
                ssh_config = "{gsissh.config}"
                credential = "service"
                preference = 1
                poll = 1
                [resources.lending]
                type = "slurm"
                url = "{gsissh.url}"
                ssh_config = "{gsissh.config}"
                delegate = true
                preference = 1
                poll = 1
                [endpoints.rimrock]
                hosts = {{ "{HOST}" = "zeus", "{SERVICES}" = "everybodys", "{LENT}" = "lending" }}
                timeout = 8
                process_timeout = 5
                """
            )
            service = RunningService(home)
            service.start(environ=environ(gsissh))
            yield OwnSite(service, grid, server, gsissh)
            service.end()
    except NotHere as error:
        absent(error)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def short(own: OwnSite, user: str, seconds: float) -> str:
    """A proxy that ends soon, as the header has it."""
    key, asked = request()
    chain = sign(asked, own.grid.proxy("-rfc", user=user), lifetime=seconds)
    first, end, rest = chain.partition("-----END CERTIFICATE-----\n")
    return base64.b64encode(f"{first}{end}{key}{rest}".encode()).decode()


def serial(pem: bytes) -> str:
    number = x509.load_pem_x509_certificates(pem)[0].serial_number
    text = f"{number:X}"
    return f"serial={'0' if len(text) % 2 else ''}{text}"


def test_each_job_is_its_owners_own(own: OwnSite) -> None:
    alice, bob = own.header("alice"), own.header("bob")
    serials = {name: serial(base64.b64decode(proxy)) for name, proxy in ((ALICE, alice), (BOB, bob))}
    deep = "d=$(dirname $(readlink /proc/$$/fd/1))/sub; mkdir -m 700 $d; echo deep >$d/file"
    script = f"#!/bin/bash\nwhoami\nid -un >&2\n{deep}"
    jobs = {proxy: own.job(proxy, script) for proxy in (alice, bob)}
    for proxy, account, other in ((alice, A, bob), (bob, B, alice)):
        job = jobs[proxy]
        own.until(proxy, job["job_id"], "FINISHED")
        assert own.curl(job["stdout_path"], proxy=proxy).body == f"{account}\n"
        assert own.curl(job["stderr_path"], proxy=proxy).body == f"{account}\n"
        for answered in (
            own.ask("GET", f"/api/jobs/{job['job_id']}", proxy=other),
            own.curl(job["stdout_path"], proxy=other),
        ):
            assert answered.status == 404
    # With that very proxy.
    assert {name: number for name, number in own.gsissh.logins() if name in serials} == serials
    outputs = [file for file in own.sessions.rglob("stdout") if file.is_file()]
    owners = {pwd.getpwuid(file.stat().st_uid).pw_name for file in outputs}
    assert owners == {A, B}
    for file in outputs:
        mode = stat.S_IMODE(file.parent.stat().st_mode)
        assert mode & 0o007 == 0
    # They can be removed by the service, which is another account.
    for proxy, job in jobs.items():
        assert own.ask("DELETE", f"/api/jobs/{job['job_id']}", proxy=proxy).status == 204

    def left() -> set[str]:
        return {"stdout", "sub"} & {name for _, below, files in os.walk(own.sessions) for name in below + files}

    until(lambda: not left(), say=own.service.log)


def test_a_command_is_its_senders_own(own: OwnSite) -> None:
    for user, account in (("alice", A), ("bob", B)):
        answered = own.ask("POST", "/api/process", {"host": HOST, "command": "whoami; pwd"}, proxy=own.header(user))
        assert answered.json["standard_output"] == f"{account}\n{pwd.getpwnam(account).pw_dir}\n", answered


def test_a_proxy_is_delegated_to_the_host_that_is_to_have_one(own: OwnSite) -> None:
    if not own.gsissh.real:
        absent("there is no GSI-OpenSSH, and its stand-in does not delegate: make check-gsissh")
    command = 'grid-proxy-info -identity -file "$X509_USER_PROXY"; stat -c "%U %a" "$X509_USER_PROXY"'
    for user, name, account in (("alice", ALICE, A), ("bob", BOB, B)):
        answered = own.ask("POST", "/api/process", {"host": LENT, "command": command}, proxy=own.header(user))
        assert answered.json["standard_output"] == f"{name}\n{account} 600\n", answered
        answered = own.ask("POST", "/api/process", {"host": HOST, "command": command}, proxy=own.header(user))
        assert answered.json["standard_output"] == "", answered


def test_who_has_no_account_there_is_told_so_and_keeps_up_nobody(own: OwnSite) -> None:
    stranger, alice = own.header("stranger"), own.header("alice")
    command = {"host": HOST, "command": "true"}
    refused = own.ask("POST", "/api/process", command, proxy=stranger)
    assert refused.status == 503, refused
    assert "does not let you in: " in refused.json["error_message"]
    assert "Permission denied" in refused.json["error_message"]
    assert own.ask("POST", "/api/process", command, proxy=alice).status == 200


def test_abort_and_delete_as_the_owner(own: OwnSite) -> None:
    alice = own.header("alice")
    job = own.job(alice, "#!/bin/bash\nsleep 300")
    own.until(alice, job["job_id"], "RUNNING")
    assert own.ask("PUT", f"/api/jobs/{job['job_id']}", {"action": "abort"}, proxy=own.header("bob")).status == 404
    assert own.ask("PUT", f"/api/jobs/{job['job_id']}", {"action": "abort"}, proxy=alice).status == 204
    own.until(alice, job["job_id"], "ABORTED")
    assert own.ask("DELETE", f"/api/jobs/{job['job_id']}", proxy=alice) == Answered(204, "")


def test_a_restart_watches_everybodys_jobs_again(own: OwnSite) -> None:
    alice, bob = own.header("alice"), own.header("bob")
    go = Path(tempfile.mkdtemp(prefix="argosy-go-"))
    go.chmod(0o711)
    script = f"#!/bin/bash\necho begun\nfor i in $(seq 600); do [ -e {go}/go ] && break; sleep 0.1; done\necho over"
    jobs = {proxy: own.job(proxy, script) for proxy in (alice, bob)}
    for proxy, job in jobs.items():
        own.until(proxy, job["job_id"], "RUNNING")
    own.restart()
    (go / "go").touch()
    for proxy, job in jobs.items():
        own.until(proxy, job["job_id"], "FINISHED")
        path = job["stdout_path"].partition("/v1")[2]
        assert own.curl(f"{own.url}/v1{path}", proxy=proxy).body == "begun\nover\n"
    shutil.rmtree(go)


def test_an_expired_proxy_holds_the_job_until_there_is_another_one(own: OwnSite) -> None:
    # None that lasts longer has come before.
    bob, alice = own.header("bob"), own.header("alice")
    for one in own.ask("GET", "/v1/credentials", proxy=alice).json:
        assert one["name"] == "came with a request"
        assert own.ask("DELETE", f"/v1/credentials/{one['id']}", proxy=alice).status == 204
    own.server.stop()
    try:
        job = own.job(short(own, "alice", 6), "#!/bin/bash\nwhoami")  # it is recorded, though nobody answers
    finally:
        own.server.start()
    id = job["job_id"].partition(".")[0]

    def say() -> str:
        return f"{own.told()}\n{own.service.log()}"

    until(lambda: "has expired" in (own.activity(id).get("reason") or ""), say=say)
    # Nobody else waits for that.
    theirs = own.job(bob, "#!/bin/bash\nwhoami")
    own.until(bob, theirs["job_id"], "FINISHED")
    # Any request with a new one lets it go on.
    fresh = own.header("alice")
    found = next(one for one in own.ask("GET", "/api/jobs", proxy=fresh).json if one["job_id"] == job["job_id"])
    assert found["status"] == "QUEUED"
    until(lambda: own.activity(id)["state"] == "finished", say=say)
    assert own.curl(job["stdout_path"], proxy=fresh).body == f"{A}\n"


def test_a_job_outlives_its_proxy_and_says_that_it_cannot_be_watched(own: OwnSite) -> None:
    alice = own.header("alice")
    for one in own.ask("GET", "/v1/credentials", proxy=alice).json:
        assert own.ask("DELETE", f"/v1/credentials/{one['id']}", proxy=alice).status == 204
    go = Path(tempfile.mkdtemp(prefix="argosy-go-"))
    go.chmod(0o711)
    waits = f"for i in $(seq 600); do [ -e {go}/go ] || [ ! -e {go} ] && break; sleep 0.1; done"

    def say() -> str:
        return f"{own.told()}\n{own.service.log()}"

    # On a machine with much to do a proxy may have ended before the job was submitted with it: that one is held.
    for seconds in (6, 15, 40):
        job = own.job(short(own, "alice", seconds), f"#!/bin/bash\n{waits}\necho over")
        made = re.search(r"/v1/activities/([^/]+)/files/", job["stdout_path"])[1]
        until(lambda made=made: own.kinds(made) & {"held", "credential-wanted"}, say=say)
        if "credential-wanted" in own.kinds(made):
            break
    assert "credential-wanted" in own.kinds(made)
    (go / "go").touch()
    fresh = own.header("alice")
    own.until(fresh, job["job_id"], "FINISHED")
    assert own.curl(job["stdout_path"], proxy=fresh).body == "over\n"
    shutil.rmtree(go)


def test_without_a_proxy_the_job_waits_and_goes_on_when_there_is_one(own: OwnSite) -> None:
    def mine(method: str, path: str, data: dict | None = None) -> Answered:
        # By the certificate of the connection, with which nothing can be done for her.
        words = ["--cert", f"{own.grid.path}/alice.cert", "--key", f"{own.grid.path}/alice.key", "-X", method]
        words += [] if data is None else ["--data", json.dumps(data)]
        return own.curl(*words, own.url + path, proxy=None)

    for one in mine("GET", "/v1/credentials").json:
        assert mine("DELETE", f"/v1/credentials/{one['id']}").status == 204
    made = mine("POST", "/v1/activities", {"executable": "whoami", "share": "zeus"})
    assert made.status == 201, made
    id = made.json["id"]

    def say() -> str:
        return f"{own.told()}\n{own.service.log()}"

    until(lambda: "argosy credential delegate" in (own.activity(id).get("reason") or ""), say=say)
    assert own.activity(id)["waiting_for"] == "credential"
    added = own.ask("POST", "/v1/credentials", {"kind": "proxy", "from_request": True}, proxy=own.header("alice"))
    assert added.status == 201, added
    until(lambda: own.activity(id)["state"] == "finished", say=say)
    assert mine("GET", f"/v1/activities/{id}/files/stdout").body == f"{A}\n"
    # One that is removed is not used any more, though a login with it is still there.
    assert mine("DELETE", f"/v1/credentials/{added.json['id']}").status == 204

    def waits() -> bool:
        """Whether another activity waits for a credential. It runs while the old one is believed to be good."""
        id = mine("POST", "/v1/activities", {"executable": "whoami", "share": "zeus"}).json["id"]

        def told() -> set[str]:
            return {event["kind"] for event in mine("GET", f"/v1/activities/{id}/events").json["items"]}

        # Held before it is submitted; `credential-wanted` is said of one that was submitted with the old login.
        until(lambda: told() & {"held", "credential-wanted"} or own.activity(id).get("final"), say=say)
        if "held" not in told():
            return False
        assert own.activity(id)["waiting_for"] == "credential"
        assert mine("POST", f"/v1/activities/{id}/terminate").status == 202
        return True

    until(waits, say=say)


def test_a_host_with_the_services_own_proxy(own: OwnSite) -> None:
    bob = own.header("bob")
    answered = own.ask("POST", "/api/jobs", {"host": SERVICES, "script": "#!/bin/bash\nwhoami"}, proxy=bob)
    assert answered.status == 201, answered
    job = answered.json
    own.until(bob, job["job_id"], "FINISHED")
    assert own.curl(job["stdout_path"], proxy=bob).body == f"{own.server.user}\n"


def test_no_secret_is_left_on_disk_or_in_a_log(own: OwnSite) -> None:
    alice = own.header("alice")
    job = own.job(alice, "#!/bin/bash\ntrue")
    own.until(alice, job["job_id"], "FINISHED")
    until(lambda: not os.listdir(own.service.directory / "logins"), say=own.service.log)  # but while a login lasts
    inner = [line for line in base64.b64decode(alice).decode().splitlines() if not line.startswith("-")][30]
    for file in (own.service.directory / "argosy.db", own.service.directory / "audit.jsonl"):
        assert inner.encode() not in file.read_bytes()
    assert inner not in own.service.log()
