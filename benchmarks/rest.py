"""The REST interface: creations and looks a second, and how long one takes.

Activities are created held, so that no job runs: what is measured is the request, its check, its record on disk and
its session directory.
"""

from __future__ import annotations

from typing import Any

from measuring import Found, Options, Row, alternate, column
from running import Server, bare, service


def measure(options: Options) -> Found:
    """Beside a handler on the same server that reads the request and answers a constant text."""
    found = Found()
    rounds = options.pick(2, 5)
    cases = [
        # what, connections, requests, vector, target of the rate, target of the median
        ("create", 1, options.pick(300, 1000), 1, "", ""),
        ("create", 16, options.pick(800, 3000), 1, ">= 1000", ""),
        ("create", 1, options.pick(20, 50), 100, ">= 10000", ""),
        ("create", 1, options.pick(4, 10), 1000, ">= 10000", ""),
        ("differing", 1, options.pick(4, 10), 1000, ">= 10000", ""),
        ("differing", 1, options.pick(1, 3), 10_000, ">= 10000", ""),
        ("long", 1, options.pick(1, 2), 10_000, "", ""),
        ("status", 1, options.pick(500, 2000), 1, "", "< 2"),
        ("status", 16, options.pick(1000, 4000), 1, "", ""),
        ("status", 1, options.pick(100, 400), 100, "", "< 5"),
    ]
    limits = "[limits]\nunfinished = 0\nsessions = 0\n"  # more are created than one caller may have
    with service(options.scratch / "rest", config=limits) as ours, bare(options.scratch / "bare") as other:
        with ours.client() as client:
            made = client.submit_many([{"executable": "/bin/true", "held": True}] * 100)
        ids = [one.activity.id for one in made if one.activity is not None]
        for what, connections, requests, vector, fast, soon in cases:
            more = ids[:vector] if what == "status" else []

            def load(server: Server, arguments: tuple[Any, ...] = (what, connections, requests, vector, *more)) -> Any:
                return server.load(*arguments)

            taken = alternate(rounds, {"argosy": lambda load=load: load(ours), "bare": lambda load=load: load(other)})
            label = what if vector == 1 else f"{what} of {vector}"
            if what in ("differing", "long"):
                label = f"create of {vector}, all differing" + (", 4 KiB each" if what == "long" else "")
            label += f", {connections} connection" + ("s" if connections > 1 else "")
            pairs = [("rate", "/s", fast), ("p50_ms", "ms p50", soon), ("p95_ms", "ms p95", "")]
            pairs += [("server_us", "us server CPU each", "")]
            for name, unit, target in pairs:
                found.rows.append(
                    Row(label, unit, column(taken["argosy"], name), column(taken["bare"], name), "bare ASGI", target)
                )
            found.rows.append(Row(label, "us client CPU each", column(taken["argosy"], "client_us")))
    return found
