"""Services in processes of their own, without what an interpreter that imports everything costs each time: they are
forked from one process that has imported it all. They are killed, waited for and looked at like any other.

This file is also the program of that process.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path


class Forked:
    """A service that was forked: what is used of `subprocess.Popen`. `told` is read for how it ended."""

    def __init__(self, pid: int, told: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = told

    def __del__(self) -> None:
        os.close(self._told)

    def poll(self) -> int | None:
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        found = self._wait(timeout)
        if found is None:
            raise subprocess.TimeoutExpired(f"service {self.pid}", timeout or 0)
        return found

    def _wait(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], timeout)[0]:
            self.returncode = int(os.read(self._told, 16))
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Parent:
    """The process that services are forked from; it ends with this one."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd="/",
                start_new_session=True,
            )
        atexit.register(self.close)

    def close(self) -> None:
        self._control.close()
        self.process.wait(30)

    def fork(self, directory: Path, environ: dict[str, str], log: int) -> Forked:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asked = json.dumps({"directory": str(directory), "environ": environ, "cwd": os.getcwd()}).encode()
        with theirs:
            socket.send_fds(self._control, [asked], [theirs.fileno(), log])
        with mine:
            mine.settimeout(60)
            pid = int(mine.recv(16))
            mine.setblocking(True)
            return Forked(pid, mine.detach())


_parents: list[_Parent] = []


def start(directory: Path, environ: dict[str, str], log: int) -> Forked:
    """Start a service over a directory, with this environment alone; it writes to the descriptor `log`."""
    if not _parents or _parents[0].process.poll() is not None:
        _parents[:] = [_Parent()]
    return _parents[0].fork(directory, environ, log)


def _main(control: socket.socket) -> None:
    import asyncio
    import gc

    from argosy.endpoints.runtime import run_service
    from argosy.service.config import load_config

    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for services
    while True:
        asked, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 2)
        if not asked:
            return
        if os.fork() == 0:
            break
        for each in descriptors:
            os.close(each)
    # Here is the one that waits for the service; the service is its child.
    control.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    told, log = descriptors
    pid = os.fork()
    if pid:
        with socket.socket(fileno=told) as tell:
            os.close(log)
            try:
                tell.send(str(pid).encode())
                _, status = os.waitpid(pid, 0)
                tell.send(str(os.waitstatus_to_exitcode(status)).encode())
            except BrokenPipeError:
                pass  # the tests have ended
        os._exit(0)
    os.setsid()
    for number in (1, 2):
        os.dup2(log, number)
    for each in descriptors:
        os.close(each)
    request = json.loads(asked)
    os.environ.clear()
    os.environ.update(request["environ"])
    os.chdir(request["cwd"])
    asyncio.run(run_service(load_config(request["directory"])))


if __name__ == "__main__":
    sys.path.pop(0)  # this directory: its modules are not those of the same names elsewhere
    with socket.socket(fileno=int(sys.argv[1])) as control:
        _main(control)
