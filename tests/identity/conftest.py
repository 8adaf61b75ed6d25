from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from argosy.identity import Caller, Evidence, Refused
from argosy.identity.x509 import CADirectory, VomsDirectory, X509Proxies
from tests.identity.pki import NOW, Pair, Trust, header, make_ca, make_user


@pytest.fixture(scope="session")
def ca() -> Pair:
    return make_ca()


@pytest.fixture(scope="session")
def user(ca: Pair) -> Pair:
    return make_user(ca)


@pytest.fixture
def trust(tmp_path: Path, ca: Pair) -> Trust:
    """A CA directory with the one CA in it."""
    laid = Trust(tmp_path / "certificates")
    laid.add(ca)
    return laid


class Door:
    """Proxies at the service's door, at a time of the test's choice."""

    def __init__(self, trust: Trust, vomsdir: Path) -> None:
        self.now = NOW.timestamp()
        self.trust = trust
        self.vomsdir = vomsdir
        vomsdir.mkdir()
        self.proxies = self.open()

    def open(self, **named: bool) -> X509Proxies:
        return X509Proxies(
            CADirectory(self.trust.path, look_every=0, **named),
            VomsDirectory(self.vomsdir, look_every=0),
            clock=lambda: self.now,
        )

    async def sends(self, text: str | bytes) -> Caller:
        """Who sends this in the header."""
        value = header(text) if isinstance(text, bytes) else text
        caller = await self.proxies.authenticate(Evidence({"proxy": value}))
        assert caller is not None
        return caller

    async def shakes(self, *certificates: bytes) -> Caller:
        """Who shakes hands with these."""
        caller = await self.proxies.authenticate(Evidence(certificates=certificates))
        assert caller is not None
        return caller

    async def refuses(self, text: str | bytes) -> str:
        """The reason for which this is refused."""
        with pytest.raises(Refused) as caught:
            await self.sends(text)
        assert caught.value.message
        assert "\n" not in caught.value.message
        return caught.value.reason


@pytest.fixture
def door(trust: Trust, tmp_path: Path) -> Door:
    return Door(trust, tmp_path / "vomsdir")


Make = Callable[..., Pair]
