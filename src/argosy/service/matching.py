"""Whether a job fits a share: what can never run is refused when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from argosy.model import ActivityDescription, InvalidInput, JobSpec, Share


def split_share(share: str) -> tuple[str, str | None]:
    """``RESOURCE/QUEUE`` as its two parts."""
    resource, _, queue = share.partition("/")
    return resource, queue or None


def check_staging(description: ActivityDescription) -> None:
    """Raise InvalidInput for what descriptions can ask of staging and this service does not do yet."""
    for label, files, urls in (
        ("inputs", description.inputs, "sources"),
        ("outputs", description.outputs, "targets"),
    ):
        for index, file in enumerate(files):
            for name, usual in ((urls, []), ("creation", "overwrite"), ("delete_on_termination", False)):
                if getattr(file, name) != usual:
                    raise InvalidInput(
                        f"{name} is not supported by this service yet: files come from the client and go to the client",
                        element=f"{label}[{index}].{name}",
                    )


def check_fit(spec: JobSpec, resource: str, queue: str | None, shares: Sequence[Share]) -> None:
    """Raise InvalidInput where the job can never run there, naming the element.

    Where the shares are not known nothing can be said.
    """
    if not shares:
        return
    if queue is not None:
        chosen = [share for share in shares if share.name == queue]
        if not chosen:
            known = ", ".join(f"{resource}/{share.name}" for share in shares)
            raise InvalidInput(f"{resource} has no queue {queue!r}; there are {known}", element="share")
    else:
        chosen = [share for share in shares if share.default] or list(shares)
    problems = [_problem(spec, share, f"{resource}/{share.name}" if share.name else resource) for share in chosen]
    if all(problem is not None for problem in problems):
        element, message = next(problem for problem in problems if problem is not None)
        raise InvalidInput(message, element=element)


def _problem(spec: JobSpec, share: Share, name: str) -> tuple[str, str] | None:
    needs = spec.effective_resources
    nodes, cores = needs.computed_node_count, needs.computed_core_count
    per_node = needs.computed_processes_per_node * (needs.cpu_cores_per_process or 1)
    most_nodes = min((count for count in (share.nodes, share.max_nodes) if count is not None), default=None)
    if most_nodes is not None and nodes > most_nodes:
        return "resources.nodes", f"{name} has at most {most_nodes} nodes for a job; {nodes} were asked for"
    if share.cores is not None and cores > share.cores:
        return "resources", f"{name} has {share.cores} cores; {cores} were asked for"
    if needs.node_count and share.cores_per_node is not None and per_node > share.cores_per_node:
        return "resources", f"a node of {name} has {share.cores_per_node} cores; {per_node} were asked for"
    if needs.memory is not None and share.memory_per_node is not None:
        room = share.memory_per_node * (nodes if needs.node_count else share.nodes or 1)
        if needs.memory > room:
            return "resources.memory", f"{name} has {room} bytes of memory for it; {needs.memory} were asked for"
    gpus = (needs.gpu_cores_per_process or 0) * needs.computed_processes_per_node
    if gpus > share.gpus_per_node:
        return (
            "resources.gpus_per_process",
            f"a node of {name} has {share.gpus_per_node} GPUs; {gpus} were asked for",
        )
    duration = spec.attributes.duration
    if duration is not None and share.max_wall is not None and duration.total_seconds() > share.max_wall:
        return (
            "duration",
            f"{name} lets jobs run for {share.max_wall} s; {duration.total_seconds():g} were asked for",
        )
    return None
