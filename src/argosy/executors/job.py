"""PSI/J's Job: a handle on one job of this process."""

from __future__ import annotations

import logging
import os
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from argosy.model import InvalidStateException, JobSpec, JobState, JobStatus, SubmitException
from argosy.model.states import passed_through

from . import callbacks, ending

if TYPE_CHECKING:
    from .executor import JobExecutor

log = logging.getLogger(__name__)


class JobStatusCallback(ABC):
    """What is told of status changes (PSI/J, JobStatusCallback). A plain function does as well."""

    @abstractmethod
    def job_status_changed(self, job: Job, status: JobStatus) -> None:
        """Called from a thread of the library, in the order of the states. It must return quickly.

        It may submit and cancel jobs.
        """


class FunctionJobStatusCallback(JobStatusCallback):
    """A function as a `JobStatusCallback`."""

    def __init__(self, function: Callable[[Job, JobStatus], object]) -> None:
        self.function = function

    def job_status_changed(self, job: Job, status: JobStatus) -> None:
        self.function(job, status)


Callback = JobStatusCallback | Callable[["Job", JobStatus], None]

#: Guards every job's status and executor: changes are short, and jobs are many.
_lock = threading.Lock()

#: How long `Job.wait` holds back its answer for the callbacks that tell the same, in seconds.
_FOR_CALLBACKS = 0.2


class Job:
    """What to run, and what became of it.

    A job begins in the state NEW and is handed to a `JobExecutor`; its status then only ever moves forward in PSI/J's
    partial order, and states that were not seen but must have been passed through are reported all the same.
    """

    # `__dict__`: programs keep things of their own on jobs. It takes no room until they do.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_answer",
        "_callback",
        "_condition",
        "_id",
        "_native_id",
        "_status",
        "_waiting",
        "executor",
        "spec",
        "uncertain",
    )

    def __init__(self, spec: JobSpec | None = None) -> None:
        self.spec = spec
        self.executor: JobExecutor | None = None
        self.uncertain = False
        """Whether an earlier submission may have been accepted without an answer."""
        self._answer: Callable[[], object] | None = None
        self._id: str | None = None
        self._native_id: str | None = None
        self._status = JobStatus(JobState.NEW)
        self._callback: Callback | None = None
        self._condition: threading.Condition | None = None
        self._waiting: list[tuple[tuple[JobState, ...], threading.Event, list[JobStatus]]] | None = None

    @property
    def id(self) -> str:
        """A name of this job that is unique everywhere (a UUID)."""
        if self._id is None:
            self._id = str(uuid.uuid4())
        return self._id

    @property
    def native_id(self) -> str | None:
        """The batch system's own id, once it has accepted the job.

        Waits for its answer where the job was taken over by `submit` without one; None where it was refused.
        """
        if self._native_id is None and (answer := self._answer) is not None:
            answer()
        return None if self._native_id is None else str(self._native_id)

    @native_id.setter
    def native_id(self, value: str | None) -> None:
        self._native_id = value

    @property
    def status(self) -> JobStatus:
        """The present status."""
        return self._status

    @status.setter
    def status(self, status: JobStatus) -> None:
        self._advance(status)

    def _bind(self, executor: JobExecutor) -> bool:
        """Make it this executor's own; False where it is one's already."""
        with _lock:
            if self.executor is not None:
                return False
            self.executor = executor
        return True

    def set_job_status_callback(self, callback: Callback | None) -> None:
        """Tell `callback` of this job's status changes from now on; None: nobody."""
        self._callback = callback

    def cancel(self) -> None:
        """Ask for the job to be cancelled. Its status changes when that has happened.

        A job that has ended is left as it is. Raises SubmitException where the job was never submitted.
        """
        if self._status.final:
            return
        if self.executor is None:
            raise SubmitException("the job has not been submitted, so there is nothing to cancel")
        self.executor.cancel(self)

    def wait(
        self,
        timeout: timedelta | JobState | Sequence[JobState] | None = None,
        target_states: JobState | Sequence[JobState] | None = None,
    ) -> JobStatus | None:
        """Wait until the job has reached one of `target_states`, or a later one, or any final state.

        Without target states: a final state. They may be given as the only argument (PSI/J, Job.wait). Returns
        the status that ended the waiting, or None where `timeout` passed first; a timeout of 0 only looks.
        Callbacks have been told what is returned, unless one of them takes longer than a fifth of a second.
        Raises TypeError for what is neither, and InvalidStateException where no timeout is given and the program is so
        far in its end that nobody follows the job any more.
        """
        if timeout is not None and not isinstance(timeout, timedelta):
            targets = _states(timeout, "timeout must be a timedelta or states, e.g. timedelta(seconds=5)")
            timeout = None
        else:
            targets = _states(target_states, "target_states must be a JobState or several")
        status = self._wait(None if timeout is None else max(timeout.total_seconds(), 0.0), targets)
        if status is not None and self._is_listened_to():
            callbacks.flush(_FOR_CALLBACKS)
        return status

    def _wait(self, seconds: float | None, targets: tuple[JobState, ...]) -> JobStatus | None:
        with _lock:
            if _reached(self._status.state, targets):
                return self._status
            with_pools = self.executor is not None and self.executor.needs_pools
            if seconds is None and ending.is_over(with_pools=with_pools):
                raise InvalidStateException("the program is ending, and its jobs are followed no longer")
            event = threading.Event()
            answer: list[JobStatus] = []
            waiter = (targets, event, answer)
            if self._waiting is None:
                self._waiting = []
            self._waiting.append(waiter)
        if event.wait(seconds):
            return answer[0]
        with _lock:
            if answer:
                return answer[0]
            self._waiting.remove(waiter)
        return None

    def _advance(self, status: JobStatus) -> None:
        """Move on to a status, through the states that lie between; what is not greater than the present is ignored."""
        with _lock:
            if not status.state.is_greater_than(self._status.state):
                return
            listened_to = self._is_listened_to()
            if not listened_to and not self._waiting:
                self._status = status  # nobody sees what lies between
            else:
                self._step_to(status, listened_to)
        if self._condition is not None:
            with self._condition:
                self._condition.notify_all()

    def _step_to(self, status: JobStatus, listened_to: bool) -> None:
        for state in (*passed_through(status.state, staging=self._reports_staging()), status.state):
            if not state.is_greater_than(self._status.state):
                continue
            step = status if state is status.state else JobStatus(state, time=status.time)
            self._status = step
            if listened_to:
                # Within the lock, so that callbacks hear of changes in their order.
                callbacks.enqueue(partial(_tell, self, step))
            self._wake(step)

    def _reports_staging(self) -> bool:
        return (self.spec is not None and self.spec.stages) or (
            self.executor is not None and self.executor.config.report_all_states
        )

    def _is_listened_to(self) -> bool:
        return self._callback is not None or (self.executor is not None and self.executor.listens)

    @property
    def _status_cv(self) -> threading.Condition:
        """Notified of every status change; programs for psij-python use it."""
        if self._condition is None:
            with _lock:
                if self._condition is None:
                    self._condition = threading.Condition()
        return self._condition

    def _wake(self, status: JobStatus) -> None:
        if self._waiting:
            for waiter in list(self._waiting):
                targets, event, answer = waiter
                if _reached(status.state, targets):
                    answer.append(status)
                    event.set()
                    self._waiting.remove(waiter)

    def __str__(self) -> str:
        return f"Job[id={self.id}, native_id={self._native_id}, executor={self.executor}, status={self._status}]"

    __repr__ = __str__


def _renew_lock() -> None:
    # Another thread of the parent may have held it.
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def _states(value: JobState | Sequence[JobState] | None, wanted: str) -> tuple[JobState, ...]:
    if value is None:
        return ()
    if isinstance(value, JobState):
        return (value,)
    if isinstance(value, Iterable):
        states = tuple(value)
        if all(isinstance(state, JobState) for state in states):
            return states
    raise TypeError(f"{wanted}, not {value!r}")


def _reached(state: JobState, targets: tuple[JobState, ...]) -> bool:
    return state.final or any(state is target or state.is_greater_than(target) for target in targets)


def _tell(job: Job, status: JobStatus) -> None:
    notify(job._callback, job, status)
    if job.executor is not None:
        job.executor._notify_callback(job, status)


def notify(callback: Callback | None, job: Job, status: JobStatus) -> None:
    """Tell a callback; what it raises is logged, since nobody could catch it."""
    if callback is None:
        return
    try:
        if isinstance(callback, JobStatusCallback):
            callback.job_status_changed(job, status)
        else:
            callback(job, status)
    except BaseException:  # one that calls sys.exit would end the thread that tells all others
        log.exception("a job status callback failed for %s", job.id)
