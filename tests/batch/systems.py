"""What the tests of single batch systems share: submissions, and commands that say what they were given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from argosy.batch import Group, Submission
from argosy.model import Command, JobSpec


def group(spec: JobSpec, count: int = 1, tag: str = "t", *, rerunnable: bool = False) -> Group:
    members = tuple(
        Submission(tag if count == 1 else f"{tag}.{number}", spec, "exec -- /bin/true", "/", rerunnable)
        for number in range(count)
    )
    return Group(tag, members)


def telling(directory: Path, *names: str) -> Path:
    """Commands of these names that write their arguments and input beside themselves, and print ``NAME.says``."""
    directory.mkdir(exist_ok=True)
    for name in names:
        path = directory / name
        path.write_text(
            f"#!{sys.executable} -B\nimport json, sys, pathlib\n"
            f"base = pathlib.Path({str(directory)!r})\n"
            f"path = base / {name + '.given'!r}\n"
            "given = json.loads(path.read_text()) if path.exists() else []\n"
            "data = sys.stdin.buffer.read().decode('utf-8', 'surrogateescape')\n"
            "files = [pathlib.Path(one.rpartition('=')[2]) for one in sys.argv[1:]]\n"
            "files = [one for one in files if '/argosy.' in str(one) and one.is_file()]\n"
            "held = [one.read_text(errors='surrogateescape') for one in files]\n"
            "path.write_text(json.dumps([*given, [sys.argv[1:], data, held]]))\n"
            f"says = base / {name + '.says'!r}\n"
            "print(says.read_text() if says.exists() else '', end='')\n"
        )
        path.chmod(0o755)
    return directory


def run(command: Command, place: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command with those of `place` before all others."""
    env = {**os.environ, "PATH": f"{place}:{os.environ['PATH']}", **environ}
    for name, value in command.environment.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return subprocess.run(
        command.argv, input=command.stdin, env=env, capture_output=True, text=True, timeout=60, check=False,
        errors="surrogateescape",
    )  # fmt: skip
