"""Activities as Rimrock's jobs, and its jobs as activity descriptions: translation without input or output."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from msgspec import UNSET, UnsetType

from argosy.languages.contract import check, in_its_terms
from argosy.languages.native import Description
from argosy.languages.script import Script
from argosy.model import ArgosyError, InvalidInput
from argosy.model.projections import rimrock
from argosy.service.contract import Activity

from .documents import Job, Submission

#: The tags by which activities of this endpoint are known; where its output goes, if not to the usual files.
HOST, TAG = "rimrock.host", "rimrock.tag"
STDOUT, STDERR = "rimrock.stdout", "rimrock.stderr"
_STDOUT, _STDERR = "stdout", "stderr"


def described(asked: Submission, hosts: Mapping[str, str]) -> Description:
    """The activity that is asked for. Raises InvalidInput naming the member."""
    resource = resource_of(asked.host, hosts)
    try:
        description = check(Script().parse(asked.script.encode())).one()
    except InvalidInput as error:
        raise InvalidInput(f"script: {error.message}", element="script") from None
    queue = (description.share or "").partition("/")[2]
    description.share = f"{resource}/{queue}" if queue else resource
    description.directory = directory(asked.working_directory)
    # What a job prints is read from where `stdout_path` leads, which is the session directory.
    if description.stdout.startswith(("/", "~")):
        description.stdout = _STDOUT
    if description.stderr.startswith(("/", "~")):
        description.stderr = _STDERR
    tags = {HOST: asked.host, TAG: asked.tag}
    tags |= {STDOUT: description.stdout if description.stdout != _STDOUT else None}
    tags |= {STDERR: description.stderr if description.stderr != _STDERR else None}
    description.tags = {name: value for name, value in tags.items() if value is not None}
    return description


def refused(error: ArgosyError, asked: Submission, description: Description) -> ArgosyError:
    """Why the service did not take it, with the directive of the script where it is about one."""
    if error.element is None or Script().place(asked.script.encode(), error.element, description) is None:
        return error
    return in_its_terms(error, Script(), asked.script.encode(), description)


def resource_of(host: str, hosts: Mapping[str, str]) -> str:
    """The resource that is meant by a host's name. Raises InvalidInput."""
    try:
        return hosts[host]
    except KeyError:
        raise InvalidInput(f"host {host!r} is not served here; there are {', '.join(hosts)}", element="host") from None


def directory(asked: str | None) -> str:
    """Where to run: in the home directory where nothing is asked for, and what is relative is relative to it."""
    if not asked:
        return "~"
    return asked if asked.startswith(("/", "~/")) or asked == "~" else f"~/{asked}"


def job_id(activity: Activity, host: str) -> str:
    """The id that clients know a job by: the batch system's own, with the host where that does not name one.

    Before there is one, the activity's.
    """
    own = activity.native_id or activity.id
    return own if "." in own else f"{own}.{host}"


def job(activity: Activity, base: str) -> Job:
    """A job's document. `base` is this service's address."""
    host = activity.tags.get(HOST, activity.resource or "")
    files = f"{base}/v1/activities/{quote(activity.id)}/files/"
    started, ended = activity.started, activity.ended
    return Job(
        job_id=job_id(activity, host),
        stdout_path=files + quote(activity.tags.get(STDOUT, _STDOUT)),
        stderr_path=files + quote(activity.tags.get(STDERR, _STDERR)),
        status=rimrock(activity.state, activity.exit_code),
        tag=activity.tags.get(TAG),
        nodes=UNSET if started is None else str(len(activity.hosts) or 1),
        cores=UNSET if started is None or activity.cores is None else str(activity.cores),
        wall_time=UNSET if started is None or ended is None else _duration(ended - started),
        queue_time=UNSET if started is None or activity.submitted is None else _duration(started - activity.submitted),
        start_time=_time(started),
        end_time=_time(ended),
    )


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def _time(seconds: float | None) -> str | UnsetType:
    return UNSET if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
