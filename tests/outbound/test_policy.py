"""Where the service may be sent, and that it goes nowhere else."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from argosy.model import InvalidInput, NotAllowed, Unavailable
from argosy.outbound import OutboundPolicy, Url, client, connect, shown
from argosy.outbound.web import Client


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.9.9.9",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "168.63.129.16",
        "100.100.100.200",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fc00::1]",
        "[fec0::1]",
        "[fd00:ec2::254]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[ff02::1]",
    ],
)
def test_what_is_not_public_is_refused(host: str) -> None:
    with pytest.raises(NotAllowed, match=r"outbound\.allow"):
        OutboundPolicy().check(f"https://{host}/file", element="inputs[0].sources[0]")


@pytest.mark.parametrize("host", ["example.org", "93.184.216.34", "[2606:2800:220:1::1]", "8.8.8.8"])
def test_what_is_public_is_allowed(host: str) -> None:
    assert OutboundPolicy().check(f"https://{host}/file").scheme == "https"


@pytest.mark.parametrize(
    ("rule", "url", "allowed"),
    [
        ("127.0.0.0/8", "http://127.0.0.1:80/", True),
        ("127.0.0.1", "http://127.0.0.1/", True),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/", True),
        ("127.0.0.1:8080", "http://127.0.0.1:8081/", False),
        ("localhost:443", "https://localhost/", True),
        ("localhost", "http://localhost:1/", True),
        ("10.0.0.0/8", "http://10.3.4.5/", True),
        ("10.0.0.0/8", "http://11.3.4.5/", True),
        ("10.0.0.0/8", "http://192.168.0.1/", False),
        ("::1", "http://[::1]:99/", True),
        ("[::1]:99", "http://[::1]:99/", True),
        ("[::1]:99", "http://[::1]:98/", False),
    ],
)
def test_rules(rule: str, url: str, allowed: bool) -> None:
    policy = OutboundPolicy(allow=[rule])
    if allowed:
        policy.check(url)
    else:
        with pytest.raises(NotAllowed):
            policy.check(url)


def test_denied_is_denied_whatever_is_allowed() -> None:
    policy = OutboundPolicy(allow=["*.example.org", "10.0.0.0/8"], deny=["secret.example.org", "10.1.0.0/16"])
    policy.check("https://open.example.org/")
    policy.check("https://10.2.0.1/")
    for url in ("https://secret.example.org/", "https://SECRET.example.org./", "https://10.1.2.3/"):
        with pytest.raises(NotAllowed):
            policy.check(url)


@pytest.mark.parametrize("rule", ["", "a b", "10.0.0.0/99", "host:port", "host:0", "http://x", "*.*.org", "*"])
def test_wrong_rules_are_named(rule: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        OutboundPolicy(allow=["good.example.org", rule])
    assert caught.value.element == "outbound.allow[1]"


@pytest.mark.parametrize(
    "url",
    ["", "file", "http://", "http:///x", "http://a b/", "http://a\r\nb/", "http://[::1/", "http://a:99999/",
     "http://a:port/", "http://a%00b/", "http://a\\@b/", "x" * 9000],
)  # fmt: skip
def test_what_is_no_url_is_named(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        OutboundPolicy().check(url, element="here")
    assert caught.value.element == "here"


async def _resolves_to(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    async def getaddrinfo(host: str, port: int, **options: object) -> list[object]:
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in addresses
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


@pytest.mark.anyio
@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:169.254.169.254"]])
async def test_a_name_for_a_private_address_is_refused(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    await _resolves_to(addresses, monkeypatch)
    with pytest.raises(NotAllowed):
        await OutboundPolicy().resolve("innocent.example.org", 80)
    assert await OutboundPolicy(["*.example.org"]).resolve("innocent.example.org", 80)


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "0", "0x", "example.org.127.1", "1.2.3.4@127.1",
     "[fe80::1%25lo]", "a,10.0.0.1", "a;b", "-x.example.org", "a..example.org,b"],
)  # fmt: skip
def test_a_host_that_could_be_read_in_two_ways_is_none(host: str) -> None:
    with pytest.raises(InvalidInput, match="no name and no address"):
        Url.parse(f"https://{host}/file")


@pytest.mark.parametrize("host", ["127\u30020\u30020\u30021", "\u2460\u2461\u2466.0.0.1", "\uff11\uff12\uff17.0.0.1"])
def test_an_address_in_other_digits_is_judged_as_that(host: str) -> None:
    with pytest.raises((NotAllowed, InvalidInput)):
        OutboundPolicy().check(f"https://{host}/file")


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
async def test_other_spellings_of_an_address_are_seen_through(host: str) -> None:
    with pytest.raises((NotAllowed, Unavailable)):
        await OutboundPolicy().resolve(host, 80)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.anyio
async def test_the_client_goes_where_it_may(port: int) -> None:
    async with client(OutboundPolicy([f"127.0.0.1:{port}"])) as http_client:
        assert (await http_client.get(f"http://127.0.0.1:{port}/x")).text == "hello"
        with pytest.raises(NotAllowed):
            await http_client.get(f"http://127.0.0.2:{port}/x")
    async with client(OutboundPolicy()) as http_client:
        with pytest.raises(NotAllowed):
            await http_client.get(f"http://127.0.0.1:{port}/x")


@pytest.mark.anyio
async def test_a_redirection_is_judged_too(port: int) -> None:
    async with client(OutboundPolicy([f"127.0.0.1:{port}"]), redirects=3) as http_client:
        assert (await http_client.get(f"http://127.0.0.1:{port}/to/http://127.0.0.1:{port}/x")).text == "hello"
        with pytest.raises(NotAllowed):
            await http_client.get(f"http://127.0.0.1:{port}/to/http://127.0.0.2:{port}/x")
        with pytest.raises(NotAllowed):
            await http_client.get(f"http://127.0.0.1:{port}/to/http://10.0.0.1/x")


@pytest.mark.anyio
async def test_the_name_is_judged_when_it_is_connected_to(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    await _resolves_to(["127.0.0.1"], monkeypatch)
    policy = OutboundPolicy()
    policy.check(f"http://rebound.example.org:{port}/")  # says nothing wrong yet
    async with client(policy) as http_client:
        with pytest.raises(NotAllowed):
            await http_client.get(f"http://rebound.example.org:{port}/")
    with pytest.raises(NotAllowed):
        await connect(policy, "rebound.example.org", port, timeout=5)
    import ssl

    web = Client(policy, ssl.create_default_context(), connecting=5, idle=5)
    with pytest.raises(NotAllowed, match="does not connect to"):
        async with web.ask("GET", Url.parse(f"http://rebound.example.org:{port}/"), {}):
            pass
    web.close()


@pytest.mark.anyio
async def test_connect(port: int) -> None:
    made = await connect(OutboundPolicy(["127.0.0.0/8"]), "127.0.0.1", port, timeout=5)
    assert made.getpeername() == ("127.0.0.1", port)
    made.close()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="cannot be reached"):
            await connect(OutboundPolicy(["127.0.0.0/8"]), "127.0.0.1", closed.getsockname()[1], timeout=5)


@pytest.mark.anyio
async def test_environment_proxies_are_not_used(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with client(OutboundPolicy(["127.0.0.1"])) as http_client:
        assert (await http_client.get(f"http://127.0.0.1:{port}/x")).text == "hello"


@pytest.mark.anyio
async def test_errors_are_those_of_httpx() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with client(OutboundPolicy(["127.0.0.1"])) as http_client:
            with pytest.raises(httpx.ConnectError):
                await http_client.get(f"http://127.0.0.1:{closed.getsockname()[1]}/")


def test_urls_are_shown_without_their_secrets() -> None:
    url = "https://user:hunter2@host.example.org/p?X-Amz-Signature=abc&X-Amz-Date=1&token=t&sig=s&q=1#frag"
    for text in (shown(url), str(Url.parse(url)), repr(Url.parse(url))):
        for secret in ("hunter2", "abc", "token=t", "sig=s", "frag"):
            assert secret not in text
        assert "host.example.org" in text
    assert "X-Amz-Date=1" in shown(url)
    assert "q=1" in shown(url)
    assert shown("data:text/plain;base64," + "A" * 1000).endswith("...")
