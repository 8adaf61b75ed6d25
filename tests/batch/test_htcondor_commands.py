"""What HTCondor is told, and that its jobs can be unpacked."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from argosy.batch.htcondor import HTCondor
from argosy.model import Completed, InvalidJobException, JobAttributes, JobSpec, Outcome, ResourceSpecV1

from .scripts import Spool, submission
from .systems import group, run, telling

SYSTEM = HTCondor()


def lines(spec: JobSpec) -> list[str]:
    return [line.removeprefix("#CONDOR ") for line in SYSTEM.directives(group(spec).members[0])]


def test_a_job() -> None:
    attributes = JobAttributes(
        duration=timedelta(minutes=1),
        account="group_a.user",
        custom_attributes={"htcondor.requirements": 'Machine == "a" && $x', "htcondor.want_x": True},
    )
    resources = ResourceSpecV1(
        process_count=2, cpu_cores_per_process=2, memory=3 * 1024**2 + 1, gpu_cores_per_process=1
    )
    assert lines(JobSpec("/bin/a", name='a "b" $c', attributes=attributes, resources=resources)) == [
        '+JobBatchName = "a \\"b\\" $(DOLLAR)c"',
        "accounting_group = group_a.user",
        "periodic_remove = (JobStatus == 2) && (time() - JobCurrentStartDate > 60)",
        "request_cpus = 4",
        "request_memory = 4",
        "request_gpus = 2",
        "getenv = True",
        "+ArgosyRerunnable = False",
        'requirements = Machine == "a" && $(DOLLAR)x',
        "want_x = True",
    ]


@pytest.mark.parametrize(
    ("spec", "element"),
    [
        (JobSpec("/bin/a", resources=ResourceSpecV1(node_count=2)), "resources.node_count"),
        (JobSpec("/bin/a", resources=ResourceSpecV1(exclusive_node_use=True)), "resources.exclusive_node_use"),
        (JobSpec("/bin/a", attributes=JobAttributes(queue_name="q")), "attributes.queue_name"),
        (JobSpec("/bin/a", attributes=JobAttributes(reservation_id="r")), "attributes.reservation_id"),
        (
            JobSpec("/bin/a", attributes=JobAttributes(custom_attributes={"htcondor.Executable": "x"})),
            "attributes.custom_attributes.htcondor.Executable",
        ),
    ],
)
def test_what_cannot_be_asked_for(spec: JobSpec, element: str) -> None:
    with pytest.raises(InvalidJobException) as caught:
        lines(spec)
    assert caught.value.element == element


def words(arguments: str) -> list[str]:
    """The arguments of a description's line, in the manual's "new syntax", macros expanded."""
    text = arguments.replace("$(DOLLAR)", "$")
    assert text[0] == text[-1] == '"'
    inner = text[1:-1].replace('""', '"')
    return [
        re.sub(r"'((?:[^']|'')*)'", lambda match: match[1].replace("''", "'"), word)
        for word in re.findall(r"(?:'(?:[^']|'')*'|[^\s'])+", inner)
    ]


@pytest.mark.parametrize("size", [0, 300_000])
def test_the_script_arrives_whole_and_runs(tmp_path: Path, size: int) -> None:
    place = telling(tmp_path / "bin", "condor_submit")
    (place / "condor_submit.says").write_text("12.0 - 12.0\n")
    spool = Spool(tmp_path / "spool")
    # What does not pack well, so that it takes several arguments.
    value = "'\"$(x)\n" + os.urandom(size).hex()[:100_000]
    spec = JobSpec("/usr/bin/printf", ["%s", value], stdout_path=tmp_path / "out")
    script = SYSTEM.script(group_of(spec, tmp_path), str(spool.path))
    done = run(SYSTEM.submit(script), place, TMPDIR=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "12.0 - 12.0\n", "")
    ((arguments, description, _),) = json.loads((place / "condor_submit.given").read_text())
    assert arguments == ["-terse", "-"]
    settings = dict(line.partition(" = ")[::2] for line in description.splitlines())
    assert settings["executable"] == "/bin/bash"
    assert settings["+ArgosyTag"] == '"job"'
    assert description.endswith("\nqueue 1\n")
    argv = words(settings["arguments"])
    assert max(map(len, argv)) <= 100_000
    ran = subprocess.run(
        ["/bin/bash", *argv],
        env={"PATH": os.environ["PATH"], "HOME": "/", "ARGOSY_CONDOR_ID": "12.0", "ARGOSY_CONDOR_INDEX": "0"},
        check=False,
        capture_output=True,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert (tmp_path / "out").read_text() == value
    assert sorted(spool.records()) == ["12.0.0.exit", "12.0.0.start"]
    assert list(tmp_path.glob("argosy.*")) == []


def group_of(spec: JobSpec, directory: Path):
    from argosy.batch import Group

    return Group("job", (submission(spec, str(directory), "job"),))


def test_an_array() -> None:
    script = SYSTEM.script(group(JobSpec("/bin/a"), 3), "/spool")
    assert '#CONDOR +ArgosyTag = "t/"\n' in script
    assert "\n#CONDOR-QUEUE 3\n" in script
    assert "output = /spool/out/$(ClusterId).$(ProcId).out" in script


@pytest.mark.parametrize(
    ("more", "outcome", "code"),
    [
        ({"JobStatus": 4, "ExitBySignal": False, "ExitCode": 3}, Outcome.EXITED, 3),
        ({"JobStatus": 4, "ExitBySignal": True, "ExitSignal": 9}, Outcome.EXITED, 137),
        ({"JobStatus": 4}, Outcome.EXITED, None),
        ({"JobStatus": 3, "RemoveReason": "via condor_rm (by user a)"}, Outcome.CANCELLED, None),
        ({"JobStatus": 3, "RemoveReason": "The job attribute PeriodicRemove expression 'x'"}, Outcome.TIMEOUT, None),
    ],
)
def test_endings(more: dict[str, object], outcome: Outcome, code: int | None) -> None:
    text = json.dumps([{"ClusterId": 7, "ProcId": 0, **more}])
    seen = SYSTEM.parse_accounting(Completed(("condor_history",), 0, text, ""), ["7.0"]).jobs["7.0"]
    assert (seen.outcome, seen.exit_code) == (outcome, code)


def test_runs_are_those_that_htcondor_counts() -> None:
    text = json.dumps([{"ClusterId": 7, "ProcId": 0, "JobStatus": 2, "NumJobStarts": 3}])
    assert SYSTEM.parse_status(Completed(("condor_q",), 0, text, ""), ["7.0"]).jobs["7.0"].run == 2
