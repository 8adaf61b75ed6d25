"""Submitting: the document that a script becomes, and the answer to it."""

from __future__ import annotations

import json
from typing import Any

from argosy.batch.contract import Group
from argosy.batch.slurm import text
from argosy.batch.slurm.directives import placing
from argosy.batch.slurm.fields import ID
from argosy.batch.slurm.submit import refusal
from argosy.model import Command, Completed, SubmitException, Unavailable

from . import requests
from .properties import properties, translate
from .server import Server

# curl's exit statuses (curl(1)) when nothing was sent: unknown host, no connection, TLS not agreed upon; 77, 127: ours.
_NOT_SENT = frozenset({5, 6, 7, 35, 60, 77, 127})


def document(server: Server, group: Group, spool: str) -> str:
    """What is sent, but for the environment, which goes where the first line ends (`requests.send`)."""
    job: dict[str, Any] = {
        **properties(group.members[0], server.number),
        **translate(placing(group, spool), server.number),
    }
    script = json.dumps("#!/bin/bash\n" + text(group, spool), ensure_ascii=False)
    head = json.dumps(job, ensure_ascii=False, allow_nan=False)[:-1]
    # Until v0.0.39 the script stands beside the job, from v0.0.40 on within it.
    tail = f'}}, "script": {script}}}' if server.number < 40 else f', "script": {script}}}}}'
    return f'{{"job": {head}, "environment":{requests.ENVIRONMENT}{tail}'


def submit(server: Server, script: str) -> Command:
    """The command that sends it."""
    return requests.send(server, server.slurm("job/submit"), script)


def parse_id(done: Completed) -> str:
    """The job's id. A held job's submission is answered with its id and an error (2042): it was accepted."""
    answers = requests.answers(done)
    if not answers or answers[0].status == 0:
        words = f"slurmrestd could not be reached: {done.stderr.strip() or done.words}"
        if done.returncode in _NOT_SENT:
            raise SubmitException(words, transient=True)
        raise Unavailable(words)
    answer = answers[0]
    native_id = answer.document.get("job_id")
    if isinstance(native_id, int) and native_id > 0 and ID.match(str(native_id)):
        return str(native_id)
    if not answer.reached:
        raise SubmitException(f"slurmrestd does not let the user in: {answer.words}", transient=True)
    if answer.status < 400 and not (answer.document and answer.words):
        raise Unavailable(f"slurmrestd did not say which job it submitted: {done.words}")
    if answer.status == 404:
        raise SubmitException(
            f"slurmrestd does not have the version that is configured: {answer.words}; set the option version"
        )
    raise refusal(answer.words or f"HTTP {answer.status}")
