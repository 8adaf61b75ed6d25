"""``argosy credential``: proxies, tokens and keys with which the service may act for its user."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from argosy.languages.documents_credentials import CredentialDocument, DelegationRequest, NewCredential, Renewal
from argosy.model import InvalidInput

from .common import connect, json_option, print_json
from .groups import Group
from .tables import table
from .units import Lifetime

F = TypeVar("F", bound=Callable[..., Any])
#: Not opened here: ``-`` and ``?`` are no files.
_secret_file = click.Path(allow_dash=True, dir_okay=False)

_hosts = click.option("--host", "hosts", multiple=True, help="Where it may be shown, NAME or NAME:PORT; repeatable.")
_name = click.option("--name", default="", help="What it is for, for the list.")


def _myproxy(command: F) -> F:
    """The options that say how a proxy is renewed."""
    for option in (
        click.option("--myproxy-passphrase", type=_secret_file, help="A file with its passphrase; ? asks for it."),
        click.option("--myproxy-user", help="Its name there (default: you)."),
        click.option("--myproxy", help="Renew it from this MyProxy server, HOST or HOST:PORT, while jobs wait."),
    ):
        command = option(command)
    return command


@click.group(
    cls=Group,
    epilog="""\b
Examples:
  argosy credential delegate                         a proxy of your proxy, its key made by the service
  argosy credential delegate --myproxy myproxy.example.org --myproxy-passphrase ?
  argosy credential add token --file token.txt --host data.example.org
  argosy credential add s3 --file keys.json --host s3.example.org
  argosy credential list
  argosy credential remove 5f0c91a2b4d3e6f7

A job uses those that its description names: "credentials": ["5f0c91a2b4d3e6f7"]. Secrets are read from files or from
standard input, never from the command line.
""",
)
def credential() -> None:
    """Let the service act for you elsewhere: fetch your files, and store them."""


@credential.command(
    epilog="""\b
What --file holds (- is standard input):
  proxy      the proxy, or certificate with its key and chain, in PEM
  token      the token
  s3         {"access_key": ..., "secret_key": ..., "session_token": ...}
  ssh-key    a private key without a passphrase
  password   the password

\b
Examples:
  argosy credential add token --file token.txt --host data.example.org
  argosy credential add ssh-key --file ~/.ssh/id_transfer --user ada --host sftp.example.org
  pass show site | argosy credential add password --file - --user ada --host dav.example.org
""",
)
@click.argument("kind", type=click.Choice(["proxy", "token", "s3", "ssh-key", "password"]))
@click.option("--file", "path", required=True, type=click.Path(allow_dash=True, dir_okay=False), help="The secret.")
@click.option("--user", help="ssh-key and password: whose.")
@click.option("--replace", metavar="ID", help="Put it in the place of this one; jobs that wait for it go on.")
@click.option("--expires", type=Lifetime(), help="When it ends, from now; a certificate or a JWT says so itself.")
@_myproxy
@click.option("--issuer", help="Token: renew it at this issuer while jobs wait.")
@click.option("--client-id", help="Token: the client that it was made for.")
@click.option("--client-secret", type=_secret_file, help="A file with that client's secret; ? asks for it.")
@click.option(
    "--refresh-token", type=_secret_file, help="A file with the refresh token; without, the token is exchanged."
)
@click.option("--scope", help="Token: what the new ones are good for.")
@click.option("--audience", help="Token: for whom those got in exchange are good.")
@_hosts
@_name
@json_option
def add(kind: str, path: str, user: str | None, replace: str | None, as_json: bool, **options: Any) -> None:
    """Let the service keep a credential, sealed, until it ends or you remove it."""
    fields: dict[str, Any] = _fields(kind, _secret(path))
    new = NewCredential(
        kind=kind,  # type: ignore[arg-type]
        name=options["name"],
        hosts=list(options["hosts"]),
        user=user,
        expires=None if options["expires"] is None else _from_now(options["expires"]),
        renewal=_renewal(options),
        **fields,
    )
    with connect() as client:
        made = client.add_credential(new) if replace is None else client.replace_credential(replace, new)
    _tell(made, as_json)


@credential.command(
    epilog="""\b
Examples:
  argosy credential delegate                             for 12 hours, by the proxy that grid-proxy-init has made
  argosy credential delegate --expires 7d --limited
  argosy credential delegate --renew 5f0c91a2b4d3e6f7    jobs that wait for it go on
"""
)
@click.option(
    "--proxy",
    type=click.Path(dir_okay=False),
    help="The proxy, or certificate and key in one file, that signs (default: X509_USER_PROXY, or /tmp/x509up_uUID).",
)
@click.option("--expires", type=Lifetime(), default="12h", show_default=True, help="How long it is good.")
@click.option("--limited", is_flag=True, help="Make a limited proxy: good for files, not for jobs elsewhere.")
@click.option("--renew", "renewed", metavar="ID", help="Renew this one, which keeps its id; jobs that wait go on.")
@_myproxy
@_name
@json_option
def delegate(proxy: str | None, expires: float, limited: bool, renewed: str | None, **options: Any) -> None:
    """Delegate a proxy. The service makes its key, and you sign it: your own key stays here."""
    try:
        from argosy.delegation.proxies import sign
    except ImportError as error:
        raise click.ClickException(f"signing needs more of Argosy: pip install 'argosy[service]' ({error})") from None
    path = proxy or os.environ.get("X509_USER_PROXY") or f"/tmp/x509up_u{os.getuid()}"  # noqa: S108 - where it is
    own = _secret(path).encode("latin-1")
    request = DelegationRequest(
        name=options["name"],
        credential=renewed,
        renewal=_renewal(options),
    )
    with connect() as client:
        made = client.delegate(lambda asked: sign(asked, own, lifetime=expires, limited=limited), request)
    _tell(made, options["as_json"])


@credential.command("list", epilog="\b\nExample:\n  argosy credential list --json | jq -r 'select(.expired).id'")
@json_option
def list_(as_json: bool) -> None:
    """List your credentials; never the secrets."""
    with connect() as client:
        found = client.credentials()
    if as_json:
        for one in found:
            print_json(one)
        return
    if not found:
        click.echo("You have no credentials here. See: argosy credential --help")
        return
    rows = [
        [one.id, one.kind, _state(one), one.expires or "-", " ".join(one.hosts) or "any", one.name or one.subject or ""]
        for one in found
    ]
    table(["ID", "KIND", "STATE", "ENDS", "HOSTS", "NAME"], rows)


@credential.command(epilog="\b\nExample:\n  argosy credential remove 5f0c91a2b4d3e6f7")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@json_option
def remove(ids: tuple[str, ...], as_json: bool) -> None:
    """Let the service forget credentials."""
    with connect() as client:
        for id in ids:
            client.remove_credential(id)
            if as_json:
                print_json({"id": id})
            else:
                click.echo(id)


def _secret(path: str) -> str:
    """The content of a file that nobody else can read, or of standard input."""
    if path == "-":
        return sys.stdin.read(1024 * 1024)
    try:
        with Path(path).open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise InvalidInput(f"others can read {path}; run: chmod 600 {path}")
            return file.read(1024 * 1024).decode("latin-1")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from None


def _fields(kind: str, secret: str) -> dict[str, str]:
    if kind == "s3":
        import json

        try:
            keys = json.loads(secret)
        except ValueError:
            keys = None
        if not isinstance(keys, dict) or not set(keys) <= {"access_key", "secret_key", "session_token"}:
            raise InvalidInput('the file holds no JSON as {"access_key": ..., "secret_key": ...}')
        return {str(name): str(value) for name, value in keys.items()}
    name = {"proxy": "pem", "token": "token", "ssh-key": "private_key", "password": "password"}[kind]
    return {name: secret if kind in ("proxy", "ssh-key") else secret.rstrip("\r\n")}


_OF_MYPROXY = ("myproxy_user", "myproxy_passphrase")
_OF_ISSUER = ("client_id", "client_secret", "refresh_token", "scope", "audience")


def _renewal(options: Mapping[str, Any]) -> Renewal | None:
    for needed, others in (("myproxy", _OF_MYPROXY), ("issuer", _OF_ISSUER)):
        given = [name for name in others if options.get(name) is not None]
        if given and not options.get(needed):
            raise click.UsageError(f"--{given[0].replace('_', '-')} goes with --{needed}")
    if options.get("issuer"):
        secrets = {name: _asked(options[name], name) for name in ("client_secret", "refresh_token")}
        plain = {name: options[name] for name in ("issuer", "client_id", "scope", "audience")}
        return Renewal(**plain, **secrets)
    if options.get("myproxy"):
        import getpass

        return Renewal(
            myproxy=options["myproxy"],
            username=options["myproxy_user"] or getpass.getuser(),
            passphrase=_asked(options["myproxy_passphrase"], "passphrase"),
        )
    return None


def _asked(path: str | None, what: str) -> str | None:
    """A secret of one line: from a file, from standard input, or typed without being shown."""
    if path is None:
        return None
    if path == "?":
        return str(click.prompt(what.replace("_", " ").capitalize(), hide_input=True, err=True))
    return _secret(path).rstrip("\r\n")


def _from_now(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def _state(one: CredentialDocument) -> str:
    if one.waiting:
        return "not signed"
    if one.expired:
        return "expired"
    return "not renewed" if one.renewal_error else "good"


def _tell(made: CredentialDocument, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    click.echo(made.id)
    click.echo(
        f"{made.kind}{' of ' + made.subject if made.subject else ''}, until {made.expires or 'removed'}", err=True
    )
