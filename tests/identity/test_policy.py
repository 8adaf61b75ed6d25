"""Operations x owners x roles x scopes: the table in the documentation, and the service as a whole."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argosy.batch import Control
from argosy.delegation import proxies
from argosy.executors.contract import Handle
from argosy.identity import TABLE, Caller, Operation, Reach, Role, Scope, reach
from argosy.languages.documents_credentials import DelegationRequest, NewCredential
from argosy.languages.native import Description
from argosy.model import ActivityState, ArgosyError, InvalidStateException, NotAllowed, NotFound
from argosy.model.notification import Callback
from argosy.service.contract import ChangeRequest, CreateRequest, OpenFile
from argosy.service.information.inquiry import Extent
from argosy.service.information.published import Published
from argosy.service.notifications import NewSubscription
from argosy.service.service import ExecutionService
from argosy.store import Created, Query, UsageQuery
from tests.identity.pki import make_ca, make_user
from tests.identity.test_live import TODAY
from tests.service.driving import ToldDriver, told_service, until

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "identity.md"
#: Those about sweeps are tried in tests/service/test_sweeps.py.
ABOUT_ACTIVITIES = [operation for operation in Operation if "sweep" not in operation]
#: Operations that name no activity: what they reach is the caller's own by what they do.
NAMELESS = {
    Operation.CREATE,
    Operation.PAGE,
    Operation.STREAM,
    Operation.COUNTS,
    Operation.SHARES,
    Operation.CAPABILITIES,
    Operation.ENVIRONMENTS,
    Operation.RUN_COMMAND,
    Operation.SUBSCRIPTIONS,
    Operation.DEAD_LETTERS,
    Operation.CREDENTIALS,
    Operation.ADD_CREDENTIAL,
    Operation.REQUEST_DELEGATION,
    Operation.USAGE,
    Operation.USAGE_RECORDS,
}


#: Operations upon the service: they are tried last, since they close it to new activities.
UPON_THE_SERVICE = (Operation.OVERVIEW, Operation.DRAIN, Operation.ADMIT, Operation.STOP)


class Held(str):
    """The id of somebody's activity, and those of a credential and of a delegation under way of the same owner."""

    credential: str
    delegation: str


#: Making a key takes long; one will do, and what was signed for it.
KEY, REQUEST = proxies.request()
CHAIN = proxies.sign(REQUEST, make_user(make_ca(**TODAY), **TODAY).file(), lifetime=86_400)


@pytest.fixture(autouse=True)
def one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "request", lambda: (KEY, REQUEST))


def told() -> dict[str, list[str]]:
    """The table of the documentation: operation, scopes, user, operator, administrator."""
    table = PAGE.read_text("utf-8").partition("\n## What they may do")[2]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in re.findall(r"^\| `.*$", table, re.MULTILINE)]
    return {row[0].strip("`"): row[1:] for row in rows if len(row) == 5}


def test_the_table_in_the_documentation_is_the_one_there_is() -> None:
    words = {Reach.OWN: "own", Reach.ANY: "any", Reach.NONE: "no"}
    there = {
        operation.value: [
            " or ".join(f"`{scope.value}`" for scope in sorted(rule.scopes)),
            *(words[rule.reach(role)] for role in (Role.USER, Role.OPERATOR, Role.ADMINISTRATOR)),
        ]
        for operation, rule in TABLE.items()
    }
    assert told() == there


def test_every_operation_of_the_service_is_in_the_table() -> None:
    from argosy.service.contract import Operations

    abstract = Operations.__abstractmethods__
    asked = {name for name in abstract if not isinstance(getattr(Operations, name), property)}  # those are nobody's
    assert {operation.value for operation in Operation} == asked == set(told())


@given(
    st.sampled_from(Operation),
    st.sets(st.sampled_from(Role)),
    st.none() | st.sets(st.sampled_from(Scope)),
    st.sets(st.sampled_from(Role)),
    st.sets(st.sampled_from(Scope)),
)
def test_more_rights_never_reach_less_far_and_none_reach_nothing(
    operation: Operation, roles: set[Role], scopes: set[Scope] | None, more: set[Role], wider: set[Scope]
) -> None:
    now = reach(operation, roles, scopes)
    assert reach(operation, roles | more, scopes) >= now
    assert reach(operation, roles, None) >= now
    if scopes is not None:
        assert reach(operation, roles, scopes | wider) >= now
    assert reach(operation, set(), scopes) is Reach.NONE
    assert reach(operation, roles, set()) is Reach.NONE


# -- the service ----------------------------------------------------------------------------------


async def _bytes() -> AsyncIterator[bytes]:
    yield b"changed"


async def _open(service: ExecutionService, caller: Caller, id: str) -> object:
    found = await service.open_file(caller, id, "data")
    assert isinstance(found, OpenFile)
    content = found.read(0, 100)
    found.close()
    return content


async def _stream(service: ExecutionService, caller: Caller, id: str) -> object:
    async for events in service.stream(caller, [id], after=0):
        return events
    return []


async def _informed(service: ExecutionService, caller: Caller, id: str) -> object:
    document = await service.information(caller, Extent.FULL, Published())
    text = b"".join([part async for part in document.json()]).decode()
    if id not in text:
        raise NotFound(f"{id} is not in it")
    return text


def _first(answers: list[object]) -> object:
    (answer,) = answers
    if isinstance(answer, ArgosyError):
        raise answer
    return answer


Call = Callable[[ExecutionService, Caller, str], Awaitable[object]]


async def _vector(answers: Awaitable[list[object]]) -> object:
    return _first(await answers)


_CALLBACK = Callback("https://receiver.example.org/hook")

CALLS: dict[Operation, list[Call]] = {
    Operation.CREATE: [
        lambda s, c, at: _vector(s.create(c, [CreateRequest(Description(executable="/bin/true", held=True), "key")]))
    ],
    Operation.START: [lambda s, c, at: _vector(s.start(c, [at]))],
    Operation.RESTART: [lambda s, c, at: _vector(s.restart(c, [at]))],
    Operation.CHANGE: [
        lambda s, c, at: _vector(s.change(c, [ChangeRequest(at, "release")])),
        lambda s, c, at: _vector(s.change(c, [ChangeRequest(at, state="pending:held")])),
    ],
    Operation.STATUS: [lambda s, c, at: _vector(s.status(c, [at]))],
    Operation.DESCRIPTION: [lambda s, c, at: s.description(c, at)],
    Operation.PAGE: [lambda s, c, at: s.page(c, Query(owner="alice")), lambda s, c, at: s.page(c, Query(owner="bob"))],
    Operation.EVENTS: [lambda s, c, at: s.events(c, at)],
    Operation.STREAM: [_stream],
    Operation.TRANSFERS: [lambda s, c, at: s.transfers(c, at)],
    Operation.TERMINATE: [lambda s, c, at: _vector(s.terminate(c, [at]))],
    Operation.PURGE: [
        lambda s, c, at: _vector(s.purge(c, [at])),
        lambda s, c, at: _vector(s.purge(c, [at], terminate=True)),
    ],
    Operation.COUNTS: [lambda s, c, at: s.counts(c)],
    Operation.DRAIN: [lambda s, c, at: s.drain(c)],
    Operation.ADMIT: [lambda s, c, at: s.admit(c)],
    Operation.OVERVIEW: [lambda s, c, at: s.overview(c)],
    Operation.STOP: [lambda s, c, at: s.stop(c, 0.0)],
    Operation.SHARES: [lambda s, c, at: s.shares(c)],
    Operation.CAPABILITIES: [lambda s, c, at: s.capabilities(c)],
    Operation.INFORMATION: [_informed],
    Operation.ENVIRONMENTS: [lambda s, c, at: s.environments(c)],
    Operation.LIST_FILES: [lambda s, c, at: s.list_files(c, at, "")],
    Operation.OPEN_FILE: [_open],
    Operation.PUT_FILE: [lambda s, c, at: s.put_file(c, at, "data", _bytes())],
    Operation.DELETE_FILE: [lambda s, c, at: s.delete_file(c, at, "data")],
    Operation.RUN_COMMAND: [lambda s, c, at: s.run_command(c, "told", "true")],
    Operation.SUBSCRIBE: [lambda s, c, at: s.subscribe(c, NewSubscription(_CALLBACK, activity=at))],
    Operation.SUBSCRIPTIONS: [
        lambda s, c, at: s.subscriptions(c),
        lambda s, c, at: s.subscriptions(c, activity=at),
    ],
    Operation.UNSUBSCRIBE: [lambda s, c, at: s.unsubscribe(c, at)],
    Operation.ROTATE_SECRET: [lambda s, c, at: s.rotate_secret(c, at)],
    Operation.DEAD_LETTERS: [lambda s, c, at: s.dead_letters(c)],
    Operation.USAGE: [lambda s, c, at: s.usage(c, UsageQuery(activity=at), ["user"])],
    Operation.USAGE_RECORDS: [lambda s, c, at: s.usage_records(c, UsageQuery(activity=at))],
    Operation.RESEND: [lambda s, c, at: _vector(s.resend(c, [0]))],
    Operation.CREDENTIALS: [lambda s, c, at: s.credentials(c)],
    Operation.ADD_CREDENTIAL: [lambda s, c, at: s.add_credential(c, _password("another"))],
    Operation.REPLACE_CREDENTIAL: [
        lambda s, c, at: s.replace_credential(c, getattr(at, "credential", at), _password("changed"))
    ],
    Operation.REMOVE_CREDENTIAL: [lambda s, c, at: s.remove_credential(c, getattr(at, "credential", at))],
    Operation.REQUEST_DELEGATION: [lambda s, c, at: s.request_delegation(c, DelegationRequest())],
    Operation.FINISH_DELEGATION: [lambda s, c, at: s.finish_delegation(c, getattr(at, "delegation", at), CHAIN)],
}

ALICE, BOB = Caller("alice"), Caller("bob")


async def _held(service: ExecutionService, owner: Caller) -> Held:
    """An activity of that owner, with a file in it."""
    description = Description(executable="/bin/true", held=True, inputs=[{"path": "data"}])
    (made,) = await service.create(owner, [CreateRequest(_described(description))])
    assert isinstance(made, Created), made

    async def content() -> AsyncIterator[bytes]:
        yield f"secret of {owner.name}".encode()

    await service.put_file(owner, made.activity.id, "data", content())
    held = Held(made.activity.id)
    held.credential = (await service.add_credential(owner, _password(f"secret of {owner.name}"))).id
    held.delegation, _ = await service.request_delegation(owner, DelegationRequest())
    return held


def _password(text: str) -> NewCredential:
    return NewCredential(kind="password", user="somebody", password=text, hosts=["*"])


def _described(description: Description) -> Description:
    import msgspec

    return msgspec.json.decode(msgspec.json.encode(description), type=Description)


async def _seen(service: ExecutionService, id: str) -> tuple[object, ...]:
    """All that there is to an activity, as its owner sees it."""
    (record,) = await service.status(ALICE, [id])
    opened = await service.open_file(ALICE, id, "data")
    assert isinstance(opened, OpenFile)
    content = opened.read(0, 100)
    opened.close()
    files, _ = await service.list_files(ALICE, id, "")
    page, _ = await service.page(ALICE, Query(owner="alice"))
    return (
        record, content, files, await service.events(ALICE, id), [one.id for one in page],
        await service.credentials(ALICE),
    )  # fmt: skip


ROLES = [frozenset(some) for count in range(4) for some in itertools.combinations(Role, count)]
SCOPES = [None, frozenset[Scope]()] + [frozenset({scope}) for scope in Scope] + [frozenset(Scope)]


async def test_no_call_shows_or_changes_what_its_caller_may_not(tmp_path: Path) -> None:
    """Every operation, by a caller of each combination of roles and scopes, on somebody else's activity."""
    async with told_service(tmp_path) as (service, _):
        theirs = await _held(service, ALICE)
        before = await _seen(service, theirs)
        tried = 0
        for operation, roles, scopes in itertools.product(ABOUT_ACTIVITIES, ROLES, SCOPES):
            caller = Caller("bob", roles=roles, scopes=scopes)
            far = reach(operation, roles, scopes)
            for call in CALLS[operation]:
                if far is Reach.ANY:
                    continue  # what is allowed is tried below
                tried += 1
                if far is Reach.NONE:
                    with pytest.raises(NotAllowed) as denied:
                        await call(service, caller, theirs)
                    with pytest.raises(NotAllowed) as unknown:
                        await call(service, caller, "0" * 32)
                    assert str(denied.value) == str(unknown.value)
                elif operation in NAMELESS and operation is not Operation.STREAM:
                    answer = repr(await call(service, caller, theirs))
                    assert not any(id in answer for id in (theirs, theirs.credential, theirs.delegation))
                else:
                    with pytest.raises(NotFound) as foreign:
                        await call(service, caller, theirs)
                    with pytest.raises(NotFound) as unknown:
                        await call(service, caller, "0" * 32)
                    words = str(foreign.value)
                    for id in (theirs, theirs.credential, theirs.delegation):
                        words = words.replace(id, "")
                    assert words == str(unknown.value).replace("0" * 32, "")
                assert await _seen(service, theirs) == before, (operation, caller)
        assert tried > 500


async def test_what_is_allowed_upon_others_is_done(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        for operation, role in itertools.product(ABOUT_ACTIVITIES, Role):
            if reach(operation, {role}, None) is not Reach.ANY:
                continue
            if operation in UPON_THE_SERVICE:
                continue
            for call in CALLS[operation]:
                theirs = await _held(service, ALICE)
                if operation is Operation.PURGE and call is CALLS[operation][0]:
                    await service.terminate(ALICE, [theirs])
                await call(service, Caller("boss", roles=frozenset({role})), theirs)
                (after,) = await service.status(ALICE, [theirs])
                if operation is Operation.PURGE:
                    assert isinstance(after, NotFound)
                elif operation is Operation.TERMINATE:
                    assert not isinstance(after, ArgosyError)
                    assert after.state in (ActivityState.TERMINATED, ActivityState.TERMINATING)


async def test_a_user_may_do_everything_with_what_is_its_own(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        for operation in ABOUT_ACTIVITIES:
            if TABLE[operation].user is Reach.NONE:
                continue
            for call in CALLS[operation]:
                mine = await _held(service, ALICE)
                if operation is Operation.PURGE and call is CALLS[operation][0]:
                    await service.terminate(ALICE, [mine])
                if operation is Operation.RESTART:  # allowed, and there is nothing to restart
                    with pytest.raises(InvalidStateException):
                        await call(service, ALICE, mine)
                    continue
                if operation in (
                    Operation.UNSUBSCRIBE,
                    Operation.ROTATE_SECRET,
                    Operation.RESEND,
                ):  # allowed, and there is nothing of the kind
                    with pytest.raises(NotFound):
                        await call(service, ALICE, mine)
                    continue
                await call(service, ALICE, mine)


async def test_who_may_run_the_service(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        for operation, role in itertools.product(UPON_THE_SERVICE, (Role.OPERATOR, Role.ADMINISTRATOR)):
            (call,) = CALLS[operation]
            caller = Caller("boss", roles=frozenset({role}))
            if reach(operation, {role}, None) is Reach.ANY:
                await call(service, caller, "")
            else:
                with pytest.raises(NotAllowed):
                    await call(service, caller, "")


async def test_an_operator_s_purge_ends_nobody_s_job(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        theirs = await _held(service, ALICE)
        operator = Caller("boss", roles=frozenset({Role.OPERATOR}))
        (answer,) = await service.purge(operator, [theirs], terminate=True)
        assert isinstance(answer, NotFound)
        (record,) = await service.status(ALICE, [theirs])
        assert not isinstance(record, ArgosyError)
        assert record.state is ActivityState.HELD


def _ends_what_is_cancelled(driver: ToldDriver) -> set[asyncio.Task[None]]:
    """As batch systems do: a job that is to be cancelled ends, and that is reported."""
    ending: set[asyncio.Task[None]] = set()

    async def control(verb: Control, handles: Sequence[Handle]) -> list[ArgosyError | None]:
        task = asyncio.ensure_future(driver.end(*(handle.tag for handle in handles), exit_code=143))
        ending.add(task)
        return [None for _ in handles]

    driver.control = control
    return ending


async def _mark(service: ExecutionService, owner: str, id: Held, by: str) -> object:
    """What somebody could have changed of an activity, apart from what goes on with it by itself."""

    async def settled() -> bool:
        (record,) = await service.status(Caller(owner), [id])
        return isinstance(record, ArgosyError) or record.state is not ActivityState.TERMINATING

    # The end that somebody asked for before is told later, by that name.
    await until(settled)
    (record,) = await service.status(Caller(owner), [id])
    if isinstance(record, ArgosyError):
        return "gone"
    events = await service.events(Caller(owner), id)
    try:
        content = await _open(service, Caller(owner), id)
    except NotFound:
        content = None
    kept = {one.id: one.version for one in await service.credentials(Caller(owner))}
    versions = [kept.get(one) for one in (id.credential, id.delegation)]
    return record.state is ActivityState.HELD, sum(event.by == by for event in events), content, versions


_STEP = st.tuples(
    st.sampled_from(ABOUT_ACTIVITIES),
    st.integers(0, 1),
    st.sampled_from(["alice", "bob"]),
    st.sampled_from(["alice", "bob"]),
    st.sampled_from(ROLES),
    st.sampled_from(SCOPES),
)


@given(steps=st.lists(_STEP, max_size=12))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_calls_in_any_order(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple]) -> None:
    """Whatever was done before, an answer concerns the caller's own unless the table says otherwise."""
    async with told_service(tmp_path_factory.mktemp("any")) as (service, driver), asyncio.timeout(30):
        ending = _ends_what_is_cancelled(driver)
        ids = {"alice": await _held(service, ALICE), "bob": await _held(service, BOB)}
        secrets = {owner: f"secret of {owner}" for owner in ids}
        for operation, which, owner, name, roles, scopes in steps:
            caller = Caller(name, roles=roles, scopes=scopes)
            call = CALLS[operation][which % len(CALLS[operation])]
            far = reach(operation, roles, scopes)
            other = "bob" if owner == "alice" else "alice"
            before = await _mark(service, owner, ids[owner], name)
            untouched = await _mark(service, other, ids[other], name)
            denied = False
            try:
                answer = repr(await call(service, caller, ids[owner]))
            except ArgosyError as error:
                answer = str(error)
                denied = isinstance(error, NotAllowed)
            else:
                if name != owner and far is Reach.OWN:
                    assert operation in NAMELESS
                    assert ids[owner] not in answer
            assert denied == (far is Reach.NONE)
            shown = {whose for whose, secret in secrets.items() if secret in answer}
            assert shown <= {name} or far is Reach.ANY
            if name != owner and far is not Reach.ANY:
                assert await _mark(service, owner, ids[owner], name) == before
            assert await _mark(service, other, ids[other], name) == untouched
        await asyncio.gather(*ending)


async def test_the_same_key_of_two_callers_is_two_activities(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        request = CreateRequest(Description(executable="/bin/true", held=True), "the-same")
        (first,), (second,) = await service.create(ALICE, [request]), await service.create(BOB, [request])
        assert isinstance(first, Created)
        assert isinstance(second, Created)
        assert first.activity.id != second.activity.id
        assert not second.existed
