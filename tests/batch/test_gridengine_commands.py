"""What Grid Engine is asked: directives, scripts and command lines."""

from __future__ import annotations

from datetime import timedelta

import pytest

from argosy.batch import Control, Group, Submission
from argosy.batch.gridengine import GridEngine
from argosy.batch.gridengine.states import read_state
from argosy.model import InvalidInput, InvalidJobException, JobAttributes, JobSpec, Phase, ResourceSpecV1

SYSTEM = GridEngine()
MIB = 1024 * 1024


def lines(spec: JobSpec, *, rerunnable: bool = False) -> list[str]:
    submission = Submission("t", spec, "true", rerunnable=rerunnable)
    return [line.removeprefix("#$ ") for line in SYSTEM.directives(submission)]


def custom(**values: object) -> JobAttributes:
    attributes = {f"gridengine.{name}": value for name, value in values.items()}
    return JobAttributes(duration=None, custom_attributes=attributes)


def test_nothing_is_asked_for_that_was_not_said() -> None:
    spec = JobSpec("/a/b", attributes=JobAttributes(duration=None))
    assert lines(spec) == ["-N b", "-V", "-r n"]
    assert lines(spec, rerunnable=True)[-1] == "-r y"
    spec.inherit_environment = False
    assert "-V" not in lines(spec)


@pytest.mark.parametrize(("seconds", "text"), [(0.1, "1"), (60, "60"), (60.5, "61"), (90_061, "90061")])
def test_wall_time(seconds: float, text: str) -> None:
    assert f"-l h_rt={text}" in lines(JobSpec("x", attributes=JobAttributes(duration=timedelta(seconds=seconds))))


@pytest.mark.parametrize(
    ("resources", "attributes", "expected"),
    [
        (ResourceSpecV1(), {}, []),
        (ResourceSpecV1(process_count=4), {}, ["-pe smp 4"]),
        (ResourceSpecV1(process_count=4), {"pe": "orte"}, ["-pe orte 4"]),
        (ResourceSpecV1(), {"pe": "orte"}, ["-pe orte 1"]),
        (ResourceSpecV1(process_count=2, cpu_cores_per_process=3), {}, ["-pe smp 6"]),
        (ResourceSpecV1(node_count=2, processes_per_node=4), {"pe": "mpi4"}, ["-pe mpi4 8"]),
        (ResourceSpecV1(memory=MIB + 1), {}, ["-l h_vmem=2M"]),
        (ResourceSpecV1(process_count=4, memory=10 * MIB), {}, ["-pe smp 4", "-l h_vmem=3M"]),
        (ResourceSpecV1(memory=MIB), {"memory_resource": "mem_free"}, ["-l mem_free=1M"]),
        (ResourceSpecV1(gpu_cores_per_process=2), {}, ["-l gpu=2"]),
        (
            ResourceSpecV1(process_count=2, cpu_cores_per_process=2, gpu_cores_per_process=2),
            {"gpu_resource": "ngpus"},
            ["-pe smp 4", "-l ngpus=1"],
        ),
        (ResourceSpecV1(exclusive_node_use=True), {}, ["-l exclusive=true"]),
        (ResourceSpecV1(exclusive_node_use=True), {"exclusive_resource": "excl"}, ["-l excl=true"]),
    ],
)
def test_resources(resources: ResourceSpecV1, attributes: dict[str, object], expected: list[str]) -> None:
    assert lines(JobSpec("x", resources=resources, attributes=custom(**attributes)))[1:-2] == expected


def test_attributes() -> None:
    attributes = JobAttributes(
        queue_name="all.q@@fast,short.q",
        account="physics",
        reservation_id="12",
        duration=None,
        custom_attributes={
            "gridengine.p": -5,
            "sge.R": "y",
            "gridengine.notify": True,
            "gridengine.h": False,
            "gridengine.l": "a=1,b=2",
            "gridengine.js": "1 2",
            "slurm.x": "y",
        },
    )
    assert lines(JobSpec("x", name="n-1.x", attributes=attributes)) == [
        "-N n-1.x",
        "-q all.q@@fast,short.q",
        "-P physics",
        "-ar 12",
        "-V",
        "-r n",
        "-R y",
        "-p -5",
        "-notify",
        "-l a=1,b=2",
        '-js "1 2"',
    ]


@pytest.mark.parametrize(
    ("spec", "element"),
    [
        *((JobSpec("x", name=name), "name") for name in ("a b", "1a", "a'b", 'a"b', "a#b", "é", "a/b", "@", "x" * 256)),
        (JobSpec("x", attributes=JobAttributes(queue_name="a\n#$ -h")), "attributes.queue_name"),
        (JobSpec("x", attributes=JobAttributes(queue_name="a#b")), "attributes.queue_name"),
        (JobSpec("x", attributes=JobAttributes(account="a b")), "attributes.account"),
        (JobSpec("x", attributes=JobAttributes(reservation_id="")), "attributes.reservation_id"),
        (JobSpec("x", attributes=custom(ac="a=b")), "attributes.custom_attributes.gridengine.ac"),
        (JobSpec("x", attributes=custom(t="1-3")), "attributes.custom_attributes.gridengine.t"),
        (JobSpec("x", attributes=custom(w="v")), "attributes.custom_attributes.gridengine.w"),
        (JobSpec("x", attributes=custom(p="'1'")), "attributes.custom_attributes.gridengine.p"),
        (JobSpec("x", attributes=custom(pe="a b")), "attributes.custom_attributes.gridengine.pe"),
        (JobSpec("x", attributes=custom(**{"a b": "c"})), "attributes.custom_attributes.gridengine.a b"),
        (JobSpec("x", resources=ResourceSpecV1(node_count=2)), "resources.node_count"),
        (
            JobSpec("x", resources=ResourceSpecV1(cpu_cores_per_process=2, gpu_cores_per_process=1)),
            "resources.gpu_cores_per_process",
        ),
        (
            JobSpec("x", resources=ResourceSpecV1(memory=1), attributes=custom(memory_resource="a=1,b")),
            "attributes.custom_attributes.gridengine.memory_resource",
        ),
    ],
)
def test_what_a_directive_cannot_carry_is_refused(spec: JobSpec, element: str) -> None:
    with pytest.raises(InvalidJobException) as caught:
        lines(spec)
    assert caught.value.element == element


def test_script() -> None:
    members = tuple(Submission(f"t.{i}", JobSpec("x"), f"exec -- x {i}", "/d") for i in range(3))
    head = SYSTEM.script(Group("t", members), "/sp 'ool").partition("builtin")[0].splitlines()
    assert head[0] == "#!/bin/bash"
    assert {"#$ -S /bin/bash", "#$ -ac argosy=t", "#$ -A argosy.t", "#$ -t 1-3", "#$ -wd /"} <= set(head)
    assert not [line for line in head if line.startswith("#$") and "ool" in line]
    single = SYSTEM.script(Group("t.0", members[:1]), "/spool")
    assert "#$ -t" not in single


def test_an_account_of_the_users_own_stays() -> None:
    spec = JobSpec("x", attributes=custom(A="mine"))
    script = SYSTEM.script(Group("t", (Submission("t", spec, "x"),)), "/s")
    assert "#$ -A mine" in script
    assert "argosy.t" not in script
    assert "#$ -ac argosy=t" in script


def test_values_make_no_directives() -> None:
    spec = JobSpec("x", environment={"A": "\n#$ -h\r\n#$ -t 1-9"})
    script = SYSTEM.script(Group("t", (Submission("t", spec, "exec -- x '\n#$ -h'", "/\n#$ -h"),)), "/\n#$ -h")
    found = [line for line in script.split("\n") if line.startswith("#$")]
    assert not [line for line in found if line.startswith(("#$ -h", "#$ -t"))]
    assert "\r\n" not in script


def test_submission() -> None:
    command = SYSTEM.submit("#!/bin/bash\n")
    assert command.argv[:4] == ("qsub", "-terse", "-C", "#$")
    assert set(command.environment.values()) == {None}
    assert {"PE_HOSTFILE", "JOB_ID", "RESTARTED"} <= command.environment.keys()


def test_queries_are_in_utc_and_name_only_ids() -> None:
    assert SYSTEM.status(["7", "'"]).environment["TZ"] == "UTC"
    few, many = SYSTEM.accounting(["7.1", "7.2", "x"]), SYSTEM.accounting([str(number) for number in range(1, 20)])
    assert few is not None
    assert few.argv[3:] == ("accounting", "7")
    assert many is not None
    assert many.argv[2] != few.argv[2]
    assert SYSTEM.accounting(["x"]) is None


def test_control_commands() -> None:
    assert SYSTEM.control(Control.CANCEL, ["7", "8.1", "-f"]).argv == ("qdel", "7", "8.1")
    assert SYSTEM.control(Control.SUSPEND, ["7"]).argv == ("qmod", "-sj", "7")
    with pytest.raises(InvalidInput):
        SYSTEM.control(Control.CANCEL, ["*"])


@pytest.mark.parametrize(
    ("letters", "phase"),
    [
        ("qw", Phase.QUEUED),
        ("Rq", Phase.QUEUED),
        ("hqw", Phase.HELD),
        ("hRwq", Phase.HELD),
        ("t", Phase.QUEUED),
        ("Rt", Phase.QUEUED),
        ("r", Phase.RUNNING),
        ("hr", Phase.RUNNING),
        ("Rr", Phase.RUNNING),
        ("s", Phase.SUSPENDED),
        ("tS", Phase.SUSPENDED),
        ("RT", Phase.SUSPENDED),
        ("Eqw", Phase.HELD),
        ("EhRqw", Phase.HELD),
        ("dr", Phase.ENDING),
        ("dRr", Phase.ENDING),
        ("z", Phase.OTHER),
    ],
)
def test_states(letters: str, phase: Phase) -> None:
    assert read_state(letters) is phase


@pytest.mark.parametrize("letters", ["", "?", "r r", "é"])
def test_what_is_no_state(letters: str) -> None:
    with pytest.raises(ValueError, match="is not a state"):
        read_state(letters)
