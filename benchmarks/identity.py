"""What it costs to know the caller by a proxy: looks a second, with the same proxy again and again.

Beside the same requests with the service's own token. The first of many requests verifies the chain; the others find
it by its digest.
"""

from __future__ import annotations

import base64
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from measuring import HERE, Found, Options, Row, alternate, column
from running import Server, service

from argosy.client import Client, Endpoint


def measure(options: Options) -> Found:
    """Over one connection and over sixteen."""
    sys.path.insert(0, str(HERE.parent))
    from tests.identity.pki import Trust, make_ca, make_proxy, make_user

    found = Found()
    now = datetime.now(UTC)
    times: dict[str, Any] = {"begin": now - timedelta(hours=1), "end": now + timedelta(hours=10)}
    ca = make_ca(**times)
    trust = Trust(options.scratch / "certificates")
    trust.add(ca)
    proxy = make_proxy(make_user(ca, "/O=Grid/CN=Alice", **times), **times)
    header = "PROXY: " + base64.b64encode(proxy.file()).decode()
    config = (
        '[identity]\nusers = ["/O=Grid/*"]\nadministrators = ["/O=Grid/*"]\n'
        f'[identity.x509]\nca_directory = "{trust.path}"\n'
    )
    with service(options.scratch / "identity", config=config) as own:
        with Client(Endpoint(own.url, own.token, None)) as client:
            id = client.submit({"executable": "/bin/true", "held": True}).id
        known = replace(own, token=header)
        for connections, requests in ((1, options.pick(500, 2000)), (16, options.pick(1000, 4000))):

            def load(server: Server, connections: int = connections, requests: int = requests) -> Any:
                return server.load("status", connections, requests, 1, id)

            taken = alternate(
                options.pick(2, 5), {"proxy": lambda load=load: load(known), "token": lambda load=load: load(own)}
            )
            label = f"status by proxy, {connections} connection" + ("s" if connections > 1 else "")
            for name, unit, target in (
                ("rate", "/s", ""),
                ("p50_ms", "ms p50", ""),
                ("server_us", "us server CPU each", "< 1.33 of it"),
            ):
                found.rows.append(
                    Row(label, unit, column(taken["proxy"], name), column(taken["token"], name), "own token", target)
                )
    return found
