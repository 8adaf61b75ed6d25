"""From an activity to what a driver is asked to run: its paths, its queue, and the environments around it."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence

from argosy.executors.contract import Handle, JobRequest
from argosy.model import ActivityDescription, JobAttributes, JobSpec, RuntimeEnvironment
from argosy.model.spec import path_text
from argosy.service.matching.preparation import contained, preparation
from argosy.service.matching.resources import Resource
from argosy.store import Activity


def account_of(activity: Activity, resource: Resource | None) -> str | None:
    """As whom the driver is to do what it does for an activity; of a resource that is no more, the account it had."""
    return activity.local_account if resource is None else resource.whose(activity)


def handle_of(
    activity: Activity, resource: Resource | None, *, native_id: str | None = None, rerunnable: bool = False
) -> Handle:
    """A job that a resource's driver has: the activity's, or the one of this `native_id`. `rerunnable` matters to who
    watches it."""
    return Handle(activity.tag, native_id or activity.native_id or "", rerunnable, account_of(activity, resource))


def job_request(
    id: str,
    description: ActivityDescription,
    session: str,
    queue: str | None,
    environments: Sequence[RuntimeEnvironment] = (),
) -> JobRequest:
    """What a driver is asked to run, in this queue (None: the batch system's choice) and in these environments."""
    spec = session_spec(description.spec, session)
    directory = path_text(spec._directory) or session
    if spec.attributes.queue_name != queue:
        spec.attributes = _in_queue(spec.attributes, queue)
    if description.spec._directory is not None and "/" in (executable := spec.executable or ""):
        inputs = {posixpath.normpath(file.path) for file in description.inputs}
        if (plain := posixpath.normpath(executable)) in inputs:
            spec.executable = f"{session}/{plain}"  # an input file is in the session directory, wherever the job runs
    if not environments:
        return JobRequest(id, spec, directory, description.rerunnable)
    asked = {request.name: request for request in description.environments}
    chosen = [(one, asked[one.name]) for one in environments if one.name in asked]
    return JobRequest(
        id, contained(spec, session, environments), directory, description.rerunnable, preparation(chosen)
    )


def session_spec(spec: JobSpec, session: str) -> JobSpec:
    """The specification with every relative path made one of the session directory."""

    def beneath(value: str | os.PathLike[str] | None) -> str | None:
        path = path_text(value)
        return path if path is None or path.startswith(("/", "~")) else f"{session}/{path}"

    return JobSpec(
        executable=spec.executable,
        arguments=spec.arguments,
        directory=path_text(spec._directory) or session,
        name=spec.given_name,
        inherit_environment=spec.inherit_environment,
        environment=spec.environment,
        stdin_path=beneath(spec._stdin_path),
        stdout_path=beneath(spec._stdout_path),
        stderr_path=beneath(spec._stderr_path),
        resources=spec.resources,
        attributes=spec.attributes,
        pre_launch=beneath(spec._pre_launch),
        post_launch=beneath(spec._post_launch),
        launcher=spec.launcher,
    )


def _in_queue(attributes: JobAttributes, queue: str | None) -> JobAttributes:
    return JobAttributes(
        duration=attributes.duration,
        queue_name=queue,
        account=attributes.account,
        reservation_id=attributes.reservation_id,
        custom_attributes=attributes.custom_attributes,
    )
