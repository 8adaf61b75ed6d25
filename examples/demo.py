"""The energy of the Ising model, computed by several jobs of the service and compared with the exact solution.

Starts a service of its own on this machine, in the private directory .demo of the clone; submits a job for each
temperature, with a program and its parameters as input files; fetches the results; and stops the service.
Exits with 0 where every result agrees with the exact energy.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ising import exact

from argosy.client import Client, Description, Input, Output, Resources, discover
from argosy.executors.local import LocalDriver
from argosy.model import ArgosyError
from argosy.model.shell import quote

HERE = Path(__file__).resolve().parent
HOME = HERE.parent / ".demo"
TEMPERATURES = [1.5, 2.0, exact.CRITICAL, 2.5, 3.0, 4.0]
SIZE = 32
SWEEPS = 40_000
#: A result further away than so many standard errors is wrong.
TOLERANCE = 4.0
#: How long the service may take to start or to stop, in seconds.
PATIENCE = 30.0
#: The states worth a line where there is no terminal.
TOLD = ("running:stage-in:staging", "running:lrms:queued", "running:lrms:running", "finished", "failed", "terminated")


@dataclass
class Task:
    """One temperature's job."""

    temperature: float
    id: str = ""
    state: str = ""

    @property
    def name(self) -> str:
        return f"T={self.temperature:.3f}"


@contextlib.contextmanager
def service(directory: Path) -> Iterator[None]:
    """A service of our own, from when it answers until it and its helper have ended."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    (directory / "argosy.toml").write_text('[resources.local]\ntype = "local"\n')
    log_path = directory / "service.log"
    with log_path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "argosy.cli", "serve", "--directory", str(directory)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    started = False
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            line = process.stdout.readline() if selector.select(PATIENCE) else ""
        if not line:
            raise SystemExit(f"the service did not start; see {log_path}:\n{log_path.read_text().strip()}")
        print(line.strip())
        started = True
        yield
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        # Where the service did not start, another one may have the directory, and need the reaper.
        if started:
            asyncio.run(stop_reaper(directory / "local"))


async def stop_reaper(directory: Path) -> None:
    """End the process that started the jobs and kept their exit codes: it outlives the service on purpose."""

    async def ignore(reports: object) -> None:
        del reports

    driver = LocalDriver(str(directory))
    await driver.open(ignore)
    await driver.stop_reaper()
    await driver.close()
    deadline = time.monotonic() + PATIENCE
    with (directory / "lock").open("rb") as lock:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await asyncio.sleep(0.02)
            else:
                return
    raise SystemExit(f"the reaper in {directory} does not end")


def submit(client: Client) -> list[Task]:
    """One job for each temperature, each with its two input files."""
    tasks = [Task(temperature) for temperature in TEMPERATURES]
    descriptions = [
        Description(
            name=task.name,
            executable=sys.executable,
            arguments=["ising.py", "parameters.json", "result.json"],
            inputs=[Input(path="ising.py"), Input(path="parameters.json")],
            outputs=[Output(path="result.json")],
            resources=Resources(processes=1),
            duration=300,
            tags={"example": "ising"},
        )
        for task in tasks
    ]
    for number, (task, answer) in enumerate(zip(tasks, client.submit_many(descriptions), strict=True)):
        if answer.activity is None:
            raise SystemExit(f"{task.name} was refused: {answer.problem and answer.problem.detail}")
        task.id, task.state = answer.activity.id, answer.activity.state
        parameters = {
            "temperature": task.temperature,
            "size": SIZE,
            "sweeps": SWEEPS,
            "warm_up": 2000,
            "seed": 1944 + number,
        }
        client.put_file(task.id, "ising.py", HERE / "ising" / "ising.py")
        client.put_file(task.id, "parameters.json", json.dumps(parameters, indent=2).encode())
    return tasks


def follow(client: Client, tasks: list[Task]) -> None:
    """Show what happens until all have ended: a table on a terminal, otherwise a line for each change."""
    by_id = {task.id: task for task in tasks}
    events = (event for event in client.stream(list(by_id), after=0) if event.kind == "state")
    if not sys.stdout.isatty():
        for event in events:
            if event.state in TOLD:
                print(f"{event.time}  {by_id[event.activity].name}  {event.state}", flush=True)
        return
    from rich.live import Live
    from rich.table import Table

    def table() -> Table:
        shown = Table("job", "state", box=None)
        for task in tasks:
            style = "green" if task.state == "finished" else "yellow" if "lrms" in task.state else "dim"
            shown.add_row(task.name, f"[{style}]{task.state}[/]")
        return shown

    with Live(table(), refresh_per_second=10) as live:
        for event in events:
            by_id[event.activity].state = event.state
            live.update(table())


def fetch(client: Client, tasks: list[Task], results: Path) -> bool:
    """Fetch what the jobs have left, and compare. Returns whether all is as it should be."""
    good = True
    print(f"\nEnergy per spin of the Ising model on a {SIZE} x {SIZE} lattice, in units of J:\n")
    print("     T     measured   +/-       exact    off by      infinite lattice")
    for task in tasks:
        record = client.status(task.id)
        if record.state != "finished" or record.exit_code != 0:
            print(f"{task.temperature:7.3f}  {record.state}, exit code {record.exit_code}: {record.reason or '-'}")
            good = False
            continue
        place = results / task.name
        place.mkdir(parents=True, exist_ok=True)
        for name in ("result.json", "stdout"):
            client.get_file(task.id, name, place / name)
        result = json.loads((place / "result.json").read_text())
        right = exact.kaufman(task.temperature, SIZE)
        sigmas = (result["energy"] - right) / result["error"]
        good = good and abs(sigmas) <= TOLERANCE
        print(
            f"{task.temperature:7.3f}  {result['energy']:10.5f} {result['error']:8.5f} {right:10.5f} "
            f"{sigmas:+6.1f} sigma  {exact.onsager(task.temperature):10.5f}"
        )
    print("\nexact: Kaufman's solution for this lattice; infinite lattice: Onsager's.")
    return good


def main() -> int:
    began = time.monotonic()
    HOME.mkdir(mode=0o700, exist_ok=True)
    HOME.chmod(0o700)
    directory, results = HOME / "service", HOME / "results"
    os.environ["ARGOSY_HOME"] = str(directory)
    for name in ("ARGOSY_URL", "ARGOSY_TOKEN", "ARGOSY_TOKEN_FILE"):
        os.environ.pop(name, None)
    try:
        with service(directory), Client(discover()) as client:
            tasks = submit(client)
            follow(client, tasks)
            good = fetch(client, tasks, results)
    except ArgosyError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(f"Results: {results}")
    print("To look at the jobs again, start the service and ask it:")
    print(f"    export ARGOSY_HOME={quote(str(directory))} PATH={quote(str(Path(sys.executable).parent))}:$PATH")
    print("    argosy serve &")
    print("    argosy list")
    print(f"{'All agree.' if good else 'NOT ALL AGREE.'} ({time.monotonic() - began:.1f} s)")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
