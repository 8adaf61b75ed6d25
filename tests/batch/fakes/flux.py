"""flux submit, jobs and cancel as flux-core 0.88 prints, over `jobs.Queue`. ``FAKE_QUEUE`` is its directory."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from .jobs import Queue

DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def f58(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = DIGITS[digit] + text
    return "\u0192" + text


def main(command: str, arguments: list[str]) -> int:
    assert command == "flux"
    sys.stdout.reconfigure(encoding="utf-8")
    queue = Queue(Path(os.environ["FAKE_QUEUE"]))
    return {"submit": submit, "jobs": jobs, "cancel": cancel}[arguments[0]](queue, arguments[1:])


def submit(queue: Queue, arguments: list[str]) -> int:
    options = dict(one[2:].partition("=")[::2] for one in arguments if one.startswith("--"))
    argv = [one for one in arguments if not one.startswith("--")]
    if options.get("queue") == "nosuch":
        print("[Errno 1] Invalid queue 'nosuch' specified", file=sys.stderr)
        return 1
    first, _, last = options.get("cc", "0-0").partition("-")
    # Not in order: Flux promises none.
    for index in reversed(range(int(first), int(last) + 1)):
        number = queue.new_id()
        directory = queue.root / f"tmp.{number}"
        name, _, path = options["add-file"].partition("=")
        directory.mkdir()
        shutil.copy(path, directory / name)
        title = options["job-name"]
        variables = {"FLUX_JOB_ID": f58(number)}
        if "cc" in options:
            variables["FLUX_JOB_CC"] = str(index)
            title = title.format(cc=index)
        command = [one.replace("{{tmpdir}}", str(directory)) for one in argv]
        queue.start(str(number), command, variables, options["output"].replace("{{id.dec}}", str(number)), title)
        print(f58(number))
    return 0


def record(queue: Queue, name: str) -> dict[str, object]:
    code = queue.exit_code(name)
    begun = float(queue.read(name, "submitted"))
    shown: dict[str, object] = {
        "id": int(name),
        "jobid": f58(int(name)),
        "name": queue.read(name, "title"),
        "queue": "batch",
        "urgency": 16,
        "t_submit": begun,
        "t_run": begun,
        "nodelist": "fake0",
        "state": "RUN",
        "status": "RUN",
        "exception": {"occurred": False},
    }
    if code is not None:
        result = "CANCELED" if queue.killed(name) else "FAILED" if code else "COMPLETED"
        shown |= {"state": "INACTIVE", "status": result, "result": result, "returncode": code, "t_cleanup": begun + 1}
        if queue.killed(name):
            shown["exception"] = {"occurred": True, "severity": 0, "type": "cancel", "note": ""}
    return shown


def jobs(queue: Queue, arguments: list[str]) -> int:
    asked = [one for at, one in enumerate(arguments) if one.isdigit() and arguments[at - 1] != "-c"]
    known = [name for name in queue.names() if name.isdigit()]
    found = [name for name in known if name in asked] if asked else known
    for one in asked:
        if one not in found:
            print(f"JobID {one} unknown", file=sys.stderr)
    if asked and not found:
        return 1
    if "--json" in arguments:
        records = [record(queue, name) for name in found]
        print(json.dumps(records[0] if len(asked) == 1 else {"jobs": records}))
    else:
        for name in found:
            if asked or "-a" in arguments or queue.exit_code(name) is None:
                print(name, queue.read(name, "title"))
    return 0


def cancel(queue: Queue, arguments: list[str]) -> int:
    worst = 0
    for name in arguments:
        wrong = (
            "unknown job id" if not queue.has(name) else "job is inactive" if queue.exit_code(name) is not None else ""
        )
        if wrong:
            print(f"flux-cancel: ERROR: {f58(int(name))}: {wrong}", file=sys.stderr)
            worst = 1
        else:
            queue.kill(name)
    return worst
