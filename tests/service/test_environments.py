"""Runtime environments: prepared in the job, on this machine and on a real Slurm, and told of where they fail."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.client import Client
from argosy.languages.documents import ActivityDocument
from argosy.model import InvalidInput
from tests.service.running import RunningService

STAGING = Path(__file__).parents[2] / "examples" / "environments" / "staging.sh"

_CONFIG = """
[resources.local]
type = "local"
{slurm}

[environments."python-3.9"]
[environments."python-3.11"]
description = "Python"
script = "{home}/python.sh"
variables = {{ PYTHON_HOME = "/opt/python 3.11" }}
[environments."python-3.11".parameters.threads]
description = "Threads of numerical libraries."
default = "1"
allowed = ["1", "2"]
variable = "OMP_NUM_THREADS"

[environments."mpi-4.1"]
modules = ["gcc/12", "openmpi/4.1"]
[environments."mpi-5.0"]
modules = ["broken"]

[environments."image-1.0"]
container = "{home}/image.sif"
container_options = ["--cleanenv"]
[environments."image-2.0"]
container = "{home}/nosuch.sif"

[environments."bad-1"]
script = "{home}/bad.sh"
[environments."exits-1"]
script = "{home}/exits.sh"
[environments."untidy-1"]
script = "{home}/untidy.sh"

[environments."staging-1.0"]
script = "{staging}"
variables = {{ STAGING_CREDENTIAL = "{home}/credential" }}

[environments."elsewhere-1"]
shares = ["{only}"]
"""

_FILES = {
    "python.sh": 'case $1 in before) declare -x PREPARED="$PYTHON_HOME/$OMP_NUM_THREADS" ;;\n'
    "after) echo put away >>${PWD}/after.txt ;; esac\n",
    "bad.sh": "echo nothing works here\nreturn 3\n",
    "exits.sh": "exit 0\n",
    "untidy.sh": '[ "$1" = before ] || { echo still in use; return 4; }\n',
    "image.sif": "an image\n",
    "credential": "secret-token\n",
    "pre.sh": 'export SEEN="${PREPARED-nothing}"\n',
    # What sites have for `module`: a shell function that changes the environment.
    "init/bash": "module() {\n"
    '[ "$2" != broken ] || { echo "ERROR: Unable to locate a modulefile for $2" >&2; return 1; }\n'
    'export LOADED="${LOADED-}:$2"\n}\n',
    "bin/apptainer": '#!/bin/bash\nprintf "%s\\n" "$@" >"$TEST_HOME/words"\n'
    'while [ "$1" != "$TEST_HOME/image.sif" ]; do shift; done\nshift\nIN_CONTAINER=yes exec "$@"\n',
}


@pytest.fixture(scope="module", params=["local", pytest.param("slurm", marks=pytest.mark.slurm)])
def share(request: pytest.FixtureRequest) -> str:
    """Where jobs go."""
    if request.param == "slurm":
        request.getfixturevalue("slurm")
    return str(request.param)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as a site has them."""
    directory = tmp_path_factory.mktemp("environments") / "site files"
    for name, text in _FILES.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (directory / "bin" / "apptainer").chmod(0o755)
    return directory


@pytest.fixture(scope="module")
def client(home: Path, share: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Of a service that has these environments."""
    running = RunningService(tmp_path_factory.mktemp("service") / "home")
    running.directory.mkdir(mode=0o700)
    slurm = '[resources.slurm]\ntype = "slurm"\npoll = 1' if share == "slurm" else ""
    only = "local" if share == "slurm" else "local/none"
    config = _CONFIG.format(home=home, slurm=slurm, staging=STAGING, only=only)
    (running.directory / "argosy.toml").write_text(config)
    # Variables named ARGOSY_... are not for jobs.
    environ = {"PATH": f"{home}/bin:{os.environ['PATH']}", "MODULESHOME": str(home), "TEST_HOME": str(home)}
    try:
        running.start(environ=environ)
        yield running.client()
    finally:
        running.end()


def run(client: Client, share: str, script: str, *environments: dict[str, object], **more: object) -> ActivityDocument:
    made = client.submit(
        {
            "executable": "/bin/bash",
            "arguments": ["-c", script],
            "share": share,
            "environments": list(environments),
            "custom": {"slurm.mem": "16"} if share == "slurm" else {},
        }
        | more
    )
    return client.wait(made.id, timeout=60)


def said(client: Client, done: ActivityDocument) -> str:
    return client.read_file(done.id, "stdout").decode()


def test_a_script_prepares_the_job_and_puts_away(client: Client, share: str, home: Path) -> None:
    asked = {"name": "python", "version": ">=3.10,<4", "parameters": {"threads": "2"}}
    pre = (home / "pre.sh").read_text()
    done = run(
        client,
        share,
        'echo "$PREPARED $OMP_NUM_THREADS $SEEN"; exit 7',
        asked,
        inputs=[{"path": "pre.sh", "content": pre}],
        pre_launch="pre.sh",
    )
    assert (done.state, done.exit_code, done.environments) == ("finished", 7, ["python-3.11"])
    assert said(client, done) == "/opt/python 3.11/2 2 /opt/python 3.11/2\n"
    assert client.read_file(done.id, "after.txt") == b"put away\n"
    assert client.wait(done.id).reason is None
    told = [event for event in client.events(done.id) if event.kind == "environments"]
    assert [event.message for event in told] == ["runs in python-3.11"]


def test_modules_are_loaded_in_order(client: Client, share: str) -> None:
    done = run(client, share, 'echo "$LOADED"', {"name": "mpi", "version": "4.1"}, {"name": "nosuch", "optional": True})
    assert (done.exit_code, said(client, done)) == (0, ":gcc/12:openmpi/4.1\n")
    told = [event.message for event in client.events(done.id) if event.kind == "environments"]
    assert told == ["runs in mpi-4.1; without nosuch, which is not to be had"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            {"name": "mpi"},
            "mpi-5.0: module load broken failed with exit status 1: ERROR: Unable to locate a modulefile for broken",
        ),
        (
            {"name": "bad"},
            "preparing the environment bad-1: its script failed with exit status 3: nothing works here",
        ),
        ({"name": "exits"}, "what prepares the job ended its"),
        ({"name": "image"}, "the image of the environment image-2.0, "),
    ],
)
def test_what_cannot_be_prepared_fails_the_job_in_plain_words(
    client: Client, share: str, asked: dict[str, object], words: str
) -> None:
    done = run(client, share, "touch ran", asked)
    assert (done.state, done.exit_code) == ("failed", None)
    assert words in (done.reason or "")
    assert "ran" not in [file.path for file in client.list_files(done.id)]


def test_what_cannot_be_put_away_is_told_and_changes_nothing(client: Client, share: str) -> None:
    done = run(client, share, "exit 5", {"name": "untidy"})
    assert (done.state, done.exit_code) == ("finished", 5)
    messages = [event.message or "" for event in client.events(done.id)]
    assert any(
        "putting away the environment untidy-1: its script failed with exit status 4: still in use" in m
        for m in messages
    )


def test_a_container_runs_the_command_in_the_session_directory(client: Client, share: str, home: Path) -> None:
    done = run(client, share, 'echo "$IN_CONTAINER $1"; pwd', {"name": "image", "version": "<2"})
    assert done.exit_code == 0, done
    first, where = said(client, done).split("\n")[:2]
    assert first.split() == ["yes"]
    words = (home / "words").read_text().splitlines()
    assert words[:7] == ["exec", "--bind", where, "--pwd", where, "--cleanenv", str(home / "image.sif")]
    assert words[7:9] == ["/bin/bash", "-c"]


def test_a_job_moves_its_data_itself_with_a_credential(client: Client, share: str) -> None:
    seen: list[str | None] = []

    class Storage(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"data")

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Storage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/input"
        done = run(
            client,
            share,
            f'curl -K "$STAGING_CURL" {address}; stat -c " %a" "$STAGING_CURL"; echo "$STAGING_CURL"',
            {"name": "staging"},
        )
        server.shutdown()
    assert (done.exit_code, seen) == (0, ["Bearer secret-token"]), client.read_file(done.id, "stderr")
    first, place = said(client, done).split("\n")[:2]
    assert first == "data 600"
    assert not Path(place).exists()


@pytest.mark.parametrize(
    ("asked", "element"),
    [
        ({"name": "nosuch"}, "environments[0].name"),
        ({"name": "python", "version": ">=4"}, "environments[0].version"),
        ({"name": "python", "version": "latest"}, "environments[0].version"),
        ({"name": "python", "parameters": {"threads": "3"}}, "environments[0].parameters.threads"),
        ({"name": "python", "parameters": {"nosuch": "3"}}, "environments[0].parameters.nosuch"),
        ({"name": "elsewhere"}, "environments[0].name"),
    ],
)
def test_what_is_not_to_be_had_is_refused(client: Client, share: str, asked: dict[str, object], element: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        run(client, share, "true", asked)
    assert caught.value.element == element


def test_they_are_advertised(client: Client, share: str) -> None:
    offered = {f"{one.name}-{one.version}": one for one in client.environments()}
    python = offered["python-3.11"]
    (threads,) = python.parameters
    assert (threads.name, threads.variable, threads.default, threads.allowed) == (
        "threads",
        "OMP_NUM_THREADS",
        "1",
        ["1", "2"],
    )
    assert share in [name.partition("/")[0] for name in python.shares]
    assert offered["image-1.0"].container
    assert "slurm" not in str(offered["elsewhere-1"].shares)
