"""Run the body of a job script under a real bash, and see what the application was given."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argosy.batch import Group, Submission
from argosy.batch.records import SPOOL_DIRECTORIES, Record, parse_record
from argosy.batch.script import body, command_text
from argosy.launchers import get_launcher
from argosy.model import JobSpec

# What the kernel was given, before any interpreter changes it; the interpreter's own words come first.
_SHOW = """\
#!{python} -IS
import sys
with open(sys.argv[0] + ".seen", "wb") as out:
    for name in ("cmdline", "environ"):
        with open("/proc/self/" + name, "rb") as file:
            data = file.read()
        out.write(len(data).to_bytes(8, "big") + data)
"""


@dataclass
class Spool:
    """A spool, and jobs that are run from it."""

    path: Path

    def __post_init__(self) -> None:
        for name in SPOOL_DIRECTORIES:
            (self.path / name).mkdir(parents=True, exist_ok=True)

    def script(self, *members: Submission, tag: str = "group") -> str:
        group = Group(tag if len(members) > 1 else members[0].tag, members)
        text = body(group, str(self.path), '"$FAKE_ID"', '"${FAKE_RUN:-0}"', '"${FAKE_INDEX-}"')
        return f"#!/bin/bash\n{text}"

    def start(
        self, script: str, native_id: str = "7", run: int = 0, index: int | None = None, environ: Mapping[str, str] = {}
    ) -> subprocess.Popen[bytes]:
        path = self.path / f"script.{native_id}.{run}"
        path.write_bytes(script.encode("utf-8", "surrogateescape"))
        env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environ}
        env |= {"FAKE_ID": native_id, "FAKE_RUN": str(run)} | ({} if index is None else {"FAKE_INDEX": str(index)})
        return subprocess.Popen(
            ["/bin/bash", path],
            env=env,
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, script: str, *args, **kwargs) -> tuple[int, str]:
        process = self.start(script, *args, **kwargs)
        out, _ = process.communicate(timeout=60)
        return process.returncode, out.decode("utf-8", "surrogateescape")

    def records(self) -> dict[str, Record]:
        """What is in the spool now, by the records' names."""
        return {path.name: parse_record(path.name, path.read_bytes()) for path in (self.path / "new").iterdir()}


def submission(spec: JobSpec, directory: str | None, tag: str = "job", *, rerunnable: bool = False) -> Submission:
    launcher = get_launcher(spec.launcher or "single")
    return Submission(tag, spec, launcher.render(command_text(spec), spec), directory, rerunnable)


def write_show(directory: Path) -> Path:
    """A program that tells what it was given."""
    path = directory / "show"
    path.write_text(_SHOW.format(python=sys.executable))
    path.chmod(0o755)
    return path


def seen(show: Path) -> tuple[list[bytes], dict[bytes, bytes]]:
    """The arguments and environment that the program was given."""
    data = Path(f"{show}.seen").read_bytes()
    blocks = []
    while data:
        size = int.from_bytes(data[:8], "big")
        blocks.append(data[8 : 8 + size].split(b"\0")[:-1])
        data = data[8 + size :]
    arguments, environ = blocks
    return arguments[3:], dict(entry.split(b"=", 1) for entry in environ)
