"""What a program inside an allocation does with `nested`; test_nested.py runs it. Writes what it saw as JSON."""

from __future__ import annotations

import json
import sys
import threading
from datetime import timedelta
from pathlib import Path

from argosy import InvalidJobException, Job, JobExecutor, JobSpec, JobState, ResourceSpecV1

LONG = timedelta(seconds=60)


def main(directory: Path) -> dict[str, object]:
    executor = JobExecutor.get_instance("nested")
    seen: dict[str, object] = {"where": executor.starter.where}
    lock = threading.Lock()
    running: set[str] = set()
    most = 0
    order: list[str] = []

    def told(job: Job, status) -> None:
        nonlocal most
        with lock:
            if status.state is JobState.ACTIVE:
                order.append(job.id)
                running.add(job.id)
                most = max(most, len(running))
            elif status.final:
                running.discard(job.id)

    executor.set_job_status_callback(told)
    script = 'echo "$SLURMD_NODENAME $1"; exit "$(($1 % 3))"'
    jobs = [
        Job(JobSpec("/bin/sh", ["-c", script, "sh", str(number)], directory=directory, stdout_path=f"out.{number}"))
        for number in range(60)
    ]
    executor.submit(jobs[:50])
    for job in jobs[50:]:
        executor.submit(job)
    codes = [status.exit_code if (status := job.wait(LONG)) else None for job in jobs]
    seen["codes"] = codes
    seen["outputs"] = [(directory / f"out.{number}").read_text() for number in range(60)]
    seen["hosts"] = [job.status.metadata["hosts"] for job in jobs]
    seen["in order"] = order == [job.id for job in jobs]
    seen["most"] = most

    try:
        executor.submit(Job(JobSpec("/bin/true", resources=ResourceSpecV1(cpu_cores_per_process=3))))
    except InvalidJobException as error:
        seen["too large"] = error.element

    # All cores are taken by a job whose program does not listen to signals; one behind it waits.
    pids = directory / "pids"
    stubborn = "trap '' TERM INT; echo $$ >>pids; echo up >>up; while :; do sleep 1; done"
    job = Job(
        JobSpec(
            "/bin/bash",
            ["-c", stubborn],
            directory=directory,
            resources=ResourceSpecV1(node_count=2, processes_per_node=2),
            launcher="srun",
            post_launch=write(directory / "after", "echo after >> came-after\n"),
        )
    )
    behind = Job(JobSpec("/bin/true"))
    never = Job(JobSpec("/bin/touch", [str(directory / "never")]))
    executor.submit([job, behind, never])
    wait_for(lambda: len(lines(directory / "up")) == 4)
    seen["waiting"] = behind.status.state.name
    never.cancel()
    seen["never"] = outcome(never)
    attached = Job()
    executor.attach(attached, str(job.native_id))
    job.cancel()
    seen["cancelled"] = outcome(job)
    seen["attached"] = outcome(attached)
    seen["behind"] = outcome(behind)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in lines(pids)))
    seen["left"] = [pid for pid in lines(pids) if Path(f"/proc/{pid}").exists()]
    seen["came after"] = (directory / "came-after").exists() or (directory / "never").exists()

    ends = {}
    for name, spec in {
        "no program": JobSpec("no-such-program"),
        "signal": JobSpec("/bin/sh", ["-c", "kill -9 $$"]),
        "no step": JobSpec("/bin/true", launcher="srun", resources=ResourceSpecV1(process_count=1)),
        "copies": JobSpec(
            "/bin/sh",
            ["-c", 'echo "$_PSI_J_PROCESS_INDEX_ $1 $2"', "sh", "$${HOME}", "${A}"],
            environment={"A": "a 'b'"},
            launcher="multiple",
            resources=ResourceSpecV1(process_count=2),
            directory=directory,
            stdout_path="copies",
            pre_launch=write(directory / "before", 'export A="$A c"\n'),
        ),
        "empty": JobSpec("env", inherit_environment=False, directory=directory, stdout_path="env"),
    }.items():
        if name == "no step":
            spec.attributes.set_custom_attribute("srun.mpi", "no-such-mpi")
        one = Job(spec)
        executor.submit(one)
        one.wait(LONG)
        ends[name] = [*outcome(one), one.status.message]
    seen["ends"] = ends
    seen["copies"] = (directory / "copies").read_text()
    seen["environment"] = [line.partition("=")[0] for line in lines(directory / "env")]
    return seen


def outcome(job: Job) -> list[object]:
    status = job.wait(LONG)
    return [job.status.state.name, status.exit_code if status else None]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def wait_for(condition) -> None:
    """Until the condition holds; gives up after 30 seconds, and leaves it to the test to see that."""
    for _ in range(600):
        if condition():
            return
        threading.Event().wait(0.05)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    (place / "seen.part").write_text(json.dumps(main(place)))
    (place / "seen.part").rename(place / "seen")
