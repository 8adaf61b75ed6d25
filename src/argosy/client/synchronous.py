"""The synchronous client."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import httpx

from argosy.languages.documents import (
    ActivityDocument,
    EnvironmentDocument,
    EventDocument,
    Problem,
    Result,
    ServiceDocument,
    ServiceStatus,
    ShareDocument,
    TransferDocument,
)
from argosy.languages.documents_credentials import CredentialDocument, DelegationRequest, NewCredential
from argosy.languages.looks import CapabilitiesDocument
from argosy.languages.native import Description
from argosy.model import ArgosyError

from . import calls
from .accounting import Accounting
from .calls import Call, Describable
from .connection import LIMITS, STREAM_TIMEOUT, TIMEOUT, settings, where
from .discovery import Endpoint, discover
from .errors import Patience, from_response
from .files import FileMethods
from .notifying import Notifying
from .sse import ACTIVITIES, D, Parser, Subscription
from .sweeps import SweepMethods

T = TypeVar("T")
Results = list[Result]
Purged = list[Problem | None]
Shares = list[ShareDocument]
Information = dict[str, list[dict[str, Any]]]
Environments = list[EnvironmentDocument]
KeptCredentials = list[CredentialDocument]


class Client(Accounting, FileMethods, Notifying, SweepMethods):
    """A connection to the service, found by `discover` where no endpoint is given. Close it, or use it in a `with`.

    Requests that can safely be repeated are, `retries` times in a row, where the connection fails: twelve take some ten
    seconds, which outlasts a restart of the service. One that has never answered is tried three times again. Where the
    service says when to ask again (for a limit, or while it cannot answer), that is waited for, `patience` seconds a
    request in all.
    """

    def __init__(
        self,
        endpoint: Endpoint | None = None,
        *,
        retries: int = 12,
        patience: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.endpoint = endpoint or discover()
        self._discovered = endpoint is None and transport is None
        self._retries = retries
        self._waiting = patience
        self._known = False  # whether the service has ever answered
        self._http = _connection(self.endpoint, transport)
        self._former: list[httpx.Client] = []

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections."""
        for connection in (*self._former, self._http):
            connection.close()

    # -- activities -----------------------------------------------------------------------------------

    def submit(self, description: Describable, *, key: str | None = None) -> ActivityDocument:
        """Create an activity. A repeat with the same `key`, a submission id of your own, answers with the first one."""
        return self._do(calls.submit(description, key))

    def submit_many(self, descriptions: Sequence[Describable], *, keys: Sequence[str] | None = None) -> Results:
        """Create many; each is answered in its place, by the activity or by the problem with it."""
        return self._do(calls.submit_many(descriptions, keys))

    def status(self, id: str, *, verbosity: str | None = None, model: str | None = None) -> ActivityDocument:
        """The activity as it is now. `verbosity` is ``basic``, ``detailed`` (the default) or ``full``; with a `model`
        (``bes``, ``glue2``, ``psij``, ``emi-es``, ``arc-rest``, ``drmaa2``) its `told` has it in that model's words."""
        return self._do(calls.status(id, verbosity, model))

    def status_xml(self, id: str, model: str, *, verbosity: str | None = None) -> bytes:
        """The activity as XML of a `model` that has it: ``bes``, ``glue2``, ``emi-es``."""
        return self._do(calls.status_xml(id, model, verbosity))

    def statuses(self, ids: Sequence[str], *, verbosity: str | None = None, model: str | None = None) -> Results:
        """Many activities as they are now, each in its place."""
        return self._do(calls.statuses(ids, verbosity, model))

    def statuses_xml(self, ids: Sequence[str], model: str) -> bytes:
        """Many activities as one XML message of a `model`, each in its place where the model has places."""
        return self._do(calls.statuses_xml(ids, model))

    def changed(self, id: str, *, version: int | None = None, wait: float = calls.POLL) -> ActivityDocument:
        """The activity once its version is another than `version` (None: once it is final), or after `wait` seconds
        (60 at most)."""
        return self._do(calls.changed(id, version, wait))

    def wait(self, id: str, timeout: float | None = None) -> ActivityDocument:
        """The activity once it is final. Raises TimeoutError after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = calls.POLL if deadline is None else max(0.0, deadline - time.monotonic())
            record = self.changed(id, wait=min(left, calls.POLL))
            if record.final:
                return record
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{id} is {record.state} after {timeout:g} seconds")

    def list(
        self,
        *,
        states: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        name: str | None = None,
        resource: str | None = None,
        created_from: str | None = None,
        created_before: str | None = None,
        sweep: str | None = None,
        owner: str | None = None,
        page_size: int = 200,
    ) -> Iterator[ActivityDocument]:
        """Your activities, newest first, fetched page by page as they are asked for. Times are RFC 3339.

        `states` may be ``active`` and ``final`` too. Operators may name another `owner`; ``*`` is everybody."""
        cursor = None
        while True:
            page = self._do(
                calls.page(
                    states, tags or {}, name, resource, created_from, created_before, page_size, cursor, sweep, owner
                )
            )
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def description(self, id: str) -> Description:
        """What was asked for."""
        return self._do(calls.description(id))

    def start(self, id: str) -> ActivityDocument:
        """Let an activity go that was created held."""
        return self._do(calls.start(id))

    def change(
        self, id: str, action: str | None = None, *, state: str | None = None, wait: float = 10.0
    ) -> ActivityDocument:
        """Change its status: ``start``, ``hold``, ``release``, ``suspend``, ``resume`` or ``terminate``, or the state
        to go to. Answers once that has come about, but after `wait` seconds in any case: `asked` says what has not."""
        return self._do(calls.change(id, action, state, wait))

    def change_many(self, changes: Sequence[tuple[str, str]], *, wait: float = 10.0) -> Results:
        """Change many, each an id and an action; each is answered in its place."""
        return self._do(calls.change_many(changes, wait))

    def hold(self, id: str) -> ActivityDocument:
        """Keep an activity from running."""
        return self.change(id, "hold")

    def release(self, id: str) -> ActivityDocument:
        """Let an activity go that is held."""
        return self.change(id, "release")

    def suspend(self, id: str) -> ActivityDocument:
        """Stop an activity's application where it is."""
        return self.change(id, "suspend")

    def resume(self, id: str) -> ActivityDocument:
        """Let a suspended application go on."""
        return self.change(id, "resume")

    def terminate(self, id: str) -> ActivityDocument:
        """Begin to end an activity; `wait` for its end."""
        return self._do(calls.terminate(id))

    def transfers(self, id: str) -> Sequence[TransferDocument]:
        """The files that are being moved for an activity, and have been in the stage under way."""
        return self._do(calls.transfers(id))

    def restart(self, id: str, *, over: bool = False) -> ActivityDocument:
        """Let a failed activity go on from the stage that failed. `over`: you know that a job that was lost sight of
        is over."""
        return self._do(calls.restart(id, over))

    def restart_many(self, ids: Sequence[str], *, over: bool = False) -> Results:
        """The same for many; each is answered in its place."""
        return self._do(calls.restart_many(ids, over))

    def purge(self, id: str, *, terminate: bool = False) -> None:
        """Remove an activity that has ended and all that belongs to it; with `terminate`, end it first."""
        self._do(calls.purge(id, terminate))

    def purge_many(self, ids: Sequence[str], *, terminate: bool = False) -> Purged:
        """The same for many; for each in its place None, or what is wrong."""
        return self._do(calls.purge_many(ids, terminate))

    def events(self, id: str, *, after: int = 0) -> Iterator[EventDocument]:
        """What has happened to an activity."""
        while True:
            page = self._do(calls.events(id, after, 1000))
            yield from page.items
            if len(page.items) < 1000:
                return
            after = page.items[-1].seq

    def stream(
        self,
        ids: Sequence[str] = (),
        *,
        after: int | None = None,
        states: Sequence[str] = (),
        kinds: Sequence[str] = (),
    ) -> Iterator[EventDocument]:
        """What happens to your activities (to these only, where some are named), as it happens.

        Those after `after` come first; None begins now. `states` (with what is below them, or ``final``) and `kinds`
        of events are those that are told of. Ends when all that are named are final.
        """
        params = {"activity": list(ids), "state": list(states), "kind": list(kinds)}
        yield from self._follow("/v1/events", params, Subscription(after, ACTIVITIES))

    def _follow(self, address: str, params: Mapping[str, Any], subscription: Subscription[D]) -> Iterator[D]:
        patience = self._patience()
        while not subscription.ended:
            try:
                with self._open(
                    "GET",
                    address,
                    params=params,
                    headers=subscription.headers(),
                    timeout=httpx.Timeout(TIMEOUT, read=STREAM_TIMEOUT),
                ) as response:
                    parser = Parser()
                    for chunk in response.iter_raw():
                        patience.renew()
                        for frame in parser.feed(chunk):
                            event = subscription.take(frame)
                            if event is not None:
                                yield event
                if not subscription.ended:
                    raise httpx.RemoteProtocolError("the stream was cut off")
            except (ArgosyError, httpx.TransportError) as error:
                self._pause(patience.after(error))

    def capabilities(self) -> CapabilitiesDocument:
        """What can be asked of the service: languages, information models, staging, actions."""
        return self._do(calls.capabilities())

    def information(self, verbosity: str = "basic") -> Information:
        """The service in GLUE 2's JSON. ``medium`` adds the ids of your activities, ``full`` the activities."""
        return self._do(calls.information(verbosity))

    def information_xml(self, verbosity: str = "basic") -> bytes:
        """The same as XML."""
        return self._do(calls.information_xml(verbosity))

    # -- credentials ----------------------------------------------------------------------------------

    def credentials(self) -> KeptCredentials:
        """Your credentials that the service keeps, oldest first; never the secrets."""
        return self._do(calls.credentials())

    def add_credential(self, new: NewCredential) -> CredentialDocument:
        """Let the service keep a credential, for the activities whose description names its id."""
        return self._do(calls.add_credential(new))

    def replace_credential(self, id: str, new: NewCredential) -> CredentialDocument:
        """Another secret in the place of one. Activities that wait for it go on."""
        return self._do(calls.replace_credential(id, new))

    def remove_credential(self, id: str) -> None:
        """Let the service forget a credential."""
        self._do(calls.remove_credential(id))

    def delegate(self, sign: Callable[[str], str], request: DelegationRequest | None = None) -> CredentialDocument:
        """Delegate a proxy. `sign` is given a signing request (PKCS#10, PEM) and answers with a chain in PEM, as
        `argosy.delegation.proxies.sign` does; no private key travels."""
        asked = self._do(calls.request_delegation(request or DelegationRequest()))
        return self._do(calls.finish_delegation(asked.id, sign(asked.request)))

    def shares(self) -> Shares:
        """Where jobs may go."""
        return self._do(calls.shares())

    def environments(self) -> Environments:
        """The runtime environments that descriptions can ask for."""
        return self._do(calls.environments())

    def counts(self) -> dict[str, int]:
        """How many activities you have in each state."""
        return self._do(calls.counts())

    def drain(self, message: str | None = None, *, retry_after: float = 300.0) -> None:
        """Have the service take no new activities, until `admit`; for administrators."""
        self._do(calls.drain(message, retry_after))

    def admit(self) -> None:
        """Have the service take new activities again; for administrators."""
        self._do(calls.admit())

    def service_status(self) -> ServiceStatus:
        """What the service is doing; for those who run it."""
        return self._do(calls.service_status())

    def stop_service(self, *, within: float = 60.0) -> None:
        """Have the service finish what it is doing, for `within` seconds at most, and stop; for administrators."""
        self._do(calls.stop_service(within))

    def service(self) -> ServiceDocument:
        """The service itself."""
        return self._do(calls.service())

    # -- how ------------------------------------------------------------------------------------------

    def _do(self, call: Call[T]) -> T:
        def send() -> T:
            response = self._http.request(**call.request(TIMEOUT))
            if response.is_error:
                raise from_response(response)
            return call.decode(response)

        return self._repeat(send, idempotent=call.idempotent)

    @contextlib.contextmanager
    def _open(self, method: str, url: str, **request: Any) -> Iterator[httpx.Response]:
        with self._http.stream(method, url, **request) as response:
            self._known = True
            if response.is_error:
                response.read()
                raise from_response(response)
            yield response

    def _repeat(
        self, send: Callable[[], T], *, idempotent: bool = True, spent: Callable[[], bool] = lambda: False
    ) -> T:
        """`spent` says that it cannot be sent again, whatever it was that went wrong."""
        patience = self._patience()
        while True:
            try:
                answer = send()
            except (ArgosyError, httpx.TransportError) as error:
                self._known = self._known or isinstance(error, ArgosyError)
                self._pause(patience.after(error, idempotent=idempotent, spent=spent()))
            else:
                self._known = True
                return answer

    def _patience(self) -> Patience:
        return Patience(self._retries, self._waiting, where(self.endpoint), known=self._known)

    def _pause(self, seconds: float) -> None:
        time.sleep(seconds)
        if self._discovered:
            self._discover_again()

    def _discover_again(self) -> None:
        """A service that was started anew may have another address."""
        with contextlib.suppress(ArgosyError):
            endpoint = discover()
            if endpoint != self.endpoint:
                # Others may be using the former connection.
                self._former.append(self._http)
                self.endpoint, self._http = endpoint, _connection(endpoint)


def _connection(endpoint: Endpoint, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    if transport is None and endpoint.socket is not None:
        transport = httpx.HTTPTransport(uds=endpoint.socket, limits=LIMITS)
    return httpx.Client(transport=transport, **settings(endpoint))
