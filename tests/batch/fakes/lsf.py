"""bsub, bjobs, bhist and bkill as a volclava 2.2 prints, over `jobs.Queue`. ``FAKE_QUEUE`` is its directory."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import time
from pathlib import Path

from .jobs import Queue

KNOWN = {
    "jobid",
    "stat",
    "user",
    "queue",
    "job_name",
    "from_host",
    "exec_host",
    "submit_time",
    "start_time",
    "finish_time",
}


def main(command: str, arguments: list[str]) -> int:
    queue = Queue(Path(os.environ["FAKE_QUEUE"]))
    return {"bsub": bsub, "bjobs": bjobs, "bhist": bhist, "bkill": bkill}[command](queue, arguments)


def bsub(queue: Queue, arguments: list[str]) -> int:
    assert not arguments
    script = sys.stdin.buffer.read()
    options: dict[str, str] = {}
    # Directives are looked for in the whole of the script.
    for line in script.decode("utf-8", "surrogateescape").splitlines():
        if match := re.match(r"\s*#\s*BSUB\s+-(.*)", line):
            option, *value = shlex.split(match[1])
            options[option] = " ".join(value)
    if options.get("q") == "nosuch":
        print("nosuch: No such queue. Job not submitted.", file=sys.stderr)
        return 255
    job, job_name = queue.new_id(), options["J"]
    path = queue.root / f"script.{job}"
    path.write_bytes(script)
    array = re.fullmatch(r"(.*)\[1-(\d+)\]", job_name)
    for index in range(1, int(array[2]) + 1) if array else [0]:
        output = options["o"].replace("%J", str(job)).replace("%I", str(index))
        queue.start(
            f"{job}[{index}]" if array else str(job),
            ["/bin/bash", str(path)],
            {"LSB_JOBID": str(job), "LSB_JOBINDEX": str(index), "LSB_MCPU_HOSTS": "vm 1 ", "LS_SUBCWD": os.getcwd()},
            output,
            f"{array[1]}[{index}]" if array else job_name,
        )
    print(f"Job <{job}> is submitted to default queue <normal>.")
    return 0


def moment(seconds: float, form: str) -> str:
    return time.strftime(form, time.gmtime(seconds))


def state(queue: Queue, name: str) -> str:
    code = queue.exit_code(name)
    return "RUN" if code is None else "DONE" if code == 0 else "EXIT"


def chosen(queue: Queue, ids: list[str]) -> tuple[list[str], list[str]]:
    """The jobs, and the ids that nothing is known of."""
    found = [name for name in queue.names() if not ids or name in ids or name.partition("[")[0] in ids]
    return found, [one for one in ids if not any(one in (name, name.partition("[")[0]) for name in found)]


def bjobs(queue: Queue, arguments: list[str]) -> int:
    ids = [one for one in arguments if one[0].isdigit()]
    found, unknown = chosen(queue, ids)
    if "-UF" in arguments:
        for name in found:
            print(f"\nJob <{name}>, Job Name <{queue.read(name, 'title')}>, User <u>, Status <{state(queue, name)}>")
            story(queue, name, "Started 1 Task(s) on Host(s) <vm>")
            print("-" * 78)
        return 255 if unknown else 0
    fields = arguments[arguments.index("-o") + 1].split()
    for field in fields:
        if field not in KNOWN:
            print(f"<{field.upper()}> in the format string is not a valid field name.", file=sys.stderr)
            return 99
    records = [
        {
            "JOBID": name.partition("[")[0],
            "STAT": state(queue, name),
            "QUEUE": "normal",
            "JOB_NAME": queue.read(name, "title"),
            "EXEC_HOST": "vm",
            "SUBMIT_TIME": moment(float(queue.read(name, "submitted")), "%b %d %H:%M"),
            "START_TIME": moment(float(queue.read(name, "submitted")), "%m/%d-%H:%M:%S"),
            "FINISH_TIME": "-",
        }
        for name in found
        if "-a" in arguments or state(queue, name) == "RUN"
    ]
    missing = [{"JOBID": one, "ERROR": f"Job <{one}> is not found"} for one in unknown]
    print(json.dumps({"COMMAND": "bjobs", "JOBS": len(records), "RECORDS": records + missing}, indent="\t"))
    return 0 if records else 255


def story(queue: Queue, name: str, started: str) -> None:
    when = moment(float(queue.read(name, "submitted")), "%a %b %d %H:%M:%S")
    print(f"{when}: Submitted from host <vm>, CWD <$HOME>;\n{when}: {started};")
    code = queue.exit_code(name)
    if started.startswith("Dispatched") and queue.killed(name):
        print(f"{when}: Signal <KILL> requested by user or administrator <u>;")
    if code is not None:
        how = f"Exited with exit code {code}" if code else "Done successfully"
        print(f"{when}: {how}. The CPU time used is 0.0 second\n                     s;")


def bhist(queue: Queue, arguments: list[str]) -> int:
    found, _ = chosen(queue, arguments[1:])
    if not found:
        print("No matching job found")
        return 255
    for name in found:
        print(f"\nJob <{name}>, Job Name <{queue.read(name, 'title')}>, User <u>, Project <default>, Command <x>")
        story(queue, name, "Dispatched to <vm>")
        print("\nSummary of time in seconds spent in various states\n" + "-" * 78)
    return 0


def bkill(queue: Queue, arguments: list[str]) -> int:
    worst = 0
    for name in arguments:
        if not queue.has(name):
            print(f"Job <{name}>: No matching job found", file=sys.stderr)
            worst = 255
        elif queue.exit_code(name) is not None:
            print(f"Job <{name}>: Job has already finished", file=sys.stderr)
            worst = 255
        else:
            queue.kill(name)
            print(f"Job <{name}> is being terminated")
    return worst
