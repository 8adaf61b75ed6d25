"""Session directories for two accounts of one file system: the service's, and the one that an owner has on a host.

By POSIX access lists (acl(5)), which the kernel takes as extended attributes. What is made in the directory later is
for both. Only what is the service's own is changed, and never through a link: a job may have put anything there.
"""

from __future__ import annotations

import os
import stat
import struct
from errno import ENOTSUP

from argosy.model import SubmitException
from argosy.model.shell import quote
from argosy.service.files.copies import ACCESS_LIST

_DEFAULT = "system.posix_acl_default"
# linux/posix_acl.h and posix_acl_xattr.h
_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHER = 1, 2, 4, 16, 32
_NOBODY = 0xFFFFFFFF
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def share(root: str, session: str, uid: int) -> None:
    """Let the account `uid` use a session directory as the service does. The directories above it, from `root` on, can
    be passed by others then, who cannot list them. Raises SubmitException where the file system knows no lists."""
    try:
        directory = os.path.dirname(session)
        while len(directory) >= len(root.rstrip("/")):
            _passable(directory)
            directory = os.path.dirname(directory)
        for _, names, files, fd in os.fwalk(session, follow_symlinks=False):
            _share(fd, uid)
            for name in files:
                _share_file(name, fd, uid)
            names.sort()
    except OSError as error:
        raise _refused(session, uid, error) from error


def let_back(session: str) -> str:
    """Text for bash at the end of the job: what it has closed to others is open to the service again. With an access
    list a file's group mode is what the list gives at the most; the group itself has nothing."""
    return f"\nchmod -R g+rwX -- {quote(session)} 2>/dev/null || :\n"


def show(root: str, path: str, uid: int) -> None:
    """Let the account read one file directly below `root`. Raises SubmitException."""
    try:
        _passable(root)
        parent = os.open(os.path.dirname(path), _OPEN | os.O_DIRECTORY)
        try:
            _share_file(os.path.basename(path), parent, uid)
        finally:
            os.close(parent)
    except OSError as error:
        raise _refused(path, uid, error) from error


def _refused(path: str, uid: int, error: OSError) -> SubmitException:
    words = "its file system has no access lists" if error.errno == ENOTSUP else error.strerror
    return SubmitException(
        f"{path} cannot be shared with the account {uid} that its owner has on the host: {words}", transient=True
    )


def _passable(directory: str) -> None:
    mode = stat.S_IMODE(os.stat(directory).st_mode)
    if mode & 0o011 != 0o011:
        os.chmod(directory, mode | 0o011)  # noqa: S103


def _share_file(name: str, parent: int, uid: int) -> None:
    try:
        fd = os.open(name, _OPEN, dir_fd=parent)
    except OSError:
        return  # a link, a socket, or gone: nothing that the service has put there
    try:
        about = os.fstat(fd)
        if stat.S_ISREG(about.st_mode) and about.st_nlink == 1:
            _share(fd, uid)
    finally:
        os.close(fd)


def _share(fd: int, uid: int) -> None:
    about = os.fstat(fd)
    if about.st_uid != os.geteuid():
        return
    own = stat.S_IMODE(about.st_mode) >> 6 & 7
    os.setxattr(fd, ACCESS_LIST, _packed(own, {uid: own}))
    if stat.S_ISDIR(about.st_mode):
        os.setxattr(fd, _DEFAULT, _packed(7, {uid: 7, os.geteuid(): 7}))


def _packed(own: int, users: dict[int, int]) -> bytes:
    entries = [(_USER_OBJ, own, _NOBODY)]
    entries += [(_USER, bits, uid) for uid, bits in sorted(users.items())]
    entries += [(_GROUP_OBJ, 0, _NOBODY), (_MASK, 7, _NOBODY), (_OTHER, 0, _NOBODY)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
