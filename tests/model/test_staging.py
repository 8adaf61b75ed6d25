"""Staging directives as values: URIs, flags, checks, equality, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.model import (
    URI,
    InvalidJobException,
    JobSpec,
    JobState,
    StageIn,
    StageOut,
    StageOutFlags,
    StagingMode,
    spec_from_dict,
    spec_to_dict,
)
from argosy.model.states import passed_through

F = StageOutFlags
_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a b?c#d;e", "a b?c#d;e"),
        ("/x\ny", "/x\ny"),
        ("a:b", "a:b"),
        ("file:///x%20y;z", "/x y;z"),
        ("file://localhost/x", "/x"),
        ("FILE:/x", "/x"),
        ("file://elsewhere/x", None),
        ("https://user:secret@host:8443/x?q#f", None),
    ],
)
def test_what_is_a_path_and_what_is_not(text: str, path: str | None) -> None:
    assert URI(text).local_path == path


def test_the_parts_of_a_url() -> None:
    uri = URI("https://user:secret@host:8443/x;p?q#f")
    assert (uri.scheme, uri.netloc, uri.hostname, uri.port) == ("https", "user:secret@host:8443", "host", 8443)
    assert (uri.path, uri.params, uri.query, uri.fragment) == ("/x", "p", "q", "f")
    assert (uri.username, uri.password, str(uri)) == ("user", "secret", "https://user:secret@host:8443/x;p?q#f")
    assert uri == URI(str(uri))
    assert len({uri, URI(str(uri)), URI("x")}) == 2


def test_a_file_whose_name_looks_like_a_url() -> None:
    assert URI(Path("file:x")).local_path == "./file:x"
    assert StageIn(Path("file:x"), "y").source.local_path == "./file:x"


def test_what_a_url_would_lose_is_refused() -> None:
    with pytest.raises(ValueError, match="percent-encoded"):
        URI("file:///a\nb")


@given(_TEXTS)
def test_a_path_is_kept_as_it_is(text: str) -> None:
    assert URI("/" + text).local_path == "/" + text


@pytest.mark.parametrize(
    ("given_", "effective"),
    [
        (F.NONE, F.ALWAYS),
        (F.IF_PRESENT, F.IF_PRESENT | F.ALWAYS),
        (F.ON_ERROR, F.ON_ERROR),
        (F.IF_PRESENT | F.ON_CANCEL, F.IF_PRESENT | F.ON_CANCEL),
    ],
)
def test_no_condition_means_always(given_: F, effective: F) -> None:
    assert StageOut("a", "b", given_).flags == effective


def test_values() -> None:
    assert [flag.value for flag in (F.NONE, F.IF_PRESENT, F.ON_SUCCESS, F.ON_ERROR, F.ON_CANCEL, F.ALWAYS)] == [
        *(0, 1, 2, 4, 8, 14)
    ]
    assert [mode.value for mode in (StagingMode.COPY, StagingMode.LINK, StagingMode.MOVE)] == [1, 2, 3]
    one = StageIn("a", "b")
    assert (one.source, one.target, one.mode) == (URI("a"), Path("b"), StagingMode.COPY)
    assert one == StageIn(URI("a"), Path("b"))
    assert one != StageIn("a", "b", StagingMode.LINK)
    out = StageOut("a", "b")
    assert (out.source, out.target, out.flags, out.mode) == (Path("a"), URI("b"), F.ALWAYS, StagingMode.COPY)
    assert len({out, StageOut(Path("a"), Path("b")), StageOut("a", "b", F.ON_ERROR)}) == 2


@pytest.mark.parametrize(
    ("fields", "element"),
    [
        ({"stage_in": [StageIn("a", "b"), StageIn("s3://bucket/x", "x")]}, "stage_in[1].source"),
        ({"stage_in": [StageIn("file://elsewhere/x", "x")]}, "stage_in[0].source"),
        ({"stage_in": ["a"]}, "stage_in[0]"),
        ({"stage_in": "ab"}, "stage_in"),
        ({"stage_in": [StageIn("a\0", "x")]}, "stage_in[0].source"),
        ({"stage_in": [StageIn("", "x")]}, "stage_in[0].source"),
        ({"stage_in": [StageIn("a", "b", "copy")]}, "stage_in[0].mode"),
        ({"stage_out": [StageOut("a", "https://host/x")]}, "stage_out[0].target"),
        ({"stage_out": {StageOut("a", "b\0")}}, "stage_out[0].target"),
        ({"stage_out": [StageOut("a", "b", 2)]}, "stage_out[0].flags"),
        ({"cleanup": ["a", "../b"]}, "cleanup[1]"),
        ({"cleanup": ["."]}, "cleanup[0]"),
        ({"cleanup": ["a/.."]}, "cleanup[0]"),
        ({"cleanup": ["a/../../b"]}, "cleanup[0]"),
        ({"cleanup": [3]}, "cleanup[0]"),
        ({"cleanup": ["a"], "cleanup_flags": 14}, "cleanup_flags"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, object], element: str) -> None:
    with pytest.raises(InvalidJobException) as caught:
        JobSpec("/x", **fields).check()
    assert caught.value.element == element


def test_a_url_of_another_kind_is_told_where_to_go() -> None:
    with pytest.raises(InvalidJobException, match="submit the job to an Argosy service"):
        JobSpec("/x", stage_in=[StageIn("https://host/x", "x")]).check()


def full(kind: type) -> JobSpec:
    return JobSpec(
        "/x",
        stage_in=kind((StageIn("a b?", "x"), StageIn("/c", "y", StagingMode.LINK))),
        stage_out=kind((StageOut("o", "p", F.IF_PRESENT | F.ON_ERROR, StagingMode.MOVE), StageOut("q", "r"))),
        cleanup=kind(("a", Path("b"))),
        cleanup_flags=F.ON_SUCCESS,
    )


@pytest.mark.parametrize("kind", [list, tuple, set])
def test_json_gives_an_equal_one_back(kind: type) -> None:
    spec = full(kind)
    spec.check()
    data = json.loads(json.dumps(spec_to_dict(spec)))
    assert spec_from_dict(data) == spec == full(list)
    assert spec != JobSpec("/x")
    assert spec_to_dict(JobSpec("/x")) == {"executable": "/x"}


@pytest.mark.parametrize(
    ("data", "element"),
    [
        ({"stage_in": [{"source": "a"}]}, "stage_in[0].target"),
        ({"stage_in": [{"source": "a", "target": "b", "flags": []}]}, "stage_in[0].flags"),
        ({"stage_in": [{"source": "a", "target": "b", "mode": "STEAL"}]}, "stage_in[0].mode"),
        ({"stage_in": [{"source": "http://[", "target": "b"}]}, "stage_in[0]"),
        ({"stage_in": {"a": "b"}}, "stage_in"),
        ({"stage_out": ["a"]}, "stage_out[0]"),
        ({"stage_out": [{"source": "a", "target": "b", "flags": ["ON_MONDAY"]}]}, "stage_out[0].flags[0]"),
        ({"cleanup": "a"}, "cleanup"),
        ({"cleanup_flags": [["ALWAYS"]]}, "cleanup_flags[0]"),
    ],
)
def test_reading_names_what_is_wrong(data: dict[str, object], element: str) -> None:
    with pytest.raises(InvalidJobException) as caught:
        spec_from_dict({"executable": "/x"} | data)
    assert caught.value.element == element


def test_the_states_that_were_passed() -> None:
    names = [state.name for state in passed_through(JobState.COMPLETED, staging=True)]
    assert names == ["QUEUED", "STAGE_IN", "ACTIVE", "STAGE_OUT", "CLEANUP"]
    assert [state.name for state in passed_through(JobState.COMPLETED, staging=False)] == ["QUEUED", "ACTIVE"]
    assert passed_through(JobState.FAILED, staging=True) == ()
    assert passed_through(JobState.CANCELED, staging=True) == ()
