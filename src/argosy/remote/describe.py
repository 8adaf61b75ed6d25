"""From a JobSpec to the service's description.

Every path of the specification is one of the resource's machines, as with any other executor, but two: the source of a
stage-in and the target of a stage-out are files of the caller's machine. What is staged goes to and comes from
the activity's session directory, which is also where the job runs unless `directory` says otherwise.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path

from argosy.languages.native import Description, Input, Resources
from argosy.model import URI, InvalidInput, InvalidJobException, JobSpec, StageIn, StageOut, StagingMode
from argosy.model.description import session_path
from argosy.model.directives import in_order

#: Where the streams go that the specification names no file for: the service keeps them, for whoever wants to look.
STDOUT, STDERR = "stdout", "stderr"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of the caller's machine that must be in the session directory before the job starts."""

    source: str
    target: str


def describe(spec: JobSpec, share: str | None) -> tuple[Description, list[Upload]]:
    """What to ask the service for, and what to upload. Raises InvalidJobException naming the element."""
    uploads = [upload for index, one in enumerate(in_order(spec.stage_in)) for upload in _uploads(one, index)]
    for index, one in enumerate(in_order(spec.stage_out)):
        _check_stage_out(one, index)
    _check_twice(uploads)
    attributes = spec.attributes
    needs = None if spec.resources is None else spec.effective_resources
    description = Description(
        executable=spec.executable or "",
        arguments=list(spec.arguments or ()),
        name=spec.given_name,
        directory=None if spec.directory is None else str(spec.directory),
        environment=dict(spec.environment or {}),
        inherit_environment=spec.inherit_environment,
        stdin=_there(spec, spec.stdin_path),
        stdout=_there(spec, spec.stdout_path) or STDOUT,
        stderr=_there(spec, spec.stderr_path) or STDERR,
        launcher=spec.launcher,
        pre_launch=_there(spec, spec.pre_launch),
        post_launch=_there(spec, spec.post_launch),
        resources=Resources(
            nodes=needs.node_count,
            processes=needs.process_count,
            processes_per_node=needs.processes_per_node,
            cores_per_process=needs.cpu_cores_per_process,
            gpus_per_process=needs.gpu_cores_per_process,
            memory=needs.memory,
            exclusive=needs.exclusive_node_use,
        )
        if needs is not None
        else None,
        duration=None if attributes.duration is None else attributes.duration.total_seconds(),
        account=attributes.account,
        reservation=attributes.reservation_id,
        custom=_custom(attributes.custom_attributes or {}),
        share=_share(share, attributes.queue_name),
        inputs=[Input(path=upload.target, size=os.stat(upload.source).st_size) for upload in uploads],
    )
    return description, uploads


def _there(spec: JobSpec, path: Path | None) -> str | None:
    """A path as the service takes it: PSI/J's relative ones are in the directory where that is named."""
    if path is None:
        return None
    text = os.fspath(path)
    return text if spec.directory is None or posixpath.isabs(text) else posixpath.join(str(spec.directory), text)


def _share(share: str | None, queue: str | None) -> str | None:
    if queue is None:
        return share
    if share is None:
        raise InvalidJobException(
            f"the service may have several resources: say with RemoteExecutorConfig(share=...) whose {queue!r} is",
            element="attributes.queue_name",
        )
    return f"{share.partition('/')[0]}/{queue}"


def _custom(custom: dict[str, object]) -> dict[str, str | int | float | bool]:
    # Those without a system's name are for nobody, as in any other executor.
    return {
        name: value if isinstance(value, (str, int, float, bool)) else str(value)
        for name, value in custom.items()
        if "." in name
    }


def _uploads(directive: StageIn, index: int) -> list[Upload]:
    element = f"stage_in[{index}]"
    _only_copies(directive.mode, element)
    source = here(directive.source, f"{element}.source")
    target = in_session(directive.target, f"{element}.target")
    if os.path.isfile(source):
        return [Upload(source, target)]
    if not os.path.isdir(source):
        raise InvalidJobException(f"there is no file {source!r} here", element=f"{element}.source")
    return [
        Upload(os.path.join(base, name), posixpath.join(target, os.path.relpath(os.path.join(base, name), source)))
        for base, _, names in os.walk(source)
        for name in names
    ]


def _check_stage_out(directive: StageOut, index: int) -> None:
    element = f"stage_out[{index}]"
    _only_copies(directive.mode, element)
    in_session(directive.source, f"{element}.source")
    here(directive.target, f"{element}.target")


def _only_copies(mode: StagingMode, element: str) -> None:
    if mode is not StagingMode.COPY:
        raise InvalidJobException(
            f"files are copied between this machine and the service's; {mode.name} is not possible",
            element=f"{element}.mode",
        )


def here(uri: URI, element: str) -> str:
    """A file of the caller's machine."""
    path = uri.local_path
    if path is None:
        raise InvalidJobException(
            f"{uri} is no file of this machine; name one by its path or as file:///PATH", element=element
        )
    return os.path.abspath(os.path.expanduser(path))


def in_session(path: Path, element: str) -> str:
    """A file of the session directory."""
    try:
        return session_path(os.fspath(path), element)
    except InvalidInput as error:
        raise InvalidJobException(error.message, error, element=element) from None


def _check_twice(uploads: list[Upload]) -> None:
    targets: set[str] = set()
    for upload in uploads:
        if upload.target in targets:
            raise InvalidJobException(f"two files are staged to {upload.target!r}", element="stage_in")
        targets.add(upload.target)
