"""``argosy info``: what the service publishes of itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from .common import connect, json_option, print_json
from .tables import table
from .units import span, utc


@click.command(
    epilog="""\b
Examples:
  argosy info
  argosy info --xml > service.xml                 GLUE 2
  argosy info --verbosity full --json | jq '.ComputingActivity[].State'
""",
)
@click.option(
    "--verbosity",
    type=click.Choice(["basic", "medium", "full"]),
    default="basic",
    show_default=True,
    help="medium: with the ids of your jobs; full: with the jobs.",
)
@click.option("--xml", "as_xml", is_flag=True, help="Print GLUE 2 as XML.")
@json_option
def info(verbosity: str, as_xml: bool, as_json: bool) -> None:
    """Show what the service is: where it is reached, its queues and nodes, how it is. The data are GLUE 2."""
    if as_xml and as_json:
        raise click.UsageError("choose one of --xml and --json")
    with connect() as client:
        if as_xml:
            sys.stdout.buffer.write(client.information_xml(verbosity))
            sys.stdout.buffer.flush()
            return
        document = client.information(verbosity)
    if as_json:
        print_json(document)
        return
    _show(document)


def _show(document: Mapping[str, list[dict[str, Any]]]) -> None:
    for service in document.get("ComputingService", []):
        click.echo(f"{service.get('Name', '')}  {service['ID']}")
        click.echo(
            f"jobs that have not ended: {service.get('TotalJobs', 0)}"
            f" ({service.get('RunningJobs', 0)} running, {service.get('WaitingJobs', 0)} in queues,"
            f" {service.get('StagingJobs', 0)} staging, {service.get('PreLRMSWaitingJobs', 0)} pending)"
        )
    for endpoint in document.get("ComputingEndpoint", []):
        health = endpoint["HealthState"] + (f": {info}" if (info := endpoint.get("HealthStateInfo")) else "")
        click.echo(f"{endpoint['InterfaceName']} {endpoint.get('InterfaceVersion', '')} at {endpoint['URL']}")
        click.echo(f"  {endpoint['ServingState']}, {health}; since {utc(endpoint.get('StartTime'))}")
        click.echo(f"  descriptions: {', '.join(endpoint.get('JobDescription', []))}")
    managers = {one["ID"]: one for one in document.get("ComputingManager", [])}
    nodes = {one["ID"]: one for one in document.get("ExecutionEnvironment", [])}
    rows = []
    for share in document.get("ComputingShare", []):
        kinds = [nodes[id] for id in share["Associations"]["ResourceID"] if id in nodes]
        system = {managers[id]["ProductName"] for one in kinds if (id := one["Associations"]["ManagerID"]) in managers}
        rows.append(
            [
                share["Name"],
                ", ".join(sorted(system)),
                share["ServingState"],
                _pair(share.get("FreeSlots"), share.get("UsedSlots")),
                _pair(share.get("RunningJobs"), share.get("WaitingJobs")),
                "-" if share.get("MaxWallTime") is None else span(share["MaxWallTime"]),
                "; ".join(_node(one) for one in kinds),
            ]
        )
    click.echo()
    if rows:
        table(["SHARE", "SYSTEM", "STATE", "FREE/USED", "RUN/WAIT", "LONGEST", "NODES"], rows)
    else:
        click.echo("No queue has been seen yet.")


def _pair(one: int | None, other: int | None) -> str:
    return f"{'-' if one is None else one}/{'-' if other is None else other}"


def _node(node: Mapping[str, Any]) -> str:
    only = len(node["Associations"].get("ShareID", [])) == 1
    facts = [
        # Of nodes that several queues have it is not told here how many are whose.
        f"{node['TotalInstances']} x" if node.get("TotalInstances") and only else None,
        f"{node['LogicalCPUs']} CPUs" if node.get("LogicalCPUs") else None,
        f"{node['MainMemorySize'] / 1000:.0f} GB" if node["MainMemorySize"] < 999_999_999 else None,
        None if node["Platform"] == "UNDEFINEDVALUE" else node["Platform"],
        None if node.get("CPUModel") is None else node["CPUModel"],
        f"{gpus} GPUs" if (gpus := node.get("Extension", {}).get("GPUs")) else None,
    ]
    return " ".join(fact for fact in facts if fact)
