"""Which hosts a Slurm job's processes are on, from the variables that Slurm sets: bash text, no command needed.

``SLURM_JOB_NODELIST`` is like ``n[1-3,07],login`` and ``SLURM_TASKS_PER_NODE`` like ``2(x3),1``: as many of the hosts,
in the same order, have so many tasks each (sbatch(1), "OUTPUT ENVIRONMENT VARIABLES"). Without a number of tasks in the
request the latter is the number of CPUs; the job then has one process, on the first host.
"""

NODE_LIST = r"""
argosy_expand() {
    local argosy_name=$1 argosy_before argosy_inside argosy_after argosy_item argosy_first argosy_last argosy_number
    if [[ $argosy_name != *'['*']'* ]]; then
        argosy_list+=("$argosy_name")
        builtin return
    fi
    argosy_before=${argosy_name%%'['*}
    argosy_after=${argosy_name#*'['}
    argosy_inside=${argosy_after%%']'*},
    argosy_after=${argosy_after#*']'}
    while [[ -n $argosy_inside ]]; do
        argosy_item=${argosy_inside%%,*}
        argosy_inside=${argosy_inside#*,}
        argosy_first=${argosy_item%-*}
        argosy_last=${argosy_item#*-}
        for ((argosy_number = 10#$argosy_first; argosy_number <= 10#$argosy_last; argosy_number++)); do
            builtin printf -v argosy_item '%0*d' "${#argosy_first}" "$argosy_number"
            argosy_expand "$argosy_before$argosy_item$argosy_after"
        done
    done
}
local argosy_list=() argosy_rest=$SLURM_JOB_NODELIST, argosy_name argosy_node=0 argosy_times argosy_tasks argosy_one
while [[ -n $argosy_rest ]]; do
    argosy_name=${argosy_rest%%,*}
    argosy_rest=${argosy_rest#*,}
    # A comma within brackets separates numbers, not names.
    while [[ ${argosy_name##*'['} != *']'* && $argosy_name == *'['* && -n $argosy_rest ]]; do
        argosy_name+=,${argosy_rest%%,*}
        argosy_rest=${argosy_rest#*,}
    done
    argosy_expand "$argosy_name"
done
argosy_rest=${SLURM_TASKS_PER_NODE:?},
[[ -n ${SLURM_NTASKS-} ]] || argosy_rest=$argosy_processes,
while [[ -n $argosy_rest ]]; do
    argosy_tasks=${argosy_rest%%,*}
    argosy_rest=${argosy_rest#*,}
    argosy_times=1
    if [[ $argosy_tasks == *'(x'*')' ]]; then
        argosy_times=${argosy_tasks#*'(x'}
        argosy_times=${argosy_times%')'}
        argosy_tasks=${argosy_tasks%%'('*}
    fi
    for (( ; argosy_times > 0; argosy_times--, argosy_node++)); do
        for ((argosy_one = 0; argosy_one < argosy_tasks; argosy_one++)); do
            builtin printf '%s\n' "${argosy_list[argosy_node]:?more nodes have tasks than SLURM_JOB_NODELIST names}"
        done
    done
done"""
