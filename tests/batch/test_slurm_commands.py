"""What Slurm is asked: directives, scripts and command lines."""

from __future__ import annotations

from datetime import timedelta

import pytest

from argosy.batch import Control, Group, Submission
from argosy.batch.slurm import Slurm, fields
from argosy.model import InvalidInput, InvalidJobException, JobAttributes, JobSpec, ResourceSpecV1

SLURM = Slurm()
MIB = 1024 * 1024


def lines(spec: JobSpec, *, rerunnable: bool = False) -> list[str]:
    return [
        line.removeprefix("#SBATCH ") for line in SLURM.directives(Submission("t", spec, "true", rerunnable=rerunnable))
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "00:01:00"),
        (60, "00:01:00"),
        (60.5, "00:02:00"),
        (3600, "01:00:00"),
        (86_400, "1-00:00:00"),
        (90_061, "1-01:02:00"),
    ],
)
def test_wall_time(seconds: float, text: str) -> None:
    attributes = JobAttributes(duration=timedelta(seconds=seconds))
    assert f"--time={text}" in lines(JobSpec("x", attributes=attributes))


def test_nothing_is_asked_for_that_was_not_said() -> None:
    spec = JobSpec("/a/b", attributes=JobAttributes(duration=None))
    assert lines(spec) == ["--job-name=b", "--no-requeue"]
    assert lines(spec, rerunnable=True)[-1] == "--requeue"


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (ResourceSpecV1(), ["--ntasks=1"]),
        (ResourceSpecV1(process_count=4), ["--ntasks=4"]),
        (ResourceSpecV1(node_count=2), ["--nodes=2", "--ntasks=2", "--ntasks-per-node=1"]),
        (ResourceSpecV1(process_count=5, processes_per_node=2), ["--nodes=3", "--ntasks=5", "--ntasks-per-node=2"]),
        (ResourceSpecV1(cpu_cores_per_process=8), ["--ntasks=1", "--cpus-per-task=8"]),
        (ResourceSpecV1(gpu_cores_per_process=2), ["--ntasks=1", "--gres=gpu:2"]),
        (
            ResourceSpecV1(node_count=2, processes_per_node=2, gpu_cores_per_process=2),
            ["--nodes=2", "--ntasks=4", "--ntasks-per-node=2", "--gres=gpu:4"],
        ),
        (ResourceSpecV1(process_count=3, gpu_cores_per_process=1), ["--ntasks=3", "--gpus-per-task=1"]),
        (ResourceSpecV1(memory=MIB + 1), ["--ntasks=1", "--mem=2M"]),
        (
            ResourceSpecV1(node_count=3, memory=10 * MIB),
            ["--nodes=3", "--ntasks=3", "--ntasks-per-node=1", "--mem=4M"],
        ),
        (
            ResourceSpecV1(process_count=4, cpu_cores_per_process=2, memory=16 * MIB),
            ["--ntasks=4", "--cpus-per-task=2", "--mem-per-cpu=2M"],
        ),
        (ResourceSpecV1(exclusive_node_use=True), ["--ntasks=1", "--exclusive"]),
    ],
)
def test_resources(resources: ResourceSpecV1, expected: list[str]) -> None:
    assert lines(JobSpec("x", resources=resources, attributes=JobAttributes(duration=None)))[1:-1] == expected


def test_attributes() -> None:
    attributes = JobAttributes(
        queue_name="long",
        account="a b",
        reservation_id='r"\\#',
        custom_attributes={
            "slurm.constraint": "a&b",
            "slurm.spread-job": True,
            "slurm.wckey": False,
            "pbs.x": "y",
            "SLURM.nice": 5,
        },
    )
    assert lines(JobSpec("x", attributes=attributes)) == [
        "--job-name=x",
        "--partition=long",
        '"--account=a b"',
        '"--reservation=r\\"\\\\#"',
        "--time=00:10:00",
        "--no-requeue",
        '"--constraint=a&b"',
        "--spread-job",
        "--nice=5",
    ]


@pytest.mark.parametrize(
    ("spec", "element"),
    [
        (JobSpec("x", name="a\nb"), "name"),
        (JobSpec("x", name="a\rb"), "name"),
        (JobSpec("x", attributes=JobAttributes(queue_name="a\n#SBATCH --hold")), "attributes.queue_name"),
        (
            JobSpec("x", attributes=JobAttributes(custom_attributes={"slurm.qos": "a\x1fb"})),
            "attributes.custom_attributes.slurm.qos",
        ),
        (
            JobSpec("x", attributes=JobAttributes(custom_attributes={"slurm.comment": "mine"})),
            "attributes.custom_attributes.slurm.comment",
        ),
        (
            JobSpec("x", attributes=JobAttributes(custom_attributes={"slurm.Arr": "1-3"})),
            "attributes.custom_attributes.slurm.Arr",
        ),
        (
            JobSpec("x", attributes=JobAttributes(custom_attributes={"slurm.C": "y"})),
            "attributes.custom_attributes.slurm.C",
        ),
    ],
)
def test_what_a_directive_cannot_carry_is_refused(spec: JobSpec, element: str) -> None:
    with pytest.raises(InvalidJobException) as caught:
        lines(spec)
    assert caught.value.element == element


def test_a_name_that_nobody_chose_does_not_refuse_a_job() -> None:
    assert lines(JobSpec("/bin/a\nb"))[0] == "--job-name=a_b"


def test_script() -> None:
    members = tuple(Submission(f"t.{i}", JobSpec("x"), f"exec -- x {i}", "/d") for i in range(3))
    script = SLURM.script(Group("t", members), "/sp ool/50%j")
    head = script.partition("builtin")[0].splitlines()
    assert head[0] == "#!/bin/bash"
    assert "#SBATCH --comment=argosy:t" in head
    assert "#SBATCH --array=0-2" in head
    assert '#SBATCH "--chdir=/sp ool/50%j"' in head
    assert '#SBATCH "--output=/sp ool/50%%j/out/%A_%a.out"' in head
    single = SLURM.script(Group("t.0", members[:1]), "/spool")
    assert "--array" not in single
    assert "#SBATCH --output=/spool/out/%j.out" in single


def test_a_spool_that_slurm_cannot_be_told_is_refused() -> None:
    group = Group("t", (Submission("t", JobSpec("x"), "x"),))
    for spool in ("/a\\b", "/a\nb"):
        with pytest.raises(InvalidInput) as caught:
            SLURM.script(group, spool)
        assert caught.value.element == "spool"


def test_no_line_ends_that_sbatch_refuses() -> None:
    spec = JobSpec("x", environment={"A": "1\r\n2"})
    script = SLURM.script(Group("t", (Submission("t", spec, "exec -- x 'a\r\nb'"),)), "/s")
    assert "\r\n" not in script


def test_submission_environment_is_not_changed_but_by_removal() -> None:
    command = SLURM.submit("#!/bin/bash\n")
    assert command.argv == ("sbatch", "--parsable")
    assert set(command.environment.values()) == {None}
    assert {"SBATCH_PARTITION", "SLURM_RESTART_COUNT", "SLURM_ARRAY_TASK_ID"} <= command.environment.keys()


def test_queries_are_in_utc_and_without_the_users_formats() -> None:
    command = SLURM.status(["7"])
    assert command.environment["SLURM_TIME_FORMAT"] == "%s"
    assert command.environment["TZ"] == "UTC"
    assert command.environment["SQUEUE_FORMAT"] is None


def test_status_names_ids_as_long_as_they_are_few() -> None:
    assert SLURM.status(["7"]).argv[5:7] == ("-j", "7,7")
    assert SLURM.status(["7_0", "7_1", "8"]).argv[5:7] == ("-j", "7,8")
    many = SLURM.status([str(number) for number in range(101)]).argv
    assert "--me" in many
    assert "-j" not in many


def test_control_commands() -> None:
    assert SLURM.control(Control.CANCEL, ["7", "8_1"]).argv == ("scancel", "7", "8_1")
    assert SLURM.control(Control.HOLD, ["7", "8_1"]).argv == ("scontrol", "hold", "7,8_1")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1:00", 60),
        ("1:00:00", 3600),
        ("7-00:00:00", 604_800),
        ("2-3", 183_600),
        ("2-03:30", 185_400),
        ("59", 59),
        ("UNLIMITED", None),
        ("infinite", None),
        ("n/a", None),
        ("NONE", None),
    ],
)
def test_durations(text: str, seconds: int | None) -> None:
    assert fields.duration(text) == seconds


def test_other_fields() -> None:
    assert fields.cpu_seconds("1-00:00:01") == 86_401
    assert fields.cpu_seconds("00:01.500") == 1.5
    assert fields.size("1.5M") == 1536 * 1024
    assert fields.size("") is None
    assert fields.gpus("gpu:tesla:2(S:0-1),gpu:1,lustre:4,mps:gpu:8") == 3
    with pytest.raises(ValueError, match="is not a duration"):
        fields.duration("soon")
    with pytest.raises(ValueError, match="is not a size"):
        fields.size("much")
