"""Distinguished names in the form that grids write them in: ``/DC=org/DC=example/CN=Alice Example``."""

from __future__ import annotations

import re

from cryptography.x509 import Name

_SHORT = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.42": "GN",
    "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}
_OTHER_SPELLINGS = {"e": "emailAddress", "email": "emailAddress", "emailaddress": "emailAddress", "userid": "UID"}
#: A value with this in it would read as two attributes.
_LIKE_ANOTHER = re.compile(r"/[A-Za-z0-9.]+=")


def slash_form(name: Name) -> str:
    """A name in one line. Raises ValueError for one that could be read as another, and for an empty one.

    Bytes that are not printable ASCII are written as in OpenSSL's one-line form, ``\\xC3``.
    """
    written = []
    for rdn in name.rdns:
        if len(rdn) != 1:
            raise ValueError("a name has several attributes in one of its parts")
        (attribute,) = rdn
        value = attribute.value
        if not isinstance(value, str):
            raise ValueError("a name has an attribute that is no text")  # noqa: TRY004  # one kind for what is read
        if "\\" in value or _LIKE_ANOTHER.search(value):
            raise ValueError("a name has an attribute that reads as something else")
        dotted = attribute.oid.dotted_string
        text = "".join(chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02X}" for byte in value.encode())
        written.append(f"/{_SHORT.get(dotted, dotted)}={text}")
    if not written:
        raise ValueError("a name is empty")
    return "".join(written)


def canonical(text: str) -> str:
    """A name as somebody has written it, with the attributes' types in our spelling."""

    def spelled(match: re.Match[str]) -> str:
        return f"/{_OTHER_SPELLINGS.get(match[1].lower(), match[1])}="

    return re.sub(r"/([A-Za-z]+)=", spelled, text.strip())
