"""A session directory of the service's that another account of the same file system is let into; real accounts."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.model import SubmitException
from argosy.service.files import copies
from argosy.service.owners import access
from tests.servers.accounts import PLACE, SERVICE, USERS, as_account

pytestmark = pytest.mark.usefixtures("accounts")

A, B = USERS


@pytest.fixture
def root(accounts: None) -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="argosy-shared-"))
    os.chown(made, pwd.getpwnam(SERVICE).pw_uid, -1)
    yield made
    shutil.rmtree(made)


def sh(account: str, script: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = as_account(account, "sh", "-c", f"umask 077; {script}", "sh", *map(str, words))
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def share(root: Path, session: Path, account: str) -> None:
    """As the service's account."""
    code = f"from argosy.service.owners import access; access.share({str(root)!r}, {str(session)!r}, UID)"
    code = code.replace("UID", str(pwd.getpwnam(account).pw_uid))
    paths = [str(PLACE / "source"), str(PLACE / "packages")]
    (python,) = (PLACE / "python" / "bin").glob("python3.[0-9]*[0-9]")
    words = ["env", f"LD_LIBRARY_PATH={PLACE}/python/lib", str(python), "-I", "-c"]
    done = subprocess.run(
        as_account(SERVICE, *words, f"import sys; sys.path[:0] = {paths}\n{code}"), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_both_do_there_what_they_like_and_nobody_else_does(root: Path, tmp_path: Path) -> None:
    session = root / "ab" / "xyzab"
    secret = tmp_path / "secret"
    secret.write_text("the machine's")
    assert sh(SERVICE, 'mkdir -p "$1/sub"; echo in >"$1/input"; echo deep >"$1/sub/input"', session).returncode == 0
    (root / "linked").touch()
    os.symlink(secret, session / "link")
    os.link(root / "linked", session / "hard")
    share(root, session, A)
    assert sh(A, 'cat "$1/input" "$1/sub/input"', session).stdout == "in\ndeep\n"
    made = 'echo out >"$1/out"; mkdir "$1/new"; echo far >"$1/new/far"; echo more >>"$1/input"'
    assert sh(A, made, session).returncode == 0
    assert (session / "out").owner() == A
    # Those of the job are the service's to read and to remove; what it makes later is the job's too.
    assert sh(SERVICE, 'cat "$1/out" "$1/new/far" "$1/input"', session).stdout == "out\nfar\nin\nmore\n"
    assert sh(SERVICE, 'umask 022; echo late >"$1/late"', session).returncode == 0
    assert sh(A, 'cat "$1/late"', session).stdout == "late\n"
    # Nobody else's: and none can see which others there are.
    assert sh(B, 'ls "$1"', session).returncode != 0
    assert sh(B, 'cat "$1/out"', session).returncode != 0
    assert sh(A, 'ls "$1"', root).returncode != 0
    # Not through links, of either kind.
    for other in (secret, root / "linked"):
        assert other.stat().st_mode & 0o070 == (0o040 if other.stat().st_mode & 0o040 else 0)
        assert "system.posix_acl_access" not in os.listxattr(other)
    # What the job has closed to others it lets the service have again at its end.
    closed = 'mkdir -m 700 "$1/closed"; echo own >"$1/closed/file"; chmod 600 "$1/closed/file"'
    assert sh(A, closed, session).returncode == 0
    assert sh(SERVICE, 'cat "$1/closed/file"', session).returncode != 0
    assert sh(A, access.let_back(str(session)), session).returncode == 0
    assert sh(SERVICE, 'cat "$1/closed/file"', session).stdout == "own\n"
    assert sh(B, 'cat "$1/closed/file"', session).returncode != 0
    # Once more, as for a job that is submitted again: what is not the service's stays as it is.
    before = (session / "out").stat()
    share(root, session, A)
    assert (session / "out").stat() == before
    assert sh(SERVICE, 'rm -r "$1"', session).returncode == 0


def test_copies_of_credentials_stay_readable_when_they_are_renewed(root: Path) -> None:
    session = root / "ab" / "xyzab"
    copies.write(str(session), {"x509": "old"})
    place = Path(copies.place_of(str(session)))
    access.share(str(root), str(place), pwd.getpwnam(A).pw_uid)
    for content in ("new", "newer"):
        copies.write(str(session), {"x509": content})
        assert sh(A, 'cat "$1/x509"', place).stdout == content
        assert sh(B, 'cat "$1/x509"', place).returncode != 0


def test_a_file_system_without_lists_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    (tmp_path / "ab" / "x").mkdir(parents=True)
    with pytest.raises(SubmitException, match=r"account 12345 .*: its file system has no access lists") as caught:
        access.share(str(tmp_path), str(tmp_path / "ab" / "x"), 12345)
    assert caught.value.transient
