"""What batch systems tell of single nodes, and how nodes that are alike are told together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from argosy.batch.gridengine.hosts import hosts_of, parse_hosts
from argosy.batch.pbs import PBS
from argosy.batch.slurm.inventory import parse_nodes
from argosy.batch.torque import Torque
from argosy.executors.local.machine import described
from argosy.model import Completed, NodeKind, kinds_of

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"


def recorded(name: str) -> Completed:
    path = RECORDINGS / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{name} is not here")
    data = json.loads(path.read_text())
    return Completed(tuple(data["argv"]), data["returncode"], data["stdout"], data["stderr"])


def said(text: str) -> Completed:
    return Completed(("x",), 0, text, "")


def test_slurm() -> None:
    nodes = parse_nodes(recorded("slurm/15f-show-node"))["debug"]
    (kind,) = kinds_of(nodes)
    assert kind == NodeKind(
        count=4,
        up=4,
        cores=16,
        memory=32000 * 1024 * 1024,
        gpus=2,
        sockets=16,
        threads=1,
        architecture="x86_64",
        system="linux",
        release="6.18.44-fc-v595",
        features=("avx2", "fake"),
    )


def test_slurm_nodes_of_several_kinds_and_without_an_answer() -> None:
    line = "NodeName=n{} Arch={} CPUTot=8 ActiveFeatures={} RealMemory=1000 OS={}  State={} Partitions=p\n"
    text = "".join(
        [
            line.format(1, "x86_64", "ib", "Linux 5.14.0 #1 SMP", "IDLE"),
            line.format(2, "x86_64", "ib", "Linux 5.14.0 #1 SMP", "DOWN*"),
            line.format(3, "aarch64", "(null)", "Linux", "MIXED"),
            line.format(4, "(null)", "(null)", "(null)", "DOWN"),
        ]
    )
    kinds = kinds_of(parse_nodes(said(text))["p"])
    assert kinds[0].count == 2
    assert sorted((kind.count, kind.up) for kind in kinds) == [(1, 0), (1, 1), (2, 1)]
    assert (kinds[0].release, kinds[0].features) == ("5.14.0", ("ib",))
    assert {(kind.architecture, kind.system, kind.release) for kind in kinds} == {
        ("x86_64", "linux", "5.14.0"),
        (None, None, None),
        ("aarch64", "linux", None),
    }


def test_grid_engine() -> None:
    hosts = parse_hosts(recorded("gridengine/15e-qhost").stdout)
    assert list(hosts) == ["localhost"]
    host = hosts["localhost"]
    assert (host.cores, host.sockets, host.threads, host.up) == (2, 1, 1, 1)
    assert (host.architecture, host.system, host.memory) == ("amd64", "linux", int(23.5 * 1024**3))


def test_grid_engine_hosts_of_a_queue() -> None:
    text = (
        "HOSTNAME ARCH NCPU LOAD MEMTOT MEMUSE\n-----\nglobal - - - - -\n"
        "n1 lx-amd64 4 0.1 2G 1G\nn2 sol-sparc64 8 - 500M -\nn3 win32-x86 1 - - -\nodd line\n"
    )
    hosts = parse_hosts(text)
    assert [(name, one.system, one.architecture, one.up) for name, one in hosts.items()] == [
        ("n1", "linux", "amd64", 1),
        ("n2", "sunos", "sparc64", 0),
        ("n3", None, None, 0),
    ]
    assert hosts_of("n2, n9", hosts) == [hosts["n2"]]
    assert hosts_of("@allhosts", hosts) == hosts_of(None, hosts) == list(hosts.values())
    assert parse_hosts("") == {}


def test_pbs() -> None:
    server = Completed(("qstat",), 0, "Server: vm\n    default_queue = workq\n", "")
    shares = PBS().parse_shares([recorded("openpbs/15j-queues-text"), server, recorded("openpbs/15f-nodes-text")])
    work = next(share for share in shares if share.name == "workq")
    (kind,) = work.kinds
    assert (kind.count, kind.up, kind.cores, kind.memory) == (1, 1, 128, 64 * 1024**3)
    assert (kind.system, kind.architecture) == ("linux", None)


def test_torque() -> None:
    queues = "Queue: batch\n    enabled = True\n    started = True\n"
    node = (
        "n1\n     state = free\n     np = 8\n     properties = ib,bigmem\n     gpus = 2\n"
        "     status = opsys=linux,uname=Linux n1 3.10.0-862 #1 SMP Fri x86_64,ncpus=8,physmem=65871828kb\n\n"
    )
    (share,) = Torque().parse_shares([said(queues), said(""), said(node)])
    (kind,) = share.kinds
    assert kind == NodeKind(
        up=1,
        cores=8,
        memory=65871828 * 1024,
        gpus=2,
        architecture="x86_64",
        system="linux",
        release="3.10.0-862",
        features=("bigmem", "ib"),
    )


def test_this_machine() -> None:
    processor = "physical id\t: {}\nmodel name\t: Fast CPU\nvendor_id\t: Maker\nsiblings\t: 4\ncpu cores\t: 2\n\n"
    kind = described(processor.format(0) * 4 + processor.format(1) * 4, 6, 1000)
    assert (kind.cores, kind.memory, kind.sockets, kind.threads) == (6, 1000, 2, 2)
    assert (kind.cpu_model, kind.cpu_vendor) == ("Fast CPU", "Maker")
    bare = described("", 1, None)
    assert (bare.sockets, bare.threads, bare.cpu_model) == (None, None, None)
    assert bare.system


def test_nodes_that_are_alike_are_counted_once() -> None:
    nodes = [NodeKind(up=1, cores=4), NodeKind(up=0, cores=4), NodeKind(count=3, up=2, cores=8)]
    assert kinds_of(nodes) == (NodeKind(3, 2, 8), NodeKind(2, 1, 4))
    assert kinds_of([NodeKind(cores=4), NodeKind(up=1, cores=4)]) == (NodeKind(2, None, 4),)
    assert kinds_of([]) == ()
