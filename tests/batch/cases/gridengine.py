"""Grid Engine's case; its outputs are in the form of a real 8.1.9's."""

from __future__ import annotations

from argosy.batch import Control
from argosy.batch.gridengine import GridEngine
from argosy.model import Phase

from . import Answer, Case, Controlled, said

_AWAY = 'unable to send message to qmaster using port 7999 on host "localhost": got send error'
_DOWN = f"error: commlib error: got select error (Connection refused)\nerror: {_AWAY}\n"


def _environ(native_id: str, run: int, index: int | None) -> dict[str, str]:
    job, _, task = native_id.partition(".")
    assert bool(task) is (index is not None)
    return {
        "JOB_ID": job,
        "SGE_TASK_ID": task or "undefined",
        "RESTARTED": str(min(run, 1)),
        "SGE_O_WORKDIR": "/",
        "HOSTNAME": "n1",
        "PE_HOSTFILE": "${SPOOL}/pe_hostfile",
        "NSLOTS": "3",
    }


def _table(*jobs: str) -> str:
    return (
        "<?xml version='1.0'?>\n<job_info  xmlns:xsd=\"http://example.org/qstat.xsd\">\n  <queue_info>\n"
        + "".join(jobs)
        + "  </queue_info>\n  <job_info>\n  </job_info>\n</job_info>\n"
    )


def _job(number: str, state: str, *, tasks: str = "", time: str = "2026-11-21T10:12:19") -> str:
    waits = "q" in state
    return (
        f'    <job_list state="{"pending" if waits else "running"}">\n'
        f"      <JB_job_number>{number}</JB_job_number>\n      <JB_name>a%lt;&amp;&gt;</JB_name>\n"
        f"      <JB_owner>user</JB_owner>\n      <state>{state}</state>\n"
        + (f"      <JB_submission_time>{time}</JB_submission_time>\n" if waits else "")
        + ("" if waits else f"      <JAT_start_time>{time}</JAT_start_time>\n")
        + f"      <queue_name>{'' if waits else 'all.q@n1'}</queue_name>\n      <slots>1</slots>\n"
        + (f"      <tasks>{tasks}</tasks>\n" if tasks else "")
        + "    </job_list>\n"
    )


_JOBS = [
    _job("7", "r"),
    _job("8", "r", tasks="1"),
    _job("8", "hqw", tasks="2,3-7:2"),
    _job("9", "Eqw"),
    _job("10", "dr"),
    _job("11", "hr"),
    _job("12", "qw"),
    _job("13", "Rq"),
    _job("14", "s"),
]
_PHASES = {
    "7": Phase.RUNNING,
    "8.1": Phase.RUNNING,
    "8.2": Phase.HELD,
    "8.3": Phase.HELD,
    "8.5": Phase.HELD,
    "9": Phase.HELD,
    "10": Phase.ENDING,
    "11": Phase.RUNNING,
    "12": Phase.QUEUED,
    "13": Phase.QUEUED,
    "14": Phase.SUSPENDED,
}
_DETAILS = (
    "<?xml version='1.0'?>\n<detailed_job_info>\n<djob_info>\n<element><JB_job_number>9</JB_job_number><JB_owner>user"
    "</JB_owner><JB_context><context_list><VA_variable>argosy</VA_variable><VA_value>one</VA_value></context_list>"
    "</JB_context><JB_ja_tasks><ulong_sublist><JAT_task_number>1</JAT_task_number><JAT_message_list><ulong_sublist>"
    "<QIM_message>can&apos;t open output file</QIM_message></ulong_sublist></JAT_message_list></ulong_sublist>"
    "</JB_ja_tasks></element>\n"
    "<element><JB_job_number>99</JB_job_number><JB_owner>other</JB_owner><JB_context><context_list><VA_variable>argosy"
    "</VA_variable><VA_value>two</VA_value></context_list></JB_context></element>\n</djob_info>\n</detailed_job_info>\n"
)


def _record(
    number: str, failed: str = "0    ", status: str = "0", *, task: str = "undefined", account: str = "sge"
) -> str:
    return (
        "=" * 62
        + f"""
qname        all.q
hostname     n1
owner        user
jobname      a
jobnumber    {number}
taskid       {task}
account      {account}
qsub_time    Sat Nov 21 10:12:19 2026
start_time   Sat Nov 21 10:12:20 2026
end_time     Sat Nov 21 10:12:21 2026
granted_pe   NONE
slots        1
failed       {failed}
exit_status  {status}
ru_wallclock 1s
ru_maxrss    4.879KB
cpu          0.007s
maxvmem      0.000B
category     NONE
"""
    )


_ACCOUNTED = (
    _record("20")
    + _record("21", "25  : rescheduling", "0")
    + _record("22", "100 : assumedly after job", "137                  (Killed)", task="3")
)
_HOSTS = "HOSTNAME  ARCH      NCPU\n----------------\nglobal    -            -\nn1        lx-amd64     4\n"
_SUMMARY = (
    "<?xml version='1.0'?>\n<job_info><cluster_queue_summary><name>all.q</name><load>1.0</load><used>1</used>"
    "<resv>0</resv>"
    "<available>3</available><total>4</total><temp_disabled>0</temp_disabled><manual_intervention>0</manual_intervention>"
    "</cluster_queue_summary></job_info>\n"
)

CASE = Case(
    system=GridEngine(),
    environ=_environ,
    files={"pe_hostfile": "n1 2 all.q@n1 UNDEFINED\nn2 1 all.q@n2 UNDEFINED\n"},
    accepted=(said("7\n"), "7"),
    other_id="9",
    accepted_array=(said("8.1-3:1\n"), ("8.1", "8.2", "8.3")),
    refused=(
        said(
            "",
            'Unable to run job: Job was rejected because job requests unknown queue "nosuch.q"\nExiting.\n',
            1,
        ),
        said("", 'qsub: invalid option argument "--nosuch"\n', 2),
    ),
    refused_for_now=(
        said(
            "",
            f"error: commlib error: got select error (Connection refused)\nUnable to run job: {_AWAY}\nExiting.\n",
            1,
        ),
        said("", 'error: cell directory "/var/lib/gridengine/nosuch" doesn\'t exist\n', 1),
    ),
    submit_unanswered=(
        said("", "Unable to run job: Error reading answer list from qmaster\nExiting.\n", 1),
        said(
            "",
            "Unable to run job: failed receiving gdi request response for mid=1 (got syncron message receive timeout "
            "error).\nExiting.\n",
            1,
        ),
        said("strange\n"),
    ),
    status=(
        Answer(
            said(_table(*_JOBS) + _DETAILS),
            (*_PHASES, "99", "8.4"),
            _PHASES,
            said(
                _table(*_JOBS, _job("15", "r", tasks="1").replace("<state>r</state>", "<state>&bad;</state>"))
                + _DETAILS
            ),
            "15",
        ),
        Answer(
            said(_table(*_JOBS)),
            tuple(_PHASES),
            _PHASES,
            said(_table(*_JOBS, _job("15", "??"))),
            "15",
        ),
        Answer(said(_table()), ("7", "8.1"), {}),
    ),
    status_unanswered=(said("", _DOWN, 1), said("")),
    accounting=(
        Answer(
            said(_ACCOUNTED),
            ("20", "21", "22.3", "23"),
            {"20": Phase.ENDED, "22.3": Phase.ENDED},
            said(_ACCOUNTED + _record("24", "soon")),
            "24",
        ),
        Answer(said("", "error: job id 7 not found\n\nerror: job id 8 not found\n"), ("7",), {}),
    ),
    accounting_unanswered=(said("", 'error: cell directory "/var/lib/gridengine/nosuch" doesn\'t exist\n'),),
    find=(
        (
            said("user\n" + _DETAILS, argv=("/bin/sh", "-c", "", "find")),
            said(
                _record("30", account="argosy.three") + _record("31", account="three"),
                argv=("/bin/sh", "-c", "", "find-accounting"),
            ),
        ),
        {"one": "9", "three": "30"},
    ),
    find_unanswered=(said("user\n", _DOWN, 1),),
    listed=(said(_table(*_JOBS)), ("7", "8.1", "8.2", "8.3", "8.5", "8.7", "9", "10", "11", "12", "13", "14")),
    list_unanswered=(said("", _DOWN, 1),),
    controlled=(
        Controlled(Control.CANCEL, said("user has registered the job 7 for deletion\n"), ("7",)),
        Controlled(Control.CANCEL, said('user has deleted job 7\ndenied: job "9" does not exist\n', "", 1), ("7", "9")),
        Controlled(
            Control.CANCEL,
            said(
                'user - you do not have the necessary privileges to delete the job "9"\nuser has deleted job 7\n', "", 1
            ),
            ("7", "9"),
            frozenset({"9"}),
        ),
        Controlled(
            Control.HOLD,
            said(
                'modified hold of job 7\ndenied: job "9" does not exist\nmodified hold of job-array task 8.2\n', "", 3
            ),
            ("7", "8.2", "9"),
            frozenset({"9"}),
        ),
        Controlled(
            Control.RELEASE,
            said('denied: "user" must be operator to remove operator hold\nmodified hold of job 7\n', "", 10),
            ("7", "9"),
            frozenset({"9"}),
        ),
        Controlled(
            Control.SUSPEND,
            said("Modify operation can not be applied on job-array task 9.1 in pending/hold state\n"),
            ("9",),
            frozenset({"9"}),
        ),
        Controlled(Control.RESUME, said("user - job 7 is already unsuspended\n"), ("7",)),
    ),
    control_unanswered=(
        (Control.CANCEL, said(f"{_AWAY}\n", "error: commlib error: got select error (Connection refused)\n", 1)),
        (Control.HOLD, said("", _DOWN, 1)),
    ),
    shares=(
        (
            said(_SUMMARY),
            said("qname                 all.q\nslots                 4\nh_rt                  1:00:00\n"),
            said(_HOSTS),
        ),
        ("all.q",),
    ),
    shares_unanswered=((said("", _DOWN, 1), said("", _DOWN, 1), said("", _DOWN, 1)),),
    directive_prefix="#$",
    directives_everywhere=True,
)
