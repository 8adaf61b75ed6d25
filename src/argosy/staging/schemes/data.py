"""data: (RFC 2397): a small file within its URL."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from argosy.model import InvalidInput
from argosy.outbound import Url
from argosy.staging.contract import Direction
from argosy.staging.scheme import Call, Scheme, Sink


class Data(Scheme):
    """The file is what stands after the comma."""

    can_push = False
    outbound = False

    def check(self, url: Url, direction: Direction) -> None:
        """See `Scheme`."""
        decoded(url)

    async def fetch(self, url: Url, sink: Sink, call: Call) -> None:
        """See `Scheme`."""
        del call
        data = decoded(url)
        if sink.offset:
            await sink.restart()
        sink.expect(len(data))
        await sink.write(data)


def decoded(url: Url) -> bytes:
    """The file. Raises InvalidInput where the URL is none of this scheme."""
    head, comma, text = url.text.partition(",")
    if not comma:
        raise InvalidInput(f"{url} is no data: URL; there is no comma before the data")
    data = unquote_to_bytes(text.partition("#")[0])
    if not head.lower().endswith(";base64"):
        return data
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise InvalidInput(f"{url} is not base64: {error}") from None
