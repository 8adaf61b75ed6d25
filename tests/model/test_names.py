"""The names of `argosy.model`: all are there, and those that few need cost nobody else anything."""

from __future__ import annotations

import subprocess
import sys

import pytest

import argosy.model


def test_all_names_are_there_and_what_is_imported_later_is_where_it_is_said_to_be() -> None:
    for name in argosy.model.__all__:
        assert getattr(argosy.model, name) is not None
    assert set(argosy.model._LATER) <= set(argosy.model.__all__) <= set(dir(argosy.model))
    for name, module in argosy.model._LATER.items():
        found = getattr(argosy.model, name)
        assert getattr(found, "__module__", None) == f"argosy.model{module}"
    name = "Nothing"
    with pytest.raises(AttributeError, match=r"'argosy\.model' has no attribute 'Nothing'"):
        getattr(argosy.model, name)


def test_the_library_is_imported_without_what_the_service_needs() -> None:
    program = (
        "import sys; from argosy import Job, JobExecutor, JobSpec\n"
        "print([name for name in ('description', 'codec', 'lrms', 'sweep') if f'argosy.model.{name}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
