"""Real file servers for the tests: each in a directory of its own, on a free port of the loopback.

Where a server is not installed it is, given root and apt-get; otherwise NotHere says so.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers.needs import NotHere, program

_UP = 20.0


@dataclass
class Daemon:
    """A server that runs: files are below `data`, `url` is where that is."""

    url: str
    data: Path
    directory: Path
    port: int = 0


def free_port() -> int:
    """A port that nobody is given before the server has it: none of those that the kernel gives to connections."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = 10_000 + secrets.randbelow(max(lowest, 20_000) - 10_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def directory(user: str | None = None) -> Iterator[Path]:
    """A directory that a server of another user can reach too."""
    path = Path(tempfile.mkdtemp(prefix="argosy-server-"))
    path.chmod(0o755)
    if user is not None and os.getuid() == 0:
        shutil.chown(path, user)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def started(
    command: Sequence[str | Path], port: int, where: Path, environ: dict[str, str] | None = None
) -> Iterator[None]:
    """Run a server in the foreground until the end of this context. Raises NotHere where it does not listen."""
    log = where / "output"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **(environ or {})},
        )
    try:
        end = time.monotonic() + _UP
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > end:
                raise NotHere(f"{command[0]} does not start: {log.read_text(errors='replace')[-2000:]}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def nginx(*, tls: tuple[Path, Path] | None = None, client_ca: Path | None = None) -> Iterator[Daemon]:
    """nginx with WebDAV. `tls` are a certificate and its key; `client_ca` whose clients are let in."""
    found = program("nginx", "nginx-light", "libnginx-mod-http-dav-ext")
    # An nginx that was there already may be without it.
    module = program("/usr/lib/nginx/modules/ngx_http_dav_ext_module.so", "libnginx-mod-http-dav-ext")
    with directory() as where:
        data, port = where / "data", free_port()
        data.mkdir()
        (where / "tmp").mkdir()
        secure = ""
        if tls is not None:
            secure = f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};"
            if client_ca is not None:
                secure += f" ssl_client_certificate {client_ca}; ssl_verify_client on; ssl_verify_depth 5;"
        (where / "conf").write_text(
            f"""{f"user {getpass.getuser()};" if os.getuid() == 0 else ""}
load_module {module};
daemon off; pid {where}/pid; error_log {where}/error.log; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log {where}/access.log; client_max_body_size 0; sendfile on;
  client_body_temp_path {where}/tmp; proxy_temp_path {where}/tmp/p; fastcgi_temp_path {where}/tmp/f;
  uwsgi_temp_path {where}/tmp/u; scgi_temp_path {where}/tmp/s;
  dav_ext_lock_zone zone=locks:10m;
  server {{
    listen 127.0.0.1:{port}{" ssl" if tls else ""}; root {data}; {secure}
    location / {{
      dav_methods PUT DELETE MKCOL COPY MOVE; dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK;
      dav_ext_lock zone=locks; dav_access user:rw;
    }}
    location /private/ {{ return 403; }}
  }}
}}
"""
        )
        with started([found, "-e", where / "error.log", "-c", where / "conf"], port, where):
            yield Daemon(f"{'https' if tls else 'http'}://127.0.0.1:{port}", data, where, port)


@contextlib.contextmanager
def vsftpd(*, tls: tuple[Path, Path] | None = None) -> Iterator[Daemon]:
    """vsftpd with anonymous reading and writing."""
    found = program("vsftpd", "vsftpd")
    with directory() as where:
        data, port = where / "root" / "up", free_port()
        data.mkdir(parents=True)
        (where / "empty").mkdir()
        data.parent.chmod(0o555)
        secure = ""
        if tls is not None:
            secure = f"""ssl_enable=YES
allow_anon_ssl=YES
force_anon_data_ssl=YES
force_anon_logins_ssl=YES
rsa_cert_file={tls[0]}
rsa_private_key_file={tls[1]}
require_ssl_reuse=YES
"""
        (where / "conf").write_text(
            f"""listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
run_as_launching_user=YES
anonymous_enable=YES
local_enable=NO
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
anon_root={where}/root
secure_chroot_dir={where}/empty
seccomp_sandbox=NO
allow_writeable_chroot=YES
vsftpd_log_file={where}/log
xferlog_enable=YES
{secure}"""
        )
        try:
            with started([found, where / "conf"], port, where):
                # As the user that launches it, it changes no root.
                yield Daemon(f"{'ftps' if tls else 'ftp'}://localhost:{port}{data}", data, where, port)
        finally:
            data.parent.chmod(0o755)


@contextlib.contextmanager
def xrootd() -> Iterator[Daemon]:
    """xrootd, which does not run as root."""
    found = program("xrootd", "xrootd-server", "xrootd-client")
    program("xrdcp", "xrootd-client")
    with directory("nobody") as where:
        data, port = where / "data", free_port()
        for path in (data, where / "admin", where / "run"):
            path.mkdir()
            path.chmod(0o777)
        (where / "conf").write_text(
            f"""all.export /data
oss.localroot {where}
all.adminpath {where}/admin
all.pidpath {where}/run
xrd.port {port}
xrd.network nodnr
xrootd.chksum adler32
"""
        )
        user = ["-R", "nobody"] if os.getuid() == 0 else []
        with started([found, *user, "-c", where / "conf", "-l", where / "log", "-I", "v4"], port, where):
            yield Daemon(f"root://127.0.0.1:{port}//data", data, where, port)


@contextlib.contextmanager
def gridftp(*, pki: Path | None = None, users: Sequence[str] = ()) -> Iterator[Daemon]:
    """A GridFTP server: for everybody, or by the certificates of `pki` (``host.cert``, ``host.key``, ``certificates``)
    for the subjects `users`."""
    found = program("globus-gridftp-server", "globus-gridftp-server-progs")
    program("globus-url-copy", "globus-gass-copy-progs")
    with directory("nobody") as where:
        data, port = where / "data", free_port()
        data.mkdir()
        data.chmod(0o777)
        command = [found, "-p", str(port), "-control-interface", "127.0.0.1", "-data-interface", "127.0.0.1"]
        environ = {}
        if pki is None:
            command += ["-aa", "-anonymous-user", "nobody" if os.getuid() == 0 else getpass.getuser()]
        else:
            mapping = where / "grid-mapfile"
            user = "nobody" if os.getuid() == 0 else getpass.getuser()
            mapping.write_text("".join(f'"{one}" {user}\n' for one in users))
            environ = {
                "X509_CERT_DIR": str(pki / "certificates"),
                "X509_USER_CERT": str(pki / "host.cert"),
                "X509_USER_KEY": str(pki / "host.key"),
                "GRIDMAP": str(mapping),
                "X509_USER_PROXY": "",
            }
        command += ["-home-dir", str(data), "-log-level", "ALL", "-logfile", str(where / "log")]
        with started(command, port, where, environ):
            yield Daemon(f"gsiftp://localhost:{port}{data}", data, where, port)


@contextlib.contextmanager
def moto() -> Iterator[Daemon]:
    """moto, which behaves like S3, with one bucket."""
    import sys
    import urllib.request

    with directory() as where:
        port = free_port()
        with started([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port, where):
            request = urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT", data=b"")
            urllib.request.urlopen(request, timeout=10).close()
            yield Daemon(f"http://127.0.0.1:{port}", where, where, port)
