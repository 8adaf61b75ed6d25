"""Whatever is given in a description comes back from every language, or is told to be lost."""

from __future__ import annotations

import msgspec
import pytest

from argosy.languages import registry
from argosy.languages.native import Description

_RESOURCES = {"processes": 4}
#: A value for each field, beside an executable.
SAMPLES: dict[str, object] = {
    "arguments": ["a b", "c"],
    "name": "n",
    "directory": "/w",
    "environment": {"A": "1"},
    "inherit_environment": False,
    "stdin": "i",
    "stdout": "o",
    "stderr": "e",
    "launcher": "mpirun",
    "pre_launch": "p",
    "post_launch": "q",
    "duration": 90.5,
    "account": "a",
    "reservation": "r",
    "custom": {"slurm.nice": "3", "pbs.x": "y"},
    "share": "pbs/long",
    "inputs": [{"path": "in", "sources": ["https://h/a"], "size": 3}, {"path": "c", "content": "x"}],
    "outputs": [{"path": "o", "targets": ["https://h/b"], "optional": True}],
    "tags": {"k": "v"},
    "rerunnable": True,
    "held": True,
    "notify": [{"url": "https://h/x"}],
    "interactive": True,
    "environments": [{"name": "gcc"}],
    **{f"resources.{name}": value for name, value in (
        ("nodes", 2), ("processes", 4), ("processes_per_node", 2), ("cores_per_process", 2),
        ("gpus_per_process", 1), ("memory", 1000), ("exclusive", True), ("labels", ["big"]),
    )},
}  # fmt: skip
#: What stands in the commands of a script rather than in its directives.
IN_THE_SCRIPT = {"arguments", "environment", "launcher"}


@pytest.mark.parametrize("language", registry.languages(), ids=lambda one: one.name)
@pytest.mark.parametrize("field", SAMPLES)
def test_it_comes_back_or_is_told(language: object, field: str) -> None:
    name, _, below = field.partition(".")
    given = SAMPLES[field]
    value = given if not below else _RESOURCES | {below: given}
    asked = msgspec.convert({"executable": "/bin/x", name: value}, Description)
    written = language.write(asked)
    back = language.parse(written.data).one()
    if getattr(back, name) == getattr(asked, name):
        return
    if below and back.resources is not None and getattr(back.resources, below) == given:
        return  # what follows from it is said too
    if language.name == "script" and name in IN_THE_SCRIPT:
        assert str(given if isinstance(given, str) else next(iter(given))).encode() in written.data
        return
    told = [note.element for note in written.lost]
    assert any(one == field or one.startswith((name + ".", name + "[", field)) for one in told), (told, back)


def test_every_field_has_a_sample() -> None:
    there = {field.encode_name for field in msgspec.structs.fields(Description)}
    # Those that say who may do what for the job are no part of any other language; script and JSDL tell of them.
    assert there - {name.partition(".")[0] for name in SAMPLES} <= {
        "executable",
        "resources",
        "optional",
        "credentials",
        "offer_credentials",
    }
