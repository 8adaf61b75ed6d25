"""Start a process with the C library's posix_spawn. Standard library only: the reaper runs this too.

`os.posix_spawn` cannot close the descriptors that it does not pass on, nor change the directory, and it encodes the
whole environment every time. glibc's own can do both, with the functions whose names end in `_np`; where the C library
has none of these (musl), `spawn` is None, and `subprocess` does the work, at some 100 us more for each process.
"""

from __future__ import annotations

import ctypes
import functools
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

#: Larger than glibc's posix_spawn_file_actions_t (80 bytes), posix_spawnattr_t (336) and sigset_t (128).
_ROOM = 1024
#: From <spawn.h>.
_SETSIGDEF, _SETSIGMASK, _SETSID = 0x04, 0x08, 0x80
#: What Python ignores, and a program expects to end it.
_DEFAULT = [number for number in ("SIGPIPE", "SIGXFZ", "SIGXFSZ") if hasattr(signal, number)]
_STREAMS = 3


class CannotEncode(ValueError):
    """A text that no process can be given, e.g. with a NUL in it."""


#: A char *[] with a NULL at its end.
Pointers = ctypes.Array[ctypes.c_char_p]
#: (executable, argv, environment, directory, streams) -> (error number, process id)
Spawn = Callable[[bytes, Pointers, Pointers, bytes | None, tuple[int, int, int]], tuple[int, int]]


def _find() -> Spawn | None:
    try:
        libc = ctypes.CDLL(None)
        # These take less time than another thread needs to take over from this one.
        short = ctypes.PyDLL(None)
        spawn = libc.posix_spawn
        init, destroy = short.posix_spawn_file_actions_init, short.posix_spawn_file_actions_destroy
        dup2 = short.posix_spawn_file_actions_adddup2
        chdir = short.posix_spawn_file_actions_addchdir_np
        close_from = short.posix_spawn_file_actions_addclosefrom_np
        attributes = _attributes(short)
    except (OSError, AttributeError):
        return None
    pointer = ctypes.c_void_p
    spawn.argtypes = [pointer, ctypes.c_char_p, pointer, pointer, pointer, pointer]
    room, result, reference = ctypes.c_char * _ROOM, ctypes.c_int, ctypes.byref
    #: What is done for a process whose streams are all one descriptor, which is /dev/null.
    kept: dict[int, ctypes.Array[ctypes.c_char]] = {}

    def fill(actions: ctypes.Array[ctypes.c_char], directory: bytes | None, streams: Sequence[int]) -> int:
        """What the new process does before it becomes the program; the error number of what went wrong."""
        error = 0
        for target, fd in enumerate(streams):
            error = error or dup2(actions, fd, target)
        if directory is not None:
            error = error or chdir(actions, directory)
        return error or close_from(actions, _STREAMS)

    def run(
        executable: bytes, argv: Pointers, environment: Pointers, actions: ctypes.Array[ctypes.c_char]
    ) -> tuple[int, int]:
        pid = result()
        error: int = spawn(reference(pid), executable, actions, attributes, argv, environment)
        return error, pid.value

    def start(
        executable: bytes,
        argv: Pointers,
        environment: Pointers,
        directory: bytes | None,
        streams: tuple[int, int, int],
    ) -> tuple[int, int]:
        same = directory is None and streams[0] == streams[1] == streams[2]
        if same and (known := kept.get(streams[0])) is not None:
            return run(executable, argv, environment, known)
        actions = room()
        error: int = init(actions)
        if error:
            return error, 0
        keep = False
        try:
            error = fill(actions, directory, streams)
            if error:
                return error, 0
            keep = same and kept.setdefault(streams[0], actions) is actions
            return run(executable, argv, environment, actions)
        finally:
            if not keep:
                destroy(actions)

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


@functools.lru_cache(512)
def _type(many: int) -> type[Pointers]:
    """Of so many. ctypes itself makes such a type anew each time unless somebody keeps it."""
    return ctypes.c_char_p * many


def pointers(texts: Sequence[bytes]) -> Pointers:
    """The texts as C has them."""
    return _type(len(texts) + 1)(*texts)


spawn = _find()

_POINTER = ctypes.sizeof(ctypes.c_char_p)


class Variables(NamedTuple):
    """An environment as C has it, and the value of PATH in it. `base` is what `pointers` points into, and must live."""

    pointers: Pointers
    path: bytes | None
    base: Pointers


class _Known(NamedTuple):
    """An environment that was encoded: what of, the place of each name, and its entries as C has them."""

    inside: dict[Any, Any]
    places: dict[bytes, int]
    pointers: Pointers
    path: bytes | None


class Environment:
    """Encodes environments, most of which differ from the one before in their changes only."""

    def __init__(self) -> None:
        # One value, so that another thread sees either the one before or this one.
        self._known = self._learn({})

    def encode(self, base: Mapping[str, str], changes: Mapping[str, str]) -> Variables:
        """`base` overlaid with `changes`. Raises CannotEncode."""
        # What os.environ keeps inside is what it was given, encoded: comparing that is all that is needed.
        inside: dict[Any, Any] = getattr(base, "_data", base)  # type: ignore[arg-type]  # equal to it at least
        known = self._known
        if inside != known.inside:
            known = self._known = self._learn(base)
        _, places, entries, path = known
        many = len(places)
        made = _type(many + len(changes) + 1)()
        ctypes.memmove(made, entries, many * _POINTER)
        next_free = many
        for key, entry in encode_environment(changes).items():
            place = places.get(key, next_free)
            next_free += place == next_free
            made[place] = entry
            if key == b"PATH":
                path = entry[len(b"PATH=") :]
        return Variables(made, path, entries)

    @staticmethod
    def _learn(base: Mapping[str, str]) -> _Known:
        entries = encode_environment(base)
        path = entries.get(b"PATH")
        return _Known(
            dict(getattr(base, "_data", base)),
            {key: place for place, key in enumerate(entries)},
            pointers(list(entries.values())),
            None if path is None else path[len(b"PATH=") :],
        )


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
