"""Opening files beneath a directory, whatever the path says and whatever links lie on it.

A path from outside is walked one component at a time with descriptors, so that nothing that is renamed or linked
meanwhile can lead the walk out: a link is read, and its target walked from where the link lies, still beneath the root.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from argosy.model import InvalidInput, NotFound, Unavailable
from argosy.model.description import session_path

#: As many links as Linux itself follows (path_resolution(7)).
_MAX_LINKS = 40
#: How many directories deep: each has a descriptor open meanwhile, and there are not many for all requests together.
_MAX_DEPTH = 100
#: What file systems without hard links say (link(2)).
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def parent_of(root: str, path: str, *, make: bool = False, link: bool = False) -> Iterator[tuple[int, str]]:
    """A descriptor of the directory that `path` ends in, links resolved, and the name of the entry in it.

    The entry itself need not exist, and is no link; with `link` it may be one, and is not followed. The root's own name
    is ``.``. `make` makes missing directories.
    Raises InvalidInput where the path would lead out of the root or goes through a file, NotFound where a directory on
    it is missing.
    """
    walk = _Walk(root, path, make, link)
    try:
        name = walk.to_parent()
        yield walk.here, name
    finally:
        walk.close()


class _Walk:
    """A stack of descriptors from the root down to where the walk is."""

    def __init__(self, root: str, path: str, make: bool, link: bool) -> None:
        self._path = path
        self._make = make
        self._link = link
        self._left = [] if path in ("", ".", "/") else session_path(path).split("/")
        self._links = 0
        try:
            self._stack = [os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound("there is no session directory any more") from None
        except OSError as error:
            raise Unavailable(f"the session directory cannot be entered: {error.strerror}") from error

    @property
    def here(self) -> int:
        return self._stack[-1]

    def to_parent(self) -> str:
        while self._left:
            name = self._left.pop(0)
            if name in ("", "."):
                continue
            if name == "..":
                if len(self._stack) == 1:
                    raise self._leads_out()
                os.close(self._stack.pop())
                continue
            last = not any(part not in ("", ".") for part in self._left)
            if last and self._link:
                return name
            if self._is_link(name):
                self._follow(name)
            elif last:
                return name
            else:
                self._enter(name)
        return "."

    def _is_link(self, name: str) -> bool:
        try:
            return stat.S_ISLNK(os.stat(name, dir_fd=self.here, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise InvalidInput(f"{self._path!r}: {error.strerror}", element="path") from error

    def _follow(self, name: str) -> None:
        self._links += 1
        if self._links > _MAX_LINKS:
            raise InvalidInput(f"{self._path!r} goes through too many links", element="path")
        target = os.readlink(name, dir_fd=self.here)
        if target.startswith("/"):
            raise self._leads_out()
        self._left[:0] = target.split("/")

    def _enter(self, name: str) -> None:
        if len(self._stack) > _MAX_DEPTH:
            raise InvalidInput(f"{self._path[:100]!r}... is more than {_MAX_DEPTH} directories deep", element="path")
        try:
            if self._make:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=self.here)
            self._stack.append(os.open(name, _DIRECTORY, dir_fd=self.here))
        except FileNotFoundError:
            raise NotFound(f"there is no {self._path!r} in the session directory") from None
        except NotADirectoryError:
            raise InvalidInput(f"{self._path!r} goes through {name!r}, which is no directory", element="path") from None
        except OSError as error:
            raise InvalidInput(f"{self._path!r}: {error.strerror}", element="path") from error

    def _leads_out(self) -> InvalidInput:
        return InvalidInput(f"{self._path!r} leads out of the session directory", element="path")

    def close(self) -> None:
        for fd in self._stack:
            os.close(fd)


def name_new(partial: str, name: str, parent: int) -> None:
    """Give a file of the directory `parent` its name, unless something has that name. Raises FileExistsError.

    Where the file system has no hard links it is looked first: two who name at once may both succeed there.
    """
    try:
        os.link(partial, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(partial, name, src_dir_fd=parent, dst_dir_fd=parent)
            return
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name) from None
    os.unlink(partial, dir_fd=parent)


def make_directory(root: str, path: str) -> None:
    """Make a directory, and those above it, unless it is there. Raises as `parent_of`."""
    with parent_of(root, path, make=True) as (parent, name):
        if name == ".":
            return
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                raise InvalidInput(f"{path!r} is there, and is no directory", element="path") from None
        except OSError as error:
            raise InvalidInput(f"{path!r}: {error.strerror}", element="path") from error
