"""The calls of Rimrock's own description, as curl makes them, and what it leaves open."""

from __future__ import annotations

import re
import subprocess
import time
import uuid
from collections.abc import Callable

import pytest

from tests import waiting
from tests.rimrock.conftest import DEAD, HERE, HOST, Answered, Site
from tests.waiting import LIMIT

pytestmark = [pytest.mark.slurm, pytest.mark.ssh, pytest.mark.timeout(120)]

JOB = {"job_id", "stdout_path", "stderr_path", "status", "tag"}
TIMES = {"nodes", "cores", "wall_time", "queue_time", "start_time", "end_time"}
FAULT = {"status", "exit_code", "standard_output", "error_output", "error_message", "tag"}


def until(look: Callable[[], dict], word: str, timeout: float = LIMIT) -> dict:
    deadline = time.monotonic() + timeout
    while (job := look())["status"] != word:
        assert time.monotonic() < deadline, job
        assert job["status"] in ("QUEUED", "RUNNING"), job
        time.sleep(0.1)
    return job


def submit(site: Site, proxy: str, script: str, **more: object) -> dict:
    answered = site.ask("POST", "/api/jobs", {"host": HOST, "script": script} | more, proxy=proxy)
    assert answered.status == 201, answered
    return answered.json


def look(site: Site, proxy: str, id: str) -> dict:
    answered = site.ask("GET", f"/api/jobs/{id}", proxy=proxy)
    assert answered.status == 200, answered
    return answered.json


def is_fault(answered: Answered, status: int, words: str) -> None:
    assert answered.status == status, answered
    body = answered.json
    assert set(body) == FAULT
    assert body["status"] == "error"
    assert re.search(words, body["error_message"]), body


def test_a_job_from_its_submission_to_its_output(site: Site, alice: str) -> None:
    # The data of the description, its backslashes as a shell's single quotes leave them.
    data = f'{{"host":"{HOST}", "script":"#!/bin/bash\\n#SBATCH -A plgtest\\necho hello\\nexit 0"}}'
    job = site.ask("POST", "/api/jobs", data, proxy=alice)
    assert job.status == 201, job
    created = job.json
    assert set(created) == JOB
    assert created["tag"] is None
    assert created["status"] in ("QUEUED", "RUNNING", "FINISHED")
    # The batch system's own id.
    number, _, host = created["job_id"].partition(".")
    assert host == HOST
    subprocess.run(["scontrol", "show", "job", number], stdout=subprocess.DEVNULL, check=True)
    done = until(lambda: look(site, alice, created["job_id"]), "FINISHED")
    assert set(done) == JOB | TIMES
    assert all(isinstance(done[name], str) for name in TIMES)
    assert (done["nodes"], done["cores"]) == ("1", "1")
    for name in ("start_time", "end_time"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", done[name])
    for name in ("wall_time", "queue_time"):
        assert re.fullmatch(r"\d\d:\d\d:\d\d", done[name])
    assert site.curl(done["stdout_path"], proxy=alice).body == "hello\n"
    assert site.curl(done["stderr_path"], proxy=alice).status == 200
    listed = site.ask("GET", "/api/jobs", proxy=alice).json
    assert done in listed


def test_output_is_read_while_the_job_runs(site: Site, alice: str) -> None:
    job = submit(site, alice, "#!/bin/bash\necho begun\necho wrong >&2\nsleep 300")
    until(lambda: look(site, alice, job["job_id"]), "RUNNING")
    for name, line in (("stdout_path", "begun\n"), ("stderr_path", "wrong\n")):
        waiting.until(lambda name=name, line=line: site.curl(job[name], proxy=alice).body == line)
    assert site.ask("DELETE", f"/api/jobs/{job['job_id']}", proxy=alice).status == 204


def test_abort_and_delete(site: Site, alice: str) -> None:
    job = submit(site, alice, "#!/bin/bash\nsleep 300")
    path = f"/api/jobs/{job['job_id']}"
    assert site.ask("PUT", path, '{"action":"Abort"}', proxy=alice).status == 204
    until(lambda: look(site, alice, job["job_id"]), "ABORTED")
    assert site.ask("PUT", path, '{"action":"abort"}', proxy=alice).status == 204
    assert site.ask("DELETE", path, proxy=alice) == Answered(204, "")
    for method, data in (("GET", None), ("DELETE", None), ("PUT", '{"action":"abort"}')):
        is_fault(site.ask(method, path, data, proxy=alice), 404, f"^Job with {re.escape(job['job_id'])} not found$")
    number = job["job_id"].partition(".")[0]
    said = subprocess.run(["scontrol", "show", "job", number], capture_output=True, text=True, check=True).stdout
    assert "JobState=CANCELLED" in said


def test_deleting_a_running_job_cancels_it(site: Site, alice: str) -> None:
    job = submit(site, alice, "#!/bin/bash\nsleep 300")
    assert site.ask("DELETE", f"/api/jobs/{job['job_id']}", proxy=alice).status == 204
    number = job["job_id"].partition(".")[0]
    said = subprocess.run(["scontrol", "show", "job", number], capture_output=True, text=True, check=True).stdout
    assert "JobState=CANCELLED" in said


def test_tags(site: Site, alice: str, bob: str) -> None:
    tag = f"a b&{uuid.uuid4()}"
    jobs = [submit(site, alice, "#!/bin/sh\nexit 0", tag=tag)["job_id"] for _ in range(2)]
    submit(site, alice, "#!/bin/sh\nexit 0", tag="other")
    submit(site, bob, "#!/bin/sh\nexit 0", tag=tag)
    answered = site.curl("-G", "--data-urlencode", f"tag={tag}", f"{site.url}/api/jobs", proxy=alice)
    assert sorted(job["job_id"] for job in answered.json) == sorted(jobs)
    assert {job["tag"] for job in answered.json} == {tag}
    assert site.ask("GET", "/api/jobs?tag=nobody's", proxy=alice).json == []


def test_jobs_of_others_are_not_there(site: Site, alice: str, bob: str) -> None:
    job = submit(site, alice, "#!/bin/sh\nsleep 300")
    path = f"/api/jobs/{job['job_id']}"
    for method, data in (("GET", None), ("PUT", '{"action":"abort"}'), ("DELETE", None)):
        is_fault(site.ask(method, path, data, proxy=bob), 404, "not found")
    assert job["job_id"] not in {one["job_id"] for one in site.ask("GET", "/api/jobs", proxy=bob).json}
    assert site.curl(job["stdout_path"], proxy=bob).status == 404
    assert look(site, alice, job["job_id"])["status"] in ("QUEUED", "RUNNING")
    site.ask("DELETE", path, proxy=alice)


def test_directives_and_the_working_directory_are_honoured(site: Site, alice: str, tmp_path: str) -> None:
    script = (
        "#!/bin/bash\n#SBATCH --job-name=honoured\n#SBATCH -N 2\n#SBATCH --ntasks-per-node=3\n#SBATCH -o mine.log\n"
        "#SBATCH -p long\n#SBATCH -N 1\npwd\necho $SLURM_JOB_NAME $SLURM_NTASKS\n"
    )
    job = submit(site, alice, script, working_directory=str(tmp_path))
    done = until(lambda: look(site, alice, job["job_id"]), "FINISHED")
    assert site.curl(done["stdout_path"], proxy=alice).body == f"{tmp_path}\nhonoured 3\n"
    assert done["stdout_path"].endswith("/mine.log")
    assert (done["nodes"], done["cores"]) == ("1", "3")


def test_a_script_that_fails_is_an_error(site: Site, alice: str) -> None:
    job = submit(site, alice, "#!/bin/bash\nexit 3")
    until(lambda: look(site, alice, job["job_id"]), "ERROR")


def test_who_may_not(site: Site, alice: str) -> None:
    is_fault(site.ask("GET", "/api/jobs", proxy=None), 401, "PROXY")
    is_fault(site.ask("GET", "/api/jobs", proxy="AAAA"), 403, "proxy|certificate|PEM")
    is_fault(site.ask("GET", "/api/jobs", proxy=alice[:-400]), 403, ".")
    is_fault(site.ask("GET", "/api/jobs", proxy=site.header("stranger")), 403, "Stranger Example")
    is_fault(site.ask("GET", "/api/jobs", proxy=site.header("bob", "-limited")), 403, "limited")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"script":"x"}', "host"),
        ('{"host":"nowhere.example.org","script":"#!/bin/sh\\n"}', f"nowhere.example.org.*{HOST}"),
        (f'{{"host":"{HOST}"}}', "script"),
        (f'{{"host":"{HOST}","script":""}}', "script"),
        (f'{{"host":"{HOST}","script":7}}', "script"),
        (f'{{"host":"{HOST}","script":"#!/bin/sh","tag":[]}}', "tag"),
        (f'{{"host":"{HOST}","script":"#!/bin/sh","working_directory":"a\\u0000b"}}', "directory"),
        (f'{{"host":"{HOST}","script":"#!/bin/sh\\n#SBATCH --array=1-5\\n"}}', "script.*5 jobs"),
        (f'{{"host":"{HOST}","script":"#!/bin/sh\\n#SBATCH -N x\\n"}}', "script.*x"),
        ("{", "JSON"),
        ("[]", "object"),
    ],
)
def test_bad_requests(site: Site, alice: str, body: str, words: str) -> None:
    before = len(site.ask("GET", "/api/jobs", proxy=alice).json)
    is_fault(site.ask("POST", "/api/jobs", body, proxy=alice), 422, words)
    assert len(site.ask("GET", "/api/jobs", proxy=alice).json) == before


def test_unknown_actions_and_addresses(site: Site, alice: str) -> None:
    job = submit(site, alice, "#!/bin/sh\nexit 0")
    is_fault(site.ask("PUT", f"/api/jobs/{job['job_id']}", '{"action":"dance"}', proxy=alice), 422, "dance")
    is_fault(site.ask("GET", "/api/nothing", proxy=alice), 404, "/api/jobs")
    is_fault(site.ask("PATCH", "/api/jobs", "{}", proxy=alice), 405, "GET, POST")


def test_what_the_scheduler_refuses_is_told_in_its_words(site: Site, alice: str) -> None:
    before = len(site.ask("GET", "/api/jobs", proxy=alice).json)
    answered = site.ask(
        "POST", "/api/jobs", {"host": HOST, "script": "#!/bin/sh\n#SBATCH --constraint=nothere\n"}, proxy=alice
    )
    is_fault(answered, 500, "(?i)feature")
    assert len(site.ask("GET", "/api/jobs", proxy=alice).json) == before


def test_one_dead_host_delays_nobody_and_hides_nothing(site: Site, alice: str) -> None:
    job = site.ask("POST", "/api/jobs", {"host": DEAD, "script": "#!/bin/sh\n"}, proxy=alice)
    # It is recorded, and goes when the host is back.
    assert (job.status, job.json["status"]) == (201, "QUEUED"), job
    listed = {one["job_id"]: one for one in site.ask("GET", "/api/jobs", proxy=alice).json}
    assert listed[job.json["job_id"]]["status"] == "QUEUED"
    assert look(site, alice, job.json["job_id"])["status"] == "QUEUED"
    other = submit(site, alice, "#!/bin/sh\nexit 0")
    until(lambda: look(site, alice, other["job_id"]), "FINISHED")
    is_fault(site.ask("POST", "/api/process", {"host": DEAD, "command": "true"}, proxy=alice), 503, "127.0.0.1|reached")
    assert site.ask("PUT", f"/api/jobs/{job.json['job_id']}", '{"action":"abort"}', proxy=alice).status == 204


@pytest.mark.parametrize("host", [HOST, HERE])
def test_processes(site: Site, alice: str, host: str, tmp_path: str) -> None:
    def run(command: str, **more: object) -> Answered:
        return site.ask("POST", "/api/process", {"host": host, "command": command} | more, proxy=alice)

    answered = run('echo out; echo "it\'s" >&2; exit 7')
    assert answered.status == 200
    assert answered.json == {
        "status": "OK", "exit_code": 7, "standard_output": "out\n", "error_output": "it's\n", "error_message": None,
    }  # fmt: skip
    assert run("pwd", working_directory=str(tmp_path)).json["standard_output"] == f"{tmp_path}\n"
    assert run("pwd; cat").json["standard_output"].count("\n") == 1
    assert run("exit 124").json["exit_code"] == 124
    assert run("true", working_directory="/no/such").json["exit_code"] == 1
    assert "/no/such" in run("true", working_directory="/no/such").json["error_output"]
    late = run("echo before; echo also >&2; sleep 300; echo after")  # curl waits a minute
    is_fault(late, 408, "timeout")
    assert (late.json["exit_code"], late.json["standard_output"], late.json["error_output"]) == (
        -1, "before\n", "also\n",
    )  # fmt: skip
    # What stays behind holds nothing up.
    assert run("sleep 20 & echo gone").json["standard_output"] == "gone\n"
    is_fault(run(" "), 422, "command")


def test_they_are_activities_like_any_other(site: Site, alice: str) -> None:
    job = submit(site, alice, "#!/bin/sh\nexit 0", tag="native")
    id = re.search(r"/v1/activities/([^/]+)/files/", job["stdout_path"])[1]
    activity = site.ask("GET", f"/v1/activities/{id}", proxy=alice).json
    assert activity["tags"] == {"rimrock.host": HOST, "rimrock.tag": "native"}
    assert f"{activity['native_id']}.{HOST}" == job["job_id"]


def test_a_repeated_request_with_a_key_is_one_job(site: Site, alice: str) -> None:
    words = ["-X", "POST", "--header", f"Idempotency-Key: {uuid.uuid4()}", "--data",
             f'{{"host":"{HOST}","script":"#!/bin/sh\\nexit 0"}}', f"{site.url}/api/jobs"]  # fmt: skip
    first, second = (site.curl(*words, proxy=alice).json for _ in range(2))
    assert first["job_id"] == second["job_id"]
