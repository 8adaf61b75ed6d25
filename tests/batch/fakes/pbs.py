"""qsub, qstat, qselect and qdel as OpenPBS 23.06 answers, or as Torque does, over `jobs.Queue`.

``FAKE_QUEUE`` is the directory; with ``FAKE_HISTORY=0`` PBS keeps no history; with ``FAKE_TORQUE=1`` it is Torque.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from pathlib import Path

from .jobs import Queue

SERVER = "vm"
TORQUE = os.environ.get("FAKE_TORQUE") == "1"
HISTORY = os.environ.get("FAKE_HISTORY") != "0"


def main(command: str, arguments: list[str]) -> int:
    queue = Queue(Path(os.environ["FAKE_QUEUE"]))
    return {"qsub": qsub, "qstat": qstat, "qselect": qselect, "qdel": qdel}[command](queue, arguments)


def qsub(queue: Queue, arguments: list[str]) -> int:
    assert not arguments
    script = sys.stdin.buffer.read()
    options: dict[str, list[str]] = {}
    for line in script.decode("utf-8", "surrogateescape").splitlines():
        if line.startswith("#PBS "):
            words = shlex.split(line.removeprefix("#PBS "))
            assert re.fullmatch(r"-[A-Za-z]", words[0]), line
            assert len(words) == (1 if words[0] in ("-V", "-n") else 2), line
            options.setdefault(words[0][1:], []).extend(words[1:])
        elif line.strip() and not line.startswith("#"):
            break
    if options.get("q") == ["nosuch"]:
        return complain("qsub", "Unknown queue", 170)
    array = options.get("t" if TORQUE else "J")
    if array and options["r"] == ["n"] and not TORQUE:
        return complain("qsub", "cannot submit non-rerunnable Array Job", 1)
    assert options["o"] == ["/dev/null"]
    assert options["j"] == ["oe"]
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_+.-]*", options["N"][0])
    number = queue.new_id()
    path = queue.root / f"script.{number}"
    path.write_bytes(script)
    (queue.root / f"nodes.{number}").write_text("vm\n")
    variables = options["v"][0]
    assert os.environ.get("ARGOSY_TAG") is None
    first, _, last = array[0].partition("-") if array else ("", "", "")
    for index in range(int(first), int(last) + 1) if array else [None]:
        name = f"{number}.{SERVER}" if index is None else f"{number}[{index}].{SERVER}"
        given = {
            "PBS_JOBID": name,
            "PBS_NODEFILE": str(queue.root / f"nodes.{number}"),
            "PBS_O_WORKDIR": str(Path.cwd()),
            **dict([variables.split("=", 1)]),
        }
        if index is not None:
            given["PBS_ARRAYID" if TORQUE else "PBS_ARRAY_INDEX"] = str(index)
        queue.start(name, ["/bin/bash", str(path)], given, "/dev/null", variables)
    print(f"{number}[].{SERVER}" if array else f"{number}.{SERVER}")
    return 0


def complain(command: str, words: str, code: int) -> int:
    print(f"{command}: {words}", file=sys.stderr)
    return code


def parent(name: str) -> str:
    return re.sub(r"\[\d+\]", "[]", name)


def ended(queue: Queue, name: str) -> bool:
    """Whether it is in the history only: an element is not before its whole array is."""
    return all(queue.exit_code(one) is not None for one in queue.names() if parent(one) == parent(name))


def describe(queue: Queue, name: str, shown: str) -> None:
    code = None if shown.startswith(f"{shown.partition('[')[0]}[].") else queue.exit_code(name)
    killed = queue.killed(name)
    when = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(float(queue.read(name, "submitted"))))
    if code is None:
        state = "B" if "[]" in shown and not TORQUE else "R"
    else:
        state = "C" if TORQUE else "F" if ended(queue, name) else "X"
    print(f"Job Id: {shown}\n    Job_Name = job\n    Job_Owner = u@vm\n    job_state = {state}\n    queue = workq")
    print(f"    ctime = {when}\n    exec_host = vm/0\n    mtime = {when}\n    stime = {when}")
    if not TORQUE:
        print(f"    substate = {42 if code is None else 91 if killed else 93 if code else 92}")
    print(f"    Variable_List = PBS_O_HOME=/home/u,{queue.read(name, 'title')},PBS_O_QUEUE=workq")
    if code is not None:
        end = "terminated by u@vm" if killed else "failed" if code else "finished"
        print(f"    {'exit' if TORQUE else 'Exit'}_status = {271 if killed else code}")
        print(f"    comment = Job run at Sat Nov 21 at 10:17 on (vm:ncpus=1) and {end}")
    print()


def qstat(queue: Queue, arguments: list[str]) -> int:
    options = [one for one in arguments if one.startswith("-")]
    ids = [one for one in arguments if not one.startswith("-")]
    assert "-f" in options
    assert ids, "it would show everybody's"
    if "-x" in options and not HISTORY:
        return complain("qstat", "PBS Error: job_history_enable is set to false", 1)
    worst = 0
    for one in ids:
        names = [name for name in queue.names() if one in (name, parent(name))]
        if not names:
            worst = complain("qstat", f"Unknown Job Id {'Error ' if TORQUE else ''}{one}", 153)
        elif not TORQUE and "-x" not in options and ended(queue, names[0]):
            words = f"{one} Job has finished, use -x or -H to obtain historical job information"
            worst = complain("qstat", words if HISTORY else f"Unknown Job Id {one}", 35 if HISTORY else 153)
        elif one in names:
            describe(queue, one, one)
        else:
            describe(queue, names[0], one)
            for name in names if "-t" in options else []:
                describe(queue, name, name)
    return worst


def qselect(queue: Queue, arguments: list[str]) -> int:
    assert arguments[-2] == "-u"
    if "-x" in arguments and not HISTORY:
        return complain("qselect", "PBS Error: job_history_enable is set to false", 1)
    names = [name for name in queue.names() if TORQUE or "-x" in arguments or not ended(queue, name)]
    print("\n".join(dict.fromkeys(map(parent, names))))
    return 0


def qdel(queue: Queue, arguments: list[str]) -> int:
    """One id that is a range: ``7[2-4].vm``."""
    if len(arguments) > 1 and not TORQUE and any("[" in one for one in arguments):
        print("double free or corruption (fasttop)", file=sys.stderr)
        os.abort()
    worst = 0
    for one in arguments:
        match = re.fullmatch(r"(\d+)\[(\d+)-(\d+)\](.*)", one)
        names = [f"{match[1]}[{i}]{match[4]}" for i in range(int(match[2]), int(match[3]) + 1)] if match else [one]
        for name in names:
            if not queue.has(name):
                worst = complain("qdel", f"Unknown Job Id {name}", 153)
            elif queue.exit_code(name) is not None:
                worst = complain("qdel", f"Job has finished {name}", 35)
            else:
                queue.kill(name)
    return worst
