"""``argosy token``: secrets that the service's owner gives to others, or to programs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from argosy.model.user import own_name

from .common import json_option, print_json
from .groups import Group
from .tables import table
from .units import Lifetime, span

if TYPE_CHECKING:
    from argosy.identity.tokens import TokenRecord, TokenStore

_directory = click.option(
    "--directory", type=click.Path(file_okay=False), help="The service's private directory (default: ARGOSY_HOME)."
)


@click.group(
    cls=Group,
    epilog="""\b
Examples:
  argosy token create --note "nightly build" --scope compute.read --scope compute.create --expires 30d
  argosy token list
  argosy token revoke 5f0c91a2b4d3

The service takes them where its configuration has the section [identity.tokens].
""",
)
def token() -> None:
    """Make, list and revoke API tokens. To be run by the user whose service it is, on its machine."""


@token.command(
    epilog="""\b
Examples:
  argosy token create --note "nightly build" --scope compute.read --scope compute.create --expires 30d
  (umask 077; argosy token create --owner ada --note "from the gateway" > ada.token)
"""
)
@click.option("--owner", help="Whose activities its holder has (default: you).")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["compute.read", "compute.create", "compute.modify", "compute.cancel"]),
    help="What it is good for; repeatable. All that its owner may do where nothing is said.",
)
@click.option("--expires", type=Lifetime(), default="90d", show_default=True, help="How long it is good.")
@click.option("--note", default="", help="What it is for, for the list.")
@_directory
@json_option
def create(
    owner: str | None, scopes: tuple[str, ...], expires: float, note: str, directory: str | None, as_json: bool
) -> None:
    """Make a token and print it. It is shown this once."""
    from argosy.identity.policy import Scope

    store, home = _store(directory)
    made, record = store.create(
        owner or own_name(),
        lifetime=expires,
        scopes=[Scope(one) for one in scopes] or None,
        note=note,
    )
    if as_json:
        print_json(_document(record) | {"token": made})
    else:
        click.echo(made)
    click.echo(f"token {record.id} of {record.owner}, until {_utc(record.expires)}", err=True)
    if not _switched_on(home):
        click.echo(f"API tokens are not switched on: add [identity.tokens] to {home / 'argosy.toml'}", err=True)


@token.command("list", epilog="\b\nExample:\n  argosy token list --json | jq -r 'select(.owner == \"ada\").id'")
@_directory
@json_option
def list_(directory: str | None, as_json: bool) -> None:
    """List the tokens that have not been revoked; never the secrets."""
    store, _ = _store(directory)
    records = store.records()
    if as_json:
        for record in records:
            print_json(_document(record))
        return
    if not records:
        click.echo("There are no API tokens. Make one with: argosy token create")
        return
    now = time.time()
    rows = [
        [
            record.id,
            record.owner,
            "all" if record.scopes is None else " ".join(record.scopes),
            "expired" if record.expires <= now else "in " + span(record.expires - now),
            record.note,
        ]
        for record in records
    ]
    table(["ID", "OWNER", "SCOPES", "ENDS", "NOTE"], rows)


@token.command(epilog="\b\nExample:\n  argosy token revoke 5f0c91a2b4d3")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@_directory
@json_option
def revoke(ids: tuple[str, ...], directory: str | None, as_json: bool) -> None:
    """End tokens now."""
    store, _ = _store(directory)
    for id in ids:
        record = store.revoke(id)
        if as_json:
            print_json(_document(record))
        else:
            click.echo(record.id)


def _store(directory: str | None) -> tuple[TokenStore, Path]:
    from argosy.client.discovery import home
    from argosy.identity.tokens import TokenStore

    where = home() if directory is None else Path(directory)
    return TokenStore(where), where


def _switched_on(directory: Path) -> bool:
    import tomllib

    try:
        identity = tomllib.loads((directory / "argosy.toml").read_text("utf-8")).get("identity", {})
    except FileNotFoundError:
        return False
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return True  # the service says what is wrong with it
    return isinstance(identity, dict) and "tokens" in identity


def _document(record: TokenRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "owner": record.owner,
        "scopes": record.scopes,
        "created": _utc(record.created),
        "expires": _utc(record.expires),
        "note": record.note,
    }


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
