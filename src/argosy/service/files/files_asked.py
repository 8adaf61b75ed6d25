"""Whether what a description asks of staging can ever be done here: what cannot is refused when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from argosy.model import ActivityDescription, InvalidInput
from argosy.model.description import CreationFlag, InputFile, OutputFile, session_path
from argosy.staging.contract import Direction

from .declared import check_declared, checksums_of

#: The longest name of a file, in bytes, on every file system that jobs are likely to meet.
_NAME_MAX = 255
#: The longest path, in characters, as the REST interface has it.
_PATH_MAX = 4096


class Checks(Protocol):
    """What of `argosy.staging.Staging` is used here."""

    def check(
        self, url: str, direction: Direction, creation: CreationFlag = "overwrite", *, element: str | None = None
    ) -> None: ...


def check_files(description: ActivityDescription, staging: Checks) -> None:
    """Raise InvalidInput or NotAllowed, naming the element, for the first thing that cannot be done."""
    if description.inputs:
        _check_names(description.inputs, "inputs")
        _check_places(description.inputs)
    if description.outputs:
        _check_names(description.outputs, "outputs")
    for index, file in enumerate(description.inputs):
        for number, url in enumerate(file.sources):
            staging.check(url, "fetch", file.creation, element=f"inputs[{index}].sources[{number}]")
        if file.content is not None and (file.size is not None or checksums_of(file)):
            _check_content(file, file.content, f"inputs[{index}]")
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


def _check_names(files: Sequence[InputFile | OutputFile], label: str) -> None:
    """No file can have a name that is too long: an activity that asks for one would wait for it for ever."""
    for index, file in enumerate(files):
        path = file.path
        if len(path) * 4 <= _NAME_MAX:
            continue  # whatever its characters are
        if len(path) > _PATH_MAX or any(
            len(part.encode(errors="surrogatepass")) > _NAME_MAX for part in path.split("/")
        ):
            raise InvalidInput(
                f"no file can have this name: {_NAME_MAX} bytes between slashes and {_PATH_MAX} characters in all are "
                "the most",
                element=f"{label}[{index}].path",
            )


def _check_places(files: Sequence[InputFile]) -> None:
    """What is brought into the session directory has places of its own there."""
    places: dict[str, InputFile] = {}
    for index, file in enumerate(files):
        element = f"inputs[{index}].path"
        place = session_path(file.path, element)
        if place in places:
            raise InvalidInput(f"{file.path!r} is the same as {places[place].path!r}, named before", element=element)
        if place == "." and not file.sources:
            raise InvalidInput(f"{file.path!r} is the session directory itself; name a file in it", element=element)
        if file.content is not None and file.path.endswith("/"):
            raise InvalidInput(f"{file.path!r} is a directory; content is a file's", element=element)
        places[place] = file
    if all("/" not in place for place in places):
        return
    # In this order what is beneath a place comes right after it.
    indexes = {place: index for index, place in enumerate(places)}
    for above, place in pairwise(sorted(places, key=lambda one: one.replace("/", "\0"))):
        if place.startswith(f"{above}/") and not places[above].path.endswith("/"):
            raise InvalidInput(
                f"{places[place].path!r} cannot be there where {places[above].path!r} is a file; a directory is named "
                "with a slash at its end",
                element=f"inputs[{indexes[place]}].path",
            )


def _check_content(file: InputFile, content: str, element: str) -> None:
    try:
        check_declared(file, content.encode())
    except InvalidInput as error:
        raise InvalidInput(error.message, element=f"{element}.content") from None
