"""What somebody wants to be told of, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .activity import ActivityState
from .choices import meant, none_of
from .errors import InvalidInput
from .webhooks import key_of

#: The kinds of events that are told of where nothing is said.
USUAL_KINDS = ("created", "state")
#: All kinds of events of activities.
KINDS = (
    *("created", "waiting", "matched", "credential-wanted", "environments", "state", "note", "asked", "refused"),
    *("held", "hold-lost", "suspend-lost", "restarted", "fetched", "pushed", "not-pushed", "quota", "reason"),
    *("released", "submit-intended", "submitted", "native-id", "unavailable"),
)
#: Stands for all kinds of events.
ANY_KIND = "*"
#: Stands for the three final states.
FINAL_WORD = "final"
LONGEST_URL = 2048


@dataclass(slots=True)
class Callback:
    """A URL that is told what happens to activities.

    `states` are those that are told of, each with its sub-states (``running:lrms``), or ``final``; all of them where
    none is named. `kinds` are the kinds of events; ``*`` is all. `secret` is what messages are signed with; one is made
    where there is none.
    """

    url: str
    states: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    secret: str | None = field(default=None, repr=False)

    def check(self, at: str = "") -> None:
        """Raise InvalidInput naming the element that is wrong; `at` goes before its name.

        Kinds are looked at where something is asked for anew (`check_kind`): what is recorded may name any.
        """
        check_url(self.url, at + "url")
        for index, state in enumerate(self.states):
            check_state(state, f"{at}states[{index}]")
        if self.secret is not None:
            key_of(self.secret, at + "secret")

    def __post_init__(self) -> None:
        # Whoever names states wants those, and not the event of the creation beside them, which has one too.
        if not self.kinds:
            self.kinds = ["state"] if self.states else list(USUAL_KINDS)


def check_url(url: str, element: str) -> str:
    """The host that a URL for callbacks is on, ``SCHEME://NAME:PORT``. Raises InvalidInput."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if (
        host is None
        or parts.scheme not in ("http", "https")
        or len(url) > LONGEST_URL
        or any(not "!" <= character <= "~" for character in url)
    ):
        raise InvalidInput(
            f"{url[:100]!r} is no URL that can be called; write e.g. https://receiver.example.org/hook", element=element
        )
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidInput(
            "a URL for callbacks has no user, password or fragment: messages are signed instead", element=element
        )
    return f"{parts.scheme}://{host}:{port or (443 if parts.scheme == 'https' else 80)}"


def check_state(state: str, element: str, more: Iterable[str] = (FINAL_WORD,)) -> None:
    """Raise InvalidInput where a text names no state; `more` are words that do for several."""
    if state not in more and not any(known.within(state) for known in ActivityState):
        outermost = sorted({known.partition(":")[0] for known in ActivityState} | set(more))
        near = meant(state, [*outermost, *ActivityState])
        words = f"{state!r} is no state; write one of {', '.join(outermost)}, or a sub-state{near}"
        raise InvalidInput(words, element=element)


def check_kind(kind: str, element: str) -> None:
    """Raise InvalidInput where a text names no kind of events."""
    if kind not in KINDS and kind != ANY_KIND:
        raise InvalidInput(none_of(kind, (*KINDS, ANY_KIND)), element=element)


def told(states: tuple[str, ...] | list[str], kinds: tuple[str, ...] | list[str], kind: str, state: str) -> bool:
    """Whether an event of this kind, that left its activity in this state, is to be told of. No kinds: of any."""
    if kinds and kind not in kinds and ANY_KIND not in kinds:
        return False
    if not states:
        return True
    now = ActivityState(state)
    return any(now.within(wanted) or (wanted == FINAL_WORD and now.final) for wanted in states)
