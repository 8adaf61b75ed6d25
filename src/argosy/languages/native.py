"""Our own description language: JSON, strict, one document an activity.

Every field has one name and one unit; an unknown field or a wrong type is refused with its path. `Description` is
also what the OpenAPI document shows.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from argosy.model import (
    ActivityDescription,
    EnvironmentRequest,
    InputFile,
    InvalidInput,
    JobAttributes,
    JobSpec,
    OutputFile,
    ResourceSpecV1,
)
from argosy.model.attributes import DEFAULT_DURATION
from argosy.model.description import CreationFlag
from argosy.model.notification import Callback

from .faults import invalid

Count = Annotated[int, Meta(ge=1)]
Creation = Annotated[CreationFlag, Meta(description="What becomes of a file that is there already.")]
Deleted = Annotated[bool, Meta(description="Remove it once the job has ended and its output is staged out.")]
Path = Annotated[str, Meta(min_length=1, max_length=4096)]
Word = Annotated[str, Meta(min_length=1, max_length=200)]


class Resources(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """What the job needs. Whatever is left out is for the batch system to choose."""

    nodes: Annotated[int, Meta(ge=1, description="Nodes.")] | None = None
    processes: Annotated[int, Meta(ge=1, description="Processes in all.")] | None = None
    processes_per_node: Annotated[int, Meta(ge=1, description="Processes on each node.")] | None = None
    cores_per_process: Annotated[int, Meta(ge=1, description="CPU cores for each process.")] | None = None
    gpus_per_process: Annotated[int, Meta(ge=0, description="GPUs for each process.")] | None = None
    memory: Annotated[int, Meta(ge=1, description="Memory for the whole job, in bytes.")] | None = None
    exclusive: Annotated[bool, Meta(description="Nobody else's jobs on its nodes.")] = False
    architecture: Annotated[Word, Meta(description="As uname -m has it, e.g. x86_64 or aarch64.")] | None = None
    operating_system: Annotated[Word, Meta(description="As uname -s has it, e.g. linux.")] | None = None
    labels: Annotated[list[Word], Meta(description="Labels that the share must have, e.g. infiniband.")] = []
    candidates: Annotated[list[Word], Meta(description="Shares to choose from, as in share; default: all.")] = []


class Input(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """A file that must be in the session directory before the job starts: put there by the client, or fetched."""

    path: Path
    size: Annotated[int, Meta(ge=0, description="Bytes; checked.")] | None = None
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="Checked.")] | None = None
    adler32: Annotated[str, Meta(pattern="^[0-9a-f]{8}$", description="Checked.")] | None = None
    md5: Annotated[str, Meta(pattern="^[0-9a-f]{32}$", description="Checked.")] | None = None
    executable: bool = False
    content: (
        Annotated[str, Meta(max_length=1_048_576, description="The file itself, where it is small and text.")] | None
    ) = None
    sources: Annotated[list[str], Meta(description="URLs; the first that works.")] = []
    creation: Creation = "overwrite"
    delete_on_termination: Deleted = False


class Output(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """A file that the job must leave in the session directory, a pattern, or a directory (with a trailing slash)."""

    path: Path
    optional: bool = False
    targets: Annotated[list[str], Meta(description="URLs; to all of them.")] = []
    creation: Creation = "overwrite"
    delete_on_termination: Deleted = False


class Notify(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """A URL that is told what happens to the activity."""

    url: Annotated[str, Meta(min_length=1, max_length=2048, description="https.")]
    states: Annotated[list[str], Meta(description="Those told of, e.g. running:lrms or final; default: all.")] = []
    kinds: Annotated[list[str], Meta(description="Kinds of events; * is all; default: created and state.")] = []
    secret: (
        Annotated[str, Meta(description="whsec_BASE64, what messages are signed with; default: one is made.")] | None
    ) = None

    def __repr__(self) -> str:
        return f"Notify(url={self.url!r}, states={self.states!r}, kinds={self.kinds!r})"


class Environment(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """A runtime environment that the job is to run in; see GET /v1/environments."""

    name: Word
    version: Annotated[str, Meta(max_length=200, description="Which, e.g. >=1.2,<2; the highest is taken.")] = ""
    parameters: Annotated[dict[str, str], Meta(description="Its own; see what it advertises.")] = {}
    optional: Annotated[bool, Meta(description="Leave it out where it is not to be had.")] = False


_REPLACED = (
    "${NAME} is replaced by that variable where the job runs, and by nothing where there is none; $${NAME} is the text "
    "${NAME}. Put a $ before each ${NAME} in what others have typed."
)
#: The longest wall time that can be asked for, in seconds: a hundred years.
MAX_DURATION = 3_155_760_000


class Description(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """What to run, with what, and where. Relative paths are in the activity's session directory, where it runs."""

    executable: Annotated[
        str, Meta(min_length=1, description="A path, or a name that is looked up on PATH; nothing in it is replaced.")
    ]
    arguments: Annotated[list[str], Meta(description=_REPLACED)] = []
    name: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    directory: Annotated[Path | None, Meta(description="Absolute, or ~/...; default: the session directory.")] = None
    environment: Annotated[dict[str, str], Meta(description=_REPLACED)] = {}
    inherit_environment: bool = True
    stdin: Path | None = None
    stdout: Annotated[Path, Meta(description="Default: stdout")] = "stdout"
    stderr: Annotated[Path, Meta(description="Default: stderr")] = "stderr"
    launcher: str | None = None
    pre_launch: Path | None = None
    post_launch: Path | None = None
    resources: Resources | None = None
    duration: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=MAX_DURATION,
                description="Wall time in seconds; default 600; null leaves it to the batch system.",
            ),
        ]
        | UnsetType
        | None
    ) = UNSET
    account: str | None = None
    reservation: str | None = None
    custom: Annotated[dict[str, str | int | float | bool], Meta(description="e.g. slurm.constraint")] = {}
    share: Annotated[str, Meta(description="RESOURCE or RESOURCE/QUEUE, e.g. slurm/debug.")] | None = None
    environments: Annotated[list[Environment], Meta(description="Runtime environments.")] = []
    inputs: list[Input] = []
    outputs: list[Output] = []
    tags: dict[str, str] = {}
    rerunnable: Annotated[bool, Meta(description="Whether a requeue by the batch system may run it again.")] = False
    held: Annotated[bool, Meta(description="Create it, and start it only when told.")] = False
    optional: Annotated[
        list[str],
        Meta(max_length=100, description="Elements of this document to be skipped where they are not understood."),
    ] = []
    notify: Annotated[list[Notify], Meta(description="Whom to tell what happens to it.")] = []
    interactive: Annotated[bool, Meta(description="Files can be put into its directory while it runs.")] = False
    credentials: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=64)]],
        Meta(max_length=20, description="Ids of yours, with which its files are moved; see GET /v1/credentials."),
    ] = []
    offer_credentials: Annotated[
        bool, Meta(description="Give the job copies of the proxy and the token among them.")
    ] = False


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Description)


def to_model(wire: Description) -> ActivityDescription:
    """The description in the model's terms, checked. Raises InvalidInput naming the element as this language does."""
    needs = wire.resources
    try:
        description = ActivityDescription(
            spec=_spec(wire),
            inputs=[
                InputFile(
                    f.path,
                    f.size,
                    f.sha256,
                    f.executable,
                    f.content,
                    f.sources,
                    f.creation,
                    f.delete_on_termination,
                    f.adler32,
                    f.md5,
                )
                for f in wire.inputs
            ],
            outputs=[
                OutputFile(f.path, f.optional, f.targets, f.creation, f.delete_on_termination) for f in wire.outputs
            ],
            share=wire.share,
            tags=wire.tags,
            rerunnable=wire.rerunnable,
            held=wire.held,
            credentials=wire.credentials,
            offer_credentials=wire.offer_credentials,
            notify=[Callback(one.url, one.states, one.kinds, one.secret) for one in wire.notify],
            architecture=None if needs is None else needs.architecture,
            operating_system=None if needs is None else needs.operating_system,
            labels=[] if needs is None else needs.labels,
            candidates=[] if needs is None else needs.candidates,
            environments=[EnvironmentRequest(e.name, e.version, e.parameters, e.optional) for e in wire.environments],
            interactive=wire.interactive,
        )
        description.check()
    except InvalidInput as error:
        raise in_its_terms(error) from None
    return description


def _spec(wire: Description) -> JobSpec:
    queue = wire.share.partition("/")[2] if wire.share else ""
    return JobSpec(
        executable=wire.executable,
        arguments=wire.arguments,
        directory=wire.directory,
        name=wire.name,
        inherit_environment=wire.inherit_environment,
        environment=wire.environment,
        stdin_path=wire.stdin,
        stdout_path=wire.stdout,
        stderr_path=wire.stderr,
        resources=None if wire.resources is None else _resources(wire.resources),
        attributes=JobAttributes(
            duration=_duration(wire),
            queue_name=queue or None,
            account=wire.account,
            reservation_id=wire.reservation,
            custom_attributes=dict(wire.custom),
        ),
        pre_launch=wire.pre_launch,
        post_launch=wire.post_launch,
        launcher=wire.launcher,
    )


def _resources(needs: Resources) -> ResourceSpecV1:
    return ResourceSpecV1(
        node_count=needs.nodes,
        process_count=needs.processes,
        processes_per_node=needs.processes_per_node,
        cpu_cores_per_process=needs.cores_per_process,
        gpu_cores_per_process=needs.gpus_per_process,
        exclusive_node_use=needs.exclusive,
        memory=needs.memory,
    )


def _duration(wire: Description) -> timedelta | None:
    if wire.duration is UNSET:
        return DEFAULT_DURATION
    return None if wire.duration is None else timedelta(seconds=wire.duration)


def frame(wire: Description) -> bytes:
    """What most descriptions of a vector have in common: all but `name`, `arguments`, `environment`, `tags` and the
    standard streams."""
    own = wire.name, wire.arguments, wire.environment, wire.tags, wire.stdin, wire.stdout, wire.stderr
    wire.name, wire.arguments, wire.environment, wire.tags = None, [], {}, {}
    wire.stdin = None
    wire.stdout = wire.stderr = ""
    try:
        return _encoder.encode(wire)
    finally:
        wire.name, wire.arguments, wire.environment, wire.tags, wire.stdin, wire.stdout, wire.stderr = own


def in_frame(wire: Description, like: ActivityDescription) -> ActivityDescription:
    """As `to_model`, of one with the same `frame` as one that was found good: `like` is that in the model's terms."""
    try:
        streams = (wire.stdin, wire.stdout, wire.stderr)
        return like.of_its_own(wire.name, wire.arguments, wire.environment, wire.tags, streams)
    except InvalidInput as error:
        raise in_its_terms(error) from None


#: Where this language's names differ from the model's.
_NAMES = {
    "stdin_path": "stdin",
    "stdout_path": "stdout",
    "stderr_path": "stderr",
    "resources.node_count": "resources.nodes",
    "resources.process_count": "resources.processes",
    "resources.cpu_cores_per_process": "resources.cores_per_process",
    "resources.gpu_cores_per_process": "resources.gpus_per_process",
    "resources.exclusive_node_use": "resources.exclusive",
    "attributes.duration": "duration",
    "attributes.queue_name": "share",
    "attributes.account": "account",
    "attributes.reservation_id": "reservation",
    "attributes.custom_attributes": "custom",
}


def in_its_terms(error: InvalidInput) -> InvalidInput:
    """The same error, its element named as this language names it."""
    error.element = _renamed(error.element)
    return error


def _renamed(element: str | None) -> str | None:
    if element is None:
        return None
    for model_name, name in _NAMES.items():
        if element == model_name or element.startswith(model_name + "."):
            return name + element[len(model_name) :]
    return element


def in_the_models_terms(element: str | None) -> str | None:
    """An element that this language names, as the model names it; the reverse of `in_its_terms`."""
    if element is None:
        return None
    for model_name, name in _NAMES.items():
        if element == name or element.startswith(name + "."):
            return model_name + element[len(name) :]
    return element


def decode(data: bytes) -> Description:
    """One document. Raises InvalidInput naming the element."""
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError as error:
        raise invalid(error, Description, data) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"this is not JSON: {error}") from None


def checked(wire: Description) -> Description:
    """The same description, once every rule of the JSON form has been seen to hold. Raises InvalidInput.

    A description that another language was read into has not passed the decoder, but will be stored and decoded.
    """
    try:
        msgspec.convert(msgspec.to_builtins(wire), Description)
    except msgspec.ValidationError as error:
        raise invalid(error, Description) from None
    to_model(wire)
    return wire


def without_secrets(wire: Description) -> Description:
    """The same description as it may be stored and shown."""
    if not wire.notify or not any(one.secret for one in wire.notify):
        return wire
    return msgspec.structs.replace(wire, notify=[msgspec.structs.replace(one, secret=None) for one in wire.notify])


def encode(wire: Description) -> bytes:
    """The document as JSON; equal descriptions give equal bytes."""
    return _encoder.encode(wire)
