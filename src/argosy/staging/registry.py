"""The schemes that are installed, and what can be done with them here."""

from __future__ import annotations

import logging

from argosy.model import InvalidInput, NotAllowed
from argosy.model.choices import listed
from argosy.model.description import CreationFlag
from argosy.model.plugins import Broken, Plugin, registered
from argosy.outbound import OutboundPolicy, Url

from .config import StagingConfig
from .contract import Capability, Direction
from .scheme import GROUP, Context, Scheme, Timeouts

log = logging.getLogger(__name__)


class Schemes:
    """One instance of each scheme. Raises InvalidInput, naming the option, where one is configured wrongly. What cannot
    be loaded lacks, as what has no program to do it with."""

    def __init__(self, config: StagingConfig, policy: OutboundPolicy, directory: str) -> None:
        self._schemes: dict[str, Scheme] = {}
        self._lacking: dict[str, str] = {}
        timeouts = Timeouts(config.connect_timeout, config.idle_timeout)
        found = registered(GROUP)
        for name in config.options:
            if name not in found:
                raise InvalidInput(f"there is no scheme {name!r}", element=f"staging.options.{name}")
        for name, plugin in found.items():
            context = Context(
                policy=policy,
                options=config.options_of(name),
                timeouts=timeouts,
                directory=directory,
                ca_file=config.ca_file,
                ca_directory=config.ca_directory,
            )
            made = _made(plugin, context)
            if isinstance(made, Scheme):
                self._schemes[name] = made
            else:
                self._lacking[name] = made

    def of(self, url: Url, element: str | None = None) -> Scheme:
        """The scheme of a URL. Raises InvalidInput where it cannot be used, saying what lacks."""
        found = self._schemes.get(url.scheme)
        lacking = found.missing() if found is not None else self._lacking.get(url.scheme)
        if lacking is not None:
            raise InvalidInput(f"{url.scheme}: cannot be used on this service: {lacking}", element=element)
        if found is None:
            schemes = [one.scheme for one in self.capabilities() if one.missing is None]
            usable = listed(schemes, url.scheme)
            raise InvalidInput(
                f"this service does not know URLs that begin with {url.scheme}:; it knows {usable}", element=element
            )
        return found

    def check(self, url: Url, direction: Direction, creation: CreationFlag, element: str | None) -> Scheme:
        """The scheme of a URL, where it can do what is asked."""
        scheme = self.of(url, element)
        if direction == "fetch" and not scheme.can_fetch:
            raise InvalidInput(f"nothing can be fetched from {url.scheme}:", element=element)
        if direction == "push" and not scheme.can_push:
            raise InvalidInput(f"nothing can be sent to {url.scheme}:", element=element)
        if direction == "push" and creation == "refuse" and not scheme.can_stat:
            raise InvalidInput(
                f"{url.scheme}: has no way to leave alone what is there; ask for overwrite", element=element
            )
        if direction == "push" and creation == "append" and not scheme.can_fetch:
            raise InvalidInput(f"nothing can be added to a file at {url.scheme}:", element=element)
        if direction == "fetch" and url.is_directory and not scheme.can_list:
            raise InvalidInput(
                f"{url} is a directory, and {url.scheme}: does not tell what is in one; name the files", element=element
            )
        try:
            scheme.check(url, direction)
        except (InvalidInput, NotAllowed) as error:
            raise type(error)(error.message, element=element) from None
        return scheme

    def capabilities(self) -> list[Capability]:
        """What can be done, by scheme."""
        known = [
            Capability(name, one.can_fetch, one.can_push, one.can_list, one.missing())
            for name, one in self._schemes.items()
        ]
        lacking = [Capability(name, False, False, False, words) for name, words in self._lacking.items()]
        return sorted(known + lacking, key=lambda one: one.scheme)

    async def close(self) -> None:
        """Close what the schemes keep open."""
        for scheme in dict.fromkeys(self._schemes.values()):
            await scheme.close()


def _made(plugin: Plugin, context: Context) -> Scheme | str:
    """The scheme, or why there is none. Raises InvalidInput where it is configured wrongly."""
    try:
        made = plugin.load()(context)
    except Broken as error:
        return error.why
    except InvalidInput:
        raise
    except Exception as error:
        log.exception("a defect: the scheme %s, %s, cannot be used", plugin.name, plugin.value)
        return f"{plugin.value} cannot be made: {type(error).__name__}"
    return made if isinstance(made, Scheme) else f"{plugin.value} is not a Scheme"
