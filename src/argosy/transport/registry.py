"""Which transport reaches what: this machine without a URL, and else by the URL's scheme."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from argosy.model.plugins import registered

from .contract import Transport
from .local import LocalTransport

#: Transports register under this entry-point group, by the scheme of the URLs that they are for: a callable that takes
#: the URL and `config`, the path of a file that configures the transport, or None.
GROUP = "argosy.transports"

#: The file that the ssh transport reads instead of ``~/.ssh/config``, where nothing else names one.
CONFIG_VARIABLE = "ARGOSY_SSH_CONFIG"


def open_transport(
    url: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    config: str | os.PathLike[str] | None = None,
    **more: object,
) -> Transport:
    """The transport for `url`; None is this machine, whose commands then start with `environ`.

    Nothing is connected yet. `config` is a file that configures the transport: for ssh it is read instead of
    ``~/.ssh/config``; `more` is what only the transport of this scheme knows. Raises ValueError where the URL cannot
    be used, ImportError where what its scheme needs is not installed.
    """
    if url is None:
        return LocalTransport(environ)
    made = _factory(url)(url, config=config or os.environ.get(CONFIG_VARIABLE) or None, **more)
    if not isinstance(made, Transport):
        raise ImportError(f"what is registered for {url!r} is not a Transport")  # noqa: TRY004
    return made


def takes_proxies(url: str) -> bool:
    """Whether a URL leads to a host that is logged in to with proxies. Raises as `open_transport`."""
    return bool(getattr(_factory(url), "takes_proxies", False))


def _factory(url: str) -> Callable[..., object]:
    known = registered(GROUP)
    scheme = urlsplit(url).scheme
    if scheme not in known:
        schemes = ", ".join(f"{name}://" for name in known)
        raise ValueError(f"{url!r} is no address of a host: it begins with one of {schemes}, as in ssh://user@host")
    factory: Callable[..., object] = known[scheme].load()
    return factory
