"""Whether what a description asks of staging can ever be done here: what cannot is refused when it is asked for."""

from __future__ import annotations

from typing import Protocol

from argosy.model import ActivityDescription, InvalidInput
from argosy.model.description import CreationFlag
from argosy.staging.contract import Direction


class Checks(Protocol):
    """What of `argosy.staging.Staging` is used here."""

    def check(
        self, url: str, direction: Direction, creation: CreationFlag = "overwrite", *, element: str | None = None
    ) -> None: ...


def check_files(description: ActivityDescription, staging: Checks) -> None:
    """Raise InvalidInput or NotAllowed, naming the element, for the first thing that cannot be done."""
    for index, file in enumerate(description.inputs):
        for number, url in enumerate(file.sources):
            staging.check(url, "fetch", file.creation, element=f"inputs[{index}].sources[{number}]")
        if file.sources and any(character in file.path for character in "*?"):
            raise InvalidInput(
                "an input file has one name; a pattern is for outputs. End it with a slash to fetch a whole directory",
                element=f"inputs[{index}].path",
            )
        if not file.sources and file.creation == "append":
            raise InvalidInput(
                "only what the service fetches can be added to a file: name sources, or leave creation out",
                element=f"inputs[{index}].creation",
            )
    for index, output in enumerate(description.outputs):
        for number, url in enumerate(output.targets):
            staging.check(url, "push", output.creation, element=f"outputs[{index}].targets[{number}]")
