"""Extra options for a launcher's own command line, from a job's custom attributes.

``LAUNCHER.OPTION = VALUE``, e.g. ``mpirun.map-by = node``, is given to that launcher and to no other. True gives the
option alone, false nothing. What a launcher sets from the job's resources and streams is refused, and so is what would
keep it from starting the job.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum

from argosy.model import InvalidJobException, JobSpec
from argosy.model.texts import abbreviates

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z", re.ASCII)


class Style(Enum):
    """How a launcher's options of more than one letter are written; those of one letter are ``-x VALUE``."""

    JOINED = "--option=value"
    SEPARATE = "--option value"


def extra_options(
    launcher: str,
    spec: JobSpec,
    *,
    style: Style,
    own: Collection[str] = (),
    pairs: Collection[str] = (),
    one_dash: Collection[str] = (),
) -> list[str]:
    """The words of the options that the job gives this launcher, not yet quoted.

    `own` are options that are refused, long ones in any case of letters and abbreviated too; `pairs` those with two
    values (``mca``), which are separated by the first blank; `one_dash` those
    written with one dash in spite of their length.
    Raises InvalidJobException naming the attribute.
    """
    words: list[str] = []
    for option, value in spec.attributes.of_system(launcher).items():
        element = f"attributes.custom_attributes.{launcher}.{option}"
        if not _NAME.match(option):
            raise InvalidJobException(f"{option!r} cannot be an option of {launcher}", element=element)
        short = len(option) == 1 or option in one_dash
        if option in own or (not short and abbreviates(option, own)):
            raise InvalidJobException(
                f"{launcher}.{option} cannot be set: it follows from the job's resources and streams, or keeps "
                f"{launcher} from starting the job",
                element=element,
            )
        if value is False:
            continue
        flag = f"-{option}" if short else f"--{option}"
        if value is True:
            words.append(flag)
            continue
        text = str(value)
        if not text:
            raise InvalidJobException(
                f"{launcher}.{option} is empty; give a value, or true for an option without one", element=element
            )
        if option in pairs:
            name, blank, rest = text.partition(" ")
            if not (name and blank and rest.strip()):
                raise InvalidJobException(
                    f"{launcher}.{option} takes a name and a value with a blank between, not {text!r}", element=element
                )
            words += [flag, name, rest.strip()]
        elif short or style is Style.SEPARATE:
            words += [flag, text]
        else:
            words.append(f"{flag}={text}")
    return words


def refuse_options(launcher: str, spec: JobSpec) -> None:
    """Raise InvalidJobException where the job gives options to a launcher that has none."""
    for option in spec.attributes.of_system(launcher):
        raise InvalidJobException(
            f"the launcher {launcher} has no options, so {launcher}.{option} cannot be set",
            element=f"attributes.custom_attributes.{launcher}.{option}",
        )
