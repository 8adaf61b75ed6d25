"""Start a process with the C library's posix_spawn. Standard library only: the reaper runs this too.

`os.posix_spawn` cannot close the descriptors that it does not pass on, nor change the directory, and it encodes the
whole environment every time. glibc's own can do both, with the functions whose names end in `_np`; where the C library
has none of these (musl), `spawn` is None, and `subprocess` does the work, at some 100 us more for each process.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: Larger than glibc's posix_spawn_file_actions_t (80 bytes), posix_spawnattr_t (336) and sigset_t (128).
_ROOM = 1024
#: From <spawn.h>.
_SETSIGDEF, _SETSIGMASK, _SETSID = 0x04, 0x08, 0x80
#: What Python ignores, and a program expects to end it.
_DEFAULT = [number for number in ("SIGPIPE", "SIGXFZ", "SIGXFSZ") if hasattr(signal, number)]
_STREAMS = 3


class CannotEncode(ValueError):
    """A text that no process can be given, e.g. with a NUL in it."""


#: (executable, argv, environment, directory, streams) -> (error number, process id)
Spawn = Callable[[bytes, Sequence[bytes], Sequence[bytes], bytes | None, Sequence[int]], tuple[int, int]]


def _find() -> Spawn | None:
    try:
        libc = ctypes.CDLL(None)
        spawn = libc.posix_spawn
        init, destroy = libc.posix_spawn_file_actions_init, libc.posix_spawn_file_actions_destroy
        dup2 = libc.posix_spawn_file_actions_adddup2
        chdir = libc.posix_spawn_file_actions_addchdir_np
        close_from = libc.posix_spawn_file_actions_addclosefrom_np
        attributes = _attributes(libc)
    except (OSError, AttributeError):
        return None
    pointer = ctypes.c_void_p
    spawn.argtypes = [pointer, ctypes.c_char_p, pointer, pointer, pointer, pointer]

    def start(
        executable: bytes,
        argv: Sequence[bytes],
        environment: Sequence[bytes],
        directory: bytes | None,
        streams: Sequence[int],
    ) -> tuple[int, int]:
        actions = ctypes.create_string_buffer(_ROOM)
        error: int = init(actions)
        if error:
            return error, 0
        try:
            for target, fd in enumerate(streams):
                error = error or dup2(actions, fd, target)
            if directory is not None:
                error = error or chdir(actions, directory)
            error = error or close_from(actions, _STREAMS)
            if error:
                return error, 0
            pid = ctypes.c_int()
            error = spawn(ctypes.byref(pid), executable, actions, attributes, _pointers(argv), _pointers(environment))
        finally:
            destroy(actions)
        return error, pid.value

    return start


def _attributes(libc: ctypes.CDLL) -> ctypes.Array[ctypes.c_char]:
    """A new session, no signal blocked, and those that Python ignores at their default."""
    attributes, signals = ctypes.create_string_buffer(_ROOM), ctypes.create_string_buffer(_ROOM)
    done = [
        libc.posix_spawnattr_init(attributes),
        libc.posix_spawnattr_setflags(attributes, ctypes.c_short(_SETSIGDEF | _SETSIGMASK | _SETSID)),
        libc.sigemptyset(signals),
        libc.posix_spawnattr_setsigmask(attributes, signals),
        *(libc.sigaddset(signals, int(signal.Signals[name])) for name in _DEFAULT),
        libc.posix_spawnattr_setsigdefault(attributes, signals),
    ]
    if any(done):
        raise OSError(f"posix_spawn cannot be set up: {done}")
    return attributes


def _pointers(texts: Sequence[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    """A char *[] with a NULL at its end."""
    return (ctypes.c_char_p * (len(texts) + 1))(*texts)


spawn = _find()


class Environment:
    """Encodes environments, most of which differ from the one before in their changes only."""

    def __init__(self) -> None:
        # One value, so that another thread sees either both or none.
        self._known: tuple[dict[Any, Any], dict[bytes, bytes]] = ({}, {})

    def encode(self, base: Mapping[str, str], changes: Mapping[str, str]) -> dict[bytes, bytes]:
        """`base` overlaid with `changes`: for each name its ``NAME=value``. Raises CannotEncode."""
        # What os.environ keeps inside is what it was given, encoded: comparing that is all that is needed.
        inside: dict[Any, Any] = getattr(base, "_data", base)  # type: ignore[arg-type]  # equal to it at least
        known, entries = self._known
        if inside != known:
            known, entries = dict(inside), encode_environment(base)
            self._known = known, entries
        return {**entries, **encode_environment(changes)}


def encode_environment(variables: Mapping[str, str]) -> dict[bytes, bytes]:
    """For each name its ``NAME=value``. Raises CannotEncode."""
    entries: dict[bytes, bytes] = {}
    for name, value in variables.items():
        key = os.fsencode(name)
        entry = key + b"=" + os.fsencode(value)
        if b"=" in key or b"\0" in entry:
            raise CannotEncode(f"{name!r} is no environment variable that can be passed on")
        entries[key] = entry
    return entries


def encode_arguments(argv: Sequence[str]) -> list[bytes]:
    """The arguments as a process gets them. Raises CannotEncode."""
    encoded = [os.fsencode(argument) for argument in argv]
    if any(b"\0" in argument for argument in encoded):
        raise CannotEncode("embedded null byte")
    return encoded


def find_executable(name: bytes, path: bytes | None) -> bytes | None:
    """The file that a name without a slash stands for; None where that takes more than looking (execvp(3))."""
    if b"/" in name:
        return name
    for directory in (os.defpath.encode() if path is None else path).split(b":"):
        if not directory.startswith(b"/"):
            return None  # relative to where the process is going to be
        file = directory + b"/" + name
        if os.access(file, os.X_OK) and not os.path.isdir(file):
            return file
    return None
