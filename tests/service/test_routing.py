"""Activities go to the share that takes them, and wait, saying why, where none does now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from argosy.languages.native import Description, Resources
from argosy.model import ActivityState, ArgosyError, InvalidInput, NotAllowed, Share
from argosy.service.caller import Caller
from argosy.service.contract import ChangeRequest, CreateRequest
from argosy.service.matching.share_config import Allow, ShareConfig, SharesConfig
from tests.service.driving import ALICE, BOB, ToldDriver, create, record, routed_service, until

pytestmark = pytest.mark.anyio
S = ActivityState
OPEN = Share("batch", True, default=True, nodes=4, cores=64, free_cores=64, cores_per_node=16)
CLOSED = replace(OPEN, available=False, why_not="the partition is DOWN")


def driver(*shares: Share, closed: str | None = None) -> ToldDriver:
    made = ToldDriver()
    made.offered, made.closed = list(shares), closed
    return made


async def refused(service, error: type[Exception], caller: Caller = ALICE, **fields: object) -> Exception:
    (answer,) = await service.create(caller, [CreateRequest(Description(executable="/bin/true", **fields))])
    assert isinstance(answer, error), answer
    return answer


async def test_jobs_are_spread_over_what_is_free(tmp_path: Path) -> None:
    drivers = {"small": driver(replace(OPEN, cores=2, free_cores=2)), "large": driver(OPEN)}
    async with routed_service(tmp_path, drivers) as service:
        ids = [await create(service) for _ in range(5)]
        await until(lambda: sum(len(one.submitted) for one in drivers.values()) == 5)
        assert [len(one.submitted) for one in drivers.values()] == [2, 3]
        assert (await record(service, ids[0])).resource == "small"


async def test_equal_jobs_of_one_vector_are_spread_like_any_others(tmp_path: Path) -> None:
    drivers = {"small": driver(replace(OPEN, cores=2, free_cores=2)), "large": driver(OPEN)}
    same = Description(executable="/bin/true", tags={"a": "b"})
    held = Description(executable="/bin/true", held=True)
    async with routed_service(tmp_path, drivers) as service:
        wanted = [same, held, same, Description(executable="/bin/true", share="nosuch"), same, same, held, same]
        answers = await service.create(ALICE, [CreateRequest(one) for one in wanted])
        assert isinstance(answers[3], InvalidInput)
        made = [one.activity for one in answers if not isinstance(one, ArgosyError)]
        assert [one.resource for one in made] == ["small", None, "small", "large", "large", None, "large"]
        assert len({one.id for one in made}) == len({one.session for one in made}) == 7
        assert all(one.session.endswith(one.id) for one in made)
        await until(lambda: [len(one.submitted) for one in drivers.values()] == [2, 3])


async def test_a_named_share_is_honoured_with_its_queue(tmp_path: Path) -> None:
    long = replace(OPEN, name="long", default=False)
    drivers = {"a": driver(OPEN), "b": driver(OPEN, long)}
    async with routed_service(tmp_path, drivers) as service:
        await create(service, share="b/long")
        await create(service, share="b")
        await until(lambda: len(drivers["b"].requests) == 2)
        assert {one.spec.attributes.queue_name for one in drivers["b"].requests} == {"long", None}
        error = await refused(service, InvalidInput, share="b/nosuch")
        assert (error.element, "b/long" in error.message) == ("share", True)


async def test_what_can_never_run_is_refused_and_recorded_nowhere(tmp_path: Path) -> None:
    from argosy.store import Query

    async with routed_service(tmp_path, {"a": driver(CLOSED), "b": driver(OPEN)}) as service:
        error = await refused(service, InvalidInput, resources=Resources(nodes=5))
        assert (error.element, "at most 4 nodes" in error.message) == ("resources.nodes", True)
        assert await service.page(ALICE, Query()) == ([], None)


async def test_a_share_is_for_those_who_are_allowed(tmp_path: Path) -> None:
    config = SharesConfig(shares={"batch": ShareConfig(allow=Allow(users=("alice",), groups=("/lab/*",)))})
    async with routed_service(tmp_path, {"a": driver(OPEN)}, configs={"a": config}) as service:
        await create(service)
        await create(service, Caller("carol", groups=frozenset({"/lab/gpu"})))
        error = await refused(service, NotAllowed, BOB, share="a/batch")
        assert error.element == "share"


async def test_commands_on_a_resource_are_for_those_who_may_use_it(tmp_path: Path) -> None:
    config = SharesConfig(allow=Allow(users=("alice",)))
    async with routed_service(tmp_path, {"a": driver(OPEN)}, configs={"a": config}) as service:
        assert (await service.run_command(ALICE, "a", "true")).exit_code == 0
        with pytest.raises(NotAllowed):
            await service.run_command(BOB, "a", "true")


async def test_one_that_nothing_takes_now_waits_and_goes_when_something_does(tmp_path: Path) -> None:
    drivers = {"a": driver(CLOSED), "b": driver(replace(OPEN, nodes_up=0))}
    async with routed_service(tmp_path, drivers) as service:
        id = await create(service)
        waiting = await record(service, id)
        assert waiting.state is S.PENDING
        assert waiting.reason == (
            "nothing takes it now: a/batch: the partition is DOWN; b/batch: none of its nodes is up"
        )
        assert waiting.waiting_since is not None
        assert not drivers["a"].submitted + drivers["b"].submitted
        drivers["b"].offered = [OPEN]
        await until(lambda: drivers["b"].submitted == [id])
        gone = await record(service, id)
        assert (gone.resource, gone.waiting_since) == ("b", None)
        kinds = [event.kind for event in await service.events(ALICE, id)]
        assert kinds[:3] == ["created", "waiting", "matched"]


async def test_one_goes_as_soon_as_its_resource_opens(tmp_path: Path) -> None:
    drivers = {"a": driver(OPEN, closed="no route to host")}
    async with routed_service(tmp_path, drivers, match_again=3600) as service:
        id = await create(service)
        assert (await record(service, id)).reason == "nothing takes it now: a cannot be used yet: no route to host"
        drivers["a"].closed = None
        await until(lambda: drivers["a"].submitted == [id])


async def test_one_that_waits_is_terminated_and_purged_like_any_other(tmp_path: Path) -> None:
    drivers = {"a": driver(CLOSED)}
    async with routed_service(tmp_path, drivers) as service:
        first, second = await create(service), await create(service)
        (ended,) = await service.terminate(ALICE, [first])
        assert ended.state is S.TERMINATED
        assert await service.purge(ALICE, [second], terminate=True) == [None]
        drivers["a"].offered = [OPEN]
        third = await create(service)
        await until(lambda: drivers["a"].submitted == [third])


async def test_one_that_waits_can_be_held_and_goes_once_it_is_released(tmp_path: Path) -> None:
    drivers = {"a": driver(CLOSED)}
    async with routed_service(tmp_path, drivers) as service:
        id = await create(service)
        (held,) = await service.change(ALICE, [ChangeRequest(id, "hold")])
        assert not isinstance(held, ArgosyError), held
        assert (await record(service, id)).state is S.HELD
        drivers["a"].offered = [OPEN]
        other = await create(service)
        await until(lambda: drivers["a"].submitted == [other])
        await service.change(ALICE, [ChangeRequest(id, "release")])
        await until(lambda: drivers["a"].submitted == [other, id])


async def test_one_that_waits_goes_on_waiting_in_the_next_service(tmp_path: Path) -> None:
    drivers = {"a": driver(CLOSED)}
    async with routed_service(tmp_path, drivers) as service:
        id = await create(service)
        before = await record(service, id)
    drivers["a"] = driver(CLOSED)
    async with routed_service(tmp_path, drivers) as service:
        await until(lambda: not service._waiting.empty)
        after = await record(service, id)
        assert (after.reason, after.waiting_since) == (before.reason, before.waiting_since)
        drivers["a"].offered = [OPEN]
        await until(lambda: drivers["a"].submitted == [id])


async def test_one_that_was_held_is_matched_when_it_is_let_go(tmp_path: Path) -> None:
    drivers = {"a": driver(OPEN), "b": driver(replace(OPEN, name="other"))}
    async with routed_service(tmp_path, drivers, shares_refresh=0.02) as service:
        await refused(service, InvalidInput, held=True, resources=Resources(nodes=5))
        id = await create(service, held=True)
        drivers["a"].offered = [CLOSED]
        await until(lambda: not service._resources["a"].shares[0].available)
        await service.start(ALICE, [id])
        await until(lambda: drivers["b"].submitted == [id])
        assert not drivers["a"].submitted


async def test_thousands_that_need_the_same_are_looked_at_once(tmp_path: Path) -> None:
    drivers = {"a": driver(CLOSED)}
    async with routed_service(tmp_path, drivers, match_again=3600) as service:
        await service.create(ALICE, [CreateRequest(Description(executable="/bin/true"))] * 2000)
        looked = 0
        again = service._router.again

        def counting(*args: object) -> object:
            nonlocal looked
            looked += 1
            return again(*args)

        service._router.again = counting
        await service._housekeeping._refresh()
        assert looked == 1
        drivers["a"].offered = [OPEN]
        await service._housekeeping._refresh()
        await until(lambda: len(drivers["a"].submitted) == 2000)
        assert service._waiting.empty


async def test_what_the_configuration_says_is_published_and_asked_for(tmp_path: Path) -> None:
    config = SharesConfig(
        labels=("infiniband",),
        architecture="aarch64",
        shares={"long": ShareConfig(labels=("fat",), max_nodes=1, expected_wait=30)},
    )
    drivers = {"a": driver(OPEN, replace(OPEN, name="long", default=False)), "b": driver(OPEN)}
    async with routed_service(tmp_path, drivers, configs={"a": config}) as service:
        await until(lambda: len(service._router.candidates()) == 3)
        shares = {f"{one.resource}/{one.share.name}": one.share for one in await service.shares(ALICE)}
        assert shares["a/long"].labels == ("infiniband", "fat")
        assert (shares["a/long"].max_nodes, shares["a/long"].expected_wait) == (1, 30)
        assert shares["a/batch"].architectures == ("aarch64",)
        await create(service, resources=Resources(labels=["fat"], architecture="arm64"))
        await until(lambda: drivers["a"].requests)
        assert drivers["a"].requests[0].spec.attributes.queue_name == "long"
        error = await refused(service, InvalidInput, share="a/long", resources=Resources(nodes=2))
        assert error.element == "resources.nodes"


async def test_one_user_has_only_so_much_of_a_share_and_waits_for_more(tmp_path: Path) -> None:
    drivers = {"a": driver(OPEN)}
    configs = {"a": SharesConfig(shares={"batch": ShareConfig(per_user=2)})}
    async with routed_service(tmp_path, drivers, configs=configs, match_again=1000.0, shares_refresh=1000.0) as service:
        answers = await service.create(ALICE, [CreateRequest(Description(executable="/bin/true")) for _ in range(4)])
        ids = [answer.activity.id for answer in answers]
        await until(lambda: len(drivers["a"].submitted) == 2)
        waiting = await record(service, ids[3])
        assert waiting.state is S.PENDING
        assert "2 unfinished activities of yours" in (waiting.reason or "")
        # Somebody else has as much again, and the same user more as soon as something ends.
        bobs = await create(service, caller=BOB)
        await until(lambda: bobs in drivers["a"].submitted)
        await drivers["a"].end(ids[0])
        await until(lambda: ids[2] in drivers["a"].submitted)
        assert (await record(service, ids[3])).state is S.PENDING
        await service.terminate(ALICE, [ids[1]])
        await drivers["a"].end(ids[1])
        await until(lambda: ids[3] in drivers["a"].submitted)
    # What is unfinished counts after a restart too.
    again = driver(OPEN)
    async with routed_service(tmp_path, {"a": again}, configs=configs) as service:
        late = await create(service)
        assert (await record(service, late)).state is S.PENDING
        assert late not in again.submitted
