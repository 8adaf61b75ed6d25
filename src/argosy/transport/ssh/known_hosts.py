"""Whose host keys are believed: the user's and the system's known_hosts files, as ssh reads them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import asyncssh

log = logging.getLogger(__name__)

#: ssh_config(5), UserKnownHostsFile and GlobalKnownHostsFile: what is read where they are not set.
USER_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
SYSTEM_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


def read_known_hosts(files: Iterable[str]) -> asyncssh.SSHKnownHosts:
    """All entries of these files. A file that is not there has none; a line that cannot be read is passed over."""
    known = asyncssh.SSHKnownHosts()
    for file in files:
        path = os.path.expanduser(file)
        try:
            text = Path(path).read_text("utf-8", "replace")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            log.warning("the known hosts in %s cannot be read: %s", path, error.strerror)
            continue
        _load(known, text, path)
    return known


def _load(known: asyncssh.SSHKnownHosts, text: str, path: str) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            known.load(line)
        except (ValueError, asyncssh.KeyImportError) as odd:
            log.warning("%s, line %d cannot be read and is passed over: %s", path, number, odd)
