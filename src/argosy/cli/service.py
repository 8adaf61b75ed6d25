"""Commands about the service: serve, shares, version."""

from __future__ import annotations

import os
import select
import signal
from typing import Any

import click

from argosy._version import __version__

from .common import connect, json_option, print_json
from .exits import FAILED, NO_SERVICE, report
from .tables import table
from .units import size, span

#: How long a service may take to stop, in seconds.
_STOPPING = 60


@click.command(
    epilog="""\b
Examples:
  argosy serve
  argosy serve --detach
  argosy serve --directory /srv/argosy --port 8080 --config argosy.toml
  argosy serve --host :: --port 8443 --tls-cert hostcert.pem --tls-key hostkey.pem

Clients on this machine find it by its private directory; others need its URL and its token.
""",
)
@click.option("--directory", type=click.Path(file_okay=False), help="The private directory (default: ARGOSY_HOME).")
@click.option("--host", help="The address to listen on (default: 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on (default: any that is free).")
@click.option("--config", type=click.Path(exists=True, dir_okay=False), help="The configuration, in TOML.")
@click.option(
    "--tls-cert", type=click.Path(dir_okay=False), help="Serve https with this certificate (and chain), in PEM."
)
@click.option("--tls-key", type=click.Path(dir_okay=False), help="The key of the certificate, in PEM.")
@click.option(
    "--tls-client-ca",
    type=click.Path(file_okay=False),
    help="Know clients by certificates and proxies of the CAs in this directory.",
)
@click.option("--without-tls", is_flag=True, help="Listen in the clear on an address that others can reach.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much to log, to stderr.",
)
@click.option("--detach", is_flag=True, help="Run it in the background; return once it serves. See: argosy stop")
def serve(**options: Any) -> int:
    """Start the service, and run it until it is interrupted."""
    # Imported here, so that the clients' part of the package stands alone.
    from argosy.endpoints.runtime import main

    main(**options)
    return 0


@click.command(epilog="\b\nExample:\n  argosy stop")
@json_option
def stop(as_json: bool) -> int:
    """Stop the service of this user on this machine. Jobs go on; the next service takes them up."""
    from argosy.client.discovery import home, running_pid

    directory = home()
    pid = running_pid(directory)
    if pid is None:
        report(f"no service runs in {directory}")
        return NO_SERVICE
    fd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(fd, signal.SIGTERM)
        # A pidfd is readable once its process has ended.
        ended, _, _ = select.select([fd], [], [], _STOPPING)
    finally:
        os.close(fd)
    if not ended:
        report(f"the service, process {pid}, has not stopped within {_STOPPING} s; its log may say why")
        return FAILED
    if as_json:
        print_json({"stopped": pid})
    else:
        click.echo("stopped; jobs go on, and the next service takes them up")
    return 0


@click.command(epilog="\b\nExample:\n  argosy shares --json | jq -r 'select(.available).share'")
@json_option
def shares(as_json: bool) -> None:
    """Show where jobs may go."""
    with connect() as client:
        offered = client.shares()
    if as_json:
        for share in offered:
            print_json(share)
        return
    if not offered:
        click.echo("There are no resources; the service's log says why.")
        return
    rows = [
        [
            share.share + (" (default)" if share.default else ""),
            share.system,
            "yes" if share.available else f"no: {share.why_not or 'not told'}",
            _number(share.nodes),
            _number(share.free_cores) + "/" + _number(share.cores),
            size(share.memory_per_node),
            "-" if share.max_wall is None else span(share.max_wall),
        ]
        for share in offered
    ]
    table(["SHARE", "SYSTEM", "OPEN", "NODES", "FREE/CORES", "MEMORY/NODE", "LONGEST"], rows)


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


@click.command(epilog="\b\nExample:\n  argosy version --json | jq -r .service")
@json_option
def version(as_json: bool) -> None:
    """Show the version of this command, and of the service where there is one."""
    from argosy.model import ArgosyError

    try:
        with connect() as client:
            answering = client.service().version
    except ArgosyError as error:
        answering = None
        why = str(error)
    if as_json:
        print_json({"argosy": __version__, "service": answering})
        return
    click.echo(f"argosy {__version__}")
    click.echo(f"service {answering}" if answering else f"service: {why}")
