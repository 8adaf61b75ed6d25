"""The servers over which one suite of tests goes: how to look at what they have without our own code."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from argosy.staging import Credentials, S3Keys
from tests.servers import daemons
from tests.servers.simpleca import SimpleCA, ensure_simpleca
from tests.servers.sshd import ensure_sshd, running


@dataclass
class Place:
    """A server with one scheme. `url` is a directory there, `put` and `get` reach files in it by another way."""

    scheme: str
    url: str
    put: Callable[[str, bytes], None]
    get: Callable[[str], bytes | None]
    names: Callable[[], list[str]]
    options: dict[str, Any] = field(default_factory=dict)
    credentials: Credentials = field(default_factory=Credentials)
    verifies: bool = True
    renames: bool = True

    def at(self, path: str) -> str:
        return f"{self.url}/{quote(path)}"


def on_disk(scheme: str, url: str, data: Path, owner: str | None = None, **more: Any) -> Place:
    """A place whose files are seen in the file system."""

    def put(path: str, content: bytes) -> None:
        where = data / path
        for parent in reversed([one for one in where.parents if data in one.parents]):
            if not parent.exists():
                parent.mkdir()
                if owner and os.getuid() == 0:
                    shutil.chown(parent, owner)
        where.write_bytes(content)
        if owner and os.getuid() == 0:
            shutil.chown(where, owner)

    def get(path: str) -> bytes | None:
        return (data / path).read_bytes() if (data / path).exists() else None

    def names() -> list[str]:
        return sorted(str(one.relative_to(data)) for one in data.rglob("*") if one.is_file())

    return Place(scheme, url, put, get, names, **more)


@contextmanager
def place(scheme: str, directory: Path) -> Iterator[Place]:
    """A server of this scheme for as long as this context. Raises NotHere."""
    with ExitStack() as stack:
        if scheme == "file":
            data = directory / "files"
            data.mkdir()
            yield on_disk("file", f"file://{data}", data, options={"file_roots": [str(data)]})
        elif scheme == "http":
            server = stack.enter_context(daemons.nginx())
            # What nginx has no directories for over plain http is made by its own option elsewhere.
            yield on_disk("http", server.url, server.data)
        elif scheme == "dav":
            server = stack.enter_context(daemons.nginx())
            yield on_disk("dav", server.url.replace("http", "dav"), server.data)
        elif scheme == "ftp":
            server = stack.enter_context(daemons.vsftpd())
            yield on_disk("ftp", server.url, server.data)
        elif scheme in ("sftp", "scp"):
            ensure_sshd()
            sshd = stack.enter_context(running(directory / "sshd", Subsystem="sftp internal-sftp"))
            data = directory / "home"
            data.mkdir()
            yield on_disk(
                scheme,
                f"{scheme}://{sshd.user}@127.0.0.1:{sshd.port}{data}",
                data,
                options={"sftp": {"known_hosts": "/nonexistent"}},
                credentials=Credentials(ssh_key=sshd.user_key.read_text(), known_hosts=sshd.known_hosts.read_text()),
            )
        elif scheme == "root":
            server = stack.enter_context(daemons.xrootd())
            yield on_disk("root", server.url, server.data, owner="nobody")
        elif scheme == "gsiftp":
            ensure_simpleca()
            grid = SimpleCA(stack.enter_context(daemons.directory()))
            grid.user("user", "Alice Example")
            grid.certificate(
                "host", "localhost", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n"
            )
            subject = "/O=Grid/OU=argosy/CN=Alice Example"
            server = stack.enter_context(daemons.gridftp(pki=grid.path, users=[subject]))
            yield on_disk(
                "gsiftp",
                server.url,
                server.data,
                owner="nobody",
                verifies=False,
                renames=False,
                options={"ca_directory": str(grid.certificates)},
                credentials=Credentials(certificate=grid.proxy("-rfc").decode()),
            )
        elif scheme == "s3":
            yield _s3(stack.enter_context(daemons.moto()))
        else:
            raise ValueError(scheme)


def _s3(server: daemons.Daemon) -> Place:
    import boto3
    import botocore.exceptions

    keys = S3Keys("an-access-key", "a-secret-key")
    client = boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        region_name="us-east-1",
    )

    def get(path: str) -> bytes | None:
        try:
            return bytes(client.get_object(Bucket="bucket", Key=f"base/{path}")["Body"].read())
        except botocore.exceptions.ClientError:
            return None

    def names() -> list[str]:
        listed = client.list_objects_v2(Bucket="bucket", Prefix="base/")
        return sorted(one["Key"][5:] for one in listed.get("Contents", []))

    return Place(
        "s3",
        "s3://bucket/base",
        lambda path, content: client.put_object(Bucket="bucket", Key=f"base/{path}", Body=content) and None,
        get,
        names,
        options={"s3": {"endpoint": server.url, "part_size": 5 * 1024 * 1024}},
        credentials=Credentials(s3={"bucket": keys}),
    )
