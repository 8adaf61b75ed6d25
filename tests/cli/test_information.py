"""``argosy status -v``, ``--model``, ``--xml`` and ``argosy info``."""

from __future__ import annotations

import json

import pytest
from lxml import etree

from argosy.model import ActivityState
from tests.cli.conftest import Command
from tests.rest.live import Live

S = ActivityState


@pytest.fixture
def job(argosy: Command, live: Live) -> str:
    id = argosy("submit", "--name", "model", "--", "prog", "a b").out.strip()
    live.do(live.operations.advance, id, S.LRMS_RUNNING, started=1.0, native_id="7")
    return id


def test_more_is_shown_for_each_v(argosy: Command, job: str) -> None:
    plain, more, all_ = (argosy("status", *flags, job).out for flags in ([], ["-v"], ["-vv"]))
    assert plain in more
    assert more.splitlines()[: len(plain.splitlines())] == plain.splitlines()
    assert "\ntime\n" in more
    assert "so far" in more
    assert "\nhistory\n" in more
    assert "UTC (" in more
    assert "description" not in more
    assert '"arguments"' in all_
    assert "a b" in all_


def test_in_the_words_of_another_model(argosy: Command, job: str) -> None:
    shown = argosy("status", "--model", "bes", job)
    assert ["bes", "Running", "(Executing)"] in [line.split() for line in shown.out.splitlines()]
    found = json.loads(argosy("status", "--model", "emi-es", "--json", job).out)
    assert (found["told"]["state"], found["told"]["attributes"]) == ("processing-running", ["app-running"])
    one = etree.fromstring(argosy("status", "--model", "bes", "--xml", job).out.encode())
    assert one.get("state") == "Running"
    two = etree.fromstring(argosy("status", "--model", "glue2", "--xml", job, job).out.encode())
    assert len(two) == 2


@pytest.mark.parametrize(
    "flags", [["--xml"], ["--xml", "--model", "drmaa2"], ["--xml", "--json", "--model", "bes"], ["--model", "cim"]]
)
def test_what_does_not_go_together_is_wrong_usage(argosy: Command, job: str, flags: list[str]) -> None:
    assert argosy("status", *flags, job).code == 2


def test_info(argosy: Command, job: str) -> None:
    shown = argosy("info")
    assert shown.code == 0
    assert "urn:glue2:ComputingService" in shown.out
    assert "/v1" in shown.out
    document = json.loads(argosy("info", "--json", "--verbosity", "full").out)
    assert document["ComputingActivity"][0]["State"][0] == "bes:running"
    root = etree.fromstring(argosy("info", "--xml", "--verbosity", "medium").out.encode())
    assert any(job in (element.text or "") for element in root.iter("{*}ActivityID"))
    assert argosy("info", "--xml", "--json").code == 2
