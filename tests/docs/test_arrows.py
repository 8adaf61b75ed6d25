"""Which part knows which: as docs/architecture.md says, and as `make lint` checks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]

#: A module, and what it is not to import.
PLANTED = [
    ("model/shell.py", "lxml"),
    ("model/shell.py", "sqlite3"),
    ("executors/places.py", "cryptography"),
    ("remote/describe.py", "argosy.service.engine"),
    ("remote/describe.py", "litestar"),
    ("cli/units.py", "argosy.service.engine"),
    ("client/sse.py", "argosy.identity.caller"),
    ("endpoints/rest/bodies.py", "argosy.store.sqlite"),
    ("endpoints/tls.py", "argosy.staging.schemes.s3"),
    ("batch/hosts.py", "argosy.model.clock"),
    ("batch/hosts.py", "threading"),
    ("batch/hosts.py", "urllib.request"),
    ("service/lifecycle/reports.py", "argosy.store.sqlite"),
    ("service/lifecycle/reports.py", "argosy.executors.local"),
    ("store/records.py", "argosy.languages.json"),
]


def test_every_import_that_is_not_to_be_is_seen(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src")
    for file, module in PLANTED:
        path = tmp_path / "src/argosy" / file
        path.write_text(f"{path.read_text('utf-8')}\nimport {module}\n", "utf-8")
    room = tmp_path / "src/argosy/newroom"
    room.mkdir()
    (room / "__init__.py").write_text("import argosy.cli, argosy.service\n", "utf-8")
    checked = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 1, checked.stderr
    for file, module in PLANTED:
        importer, imported = f"argosy.{file.removesuffix('.py').replace('/', '.')}", module.removesuffix(".request")
        assert re.search(rf"{re.escape(importer)} -> {re.escape(imported)}\b", checked.stdout), (file, module)
    assert "newroom" in checked.stdout


#: What every room may know.
BENEATH = {"_later", "_version", "model"}


def test_the_page_says_which_room_knows_which() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    rows = re.findall(
        r"^\| `(\w+)` \|(.*)\|$", text.split("| room | which others it knows |")[1].split("\n\n")[0], re.MULTILINE
    )
    said = {room: set(re.findall(r"`(\w+)`", others)) for room, others in rows}
    graph = grimp.build_graph("argosy", cache_dir=None)
    rooms = {name.split(".")[1] for name in graph.find_children("argosy")} - BENEATH
    assert set(said) == rooms
    for room in rooms:
        modules = {f"argosy.{room}", *graph.find_descendants(f"argosy.{room}")}
        known = {found.split(".")[1] for name in modules for found in graph.find_modules_directly_imported_by(name)}
        assert said[room] == known - {room} - BENEATH, room
