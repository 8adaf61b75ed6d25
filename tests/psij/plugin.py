"""A plug-in as a third party would write it for psij-python, and the batch system that it is for.

The batch system ("toy") is some lines of shell: a directory holds one file for each job; `tsub` runs the script in the
background, `tstat` shows the jobs, `tdel` kills one.
"""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

_TSUB = r"""
#!/bin/bash
# tsub SCRIPT: prints "Submitted job N"
cd {root}
[ ! -e down ] || { echo "cannot reach the toy server" >&2; exit 3; }
[ ! -e refuse ] || { echo "no such queue" >&2; exit 2; }
n=$(( $(cat last 2>/dev/null || echo 0) + 1 )); echo $n > last
echo Q > job.$n
(
    exec </dev/null >/dev/null 2>&1
    while [ -e hold ]; do /bin/sleep 0.05; done
    # Once it is shown to run, its process group is there, and known.
    TOY_ID=$n setsid bash -c 'echo $$ > pid.$TOY_ID; echo R > job.$TOY_ID; exec bash "$1"' toy "$1" &
    wait $!
    [ "$(cat job.$n)" = X ] || echo E > job.$n
) &
echo "Submitted job $n"
"""

_TSTAT = r"""
#!/bin/bash
# tstat ID...: a heading, then one line a job; "E" is any end
cd {root}
echo tstat "$@" >> calls
[ ! -e down ] || { echo "cannot reach the toy server" >&2; exit 3; }
if [ -e strict ]; then
    for n in "$@"; do [ -e job.$n ] || { echo "unknown job $n" >&2; exit 4; }; done
fi
echo "ID STATE"
[ ! -e odd ] || cat odd
for n in "$@"; do [ ! -e job.$n ] || echo "$n $(cat job.$n)"; done
"""

_TDEL = r"""
#!/bin/bash
cd {root}
[ -e job.$1 ] || { echo "unknown job" >&2; exit 4; }
[ "$(cat job.$1)" != E ] || { echo "job has ended" >&2; exit 5; }
echo X > job.$1
kill -KILL -$(cat pid.$1)
"""

_TLIST = r"""
#!/bin/bash
cd {root}
[ ! -e down ] || { echo "cannot reach the toy server" >&2; exit 3; }
for f in job.*; do [ ! -e "$f" ] || echo " ${f#job.} "; done
"""

_EXECUTOR = r"""
from psij import JobState, JobStatus, SubmitException
from psij.executors.batch.batch_scheduler_executor import (
    BatchSchedulerExecutor, BatchSchedulerExecutorConfig, InvalidJobStateError, check_status_exit_code,
)
from psij.executors.batch.escape_functions import bash_escape

_STATES = {"Q": JobState.QUEUED, "R": JobState.ACTIVE, "E": JobState.COMPLETED, "X": JobState.CANCELED}


class ToyExecutorConfig(BatchSchedulerExecutorConfig):
    pass


class ToyJobExecutor(BatchSchedulerExecutor):
    def __init__(self, url=None, config=None):
        if not config:
            config = ToyExecutorConfig()
        super().__init__(url=url, config=config)

    def generate_submit_script(self, job, context, submit_file):
        psij = context["psij"]
        for variable in context["env"]:
            submit_file.write("export %s=%s\n" % (variable["name"], bash_escape(variable["value"])))
        if job.spec.directory:
            submit_file.write("cd %s\n" % bash_escape(job.spec.directory))
        submit_file.write("# %s %s\n" % (context["custom_attributes"], context["formatted_job_duration"]))
        submit_file.write('exec >> "%s/$TOY_ID.out" 2>&1\n' % psij["script_dir"])
        submit_file.write(" ".join(bash_escape(word) for word in psij["launch_command"]) + "\n")
        submit_file.write('echo "$?" > "%s/$TOY_ID.ec"\n' % psij["script_dir"])

    def get_submit_command(self, job, submit_file_path):
        return ["{root}/tsub", str(submit_file_path.absolute())]

    def job_id_from_submit_output(self, out):
        return out.strip().split()[-1]

    def get_cancel_command(self, native_id):
        return ["{root}/tdel", native_id]

    def process_cancel_command_output(self, exit_code, out):
        if "has ended" in out:
            raise InvalidJobStateError()
        raise SubmitException("Failed to cancel: %s" % out)

    def get_status_command(self, native_ids):
        return ["{root}/tstat"] + list(native_ids)

    def parse_status_output(self, exit_code, out):
        check_status_exit_code("tstat", exit_code, out)
        r = {}
        lines = iter(out.split("\n"))
        next(lines)
        for line in lines:
            if not line:
                continue
            cols = line.split()
            assert len(cols) == 2
            r[cols[0]] = JobStatus(_STATES[cols[1]])
        return r

    def get_list_command(self):
        return ["{root}/tlist"]
"""

_TEMPLATED = r"""
from pathlib import Path
from psij.executors.batch.script_generator import TemplatedScriptGenerator
from .toy import ToyJobExecutor


class TemplatedToyJobExecutor(ToyJobExecutor):
    def __init__(self, url=None, config=None):
        super().__init__(url, config)
        self.generator = TemplatedScriptGenerator(self.config, Path(__file__).parent / "toy.mustache")

    def generate_submit_script(self, job, context, submit_file):
        self.generator.generate_submit_script(job, context, submit_file)
"""

_TEMPLATE = r"""
#!/bin/bash
{{#job.spec.directory}}
cd {{.}}
{{/job.spec.directory}}
{{#env}}
export {{name}}={{value}}
{{/env}}
{{#custom_attributes}}{{#toy}}
# {{key}} {{value}}
{{/toy}}{{/custom_attributes}}
exec >> {{psij.script_dir}}/$TOY_ID.out 2>&1
{{#psij.launch_command}}{{.}} {{/psij.launch_command}}
echo "$?" > {{psij.script_dir}}/$TOY_ID.ec
"""

_PLAIN = r'''
import threading
from typing import List
from psij import InvalidJobException, Job, JobExecutor, JobExecutorConfig, JobState, JobStatus


class PlainJobExecutor(JobExecutor):
    """An executor that is built on nothing but psij.JobExecutor."""

    def __init__(self, url=None, config=None):
        super().__init__(url=url, config=config if config else JobExecutorConfig())
        self.jobs = {}

    def submit(self, job: Job) -> None:
        spec = self._check_job(job)
        job._native_id = "plain-1"
        self.jobs[job.native_id] = job
        self.launch_command = self._get_launcher("single").get_launch_command(job)
        self._set_job_status(job, JobStatus(JobState.QUEUED))
        threading.Thread(target=self._run, args=(job,)).start()

    def _run(self, job):
        with job._status_cv:
            self._set_job_status(job, JobStatus(JobState.ACTIVE))
        self._set_job_status(job, JobStatus(JobState.COMPLETED, exit_code=0))

    def cancel(self, job: Job) -> None:
        pass

    def list(self) -> List[str]:
        return list(self.jobs)

    def attach(self, job: Job, native_id: str) -> None:
        job.executor = self
        job._native_id = native_id
'''

_LAUNCHER = r"""
from pathlib import Path
from psij.launchers.script_based_launcher import ScriptBasedLauncher
from psij.launchers.multiple import MultipleLauncher


class LoudLauncher(ScriptBasedLauncher):
    def __init__(self, config=None):
        super().__init__(Path(__file__).parent / "loud.sh", config)

    def get_additional_args(self, job):
        return ["an argument"]


class ManyLauncher(MultipleLauncher):
    def __init__(self, config=None):
        super().__init__(config=config)
"""

_LOUD = r"""
#!/bin/bash
source "$(dirname "$0")/launcher_lib.sh"
pre_launch
[ "$1" = "an argument" ] || exit 9
shift
echo "loud: $LOUD" >> "$_PSI_J_STDOUT"
set +e
"$@" >> "$_PSI_J_STDOUT" 2>> "$_PSI_J_STDERR" < "$_PSI_J_STDIN"
status=$?
set -e
post_launch
echo "_PSI_J_LAUNCHER_DONE"
exit $status
"""

_DESCRIPTORS = r"""
from packaging.version import Version
from psij.descriptor import Descriptor

__PSI_J_EXECUTORS__ = [
    Descriptor(name="toy", nice_name="Toy", aliases=["toi"], version=Version("1.2.0"),
               cls="toyplug.toy.ToyJobExecutor"),
    Descriptor(name="toy", version=Version("0.9"), cls="toyplug.toy.ToyJobExecutor"),
    Descriptor(name="toytemplate", version=Version("1.0"), cls="toyplug.templated.TemplatedToyJobExecutor"),
    Descriptor(name="plain", version=Version("0.1"), cls="toyplug.plain.PlainJobExecutor"),
    Descriptor(name="broken", version=Version("0.1"), cls="toyplug.broken.BrokenJobExecutor"),
    Descriptor(name="nothere", version=Version("0.1"), cls="toyplug.toy.NotThere"),
    "not a descriptor",
]
__PSI_J_LAUNCHERS__ = [
    Descriptor(name="loud", version=Version("0.1"), cls="toyplug.launchers.LoudLauncher"),
    Descriptor(name="many", version=Version("0.1"), cls="toyplug.launchers.ManyLauncher"),
]
"""


def write_plugin(site: Path, root: Path) -> None:
    """Install the plug-in below `site` (an entry of sys.path) and the batch system below `root`."""
    files = {
        site / "psij-descriptors" / "toy_descriptors.py": _DESCRIPTORS,
        site / "psij-descriptors" / "odd_descriptors.py": "import nosuchmodule\n",
        site / "toyplug" / "__init__.py": "",
        site / "toyplug" / "toy.py": _EXECUTOR,
        site / "toyplug" / "templated.py": _TEMPLATED,
        site / "toyplug" / "toy.mustache": _TEMPLATE,
        site / "toyplug" / "plain.py": _PLAIN,
        site / "toyplug" / "launchers.py": _LAUNCHER,
        site / "toyplug" / "loud.sh": _LOUD,
        site / "toyplug" / "broken.py": "raise OSError('a library of mine is missing')\n",
    }
    programs = {"tsub": _TSUB, "tstat": _TSTAT, "tdel": _TDEL, "tlist": _TLIST}
    files |= {root / name: text for name, text in programs.items()}
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip().replace("{root}", str(root)))
        os.chmod(path, 0o755 if path.parent == root else 0o644)
