"""A key from the kernel's key ring of the service's account (keyrings(7)): in memory, in no file and in no backup."""

from __future__ import annotations

import ctypes
import errno
import os
from ctypes import c_char_p, c_int32, c_long, c_size_t, c_void_p

from argosy.model import InvalidInput

_ELEMENT = "credentials.key_ring"
#: keyctl(2): the key ring of the user, whatever session this is.
USER_RING = -4
_MOST = 64 * 1024


def library() -> ctypes.CDLL:
    """The kernel's calls, as keyutils has them. Raises InvalidInput where it is not installed."""
    try:
        found = ctypes.CDLL("libkeyutils.so.1", use_errno=True)
    except OSError:
        raise InvalidInput("the key ring needs libkeyutils.so.1 (Debian: libkeyutils1)", element=_ELEMENT) from None
    found.keyctl_search.argtypes = (c_int32, c_char_p, c_char_p, c_int32)
    found.keyctl_read.argtypes = (c_int32, c_void_p, c_size_t)
    found.keyctl_search.restype = found.keyctl_read.restype = c_long
    return found


def read_key(name: str) -> bytes:
    """The content of a key of type ``user`` in the user's key ring. Raises InvalidInput."""
    calls = library()
    key = calls.keyctl_search(USER_RING, b"user", os.fsencode(name), 0)
    if key < 0:
        raise _refused(name)
    content = ctypes.create_string_buffer(_MOST)
    length = calls.keyctl_read(key, content, _MOST)
    if length < 0:
        raise _refused(name)
    if length > _MOST:
        raise InvalidInput(f"the key {name} has more than {_MOST} bytes", element=_ELEMENT)
    return content.raw[:length]


def _refused(name: str) -> InvalidInput:
    number = ctypes.get_errno()
    if number == errno.ENOKEY:
        words = (
            f"there is no key {name} in the key ring of user {os.geteuid()}; put it there: keyctl padd user {name} @u"
        )
    else:
        words = f"the key {name} of the key ring of user {os.geteuid()} cannot be read: {os.strerror(number)}"
    return InvalidInput(words, element=_ELEMENT)
