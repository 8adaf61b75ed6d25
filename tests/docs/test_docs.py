"""The documentation is true where a machine can tell: links, snippets, routes, commands, fields, fault points."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from argosy.cli.app import cli
from argosy.launchers import Launcher
from argosy.model import JobSpec, ResourceSpecV1
from argosy.model.activity import RESTARTED
from argosy.model.notification import KINDS
from argosy.service.config import ResourceConfig, load_config
from argosy.service.faults import POINTS
from argosy.service.files.transfers import FETCHED, NOT_PUSHED, PUSHED
from argosy.service.matching.share_config import EnvironmentConfig
from argosy.service.notifications import NotificationConfig
from argosy.service.policy import ServicePolicy
from tests.servers.needs import need
from tests.service.running import RunningService

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def snippets(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page(name), re.DOTALL | re.MULTILINE)


def rows(name: str, heading: str) -> list[str]:
    """The first cells of the table's rows that follow the line beginning with `heading`."""
    text = page(name).partition(f"\n{heading}")[2]
    assert text, f"{name} has no {heading!r}"
    table = re.search(r"\n((?:\|.*\n)+)", text)
    assert table is not None
    return [line.split("|")[1].strip() for line in table[1].splitlines()[2:]]


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    running = RunningService(tmp_path_factory.mktemp("service") / "home")
    running.directory.mkdir(mode=0o700)
    (running.directory / "argosy.toml").write_text('[resources.local]\ntype = "local"\n')
    running.start()
    yield running
    running.end()


def environment(service: RunningService) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ARGOSY_")}
    return ours | {"ARGOSY_HOME": str(service.directory), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        assert there.exists(), target
        assert not anchor or anchor in anchors(there.read_text("utf-8")), target


def test_every_page_can_be_found_from_the_readme() -> None:
    for path in (ROOT / "docs").rglob("*.md"):
        assert f"({path.relative_to(ROOT)})" in page("README.md")


@pytest.mark.parametrize("name", ["README.md", "docs/library.md", "docs/remote.md", "docs/client.md"])
def test_python_snippets_run(name: str, service: RunningService, tmp_path: Path) -> None:
    found = snippets(name, "python")
    assert found
    for snippet in found:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", snippet],
            cwd=tmp_path,
            env=environment(service),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{snippet}\n{done.stderr}"


def test_the_library_snippet_ends_as_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", snippets("docs/library.md", "python")[0]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split()[:2] == ["FAILED", "3"], done.stderr


def test_the_readme_shell_lines_run(service: RunningService, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("pear\napple\n")
    nightly = tmp_path / "nightly.sh"
    nightly.write_text("#!/bin/sh\necho slept\n")
    nightly.chmod(0o755)
    ran = 0
    for line in "".join(snippets("README.md", "sh")).splitlines():
        if "--to slurm" in line or line.startswith("argosy serve"):
            continue
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=tmp_path,
            env=environment(service),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        ran += 1
    assert ran == 4
    with service.client() as client:
        (submitted,) = client.list(name="nightly")
        assert client.wait(submitted.id, 60).exit_code == 0
        assert client.read_file(submitted.id, "stdout") == b"slept\n"
    assert (tmp_path / "sorted.txt").read_text() == "apple\npear\n"


def test_examples_send_the_program_that_they_name() -> None:
    helps = [cli.help or "", *(command.epilog or "" for _, command in _commands(cli, click.Context(cli), ""))]
    tried = 0
    for line in "\n".join([*helps, *(path.read_text("utf-8") for path in PAGES)]).splitlines():
        program = re.search(r"argosy (?:run|submit) .*-- \./(\S+)", line)
        if program is not None:
            assert f"-i {program[1]} " in line, line
            tried += 1
    assert tried > 2


def test_the_curl_lines_run(service: RunningService, tmp_path: Path) -> None:
    need("curl", "jq")
    script = "".join(snippets("docs/rest.md", "sh")).replace("/tmp/argosy-job.json", str(tmp_path / "job.json"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment(service),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert '"exit_code": 0' in done.stdout
    assert "apple\npear\n" in done.stdout
    assert " finished\n" in done.stdout
    assert "\n200\n" in done.stdout
    assert "\ncosts ${HOME} or $5\n" in done.stdout


@pytest.mark.parametrize("name", ["monitoring", "operations", "glue2", "usage"])
def test_shell_lines_run(service: RunningService, tmp_path: Path, name: str) -> None:
    need("jq")
    script = "argosy run -- true\n" + "".join(snippets(f"docs/{name}.md", "sh"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment(service),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_the_calls_of_the_command_on_each_page_are_possible() -> None:
    """Whether there is such a command with such options; what it does is tested elsewhere."""
    tried = 0
    for path in PAGES:
        for line in "".join(snippets(str(path.relative_to(ROOT)), "sh")).splitlines():
            if not line.startswith("argosy "):
                continue
            words = shlex.split(line.partition(" | ")[0].partition(" > ")[0], comments=True)[1:]
            command: click.Command = cli
            while isinstance(command, click.Group):
                found = command.get_command(click.Context(command), words.pop(0))
                assert found is not None, line
                command = found
            options = {option: each for each in command.params for option in (*each.opts, *each.secondary_opts)}
            for word in words[: words.index("--")] if "--" in words else words:
                assert not word.startswith("-") or word in options or word == "-vv", f"{path.name}: {line}"
            tried += 1
    assert tried > 30


def test_routes_are_those_there_are(service: RunningService) -> None:
    with service.client() as client:
        document = client._http.get("/v1/openapi.json").json()
    there = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
        if method in ("get", "put", "post", "delete")
    }
    told = {cell.strip("`").split("?")[0] for cell in rows("docs/rest.md", "## Routes")}
    told.discard("GET /v1/openapi.json")
    assert told == {route.replace("/v1", "/v1/") if route.endswith("/v1") else route for route in there}


def test_the_problem_in_the_docs_is_what_is_answered(service: RunningService) -> None:
    with service.client() as client:
        answer = client._http.post("/v1/activities", json={"executable": "true", "share": "nowhere"})
    (shown,) = snippets("docs/rest.md", "json")
    assert answer.json() == msgspec.json.decode(shown)


def _commands(group: click.Group, context: click.Context, prefix: str) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, context, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def test_commands_and_options_are_those_there_are() -> None:
    text = page("docs/cli.md")
    there = dict(_commands(cli, click.Context(cli), ""))
    # The first words of each row.
    group = "admin |credential |files |notifications |sweep |token "
    told = {match[1] for match in re.finditer(rf"^\| `argosy ((?:{group})?[a-z]+)", text, re.MULTILINE)}
    assert told == set(there)
    options = {option for command in there.values() for each in command.params for option in each.opts}
    for option in set(re.findall(r"`(--?[a-z][a-z-]*)", text)) - {"--help"}:
        assert option in options, option


def test_options_of_run_and_submit_are_told() -> None:
    text = page("docs/cli.md")
    there = dict(_commands(cli, click.Context(cli), ""))
    for name in ("run", "submit"):
        for option in (option for each in there[name].params for option in each.opts if option.startswith("--")):
            assert f"{option}" in text, option


def test_fault_points_are_those_there_are() -> None:
    assert [cell.strip("`") for cell in rows("docs/service.md", "## Fault points")] == list(POINTS)


def test_event_kinds_are_those_there_are() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "src" / "argosy" / "service").rglob("*.py"))
    (told,) = re.findall(r"^Kinds of events: (.*)\.$", page("docs/rest.md"), re.MULTILINE)
    assert set(re.findall(r"`([a-z-]+)`", told)) == set(KINDS)
    assert set(re.findall(r"`([a-z-]+)`", told)) == set(re.findall(r'(?:\.note|Noticed)\("([a-z-]+)"', sources)) | {
        "state",
        RESTARTED,
        FETCHED,
        PUSHED,
        NOT_PUSHED,
        "quota",
    }


def test_configuration_fields_and_defaults_are_those_there_are() -> None:
    told = {cell.strip("`") for cell in rows("docs/service.md", "`[service]`")}
    assert told == {field.name for field in fields(ServicePolicy)} | {"host", "port"}
    told = {cell.strip("`") for cell in rows("docs/service.md", "`[resources.NAME]`")}
    assert told == set(ResourceConfig.__struct_fields__)
    for field in fields(ServicePolicy):
        assert f"| `{field.name}` | {field.default:g} |".replace("1e+06", "1000000") in page("docs/service.md")


def test_the_configuration_of_notifications_is_what_there_is() -> None:
    told = rows("docs/notifications.md", "`[notifications]`")
    assert [cell.strip("`") for cell in told] == list(NotificationConfig.__struct_fields__)
    config = NotificationConfig()
    for name in ("timeout", "retry_first", "retry_most", "give_up_after", "keep_dead", "most_dead", "at_once"):
        assert f"| `{name}` | {getattr(config, name):.0f} |" in page("docs/notifications.md")


def test_the_receiver_example_receives() -> None:
    names: dict[str, Any] = {}
    (example,) = snippets("docs/notifications.md", "python")
    exec(example, names)
    assert names["receive"]({"Webhook-Id": "x"}, b"{}", "whsec_") == 401


def test_the_configuration_example_is_taken(tmp_path: Path) -> None:
    (example,) = snippets("docs/service.md", "toml")
    (tmp_path / "argosy.toml").write_text(example)
    config = load_config(tmp_path)
    assert list(config.resources) == ["local", "cluster"]
    assert config.resources["local"].slots == 4


def test_the_launcher_example_is_one() -> None:
    names: dict[str, object] = {}
    (example,) = [snippet for snippet in snippets("docs/extending.md", "python") if "Launcher" in snippet]
    exec(example, names)
    launcher = names["Mpiexec"]
    assert isinstance(launcher, type)
    assert issubclass(launcher, Launcher)
    spec = JobSpec("a", resources=ResourceSpecV1(process_count=3))
    assert launcher().render("a", spec) == "exec mpiexec -n 3 a"


def test_make_targets_of_the_readme_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", page("Makefile"), re.MULTILINE))
    for path in PAGES:
        assert set(re.findall(r"`make ([a-z-]+)", path.read_text("utf-8"))) <= targets


def test_constraints_are_versions_and_no_addresses() -> None:
    for line in page("constraints.txt").splitlines():
        assert line.startswith("#") or re.match(r"[a-z0-9-]+==[\w.]+( ; .*)?\Z", line), line


def test_the_fields_of_an_environment_are_told() -> None:
    told = {word for cell in rows("docs/environments.md", "## Offer one") for word in re.findall(r"`(\w+)`", cell)}
    assert told == set(EnvironmentConfig.__struct_fields__)


@pytest.mark.parametrize("name", ["docs/matching.md", "docs/environments.md"])
def test_examples_of_shares_and_environments_are_taken(tmp_path: Path, name: str) -> None:
    example = snippets(name, "toml")[0]
    for resource in ("cluster", "other"):
        if f"[resources.{resource}]" not in example:
            example += f'\n[resources.{resource}]\ntype = "slurm"\n'
    (tmp_path / "argosy.toml").write_text(example)
    config = load_config(tmp_path)
    assert config.environments or config.resources["cluster"].labels == ("infiniband",)
