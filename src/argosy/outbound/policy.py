"""Which hosts and addresses this service may be sent to by those who use it.

    [outbound]
    allow = ["10.1.0.0/16", "*.example.org", "localhost:8080"]   # beside all public addresses
    deny = ["*.internal.example.org"]                            # whatever else is said

An address that is not public (loopback, private, link-local with the clouds' metadata services, and the like) is
refused unless it or the host's name is allowed. `check` judges what a URL says; `resolve` what its host's name stands
for at the moment of connecting, and the connection goes to the addresses that were judged.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import re
import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from msgspec import Struct

from argosy.model import InvalidInput, NotAllowed, Unavailable

from .url import Url

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: For the answer of the name service, in seconds.
RESOLVE_TIMEOUT = 20.0

_NAME = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\Z")

#: Addresses of metadata services that stand among the public or unique local ones.
_METADATA = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "fd00:ec2::254", "100.100.100.200")))


class OutboundConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[outbound]`` of the configuration."""

    allow: list[str] = []
    deny: list[str] = []


@dataclass(frozen=True, slots=True)
class _Rule:
    """One entry of a list: a network, or a name with or without ``*.``, perhaps on one port only."""

    network: Network | None
    name: str
    port: int | None

    def fits(self, host: str, addresses: Collection[Address], port: int | None) -> bool:
        if self.port is not None and port != self.port:
            return False
        if self.network is not None:
            return any(address.version == self.network.version and address in self.network for address in addresses)
        if self.name.startswith("*."):
            return host.endswith(self.name[1:])
        return host == self.name


class OutboundPolicy:
    """Judges URLs and the addresses behind them. Entries of `allow` and `deny` are networks, addresses and names."""

    def __init__(self, allow: Iterable[str] = (), deny: Iterable[str] = ()) -> None:
        self._allow = [_rule(text, f"outbound.allow[{index}]") for index, text in enumerate(allow)]
        self._deny = [_rule(text, f"outbound.deny[{index}]") for index, text in enumerate(deny)]
        # Nothing that is judged there changes, and it is asked of each of many files of one host.
        self._judge_said = functools.lru_cache(maxsize=1024)(self._judged_as_said)

    @classmethod
    def of(cls, config: OutboundConfig) -> OutboundPolicy:
        """The policy that the configuration describes. Raises InvalidInput naming the entry that is wrong."""
        return cls(config.allow, config.deny)

    def check(self, url: str | Url, *, schemes: Collection[str] = (), element: str | None = None) -> Url:
        """Judge what a URL says, without asking the name service. `schemes` are those accepted, if not all.

        Raises InvalidInput for what is no URL, NotAllowed for where this service must not connect to.
        """
        parsed = Url.parse(url, element) if isinstance(url, str) else url
        if schemes and parsed.scheme not in schemes:
            raise InvalidInput(
                f"{parsed} must begin with {' or '.join(f'{one}://' for one in schemes)}", element=element
            )
        if not parsed.host:
            raise InvalidInput(f"{parsed} names no host", element=element)
        port = parsed.port if parsed.port is not None else _PORTS.get(parsed.scheme)
        try:
            self._judge_said(parsed.host, port)
        except NotAllowed as error:
            raise NotAllowed(error.message, element=element) from None
        return parsed

    def _judged_as_said(self, host: str, port: int | None) -> None:
        address = _literal(host)
        if address is not None:
            self.judge(host, port, [address])
        elif self._is_denied(host, port, ()) or (_is_local_name(host) and not self._is_allowed(host, port, _LOOPBACK)):
            raise _refused(host)

    def judge(self, host: str, port: int | None, addresses: Collection[Address]) -> None:
        """Raise NotAllowed where any of the addresses that a host has must not be connected to."""
        for address in addresses:
            behind = _behind(address)
            if self._is_denied(host, port, behind):
                raise _refused(host)
            if not all(map(_is_public, behind)) and not self._is_allowed(host, port, [address]):
                raise _refused(host, address)

    async def resolve(self, host: str, port: int) -> list[Address]:
        """The addresses of a host, all of them judged. Raises NotAllowed, or Unavailable where there are none now."""
        host = host.lower().rstrip(".")
        literal = _literal(host)
        if literal is not None:
            self.judge(host, port, [literal])
            return [literal]
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT):
                found = await asyncio.get_running_loop().getaddrinfo(
                    host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
                )
        except TimeoutError:
            raise Unavailable(f"the name service says nothing about {host} within {RESOLVE_TIMEOUT:g} s") from None
        except (OSError, UnicodeError) as error:
            raise Unavailable(
                f"the host {host} cannot be found: {getattr(error, 'strerror', None) or error}"
            ) from error
        addresses = list(dict.fromkeys(ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found))
        self.judge(host, port, addresses)
        return addresses

    def _is_allowed(self, host: str, port: int | None, addresses: Collection[Address]) -> bool:
        return any(rule.fits(host, addresses, port) for rule in self._allow)

    def _is_denied(self, host: str, port: int | None, addresses: Collection[Address]) -> bool:
        return any(rule.fits(host, addresses, port) for rule in self._deny)


_LOOPBACK: tuple[Address, ...] = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
_PORTS = {"http": 80, "https": 443, "dav": 80, "davs": 443, "ftp": 21, "ftps": 21, "sftp": 22, "scp": 22}


def _is_local_name(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


@functools.lru_cache(maxsize=1024)
def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _behind(address: Address) -> list[Address]:
    """An address, and those of IPv4 that it is a way to (RFC 4291 2.5.5, 3056, 4380, 6052)."""
    found: list[Address] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return [address.ipv4_mapped]
        if address.sixtofour is not None:
            found.append(address.sixtofour)
        if address.teredo is not None:
            found += address.teredo
        if address in _NAT64 or address in _COMPATIBLE:
            found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return found


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def _is_public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and not (address.version == 6 and address.is_site_local)
        and address not in _METADATA
    )


def _refused(host: str, address: Address | None = None) -> NotAllowed:
    what = host if address is None or str(address) == host else f"{host} ({address})"
    return NotAllowed(
        f"this service does not connect to {what}; its administrator may allow it (outbound.allow in the configuration)"
    )


def _rule(text: str, element: str) -> _Rule:
    try:
        network = ipaddress.ip_network(text.strip("[]"))
    except ValueError:
        pass
    else:
        return _Rule(network, "", None)
    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = text, ""
    number: int | None = None
    if colon:
        if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise InvalidInput(f"{text!r} is no network, address or name, with or without a port", element=element)
        number = int(port)
    try:
        return _Rule(ipaddress.ip_network(host.strip("[]")), "", number)
    except ValueError:
        pass
    name = host.lower().rstrip(".")
    if not _NAME.match(name) or "/" in name:
        raise InvalidInput(
            f"{text!r} is no network (10.0.0.0/8), address or name (host.example.org, *.example.org)", element=element
        )
    return _Rule(None, name, number)
