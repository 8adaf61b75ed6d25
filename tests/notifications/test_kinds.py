"""Which kinds of events a URL can be told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from argosy.languages.native import Description, to_model
from argosy.model import InvalidInput
from argosy.model.notification import Callback
from argosy.service.contract import CreateRequest
from argosy.service.notifications.contract import NewSubscription
from tests.service.driving import ALICE, told_service

pytestmark = pytest.mark.anyio
URL = "https://receiver.example.org/hook"


async def test_one_that_there_is_not_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    asked = Description(executable="x", notify=[Callback(URL, kinds=["state", "stat"])])
    async with told_service(tmp_path) as (service, driver):
        (refused,) = await service.create(ALICE, [CreateRequest(asked)])
        assert isinstance(refused, InvalidInput)
        assert refused.element == "notify[0].kinds[1]"
        assert "credential-wanted" in refused.message
        assert "did you mean state?" in refused.message
        with pytest.raises(InvalidInput, match="did you mean state") as raised:
            await service.subscribe(ALICE, NewSubscription(Callback(URL, kinds=["stat"])))
        assert raised.value.element == "kinds[0]"
        assert await service.subscriptions(ALICE) == []
        assert driver.submitted == []


def test_what_is_recorded_may_name_any() -> None:
    """It was, before they were looked at; its job is to go on."""
    to_model(Description(executable="x", notify=[Callback(URL, kinds=["stage-in"])]))
