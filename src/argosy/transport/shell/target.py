"""Which host, as whom: what an ssh URL says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Target:
    """A host by the name that the ssh configuration knows it by. What is None is left to that configuration.

    `config` is the file to read instead of ``~/.ssh/config``.
    """

    host: str
    user: str | None = None
    port: int | None = None
    config: str | None = None

    @classmethod
    def of_url(cls, url: str, config: str | os.PathLike[str] | None = None, scheme: str = "ssh") -> Target:
        """What ``SCHEME://[USER@]HOST[:PORT]`` names. Raises ValueError, saying what is wrong with it."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ValueError(f"{url!r} is no {scheme} url: {error}") from error
        if parts.scheme != scheme or not parts.hostname:
            raise ValueError(f"{url!r} is no {scheme} url; one is {scheme}://user@host:port, without a path")
        if parts.password is not None:
            raise ValueError(f"a password in an {scheme} url is not accepted; use a key, an agent or a certificate")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(f"an {scheme} url names a host, and nothing comes after it: {url!r}")
        # urlsplit gives the host in lower case, and aliases in ~/.ssh/config are as they are written there.
        written = parts.netloc.rpartition("@")[2]
        host = parts.hostname if written.startswith("[") else written.partition(":")[0]
        file = os.path.abspath(os.path.expanduser(config)) if config is not None else None
        user = unquote(parts.username) if parts.username else None
        for word in (unquote(host), user or ""):
            # Programs take what begins with a hyphen for an option.
            if word.startswith("-") or not word.isprintable() or " " in word:
                raise ValueError(f"{word!r} is no name of a host or of a user: {url!r}")
        return cls(unquote(host), user, port, file)

    @classmethod
    def of_hop(cls, hop: str, config: str | None) -> Target:
        """One element of ProxyJump: ``[user@]host[:port]``, or a URL (ssh_config(5))."""
        hop = hop.strip()
        return cls.of_url(hop if hop.startswith("ssh://") else f"ssh://{hop}", config)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (f"{self.user}@" if self.user else "") + host + (f":{self.port}" if self.port else "")
