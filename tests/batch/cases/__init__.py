"""The cases of the conformance suite: one module for each batch system, named as it is, with ``CASE = Case(...)``.

A case gives what the suite cannot know: the variables that the real system sets for a job, and what its commands
really print. ``tests/batch/test_conformance.py`` finds the cases through the registered batch systems: for each class
of the entry points ``argosy.batch`` the module ``cases/NAME.py`` with that class's `name`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from argosy.batch import BatchSystem, Control
from argosy.model import Completed


def said(stdout: str = "", stderr: str = "", returncode: int = 0, *, argv: Sequence[str] = ("command",)) -> Completed:
    """What a command printed. `argv` matters only where a parser looks at it."""
    return Completed(tuple(argv), returncode, stdout, stderr)


@dataclass(frozen=True)
class Answer:
    """A command's output, and what is to be read from it.

    `done` is the output; `ids` are the native ids that are asked for. `jobs` maps each id that the output speaks of to
    the `Phase` that is to be read; an id of `ids` that is not in `jobs` must be absent from the snapshot.
    `odd`: a line or record about the id ``odd_id`` (one of `ids`) that cannot be read, put into the output by
    ``done_with_odd``: all other ids must still be read, and the odd one be absent and in `Snapshot.unreadable`.
    """

    done: Completed
    ids: tuple[str, ...]
    jobs: Mapping[str, object]
    done_with_odd: Completed | None = None
    odd_id: str | None = None


@dataclass(frozen=True)
class Controlled:
    """A control command's output: the ids it named and those that were refused."""

    verb: Control
    done: Completed
    ids: tuple[str, ...]
    refused: frozenset[str] = frozenset()


def printed(done: Completed) -> str:
    """What a command had to say for people."""
    return done.stderr.strip() or done.stdout.strip()


@dataclass(frozen=True)
class Case:
    """What the suite is told of one batch system. None or an empty value: the system has no such thing.

    - `system`: the batch system.
    - `environ(native_id, run, index)`: the variables that the real system gives the job script in the `run`-th run
      (from 0) of the job; for an element of an array `native_id` is the element's own (as `parse_submit` tells it)
      and `index` counts from 0 (as in `Group.members`); for a single job `index` is None. Every variable the script
      reads belongs here; ``${SPOOL}`` in a value becomes the spool's path, and `files` (path below the spool ->
      content) are written there first.
    - `job_text(script)`: the bash text that the system runs, where what `script()` gives is not that itself.
    - `words(done)`: the system's own words in a command's output, of which a refusal tells at least a line.
    - `other_id`: the id of another single job, in the form of `accepted`'s.
    - `accepted`: the output of a submission of one job, with its id: ``(Completed, "7")``.
    - `accepted_array`: of an array of 3, with the ids of its 3 elements: ``(Completed, ("7_0", "7_1", "7_2"))``; None
      where `system.max_array` is 0.
    - `refused`: outputs of submissions that were refused (SubmitException, not transient).
    - `refused_for_now`: outputs of refusals that are transient (SubmitException with `transient`).
    - `submit_unanswered`: outputs of submissions whose fate is not known (Unavailable).
    - `status`: answers of the status command; at least one names an id that is not shown.
    - `status_unanswered`: outputs of a status command that nobody answered (Unavailable).
    - `accounting`, `accounting_unanswered`: the same of accounting.
    - `find`: outputs of each command of `find(tags)`, in its order, and what is found:
      ``((Completed, ...), {tag: id})``; the same tags are asked for, and one more that is not there.
    - `find_unanswered`: outputs of the first find command that nobody answered (Unavailable).
    - `listed`: output of the list command and the ids to be read; `list_unanswered` as above.
    - `controlled`: outputs of control commands; `control_unanswered`: those that nobody answered (Unavailable).
    - `shares`: outputs of the commands of `shares()`, in order, and the names of the queues; `shares_unanswered`:
      outputs of these commands when nobody answered.
    - `locale`: the variables that every command which asks or acts must set or remove, so that the user's own cannot
      change its output, e.g. ``{"LC_ALL", "TZ"}``; None where they have no format or locale to be set.
    - `odd_ids`: values that are no native ids: commands refuse them (InvalidInput), leave them out, or carry them as
      one word that can be no option.
    - `harmless_values`: values of names, queues and accounts that must be accepted.
    - `directive_prefix`: what a directive line begins with, e.g. ``#SBATCH``; "" where directives are not lines of the
      script. `directives_everywhere`: they are read in the whole script, not up to the first command only.
    """

    system: BatchSystem
    environ: Callable[[str, int, int | None], Mapping[str, str]]
    accepted: tuple[Completed, str]
    other_id: str
    accepted_array: tuple[Completed, tuple[str, ...]] | None
    refused: tuple[Completed, ...]
    submit_unanswered: tuple[Completed, ...]
    status: tuple[Answer, ...]
    status_unanswered: tuple[Completed, ...]
    listed: tuple[Completed, tuple[str, ...]]
    controlled: tuple[Controlled, ...]
    control_unanswered: tuple[tuple[Control, Completed], ...]
    refused_for_now: tuple[Completed, ...] = ()
    accounting: tuple[Answer, ...] = ()
    accounting_unanswered: tuple[Completed, ...] = ()
    find: tuple[tuple[Completed, ...], Mapping[str, str]] | None = None
    find_unanswered: tuple[Completed, ...] = ()
    list_unanswered: tuple[Completed, ...] = ()
    shares: tuple[tuple[Completed, ...], tuple[str, ...]] | None = None
    shares_unanswered: tuple[tuple[Completed, ...], ...] = ()
    locale: frozenset[str] | None = frozenset({"LC_ALL", "TZ"})
    odd_ids: tuple[str, ...] = ("7; touch x", "-rf", "$(id)", "'", "a\nb", "")
    harmless_values: tuple[str, ...] = ("short", "my-job_1.x")
    directive_prefix: str = ""
    directives_everywhere: bool = False
    job_text: Callable[[str], str] = str
    words: Callable[[Completed], str] = printed
    files: Mapping[str, str] = field(default_factory=dict)
