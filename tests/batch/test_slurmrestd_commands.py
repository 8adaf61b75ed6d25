"""What slurmrestd is sent, and how its single answers are read; the conformance suite has what all systems keep to."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from argosy.batch import Control, Group, Submission
from argosy.batch.slurm import Slurm
from argosy.batch.slurmrestd import Slurmrestd, values
from argosy.batch.slurmrestd.requests import END
from argosy.model import (
    InvalidInput,
    InvalidJobException,
    JobAttributes,
    JobSpec,
    Outcome,
    Phase,
    ResourceSpecV1,
    Unavailable,
)

from .cases.slurmrestd import _KILLED as KILLED
from .cases.slurmrestd import _OK as OK
from .cases.slurmrestd import ARRAY, HELD, SEVEN, answered, job_text, recorded
from .systems import group, run, telling

REST = Slurmrestd()
NEW = Slurmrestd({"version": "v0.0.40"})
MIB = 1024 * 1024


def asked(spec: JobSpec, system: Slurmrestd = REST, *, rerunnable: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in system.directives(Submission("t", spec, "true", rerunnable=rerunnable)):
        found |= json.loads(line)
    return found


def document(script: str, environment: str = "{}") -> dict[str, Any]:
    head, _, tail = script.partition("\n")
    return json.loads(f"{head}{environment}{tail}")


RICH = JobSpec(
    "/bin/x",
    resources=ResourceSpecV1(
        node_count=2, processes_per_node=2, cpu_cores_per_process=3, gpu_cores_per_process=1, memory=8 * MIB,
        exclusive_node_use=True,
    ),
    attributes=JobAttributes(
        queue_name="long", account="a", reservation_id="r",
        custom_attributes={
            "slurm.constraint": "a&b", "slurm.nice": 5, "slurm.hold": True, "slurm.mail-type": "end,fail",
        },
    ),
)  # fmt: skip


def test_properties_of_the_older_versions_are_in_sbatchs_words() -> None:
    assert asked(RICH) == {
        "name": "x",
        "partition": "long",
        "account": "a",
        "reservation": "r",
        "time_limit": "00:10:00",
        "nodes": "2",
        "tasks": "4",
        "tasks_per_node": "2",
        "cpus_per_task": "3",
        "gres": "gpu:2",
        "memory_per_node": "4M",
        "exclusive": "exclusive",
        "requeue": False,
        "constraints": "a&b",
        "nice": "5",
        "hold": True,
        "mail_type": "end,fail",
    }


def test_properties_of_the_newer_versions_have_types() -> None:
    def number(value: int) -> dict[str, object]:
        return {"set": True, "infinite": False, "number": value}

    assert asked(RICH, NEW, rerunnable=True) == {
        "name": "x",
        "partition": "long",
        "account": "a",
        "reservation": "r",
        "time_limit": number(10),
        "nodes": "2",
        "tasks": 4,
        "tasks_per_node": 2,
        "cpus_per_task": 3,
        "tres_per_node": "gres/gpu:2",
        "memory_per_node": number(4),
        "shared": ["none"],
        "requeue": True,
        "constraints": "a&b",
        "nice": 5,
        "hold": True,
        "mail_type": ["END", "FAIL"],
    }


def test_each_option_of_a_job_that_sbatch_is_given_has_a_property() -> None:
    """So that no wish is lost: what cannot be said raises."""
    for spec in (
        RICH,
        JobSpec("x", resources=ResourceSpecV1(process_count=3, gpu_cores_per_process=1)),
        JobSpec("x", resources=ResourceSpecV1(process_count=3, memory=8 * MIB)),
    ):
        submission = Submission("t", spec, "true")
        assert (
            len(Slurm().directives(submission)) == len(REST.directives(submission)) == len(NEW.directives(submission))
        )


@pytest.mark.parametrize(
    ("system", "custom", "element"),
    [
        (REST, {"slurm.exclude": "n1"}, "slurm.exclude"),
        (REST, {"slurm.nosuch": "x"}, "slurm.nosuch"),
        (REST, {"slurm.comment": "x"}, "slurm.comment"),
        (NEW, {"slurm.nice": "much"}, "slurm.nice"),
        (NEW, {"slurm.begin": "now+1hour"}, "slurm.begin"),
        (REST, {"slurm.hold": "maybe"}, "slurm.hold"),
        (REST, {"slurmrestd.environment": {}}, "slurmrestd.environment"),
        (REST, {"slurmrestd.comment": "x"}, "slurmrestd.comment"),
        (REST, {"slurmrestd.x": float("nan")}, "slurmrestd.x"),
        (REST, {"slurmrestd.x": object()}, "slurmrestd.x"),
    ],
)
def test_what_cannot_be_said_is_refused(system: Slurmrestd, custom: dict[str, object], element: str) -> None:
    with pytest.raises(InvalidJobException) as caught:
        asked(JobSpec("x", attributes=JobAttributes(custom_attributes=custom)), system)
    assert caught.value.element == f"attributes.custom_attributes.{element}"


def test_a_property_can_be_set_as_it_stands() -> None:
    custom = {"slurmrestd.tasks": 7, "slurmrestd.any": "x"}
    found = asked(JobSpec("x", attributes=JobAttributes(custom_attributes=custom)))
    assert (found["tasks"], found["any"]) == (7, "x")


def test_what_is_sent() -> None:
    sent = document(REST.script(group(RICH, 3), "/sp ool/50%j"))
    job = sent["job"]
    assert job["comment"] == "argosy:t"
    assert job["array"] == "0-2"
    assert job["current_working_directory"] == "/sp ool/50%j"
    assert job["standard_output"] == "/sp ool/50%%j/out/%A_%a.out"
    assert (job["open_mode"], job["environment"]) == ("append", {})
    assert sent["script"].startswith("#!/bin/bash\n")
    assert "#SBATCH" not in sent["script"]
    newer = document(NEW.script(group(RICH), "/spool"), '["A=b"]')
    assert set(newer) == {"job"}
    assert newer["job"]["environment"] == ["A=b"]
    assert newer["job"]["open_mode"] == ["APPEND"]
    assert newer["job"]["script"].startswith("#!/bin/bash\n")
    between = document(Slurmrestd({"version": "v0.0.39"}).script(group(RICH), "/spool"), '["A=b"]')
    assert set(between) == {"job", "script"}


# -- commands -------------------------------------------------------------------------------------


def test_no_token_and_no_script_is_in_an_argument() -> None:
    system = Slurmrestd({"socket": "/s", "token_file": "/t", "user": "u"})
    command = system.submit(system.script(group(JobSpec("x", environment={"A": "secret"})), "/spool"))
    assert not any("secret" in word for word in command.argv)
    assert "secret" in command.stdin
    assert command.argv[4:7] == ("/t", "u", "names")
    assert command.argv[-3:] == ("--unix-socket", "/s", "http://localhost/slurm/v0.0.38/job/submit")


def test_what_is_asked() -> None:
    far = Slurmrestd({"url": "https://h:6820/", "token_file": "~/t", "version": "v0.0.36"})
    assert far.status(["7_0", "7_1", "8", "x"]).argv[-2:] == (
        "https://h:6820/slurm/v0.0.36/job/7",
        "https://h:6820/slurm/v0.0.36/job/8",
    )
    assert "--unix-socket" not in far.status(["7"]).argv
    many = [str(number) for number in range(1, 102)]
    assert REST.status(many).argv[-1] == "http://localhost/slurm/v0.0.38/jobs"
    assert REST.accounting(["7_1"]).argv[-1] == "http://localhost/slurmdb/v0.0.38/job/7"
    assert REST.accounting(["x"]) is None
    command = REST.control(Control.CANCEL, ["7", "8_1"])
    assert command.argv[command.argv.index("-X") + 1] == "DELETE"
    assert command.argv[-2:] == ("http://localhost/slurm/v0.0.38/job/7", "http://localhost/slurm/v0.0.38/job/8_1")
    assert REST.controls == {Control.CANCEL, Control.HOLD, Control.RELEASE}


@pytest.mark.parametrize(
    ("options", "element"),
    [
        ({"sockets": "/s"}, "sockets"),
        ({"socket": 7}, "socket"),
        ({"socket": ""}, "socket"),
        ({"socket": "s"}, "socket"),
        ({"socket": "/s\n"}, "socket"),
        ({"socket": "/s", "url": "http://h", "token_file": "/t"}, "url"),
        ({"url": "ftp://h", "token_file": "/t"}, "url"),
        ({"url": "http://u:p@h", "token_file": "/t"}, "url"),
        ({"url": "http://h:6820"}, "token_file"),
        ({"token_file": "t"}, "token_file"),
        ({"user": "a b"}, "user"),
        ({"user": "-x"}, "user"),
        ({"version": "0.0.38"}, "version"),
    ],
)
def test_options_that_are_wrong_are_named(options: dict[str, object], element: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Slurmrestd(options)
    assert caught.value.element == f"options.{element}"


def test_a_system_without_options_takes_none() -> None:
    with pytest.raises(InvalidInput) as caught:
        Slurm({"socket": "/s"})
    assert caught.value.element == "options.socket"


# -- the shell around curl ------------------------------------------------------------------------


@pytest.fixture
def curl(tmp_path: Path) -> Path:
    """A curl that writes down what it was given; of a file, what is in it."""
    place = telling(tmp_path / "bin")
    (place / "curl").write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@" >"$0.arguments"\n[ ! -e /dev/fd/3 ] || cat <&3 >"$0.header"\ncat >"$0.input"\n'
    )
    (place / "curl").chmod(0o755)
    return place


def with_token(path: Path, text: str = "SLURM_JWT=e30.x_-y\n", mode: int = 0o600) -> Slurmrestd:
    token = path / "to ken'"
    token.write_text(text)
    token.chmod(mode)
    return Slurmrestd({"socket": "/s", "token_file": str(token), "user": "u"})


def test_a_token_goes_through_a_pipe(curl: Path, tmp_path: Path) -> None:
    for text in ("SLURM_JWT=e30.x_-y\n", "e30.x_-y", "e30.x_-y\nX-Other: y\n"):
        done = run(with_token(tmp_path, text).status(["7"]), curl)
        assert (done.returncode, done.stderr) == (0, "")
        assert (curl / "curl.header").read_text() == "X-SLURM-USER-NAME: u\nX-SLURM-USER-TOKEN: e30.x_-y\n"
        assert "e30" not in (curl / "curl.arguments").read_text()


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("SLURM_JWT=x\n", 0o640, "others than its owner may read"),
        ("SLURM_JWT=x\n", 0o604, "others than its owner may read"),
        ("", 0o600, "there is no token in"),
        ("SLURM_JWT=x X-Other: y\n", 0o600, "there is no token in"),
    ],
)
def test_what_is_no_token_of_the_users_own_is_not_sent(
    curl: Path, tmp_path: Path, text: str, mode: int, words: str
) -> None:
    done = run(with_token(tmp_path, text, mode).status(["7"]), curl)
    assert done.returncode == 77
    assert words in done.stderr
    assert not (curl / "curl.arguments").exists()


def test_a_token_that_is_not_there(curl: Path) -> None:
    system = Slurmrestd({"socket": "/s", "token_file": "/no/such"})
    done = run(system.submit(system.script(group(JobSpec("x")), "/spool")), curl)
    assert done.returncode == 77
    assert "/no/such" in done.stderr


def test_the_environment_of_whoever_submits_is_sent(curl: Path, tmp_path: Path) -> None:
    odd = {
        "ODD": "a\"b\\c\td\ne\r\x01$(x) 'é' \u2028 \\u0041 \x7f",
        "file": "mine",
        "argosy_x": "",
    }
    gone = {"SLURM_JWT": "secret", "SBATCH_PARTITION": "x", "SLURM_ARRAY_TASK_ID": "7"}
    system = with_token(tmp_path)
    command = system.submit(system.script(group(JobSpec("x", ["a\nb", "\udcff"])), "/spool"))
    done = run(command, curl, **odd, **gone)
    assert (done.returncode, done.stderr) == (0, "")
    text = (curl / "curl.input").read_bytes().decode("utf-8", "surrogateescape")
    sent = json.loads(text)
    environment = sent["job"]["environment"]
    assert {name: environment[name] for name in odd} == odd
    assert not gone.keys() & environment.keys()
    assert environment["SLURM_SUBMIT_DIR"] == str(Path.cwd())
    assert sent["script"] == job_text(command.stdin)
    assert "secret" not in text
    newer = Slurmrestd({"version": "v0.0.40"})
    run(newer.submit(newer.script(group(JobSpec("x")), "/spool")), curl, **odd)
    pairs = json.loads((curl / "curl.input").read_bytes())["job"]["environment"]
    assert {f"{name}={value}" for name, value in odd.items()} <= set(pairs)


def test_who_asks_is_told(curl: Path) -> None:
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    assert run(REST.list_jobs(), curl).stdout == f"{user}{END}"


# -- answers --------------------------------------------------------------------------------------


def test_a_held_jobs_submission_is_no_error() -> None:
    assert REST.parse_submit(recorded("submit-held"), group(JobSpec("x"))) == [HELD]


def test_how_jobs_ended() -> None:
    ids = (SEVEN, f"{ARRAY}_0", HELD, KILLED, OK)
    jobs = REST.parse_status(recorded("status-ended"), ids).jobs
    assert (jobs[SEVEN].exit_code, jobs[SEVEN].hosts, jobs[SEVEN].tag) == (7, ("n1",), "seven")
    assert (jobs[KILLED].exit_code, jobs[KILLED].signal) == (137, 9)
    assert (jobs[OK].outcome, jobs[OK].exit_code) == (Outcome.EXITED, 0)
    assert (jobs[f"{ARRAY}_0"].outcome, jobs[f"{ARRAY}_0"].started) == (Outcome.CANCELLED, None)
    told = REST.parse_accounting(recorded("accounting"), (*ids, f"{ARRAY}_1", f"{ARRAY}_2")).jobs
    assert (told[SEVEN].outcome, told[SEVEN].exit_code) == (Outcome.EXITED, None), "slurmrestd says 0 for 7"
    assert (told[KILLED].exit_code, told[KILLED].signal) == (137, 9)
    assert told[OK].exit_code == 0
    assert told[f"{ARRAY}_2"].outcome is Outcome.CANCELLED
    assert f"{ARRAY}_1" not in told
    assert told[SEVEN].usage is not None


def test_the_forms_of_the_newer_versions() -> None:
    def number(value: int, *, infinite: bool = False) -> dict[str, object]:
        return {"set": not infinite, "infinite": infinite, "number": value}

    job = {
        "job_id": 9,
        "array_job_id": number(8),
        "array_task_id": number(1),
        "array_task_string": "",
        "job_state": ["COMPLETED"],
        "state_reason": "None",
        "exit_code": {"status": ["SIGNALED"], "return_code": number(0), "signal": {"id": number(9), "name": "KILL"}},
        "nodes": "n[1-2]",
        "restart_cnt": 1,
        "submit_time": number(5),
        "start_time": number(6),
        "end_time": number(7),
        "partition": "debug",
        "comment": "argosy:x",
        "user_name": "u",
    }
    waiting = {**job, "job_id": 8, "array_task_id": {"set": False, "infinite": False, "number": 0},
               "array_task_string": "2-3,6-10:2%1", "job_state": ["PENDING"], "nodes": "",
               "exit_code": {"status": ["PENDING"], "return_code": {"set": False}}}  # fmt: skip
    flags = {**job, "job_id": 7, "array_job_id": number(0), "job_state": ["RUNNING", "COMPLETING"]}
    ids = ["8_1", "8_2", "8_3", "8_4", "8_8", "7"]
    jobs = NEW.parse_status(answered({"jobs": [job, waiting, flags], "errors": [], "warnings": []}), ids).jobs
    assert (jobs["8_1"].phase, jobs["8_1"].signal, jobs["8_1"].exit_code) == (Phase.ENDED, 9, 137)
    assert (jobs["8_1"].submitted, jobs["8_1"].started, jobs["8_1"].ended, jobs["8_1"].run) == (5.0, 6.0, 7.0, 1)
    assert jobs["8_1"].hosts == ("n1", "n2")
    assert {one for one in jobs if jobs[one].phase is Phase.QUEUED} == {"8_2", "8_3", "8_8"}
    assert jobs["7"].phase is Phase.ENDING
    partition = {
        "name": "debug",
        "nodes": {"total": 4},
        "cpus": {"total": 16},
        "partition": {"state": ["UP"]},
        "maximums": {"time": number(0, infinite=True), "nodes": number(2)},
        "defaults": {"time": number(60)},
    }
    node = {"name": "n1", "partitions": ["debug"], "state": ["IDLE"], "cpus": 4, "real_memory": 100, "features": ["a"],
            "architecture": "x86_64", "operating_system": "Linux 6.1.0 #1 SMP"}  # fmt: skip
    drained = {**node, "name": "n2", "state": ["IDLE", "DRAIN"]}
    answer = answered({"partitions": [partition]}, {"nodes": [{**node, "alloc_cpus": 1}, drained]})
    (share,) = NEW.parse_shares([answer])
    assert (share.available, share.nodes, share.cores, share.free_cores) == (True, 4, 16, 3)
    assert (share.max_wall, share.max_nodes, share.default_wall, share.features) == (None, 2, 3600, ("a",))
    assert (share.nodes_up, share.architectures, share.operating_systems) == (1, ("x86_64",), ("linux",))
    assert not share.restricted


def test_a_list_of_elements_that_is_cut_off_counts_for_those_beyond_it() -> None:
    record = {"job_id": 8, "array_job_id": 8, "array_task_id": None, "array_task_string": "3,5,7,...",
              "job_state": "PENDING", "state_reason": "Resources", "exit_code": 0, "nodes": ""}  # fmt: skip
    ids = [f"8_{index}" for index in range(12)]
    jobs = REST.parse_status(answered({"jobs": [record], "errors": []}), ids).jobs
    assert sorted(jobs, key=ids.index) == ["8_3", "8_5", "8_7", "8_8", "8_9", "8_10", "8_11"]


def test_one_answer_that_failed_concerns_its_job_alone() -> None:
    good = {"jobs": [{"job_id": 7, "array_job_id": 0, "job_state": "RUNNING", "exit_code": 0, "nodes": "n1"}]}
    bad = {"jobs": [], "errors": [{"error_number": 2010, "error": "Access/permission denied"}]}
    snapshot = REST.parse_status(answered(good, bad), ["7", "8"])
    assert snapshot.jobs.keys() == {"7"}
    assert snapshot.unreadable == ((None, "Access/permission denied"),)
    with pytest.raises(Unavailable, match="Access/permission denied"):
        REST.parse_status(answered(bad, bad), ["7", "8"])


def test_jobs_of_other_users_are_nobodys_tags() -> None:
    found = REST.parse_find(recorded("jobs"), ["seven", "group", "held"])
    assert found == {"seven": SEVEN, "group": ARRAY, "held": HELD}
    assert "1" not in REST.parse_list(recorded("jobs"))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (None, None),
        (7, 7),
        (-1, None),
        (2**32 - 2, None),
        (2**64 - 2, None),
        ({"set": True, "infinite": False, "number": 3}, 3),
        ({"set": True, "infinite": True, "number": 3}, None),
        ({"set": False, "number": 3}, None),
    ],
)
def test_numbers(value: object, number: int | None) -> None:
    assert values.number(value) == number


def test_odd_numbers_and_states() -> None:
    for odd in ("7", True, [7], {"set": True, "number": "7"}):
        with pytest.raises(ValueError, match="is not a number"):
            values.number(odd)
    for odd in (None, "", [], [7], {}):
        with pytest.raises(ValueError, match="state is missing"):
            values.state(odd)


def test_group_of_one_has_no_array() -> None:
    assert "array" not in document(REST.script(Group("t", group(JobSpec("x")).members), "/s"))["job"]
