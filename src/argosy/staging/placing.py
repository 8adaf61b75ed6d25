"""The last step of a fetch: files that are whole get their names, as the creation flag says."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from argosy.model.description import PARTIAL

from . import marks
from .beneath import name_new
from .contract import Fetch
from .errors import Fault, TransferFailed
from .scribe import NAME, WRITE, Scribe, Sheet, Trouble
from .sink import FileSink, as_disk_fault, copy


def already(request: Fetch, parent: int, name: str, path: str) -> os.stat_result | None:
    """Whether this request has put the file there before a crash. Raises TransferFailed where a file must stay.

    Blocks.
    """
    if request.creation == "overwrite":
        return None
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if request.token is not None:
        mark = marks.read(request.directory, _token(request, path))
        if mark is not None and mark.get("inode") == status.st_ino and mark.get("size") == status.st_size:
            return status
    if request.creation == "refuse":
        raise _exists(path)
    return None


@dataclass(slots=True)
class Arrival:
    """A file that has come, and where it is to be: the directory of `parent`, beneath the name.

    `keep` is called while the file is whole and nobody else's yet.
    """

    request: Fetch
    sink: FileSink
    parent: int
    name: str
    path: str
    keep: Callable[[dict[str, str]], None] | None = None
    directory: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        status = os.fstat(self.parent)
        self.directory = status.st_dev, status.st_ino

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to do but write it and give it its name."""
        return self.request.creation == "overwrite" and self.keep is None and self.sink.is_held


#: The checksums of a file that has its name now; why it has none otherwise.
Outcome = dict[str, str] | BaseException


#: Fewer are not worth asking another process.
_MANY = 3


def place(arrivals: Sequence[Arrival], fault: Callable[[str], None], scribe: Scribe | None = None) -> list[Outcome]:
    """Check files and give them their names; what this answers for each is true after a crash, too. Blocks.

    Each is on the disk before it gets its name. All go each step together: the disk writes them at the same time, and
    a directory in which many arrive is written once.
    """
    outcomes: list[Outcome | None] = [None] * len(arrivals)
    plain = [index for index, arrival in enumerate(arrivals) if arrival.is_plain] if scribe is not None else []
    if scribe is not None and len(plain) >= _MANY:
        for index, outcome in zip(plain, _by(scribe, [arrivals[index] for index in plain], fault), strict=True):
            outcomes[index] = outcome
    left = [index for index, outcome in enumerate(outcomes) if outcome is None]
    for index, outcome in zip(left, _place([arrivals[index] for index in left], fault), strict=True):
        outcomes[index] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


def _by(scribe: Scribe, arrivals: Sequence[Arrival], fault: Callable[[str], None]) -> list[Outcome | None]:
    """The same for plain ones, done by the scribe. None for each where it does not do it now."""
    outcomes: list[Outcome | None] = []
    sheets: list[Sheet] = []
    directories: dict[tuple[int, int], int] = {}
    for arrival in arrivals:
        try:
            data, sums = arrival.sink.held()
            fault("fetch-arrived")
        except Exception as failure:
            outcomes.append(failure)
            continue
        outcomes.append(sums)
        parent = directories.setdefault(arrival.directory, arrival.parent)
        sheets.append(Sheet(parent, arrival.sink.name, arrival.name, arrival.sink.mode, data))
    written = scribe.write(sheets) if sheets else []
    if written is None:
        return [outcome if isinstance(outcome, BaseException) else None for outcome in outcomes]
    troubles = iter(written)
    for index, arrival in enumerate(arrivals):
        if not isinstance(outcomes[index], BaseException):
            trouble = next(troubles)
            if trouble is None:
                arrival.sink.placed = True
            else:
                outcomes[index] = _told(arrival, trouble)
    return outcomes


def _told(arrival: Arrival, trouble: Trouble) -> TransferFailed:
    try:
        with as_disk_fault(arrival.sink.what if trouble.step == WRITE else arrival.path):
            if trouble.step == NAME and isinstance(trouble.error, IsADirectoryError):
                raise _is_directory(arrival.path)
            raise trouble.error
    except TransferFailed as failure:
        return failure


def _place(arrivals: Sequence[Arrival], fault: Callable[[str], None]) -> list[Outcome]:
    outcomes: list[Outcome] = [{}] * len(arrivals)

    def each(step: Callable[[int, Arrival], None]) -> None:
        for index, arrival in enumerate(arrivals):
            if not isinstance(outcomes[index], BaseException):
                try:
                    step(index, arrival)
                except Exception as failure:
                    outcomes[index] = failure

    def check(index: int, arrival: Arrival) -> None:
        outcomes[index] = arrival.sink.check()
        if len(arrivals) > 1:
            arrival.sink.begin_sync()

    def name(index: int, arrival: Arrival) -> None:
        sums = outcomes[index]
        assert isinstance(sums, dict)
        if arrival.keep is not None:
            arrival.keep(sums)
        fault("fetch-arrived")
        _name(arrival)

    directories: dict[tuple[int, int], TransferFailed | None] = {}

    def last(index: int, arrival: Arrival) -> None:
        del index
        key = arrival.directory
        if key not in directories:
            directories[key] = None
            try:
                with as_disk_fault(arrival.path):
                    os.fsync(arrival.parent)
            except TransferFailed as error:
                directories[key] = error
        if (failure := directories[key]) is not None:
            raise failure

    each(check)
    each(lambda index, arrival: arrival.sink.sync())
    each(name)
    each(last)
    each(lambda index, arrival: arrival.sink.close_blocking())
    return outcomes


def _name(arrival: Arrival) -> None:
    request, sink, parent, name, path = arrival.request, arrival.sink, arrival.parent, arrival.name, arrival.path
    with as_disk_fault(path):
        if request.creation == "append":
            _append(request, sink, parent, name, path)
        elif request.creation == "refuse":
            _mark(request, path, sink.descriptor)
            try:
                name_new(sink.name, name, parent)
            except FileExistsError:
                raise _exists(path) from None
            sink.placed = True
        else:
            try:
                os.rename(sink.name, name, src_dir_fd=parent, dst_dir_fd=parent)
            except IsADirectoryError:
                raise _is_directory(path) from None
            sink.placed = True


def _append(request: Fetch, sink: FileSink, parent: int, name: str, path: str) -> None:
    try:
        old = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=parent)
    except FileNotFoundError:
        _mark(request, path, sink.descriptor)
        os.rename(sink.name, name, src_dir_fd=parent, dst_dir_fd=parent)
        return
    partial = f"{PARTIAL}{os.urandom(8).hex()}"
    try:
        status = os.fstat(old)
        if not stat.S_ISREG(status.st_mode):
            raise TransferFailed(f"{path!r} is no plain file; nothing can be added to it", Fault.EXISTS)
        mode = status.st_mode & 0o700 | (0o100 if request.executable else 0)
        both = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=parent)
        try:
            copy(old, both, status.st_size)
            copy(sink.descriptor, both, sink.offset)
            os.fsync(both)
            _mark(request, path, both)
            os.rename(partial, name, src_dir_fd=parent, dst_dir_fd=parent)
        finally:
            os.close(both)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(partial, dir_fd=parent)
    finally:
        os.close(old)


def _mark(request: Fetch, path: str, fd: int) -> None:
    if request.token is not None:
        status = os.fstat(fd)
        marks.write(request.directory, _token(request, path), {"inode": status.st_ino, "size": status.st_size})


def _token(request: Fetch, path: str) -> str:
    return f"fetch {request.token} {path}"


def _is_directory(path: str) -> TransferFailed:
    return TransferFailed(f"{path!r} is a directory already", Fault.EXISTS)


def _exists(path: str) -> TransferFailed:
    return TransferFailed(f"there is {path!r} already, and it must not be replaced", Fault.EXISTS)
