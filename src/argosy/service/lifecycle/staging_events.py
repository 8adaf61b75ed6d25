"""What can happen to an activity while its files are moved: the part of the lifecycle about that. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from argosy.model import ActivityState

from .decision import Decision

_S = ActivityState

#: What `Activity.waiting_for` says of a stage that cannot go on without another credential.
CREDENTIAL = "credential"
#: The states in which files are moved.
STAGING = frozenset({_S.STAGING_IN, _S.STAGING_OUT})
#: Those in which another credential can be waited for; the third where the job is to be given one.
WAITING = STAGING | {_S.STAGED_IN}


@dataclass(frozen=True, slots=True)
class FileMoved:
    """A file has arrived, or could not be delivered: `kind` is that of the event which tells of it."""

    kind: str
    message: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something that its owner should know, and that changes nothing: the event's kind, and the words."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class StagingFailed:
    """The stage under way cannot succeed, in these words."""

    words: str


@dataclass(frozen=True, slots=True)
class CredentialWanted:
    """The stage under way, or the submission, cannot go on without another credential, in these words."""

    words: str


@dataclass(frozen=True, slots=True)
class CredentialRenewed:
    """There is another credential; a stage that waits for one can go on."""


StageHappening = FileMoved | Noticed | StagingFailed | CredentialWanted | CredentialRenewed


def happened(decision: Decision, what: StageHappening, now: float) -> bool:
    """What follows. Answers whether the stage is to be performed again."""
    activity = decision.activity
    if isinstance(what, Noticed):
        decision.note(what.kind, now, what.message)
    if activity.state not in WAITING:
        return False
    match what:
        case FileMoved(kind, message, detail) if activity.state in STAGING:
            decision.note(kind, now, message, detail=detail)
        case StagingFailed(words) if activity.state in STAGING:
            decision.move(_S.FAILED, now, words)
        case CredentialWanted(words):
            if (activity.waiting_for, activity.reason) != (CREDENTIAL, words):
                decision.activity = activity.but(waiting_for=CREDENTIAL, reason=words, changed=now)
                decision.note("held", now, words, detail={"for": CREDENTIAL})
        case CredentialRenewed() if activity.waiting_for == CREDENTIAL:
            decision.activity = activity.but(waiting_for=None, reason=None, changed=now)
            decision.note("released", now)
            return True
    return False
