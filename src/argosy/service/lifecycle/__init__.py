"""The life of an activity, decided apart from being done: everything here is pure.

deciding        an activity and what happened to it give what it becomes, and instructions
happenings      what can happen; instructions: what is to be done; decision: what the parts put together
stages          its stages, from its share to its end
reports         what the batch system tells of its job
staging_events  what happens to its files; wishes: hold, release, suspend, resume; restart: going on after a failure
"""

from .deciding import decide, resume
from .decision import Decision, Needs, needs_of
from .happenings import (
    Accepted,
    Away,
    Begun,
    Happening,
    InputChecked,
    Matched,
    Never,
    OutputChecked,
    Refused,
    Reported,
    TerminateAsked,
    TooLate,
    Unmatched,
)
from .instructions import Instruction
from .stages import tell, wait

__all__ = [
    "Accepted",
    "Away",
    "Begun",
    "Decision",
    "Happening",
    "InputChecked",
    "Instruction",
    "Matched",
    "Needs",
    "Never",
    "OutputChecked",
    "Refused",
    "Reported",
    "TerminateAsked",
    "TooLate",
    "Unmatched",
    "decide",
    "needs_of",
    "resume",
    "tell",
    "wait",
]
