"""The names: modules, star import, ``sys.modules``, signatures, and what importing costs."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import argosy
import argosy.psij as psij

from .real import ask

MODULES = [
    "descriptor", "exceptions", "executors", "executors.batch", "executors.batch.batch_scheduler_executor",
    "executors.batch.escape_functions", "executors.batch.script_generator", "executors.batch.slurm",
    "executors.batch.pbs", "executors.batch.pbs_classic", "executors.batch.lsf", "executors.batch.cobalt",
    "executors.batch.template_function_library", "executors.flux", "executors.local", "job", "job_attributes",
    "job_executor", "job_executor_config", "job_launcher", "job_spec", "job_state", "job_status", "launcher",
    "launchers", "launchers.aprun", "launchers.jsrun", "launchers.mpirun", "launchers.multiple",
    "launchers.script_based_launcher", "launchers.single", "launchers.srun", "resource_spec", "serialize", "staging",
    "utils", "version",
]  # fmt: skip

_CHECK = f"""
import importlib, sys
names = {MODULES!r}
for name in names:
    theirs, ours = importlib.import_module("psij." + name), importlib.import_module("argosy.psij." + name)
    assert theirs is ours, name
    assert ours.__name__ == "argosy.psij." + name, ours.__name__
    for one in getattr(ours, "__all__", ()):
        getattr(ours, one)
from psij import *
import psij, argosy
assert Job is argosy.Job and psij.Job is argosy.Job and psij.__version__ == argosy.__version__
assert psij.executors.batch.slurm.SlurmJobExecutor is type(JobExecutor.get_instance("slurm"))
job = Job(JobSpec("/bin/true"))
psij.JobExecutor.get_instance("local").submit(job)
print(job.wait().state)
"""


@pytest.mark.parametrize(
    "begin",
    [
        "import sys, argosy.psij; sys.modules['psij'] = argosy.psij",
        "import argosy.psij; argosy.psij.install(); argosy.psij.install()",
    ],
)
def test_the_name_psij_means_argosy(begin: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", begin + _CHECK], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "COMPLETED\n", "")


def test_installing_over_psij_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psij", type(sys)("psij"))
    with pytest.raises(ImportError, match="already"):
        psij.install()


def test_star_import_gives_all_names() -> None:
    names: dict[str, object] = {}
    exec("from argosy.psij import *", names)
    assert set(psij.__all__) <= set(names)
    assert names["Job"] is argosy.Job
    assert set(dir(psij)) == set(psij.__all__)
    with pytest.raises(AttributeError, match="nosuch"):
        psij.nosuch  # noqa: B018


def test_importing_costs_little() -> None:
    """No scheduler, no event loop and no service is imported with the names."""
    script = (
        "import sys, argosy.psij as psij;"
        "print([name for name in ('asyncio', 'asyncinotify', 'argosy.model', 'packaging', 'importlib.metadata') "
        "if name in sys.modules]);"
        "psij.Job(psij.JobSpec('/bin/true'));"
        "print([name for name in ('asyncio', 'argosy.executors.executor', 'msgspec') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n[]\n"


CLASSES = {
    "Job": "job",
    "JobExecutor": "job_executor",
    "JobExecutorConfig": "job_executor_config",
    "Launcher": "job_launcher",
    "JobSpec": "job_spec",
    "JobState": "job_state",
    "JobStateOrder": "job_state",
    "JobStatus": "job_status",
    "JobAttributes": "job_attributes",
    "ResourceSpecV1": "resource_spec",
    "SubmitException": "exceptions",
    "Descriptor": "descriptor",
    "JSONSerializer": "serialize",
    "SingletonThread": "utils",
    "BatchSchedulerExecutor": "executors.batch.batch_scheduler_executor",
    "BatchSchedulerExecutorConfig": "executors.batch.batch_scheduler_executor",
    "TemplatedScriptGenerator": "executors.batch.script_generator",
    "ScriptBasedLauncher": "launchers.script_based_launcher",
}
CONSTRUCTED = (
    "BatchSchedulerExecutorConfig",
    "JobAttributes",
    "JobExecutorConfig",
    "JobSpec",
    "JobStatus",
    "ResourceSpecV1",
)

_THEIRS = f"""
import importlib, inspect, json
found = {{}}
for name, module in {CLASSES!r}.items():
    one = getattr(importlib.import_module("psij." + module), name)
    members = [member for member in dir(one) if not member.startswith("_")]
    found[name] = [list(inspect.signature(one).parameters) if name in {CONSTRUCTED!r} else [], members]
print(json.dumps(found))
"""


def test_what_psij_python_has_is_there(tmp_path: Path) -> None:
    """Every public member, and the constructors' parameters in their order."""
    for name, (parameters, members) in ask(_THEIRS, tmp_path).items():
        ours = getattr(importlib.import_module(f"argosy.psij.{CLASSES[name]}"), name)
        assert [member for member in members if not hasattr(ours, member)] == [], name
        if parameters:
            assert list(inspect.signature(ours).parameters)[: len(parameters)] == parameters, name


def test_a_configuration_can_be_changed() -> None:
    config = psij.JobExecutorConfig(work_directory="/x")
    config.launcher_log_file = "/log"
    config.mine = 1
    assert (str(config.work_directory), str(config.launcher_log_file)) == ("/x", "/log")
    assert type(config)._from_config(config).work_directory == config.work_directory
    assert psij.JobExecutorConfig() == psij.JobExecutorConfig.DEFAULT
    assert psij.JobExecutorConfig.DEFAULT.work_directory == psij.JobExecutorConfig.DEFAULT_WORK_DIRECTORY
    assert isinstance(config, argosy.JobExecutorConfig)
    assert "work_directory" in repr(config)


def test_singleton_threads() -> None:
    from argosy.psij.utils import SingletonThread

    class One(SingletonThread):
        def run(self) -> None:
            pass

    class Other(SingletonThread):
        def run(self) -> None:
            pass

    assert One.get_instance() is One.get_instance()
    assert One.get_instance() is not Other.get_instance()
    One.get_instance().join(10)
    Other.get_instance().join(10)


def test_durations_of_templates() -> None:
    from argosy.psij.executors.batch.template_function_library import ALL

    minutes = ALL["walltime_to_minutes"]
    assert [minutes(one) for one in (7, "7", "1:30", "01:00:30", timedelta(seconds=61))] == [7, 7, 90, 61, 2]
