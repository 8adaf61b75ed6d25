"""Which hosts a job of PBS or Torque is on, from the file that ``PBS_NODEFILE`` names: bash text, no command needed."""

from __future__ import annotations

from argosy.model.shell import quote

#: Defines argosy_pbs_hosts, which prints the hosts of the job, each once, with commas between.
HOSTS = r"""
argosy_pbs_hosts() {
    local argosy_line argosy_list=
    if [[ -r ${PBS_NODEFILE-} ]]; then
        while IFS= builtin read -r argosy_line || [[ -n $argosy_line ]]; do
            [[ -z $argosy_line || ,$argosy_list, == *,"$argosy_line",* ]] || argosy_list+=${argosy_list:+,}$argosy_line
        done <"$PBS_NODEFILE"
    fi
    builtin printf '%s' "${argosy_list:-$HOSTNAME}"
}
"""

#: PBS writes a line for each process (``mpiprocs``), chunk by chunk: those of one host are brought together.
NODE_LIST = r"""
local argosy_line argosy_lines=() argosy_rest=$argosy_hosts,
if [[ -r ${PBS_NODEFILE-} ]]; then
    while IFS= builtin read -r argosy_line || [[ -n $argosy_line ]]; do
        [[ -z $argosy_line ]] || argosy_lines+=("$argosy_line")
    done <"$PBS_NODEFILE"
fi
if [[ ${#argosy_lines[@]} != "$argosy_processes" ]]; then
    argosy_plain_nodes
    builtin return
fi
while [[ -n $argosy_rest ]]; do
    for argosy_line in "${argosy_lines[@]}"; do
        [[ $argosy_line != "${argosy_rest%%,*}" ]] || builtin printf '%s\n' "$argosy_line"
    done
    argosy_rest=${argosy_rest#*,}
done"""

_OUTPUT = r"""
argosy_out=SPOOL/out/${PBS_JOBID//[^A-Za-z0-9._-]/_}.out
if { : >>"$argosy_out"; } 2>/dev/null; then
    builtin exec >>"$argosy_out" 2>&1
fi
"""


def prologue(spool: str) -> str:
    """What stands before the script's body: what it prints itself goes into the spool, and `HOSTS`."""
    return _OUTPUT.replace("SPOOL", quote(spool)) + HOSTS
