"""The command `environments`, and how a job asks for one on the command line."""

from __future__ import annotations

import re

import click

from argosy.client import Environment
from argosy.languages.documents import ParameterDocument

from .common import connect, json_option, print_json
from .tables import table

_ASKED = re.compile(r"(?P<name>[^\s<>=!~;]+)\s*(?P<version>[^;]*)\Z")


@click.command(
    epilog="""\b
Examples:
  argosy environments
  argosy submit --with 'python>=3.11,<4' -i analyse.py -- ./analyse.py
  argosy submit --with 'openmpi;transport=tcp' -n 8 --launcher mpirun -- simulate
"""
)
@json_option
def environments(as_json: bool) -> None:
    """Show the runtime environments that jobs can ask for."""
    with connect() as client:
        offered = client.environments()
    if as_json:
        for one in offered:
            print_json(one)
        return
    if not offered:
        click.echo("There are none; the service's administrator can configure some.")
        return
    rows = [
        [
            one.name,
            one.version,
            ", ".join(one.shares) or "-",
            ", ".join(map(_shown, one.parameters)) or "-",
            one.description,
        ]
        for one in offered
    ]
    table(["NAME", "VERSION", "SHARES", "PARAMETERS", "DESCRIPTION"], rows)


def _shown(parameter: ParameterDocument) -> str:
    values = "|".join(parameter.allowed) or parameter.default or "..."
    return f"{parameter.name}={values}"


def asked(value: str) -> Environment:
    """``NAME``, ``NAME>=1.2,<2``, either followed by ``;PARAMETER=VALUE`` for each parameter."""
    wanted, *given = value.split(";")
    match = _ASKED.match(wanted.strip())
    pairs = [pair.partition("=") for pair in given]
    if match is None or any(not name or not equals for name, equals, _ in pairs):
        raise click.BadParameter(f"{value!r}: write NAME, NAME>=VERSION, or NAME;PARAMETER=VALUE", param_hint="--with")
    parameters = {name.strip(): text for name, _, text in pairs}
    return Environment(name=match["name"], version=match["version"].strip(), parameters=parameters)
