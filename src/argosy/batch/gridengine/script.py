"""What a job script says besides directives and body: where it is, which run this is, on which hosts."""

from __future__ import annotations

from argosy.batch.contract import Group
from argosy.batch.runs import count_runs
from argosy.batch.script import body
from argosy.model.shell import quote

#: The exit status for an application that ended with 99 or 100: to Grid Engine these mean "run me again" and "keep me,
#: in error".
NOT_AS_IT_IS = 98

# The status with which the script ends, where it would mean something else to Grid Engine. Its record has the true one.
_STATUS = f"builtin trap 'case $? in 99 | 100) builtin exit {NOT_AS_IT_IS} ;; esac' EXIT"

_HOSTS = """
# The hosts, with commas between them.
argosy_hosts_of() {
    local argosy_host argosy_all=
    while builtin read -r argosy_host _; do
        argosy_all+=,$argosy_host
    done 2>/dev/null <"${PE_HOSTFILE:-/dev/null}"
    builtin echo "${argosy_all:-,$HOSTNAME}"
}
"""

# RESTARTED is 1 in every later run: which one it is was counted.
_RUN = """
argosy_run_of() {
    local argosy_count
    argosy_count=%s
    [[ ${RESTARTED-} =~ ^[1-9]$ ]] && ((argosy_count < RESTARTED)) && argosy_count=$RESTARTED
    builtin echo "$argosy_count"
}
"""

# One line for each process: a host has slots for its processes, several to a process where that has several cores.
_NODES = """\
if [[ -r ${PE_HOSTFILE-} ]]; then
    argosy_cores=$((${NSLOTS:-1} / argosy_processes))
    ((argosy_cores > 0)) || argosy_cores=1
    while builtin read -r argosy_host argosy_slots _; do
        for ((argosy_n = argosy_slots / argosy_cores; argosy_n > 0; argosy_n--)); do
            builtin echo "$argosy_host"
        done
    done <"$PE_HOSTFILE"
else
    for ((argosy_n = argosy_processes; argosy_n > 0; argosy_n--)); do
        builtin echo "$HOSTNAME"
    done
fi"""


def whole_body(group: Group, spool: str) -> str:
    """The script after its directives."""
    index = "$((SGE_TASK_ID - 1))" if group.is_array else '""'
    counted, run = count_runs(group, spool, index)
    output = '"$JOB_ID.$SGE_TASK_ID.out"' if group.is_array else '"$JOB_ID.out"'
    text = "\n".join(
        [
            # What the script itself prints: the path can be any here, in a directive it cannot.
            f"exec >>{quote(spool + '/out/')}{output} 2>&1 || :",
            _STATUS,
            _HOSTS + counted + _RUN % run,
            body(
                group,
                spool,
                native_id="$JOB_ID.$SGE_TASK_ID" if group.is_array else "$JOB_ID",
                run='"$(argosy_run_of)"',
                index=index,
                hosts='"$(argosy_hosts_of)"',
                start_directory='"${SGE_O_WORKDIR:-$HOME}"',
                node_list=_NODES,
            ),
        ]
    )
    return hide_directives(text)


def hide_directives(text: str) -> str:
    """The text without lines that begin as a directive does, and with the same meaning.

    qsub looks for directives in the whole script. Only a value can have a line that begins with one, and so stands
    between single quotes: they are closed and opened again.
    """
    return text.replace("\n#$", "\n''#$")
