"""Every request of the native REST interface as a value, shared by the two clients that send them."""

from __future__ import annotations

import functools
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from argosy.languages import documents, documents_notifications, documents_usage, looks
from argosy.languages.documents_credentials import (
    CredentialDocument,
    DelegationDocument,
    DelegationRequest,
    NewCredential,
)
from argosy.languages.faults import invalid
from argosy.languages.native import Description
from argosy.model import InvalidInput

from .vectors import Pieces, body_of

T = TypeVar("T")

#: The longest that one long poll asks the service to wait, in seconds.
POLL = 30.0

#: The longest submission id, in characters.
_LONGEST_KEY = 255

_XML = {"Accept": "application/xml"}

#: A description as an object, or as the JSON values of one.
Describable = Description | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request. `answer` is the type of its JSON answer; `idempotent` whether it may be sent twice."""

    method: str
    path: str
    answer: Any
    params: Mapping[str, Any] = field(default_factory=dict)
    content: bytes | Pieces | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotent: bool = True
    wait: float = 0.0

    def decode(self, response: httpx.Response) -> T:
        """The answer's value."""
        if self.answer is bytes:
            return response.content  # type: ignore[return-value]
        value: T = None if self.answer is None else _decoder(self.answer).decode(response.content)  # type: ignore[assignment]
        return value

    def request(self, timeout: float, *, awaited: bool = False) -> dict[str, Any]:
        """What httpx's `request` takes; `awaited`: that of its asynchronous client."""
        headers = dict(self.headers)
        content: object = self.content
        if self.content is not None:
            headers.setdefault("Content-Type", "application/json")
        if isinstance(self.content, Pieces):
            headers["Content-Length"] = str(self.content.length)
            content = self.content.awaited() if awaited else self.content
        return {
            "method": self.method,
            "url": self.path,
            "params": {key: value for key, value in self.params.items() if value is not None},
            "content": content,
            "headers": headers,
            "timeout": timeout + self.wait,
        }


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def describe(description: Describable) -> Description:
    """The description as an object. Raises InvalidInput naming the element that is wrong."""
    if isinstance(description, Description):
        return description
    try:
        return msgspec.convert(description, Description)
    except msgspec.ValidationError as error:
        raise invalid(error, Description, description) from None


def new_key() -> str:
    """A submission id of our own, so that a repeated request answers with the first activity."""
    return f"client-{uuid.uuid4()}"


def submission_id(key: str | None) -> str:
    """The submission id of a single request: the caller's `key`, or one of our own. Raises InvalidInput."""
    if key is None:
        return new_key()
    # What a header can carry as it is (RFC 9110, 5.5); the service takes no longer ones.
    if not 0 < len(key) <= _LONGEST_KEY or not (key.isascii() and key.isprintable()) or key != key.strip():
        raise InvalidInput(
            f"a submission id is 1 to {_LONGEST_KEY} printable ASCII characters, without spaces around it",
            element="key",
        )
    return key


def activity(id: str, *below: str) -> str:
    """The address of an activity, or of something of it."""
    return "/".join(["/v1/activities", quote(id, safe=""), *below])


def file(id: str, path: str) -> str:
    """The address of a file. Dots are encoded where they would be taken for steps between directories."""
    encoded = quote(os.fsencode(path)).split("/")
    return activity(id, "files", *(part.replace(".", "%2E") if set(part) == {"."} else part for part in encoded))


def submit(description: Describable, key: str | None) -> Call[documents.ActivityDocument]:
    return Call(
        "POST",
        "/v1/activities",
        documents.ActivityDocument,
        content=msgspec.json.encode(describe(description)),
        headers={"Idempotency-Key": submission_id(key)},
    )


def submit_many(descriptions: Sequence[Describable], keys: Sequence[str] | None) -> Call[list[documents.Result]]:
    if keys is None:
        keys = [new_key() for _ in descriptions]
    elements = [
        documents.BatchElement(description=describe(description), submission_id=key)
        for description, key in zip(descriptions, keys, strict=True)
    ]
    return Call("POST", "/v1/activities/batch", list[documents.Result], content=body_of(elements))


def status(id: str, verbosity: str | None, model: str | None) -> Call[documents.ActivityDocument]:
    return Call("GET", activity(id), documents.ActivityDocument, params={"verbosity": verbosity, "model": model})


def statuses(ids: Sequence[str], verbosity: str | None, model: str | None) -> Call[list[documents.Result]]:
    params = {"verbosity": verbosity, "model": model}
    content = msgspec.json.encode(list(ids))
    return Call("POST", "/v1/activities/status", list[documents.Result], params=params, content=content)


def status_xml(id: str, model: str, verbosity: str | None) -> Call[bytes]:
    return Call("GET", activity(id), bytes, params={"verbosity": verbosity, "model": model}, headers=_XML)


def statuses_xml(ids: Sequence[str], model: str) -> Call[bytes]:
    content = msgspec.json.encode(list(ids))
    return Call("POST", "/v1/activities/status", bytes, params={"model": model}, content=content, headers=_XML)


def changed(id: str, version: int | None, wait: float) -> Call[documents.ActivityDocument]:
    params = {"wait": f"{wait:.3f}", "version": version}
    return Call("GET", activity(id), documents.ActivityDocument, params=params, wait=wait)


def page(
    states: Sequence[str],
    tags: Mapping[str, str],
    name: str | None,
    resource: str | None,
    created_from: str | None,
    created_before: str | None,
    limit: int,
    cursor: str | None,
    sweep: str | None = None,
    owner: str | None = None,
) -> Call[documents.ActivityPage]:
    params = {
        "state": list(states) or None,
        "tag": [f"{key}:{value}" for key, value in tags.items()] or None,
        "name": name,
        "resource": resource,
        "created_from": created_from,
        "created_before": created_before,
        "limit": limit,
        "cursor": cursor,
        "sweep": sweep,
        "owner": owner,
    }
    return Call("GET", "/v1/activities", documents.ActivityPage, params=params)


def description(id: str) -> Call[Description]:
    return Call("GET", activity(id, "description"), Description)


def start(id: str) -> Call[documents.ActivityDocument]:
    return Call("POST", activity(id, "start"), documents.ActivityDocument, idempotent=False)


def change(id: str, action: str | None, state: str | None, wait: float) -> Call[documents.ActivityDocument]:
    body = msgspec.json.encode(documents.ChangeDocument(action=action, state=state))
    address = activity(id, "state")
    return Call("POST", address, documents.ActivityDocument, {"wait": f"{wait:.3f}"}, body, wait=wait)


def change_many(changes: Sequence[tuple[str, str]], wait: float) -> Call[list[documents.Result]]:
    body = msgspec.json.encode([documents.ChangeElement(id=id, action=action) for id, action in changes])
    return Call("POST", "/v1/activities/actions", list[documents.Result], {"wait": f"{wait:.3f}"}, body, wait=wait)


def terminate(id: str) -> Call[documents.ActivityDocument]:
    return Call("POST", activity(id, "terminate"), documents.ActivityDocument)


def restart(id: str, over: bool) -> Call[documents.ActivityDocument]:
    params = {"over": "true"} if over else {}
    return Call("POST", activity(id, "restart"), documents.ActivityDocument, params=params, idempotent=False)


def restart_many(ids: Sequence[str], over: bool) -> Call[list[documents.Result]]:
    return Call(
        "POST",
        "/v1/activities/restart",
        list[documents.Result],
        params={"over": "true"} if over else {},
        content=msgspec.json.encode(list(ids)),
        idempotent=False,
    )


def purge(id: str, terminate: bool) -> Call[None]:
    # With `terminate` it waits for the end. A repeat of one that went through would say that there is no such activity.
    params = {"terminate": "true"} if terminate else {}
    return Call("DELETE", activity(id), None, params=params, idempotent=False, wait=300.0 if terminate else 0.0)


def purge_many(ids: Sequence[str], terminate: bool) -> Call[list[documents.Problem | None]]:
    return Call(
        "POST",
        "/v1/activities/purge",
        list[documents.Problem | None],
        params={"terminate": "true"} if terminate else {},
        content=msgspec.json.encode(list(ids)),
        idempotent=False,
        wait=300.0 if terminate else 60.0,
    )


def events(id: str, after: int, limit: int) -> Call[documents.EventPage]:
    return Call("GET", activity(id, "events"), documents.EventPage, params={"after": after, "limit": limit})


def transfers(id: str) -> Call[list[documents.TransferDocument]]:
    return Call("GET", activity(id, "transfers"), list[documents.TransferDocument])


def shares() -> Call[list[documents.ShareDocument]]:
    return Call("GET", "/v1/shares", list[documents.ShareDocument])


def environments() -> Call[list[documents.EnvironmentDocument]]:
    return Call("GET", "/v1/environments", list[documents.EnvironmentDocument])


def credentials() -> Call[list[CredentialDocument]]:
    return Call("GET", "/v1/credentials", list[CredentialDocument])


def add_credential(new: NewCredential) -> Call[CredentialDocument]:
    return Call(
        "POST",
        "/v1/credentials",
        CredentialDocument,
        content=msgspec.json.encode(new),
        idempotent=False,
    )


def replace_credential(id: str, new: NewCredential) -> Call[CredentialDocument]:
    content = msgspec.json.encode(new)
    return Call("PUT", f"/v1/credentials/{quote(id, safe='')}", CredentialDocument, content=content)


def remove_credential(id: str) -> Call[None]:
    return Call("DELETE", f"/v1/credentials/{quote(id, safe='')}", None, idempotent=False)


def request_delegation(asked: DelegationRequest) -> Call[DelegationDocument]:
    content = msgspec.json.encode(asked)
    return Call("POST", "/v1/delegations", DelegationDocument, content=content, idempotent=False)


def finish_delegation(id: str, chain: str) -> Call[CredentialDocument]:
    return Call(
        "PUT",
        f"/v1/delegations/{quote(id, safe='')}",
        CredentialDocument,
        content=chain.encode(),
        headers={"Content-Type": "application/x-pem-file"},
        idempotent=False,
    )


def counts() -> Call[dict[str, int]]:
    return Call("GET", "/v1/activities/counts", dict[str, int])


def drain(message: str | None, retry_after: float) -> Call[None]:
    body = documents.DrainDocument(message=message, retry_after=retry_after)
    return Call("POST", "/v1/admin/drain", None, content=msgspec.json.encode(body))


def admit() -> Call[None]:
    return Call("POST", "/v1/admin/resume", None)


def service_status() -> Call[documents.ServiceStatus]:
    return Call("GET", "/v1/admin/status", documents.ServiceStatus)


def stop_service(within: float) -> Call[None]:
    body = documents.StopDocument(within=within)
    return Call("POST", "/v1/admin/stop", None, content=msgspec.json.encode(body))


def service() -> Call[documents.ServiceDocument]:
    return Call("GET", "/v1", documents.ServiceDocument)


def usage(
    by: Sequence[str], since: str | None, until: str | None, user: str | None, resource: str | None
) -> Call[documents_usage.UsageSummary]:
    params = {"by": list(by) or None, "from": since, "until": until, "user": user, "resource": resource}
    return Call("GET", "/v1/usage", documents_usage.UsageSummary, params=params | {"format": "json"})


def usage_records(
    since: str | None,
    until: str | None,
    user: str | None,
    resource: str | None,
    activity: str | None,
    limit: int,
    cursor: str | None,
) -> Call[documents_usage.UsagePage]:
    params = {
        "from": since,
        "until": until,
        "user": user,
        "resource": resource,
        "activity": activity,
        "limit": limit,
        "cursor": cursor,
        "format": "json",
    }
    return Call("GET", "/v1/usage/records", documents_usage.UsagePage, params=params)


def subscribe(new: documents_notifications.NewSubscriptionDocument) -> Call[documents.SubscriptionDocument]:
    return Call(
        "POST",
        "/v1/subscriptions",
        documents.SubscriptionDocument,
        content=msgspec.json.encode(new),
        idempotent=False,
    )


def subscriptions(
    activity: str | None, limit: int, cursor: str | None
) -> Call[documents_notifications.SubscriptionPage]:
    params = {"activity": activity, "limit": limit, "cursor": cursor}
    return Call("GET", "/v1/subscriptions", documents_notifications.SubscriptionPage, params=params)


def rotate_secret(id: str, asked: documents_notifications.RotationDocument) -> Call[documents.SubscriptionDocument]:
    return Call(
        "POST",
        f"/v1/subscriptions/{quote(id, safe='')}/rotate",
        documents.SubscriptionDocument,
        content=msgspec.json.encode(asked),
        idempotent=False,
    )


def unsubscribe(id: str) -> Call[None]:
    return Call("DELETE", f"/v1/subscriptions/{quote(id, safe='')}", None, idempotent=False)


def dead_letters(limit: int, cursor: str | None) -> Call[documents_notifications.DeadLetterPage]:
    return Call(
        "GET",
        "/v1/notifications/dead",
        documents_notifications.DeadLetterPage,
        params={"limit": limit, "cursor": cursor},
    )


def resend(numbers: Sequence[int]) -> Call[list[documents.Problem | None]]:
    return Call(
        "POST",
        "/v1/notifications/resend",
        list[documents.Problem | None],
        content=msgspec.json.encode(list(numbers)),
        idempotent=False,
    )


def capabilities() -> Call[looks.CapabilitiesDocument]:
    return Call("GET", "/v1/capabilities", looks.CapabilitiesDocument)


def information(verbosity: str) -> Call[dict[str, list[dict[str, Any]]]]:
    return Call("GET", "/v1/service", dict[str, list[dict[str, Any]]], params={"verbosity": verbosity})


def information_xml(verbosity: str) -> Call[bytes]:
    return Call("GET", "/v1/service", bytes, params={"verbosity": verbosity}, headers=_XML)


def list_files(id: str, path: str, limit: int, cursor: str | None) -> Call[documents.FilePage]:
    address = activity(id, "files") if path in ("", ".") else file(id, path)
    return Call("GET", address, documents.FilePage, params={"limit": limit, "cursor": cursor})


def delete_file(id: str, path: str) -> Call[None]:
    return Call("DELETE", file(id, path), None, idempotent=False)
