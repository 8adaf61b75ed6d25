"""slurmrestd's case; its outputs are those of a real 22.05, as `tests/batch/recordings/slurmrestd` has them."""

from __future__ import annotations

import json
from pathlib import Path

from argosy.batch import Control
from argosy.batch.slurmrestd import Slurmrestd
from argosy.batch.slurmrestd.requests import END
from argosy.model import Completed, Phase

from . import Answer, Case, Controlled, printed, said
from .slurm import CASE as SLURM

RECORDINGS = Path(__file__).parents[1] / "recordings" / "slurmrestd"


def recorded(name: str, returncode: int = 0, *, argv: str = "/bin/sh") -> Completed:
    """What a command printed once."""
    stdout, _, stderr = (RECORDINGS / f"{name}.txt").read_text().partition("\n--- stderr\n")
    return said(stdout, stderr, returncode, argv=(argv,))


def answered(*documents: object, status: int = 200) -> Completed:
    """What slurmrestd might answer."""
    texts = (one if isinstance(one, str) else json.dumps(one) for one in documents)
    return said("".join(f"{text}{END}{status}{END}" for text in texts))


def job_text(script: str) -> str:
    """The job's own script, of what is sent."""
    head, _, tail = script.partition("\n")
    text = json.loads(f"{head}{{}}{tail}")["script"]
    assert isinstance(text, str)
    return text


def words(done: Completed) -> str:
    """The errors' own words, of a body that has some."""
    body = done.stdout.partition(END)[0]
    if not body.startswith("{"):
        return printed(Completed(done.argv, done.returncode, body, done.stderr))
    errors = json.loads(body)["errors"]
    return "\n".join(str(error.get("error") or error.get("description")) for error in errors)


def ids_of(name: str) -> list[str]:
    """The native ids of the jobs of a recording, arrays that wait together as one."""
    parts = (RECORDINGS / f"{name}.txt").read_text().split(END)[::2]
    documents = [json.loads(part) for part in parts if part.lstrip().startswith("{")]
    return [str(job["job_id"]) for document in documents for job in document["jobs"]]


SEVEN, _, _, HELD = ids_of("status")
ARRAY = str(json.loads((RECORDINGS / "submit-array.txt").read_text().split(END)[0])["job_id"])
_PHASES = {SEVEN: Phase.ENDED, f"{ARRAY}_0": Phase.HELD, f"{ARRAY}_2": Phase.QUEUED, HELD: Phase.HELD}
_IDS = (*_PHASES, f"{ARRAY}_1", "99999999")
_STATUS = recorded("status")
_ACCOUNTED = recorded("accounting")
_KILLED, _OK = ids_of("accounting")[-2:]
_ENDED = dict.fromkeys((SEVEN, f"{ARRAY}_0", f"{ARRAY}_2", HELD, _KILLED, _OK), Phase.ENDED)
_NOBODY = recorded("status-no-server", 7)
_CONTROLLER_AWAY = answered(
    {"errors": [{"error_number": 1800, "error": "Unable to contact slurm controller (connect failure)"}]}, status=500
)
_NOT_KNOWN = recorded("status-not-let-in")
_ODD = answered({"jobs": [{"job_id": 11, "array_job_id": 0, "comment": "x"}], "errors": []}).stdout


def _with(done: Completed, more: str) -> Completed:
    return said(done.stdout + more)


CASE = Case(
    system=Slurmrestd(),
    environ=SLURM.environ,
    job_text=job_text,
    words=words,
    accepted=(recorded("submit"), SEVEN),
    other_id=HELD,
    accepted_array=(recorded("submit-array"), tuple(f"{ARRAY}_{index}" for index in range(3))),
    refused=(
        recorded("submit-refused"),
        recorded("submit-unknown"),
        recorded("submit-no-such-version"),
    ),
    refused_for_now=(
        recorded("submit-no-server", 7),
        said(f"Authentication failure{END}401{END}"),
        _CONTROLLER_AWAY,
        said("", "argosy: there is no token in /t\n", 77),
    ),
    submit_unanswered=(
        recorded("submit-not-let-in"),
        said(f"{END}000{END}", "curl: (52) Empty reply from server\n", 52),
        said(f"{END}000{END}", "curl: (56) Recv failure: Connection reset by peer\n", 56),
        said("", "", -9),
        answered({"errors": []}),
        said(f"strange{END}200{END}"),
    ),
    status=(
        Answer(_STATUS, _IDS, _PHASES, _with(_STATUS, _ODD), "11"),
        Answer(answered({"errors": [], "jobs": []}), ("7",), {}),
        Answer(said((RECORDINGS / "jobs.txt").read_text().partition(END)[2]), _IDS, {**_PHASES, HELD: Phase.QUEUED}),
    ),
    status_unanswered=(_NOBODY, _CONTROLLER_AWAY, _NOT_KNOWN, said(f"Authentication failure{END}401{END}"), said("")),
    accounting=(Answer(_ACCOUNTED, (*_ENDED, "99999999"), _ENDED, _with(_ACCOUNTED, _ODD), "11"),),
    accounting_unanswered=(_NOBODY, said(f"Unable find requested URL.{END}404{END}"), said("")),
    find=(
        (recorded("jobs"), SLURM.find[0][1] if SLURM.find else said()),
        {"seven": SEVEN, "group": ARRAY, "held": HELD, "two": "13"},
    ),
    find_unanswered=(said(f"root{END}{_NOBODY.stdout}", _NOBODY.stderr, 7), said(f"root{END}{_NOT_KNOWN.stdout}")),
    listed=(recorded("jobs"), (f"{ARRAY}_2", f"{ARRAY}_0", HELD)),
    list_unanswered=(said(f"root{END}{_NOBODY.stdout}", _NOBODY.stderr, 7),),
    controlled=(
        Controlled(Control.CANCEL, recorded("cancel"), (f"{ARRAY}_1", "99999999")),
        Controlled(
            Control.HOLD,
            recorded("hold"),
            (f"{ARRAY}_0", SEVEN, "99999999"),
            frozenset({SEVEN, "99999999"}),
        ),
        Controlled(Control.RELEASE, recorded("release"), (HELD,)),
        Controlled(
            Control.CANCEL,
            answered({"errors": [{"error_number": 2010, "error": "Access/permission denied"}]}, status=500),
            ("7",),
            frozenset({"7"}),
        ),
    ),
    control_unanswered=(
        (Control.CANCEL, _NOBODY),
        (Control.CANCEL, said("", "", -9)),
        (Control.HOLD, _CONTROLLER_AWAY),
        (Control.HOLD, said(f"Authentication failure{END}401{END}")),
    ),
    shares=((recorded("shares"),), ("debug", "long")),
    shares_unanswered=((_NOBODY,), (_CONTROLLER_AWAY,)),
    locale=frozenset({"LC_ALL", "TZ"}),
)
