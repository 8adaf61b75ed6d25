"""Groups that a proxy carries in an attribute certificate."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.x509 import ObjectIdentifier, UnrecognizedExtension
from hypothesis import given
from hypothesis import strategies as st

from argosy.identity import Caller, Refused
from argosy.identity.x509.voms import parse
from tests.identity.conftest import Door
from tests.identity.pki import NOW, Attributes, Pair, Trust, make_ca, make_proxy, make_user, rsa_key

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::UserWarning")]

LSC = "/O=Grid/CN=voms.example.org\n/O=Grid/CN=Lab CA\n"


@pytest.fixture(scope="session")
def server(ca: Pair) -> Pair:
    return make_user(ca, "/O=Grid/CN=voms.example.org")


@pytest.fixture
def attributes(user: Pair, server: Pair, door: Door) -> Attributes:
    """Good ones, of an organisation that is known."""
    know(door.vomsdir, LSC)
    return Attributes(user, server)


def know(vomsdir: Path, text: str, vo: str = "labvo") -> None:
    (vomsdir / vo).mkdir(exist_ok=True)
    (vomsdir / vo / "voms.example.org.lsc").write_text(text)


async def sends(door: Door, attributes: Attributes, holder: Pair | None = None) -> Caller:
    return await door.sends(make_proxy(holder or attributes.holder, extensions=(attributes.extension(),)).file())


async def refuses(door: Door, attributes: Attributes, holder: Pair | None = None) -> str:
    with pytest.raises(Refused) as caught:
        await sends(door, attributes, holder)
    return caught.value.reason


async def test_groups(door: Door, attributes: Attributes) -> None:
    assert (await sends(door, attributes)).groups == {"/labvo", "/labvo/prod/Role=pilot"}


async def test_groups_of_a_proxy_further_up(door: Door, attributes: Attributes) -> None:
    first = make_proxy(attributes.holder, extensions=(attributes.extension(),))
    assert (await door.sends(make_proxy(first, key=rsa_key("level 1")).file())).groups >= {"/labvo"}


async def test_an_organisation_that_is_not_known_gives_none(door: Door, attributes: Attributes) -> None:
    (door.vomsdir / "labvo" / "voms.example.org.lsc").unlink()
    assert (await sends(door, attributes)).groups == frozenset()
    know(door.vomsdir, "-----NEXT CHAIN-----\n/O=Grid/CN=other\n/O=Grid/CN=Lab CA\n------ NEXT CHAIN ------\n" + LSC)
    assert (await sends(door, attributes)).groups >= {"/labvo"}


async def test_another_server_is_refused(door: Door, attributes: Attributes, user: Pair) -> None:
    for text in (LSC.replace("voms.", "voms2."), LSC.replace("Lab CA", "Other CA")):
        know(door.vomsdir, text)
        assert await refuses(door, attributes) == "voms"
    know(door.vomsdir, LSC)
    # Anybody with a certificate could sign groups for himself.
    assert await refuses(door, attributes.but(server=user)) == "voms"
    assert await refuses(door, attributes.but(signer=user.key)) == "voms"
    assert await refuses(door, attributes.but(certificates=())) == "voms"
    assert await refuses(door, attributes.but(issuer=user.cert.subject)) == "voms"


async def test_a_server_of_a_ca_that_is_not_trusted(door: Door, attributes: Attributes) -> None:
    other = make_ca(key=rsa_key("stranger"))
    assert await refuses(door, attributes.but(server=make_user(other, "/O=Grid/CN=voms.example.org"))) == "forged"


async def test_a_revoked_or_old_server(
    door: Door, trust: Trust, attributes: Attributes, ca: Pair, server: Pair
) -> None:
    old = make_user(ca, "/O=Grid/CN=voms.example.org", end=NOW - timedelta(hours=1))
    assert await refuses(door, attributes.but(server=old)) == "voms"
    trust.revoke(ca, (server.cert.serial_number,))
    assert await refuses(door, attributes) == "revoked"


async def test_somebody_else_s(door: Door, attributes: Attributes, ca: Pair) -> None:
    bob = make_user(ca, "/O=Grid/CN=Bob Example")
    assert await refuses(door, attributes, holder=bob) == "voms"
    assert await refuses(door, attributes.but(serial=4711)) == "voms"


async def test_times(door: Door, attributes: Attributes) -> None:
    assert await refuses(door, attributes.but(end=NOW - timedelta(minutes=5))) == "voms-expired"
    assert await refuses(door, attributes.but(begin=NOW + timedelta(minutes=5))) == "voms-not-yet-valid"
    proxy = make_proxy(attributes.holder, extensions=(attributes.but(end=NOW + timedelta(hours=1)).extension(),))
    await door.sends(proxy.file())
    door.now += 2 * 3600
    assert await door.refuses(proxy.file()) == "voms-expired"


async def test_groups_of_another_organisation(door: Door, attributes: Attributes) -> None:
    for fqan in ("/other", "/labvo2", "/labvo2/Role=admin"):
        assert await refuses(door, attributes.but(fqans=("/labvo", fqan))) == "voms"
    for fqan in ("labvo", "/labvo/Role=a/b", "/labvo\n", "/", "/labvo//x"):
        assert await refuses(door, attributes.but(fqans=(fqan,))) == "voms", fqan


async def test_what_is_not_understood(door: Door, attributes: Attributes, user: Pair) -> None:
    assert await refuses(door, attributes.but(critical="2.5.29.55")) == "voms"
    for vo in ("..", "a/b", ""):
        assert await refuses(door, attributes.but(vo=vo)) == "voms"
    extension = UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.8005.100.100.5"), b"\x30\x03\x02\x01")
    assert await door.refuses(make_proxy(user, extensions=((extension, False),)).file()) == "voms"


@given(st.binary())
def test_anything_else_is_a_value_error(data: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        parse(data)


@given(st.data())
def test_a_changed_one_is_read_or_a_value_error(data: st.DataObject) -> None:
    whole = bytearray(_SAMPLE.extension()[0].value)
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError, IndexError, OverflowError):
        parse(bytes(whole))


_CA = make_ca()
_SAMPLE = Attributes(make_user(_CA), make_user(_CA, "/O=Grid/CN=voms.example.org"))
