"""The table of docs/monitoring.md is the tables of the code."""

from __future__ import annotations

from pathlib import Path

from argosy.model import ActivityState
from argosy.model.projections import MODELS, InformationModel, Projected

PAGE = Path(__file__).parents[2] / "docs" / "monitoring.md"


def cell(model: InformationModel, state: ActivityState) -> str:
    def words(row: Projected) -> str:
        shown = () if model.name == "drmaa2" else row.attributes
        return f"`{row.state}`" + (" " if shown else "") + ", ".join(f"`{attribute}`" for attribute in shown)

    cases = [
        f"{key[1].value}: {words(row)}"
        for key, row in model.table.items()
        if isinstance(key, tuple) and key[0] is state
    ]
    return "; ".join([words(model.table[state]), *cases])


def test_the_states_side_by_side() -> None:
    table = PAGE.read_text().partition("### The states side by side")[2].partition("\n## ")[0]
    rows = [[part.strip() for part in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    models = list(MODELS.values())
    assert rows[0] == ["GES", *(model.name for model in models[1:])]
    assert rows[2:] == [[f"`{state}`", *(cell(model, state) for model in models[1:])] for state in ActivityState]
