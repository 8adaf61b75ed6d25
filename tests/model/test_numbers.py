"""Numbers that other programs have written."""

from __future__ import annotations

import pytest

from argosy.executors.local.machine import described
from argosy.model.numbers import whole


@pytest.mark.parametrize("text", [None, "", "-", "-1", "1.5", " 1", "\u0661", "\u00b2"])
def test_what_is_no_number_is_none(text: str | None) -> None:
    assert whole(text) is None


def test_a_number_is_read_that_may_be_true() -> None:
    assert whole("0") == 0
    assert whole("007") == 7
    assert whole("9" * 18) == 10**18 - 1
    assert whole("9" * 19) is None


def test_more_digits_than_python_reads_keep_nothing_from_being_told() -> None:
    digits = "1" * 5000
    assert whole(digits) is None
    kind = described(f"siblings : {digits}\ncpu cores : 2\nmodel name : A\n", 2, None)
    assert (kind.cpu_model, kind.threads) == ("A", None)
