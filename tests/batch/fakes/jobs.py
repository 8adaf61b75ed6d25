"""A queue of jobs in a directory, for commands that pretend to be those of a batch system.

Each job is a directory with a few small files; it is started at once, as a real process under bash, with the variables
that the real system sets. What ran is told by its process group and its exit status, by nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def install(system: str, commands: Sequence[str], directory: Path) -> Path:
    """Commands of these names, each the `main` of ``tests.batch.fakes.SYSTEM``. Gives their directory."""
    root = Path(__file__).parents[3]
    place = directory / "bin"
    place.mkdir()
    for command in commands:
        path = place / command
        path.write_text(
            f"#!{sys.executable} -B\nimport sys\nsys.path[0] = {str(root)!r}\n"
            f"from tests.batch.fakes.{system} import main\nsys.exit(main({command!r}, sys.argv[1:]))\n"
        )
        path.chmod(0o755)
    (directory / "queue").mkdir()
    return place


class Queue:
    """The jobs that are in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def new_id(self) -> int:
        """The next id."""
        with (self.root / "last").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            number = int(file.read() or "100") + 1
            file.truncate(0)
            file.write(str(number))
        return number

    def start(self, name: str, argv: Sequence[str], variables: Mapping[str, str], output: str, title: str) -> None:
        """Start a job; it outlives this process."""
        place = self.root / name
        place.mkdir()
        (place / "title").write_text(title)
        (place / "submitted").write_text(str(time.time()))
        begun, begin = os.pipe()
        if os.fork() == 0:
            os.setsid()
            with Path(output).open("ab") as out, Path(os.devnull).open("rb+") as nothing:
                for number in range(3):
                    os.dup2(nothing.fileno(), number)
                child = subprocess.Popen(
                    argv,
                    env={**os.environ, **variables},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
            (place / "pid").write_text(str(child.pid))
            os.close(begin)
            status = child.wait()
            with contextlib.suppress(OSError):  # the test has lost the job
                (place / "exit.new").write_text(str(status if status >= 0 else 128 - status))
                (place / "exit.new").rename(place / "exit")
            os._exit(0)
        os.close(begin)
        os.read(begun, 1)

    def names(self) -> list[str]:
        """All jobs."""
        return sorted((path.name for path in self.root.iterdir() if path.is_dir()), key=lambda name: (len(name), name))

    def has(self, name: str) -> bool:
        return (self.root / name).is_dir()

    def exit_code(self, name: str) -> int | None:
        """None while it runs."""
        path = self.root / name / "exit"
        return int(path.read_text()) if path.exists() else None

    def read(self, name: str, what: str) -> str:
        return (self.root / name / what).read_text()

    def killed(self, name: str) -> bool:
        return (self.root / name / "killed").exists()

    def kill(self, name: str) -> None:
        """End it, as the batch system would."""
        (self.root / name / "killed").write_text("")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(self.read(name, "pid")), signal.SIGTERM)
