#!/bin/bash
# Bring up a Grid Engine cell of its own on this machine for the tests: one execution host, the queues `all.q` and
# `short.q` (at most an hour), the parallel environments `smp` and `mpi`, everything on the loopback. Needs root and
# Debian or Ubuntu. Does nothing where the cell is already up; a cell or cluster of somebody else's is left alone.
# Prints nothing but errors. The variables that its commands need are in tests/servers/gridengine.py.
set -euo pipefail

export SGE_ROOT=/var/lib/gridengine SGE_CELL=argosy SGE_QMASTER_PORT=17844 SGE_EXECD_PORT=17845 SGE_ARCH=lx-amd64
programs=/usr/lib/gridengine
cell=$SGE_ROOT/$SGE_CELL
common=$cell/common
state=/var/spool/gridengine-argosy
slots=512
self=$(realpath "$0")
host=localhost

fail() { echo "gridengine-up: $*" >&2; exit 1; }

# await SECONDS WHAT COMMAND...: until the command succeeds.
await() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "$what did not come up"
        read -r -t 0.05 <> <(:) || true
    done
}

# alive NAME FILE: whether the daemon whose pid is in the file lives (and the pid is not another program's by now).
alive() {
    local pid
    pid=$(cat "$2" 2>/dev/null) && [ -n "$pid" ] && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == "$1" ]]
}

answers() { timeout 10 qconf -sh; }

# Whether the execution host has said what it is, and its queue takes jobs.
ready() { qstat -f 2>/dev/null | grep -qE "^all\.q@$host .* $SGE_ARCH +\$"; }

[ "$(id -u)" = 0 ] || fail "needs root"

# -- programs ---------------------------------------------------------------------------------------------------------
missing=()
for program in sge_qmaster sge_execd qsub spoolinit; do
    [ -x "$programs/$program" ] || missing+=("$program")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "gridengine-up: installing, as there is no ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends gridengine-master gridengine-exec gridengine-client >&2
fi
# The programs themselves: what Debian has in /usr/bin are wrappers of theirs, at several times the cost.
export PATH=$programs:/usr/bin:/bin:/usr/sbin:/sbin
cd /

if cmp -s "$self" "$state/configured" && alive sge_qmaster "$state/qmaster/qmaster.pid" &&
    alive sge_execd "$state/execd/$host/execd.pid" && answers >/dev/null && ready; then
    exit 0
fi

# -- the cell ---------------------------------------------------------------------------------------------------------
fresh=no
[ -e "$state/spool/sge" ] || fresh=yes
install -d -o sgeadmin -g sgeadmin "$state" "$state/spool" "$state/qmaster" "$state/qmaster/job_scripts" "$state/execd" "$cell" "$common"
cat >"$common/bootstrap" <<END
admin_user              sgeadmin
default_domain          none
ignore_fqdn             true
spooling_method         berkeleydb
spooling_lib            libspoolb
spooling_params         $state/spool
binary_path             $programs
qmaster_spool_dir       $state/qmaster
security_mode           none
listener_threads        2
worker_threads          2
scheduler_threads       1
END
echo "$host" >"$common/act_qmaster"
# This machine by all its names is one host, reached over the loopback.
echo "$host $(hostname) $(hostname -s)" >"$common/host_aliases"
if [ $fresh = yes ]; then
    chown -R sgeadmin:sgeadmin "$cell"
    runuser -u sgeadmin -- /usr/share/gridengine/scripts/init_cluster "$SGE_ROOT" "$SGE_CELL" "$state/spool" sgeadmin >/dev/null
fi
# qacct wants the file before the first job has ended.
touch "$common/accounting"
chown -R sgeadmin:sgeadmin "$cell"

# -- the master -------------------------------------------------------------------------------------------------------
if ! alive sge_qmaster "$state/qmaster/qmaster.pid"; then
    setsid -f "$programs/sge_qmaster" </dev/null >"$state/qmaster.out" 2>&1
fi
await 30 "the queue master" answers

# has WHAT NAME: whether qconf lists that name.
has() { qconf "$1" 2>/dev/null | grep -qx "$2"; }

files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT

# change LISTING WRITING SED...: read one object, change it, and write it back.
change() {
    # qconf takes the file's name for that of the configuration, where there are several.
    (cd "$files" && qconf "$1" | sed -E "${@:3}" >global && qconf "$2" global >said 2>&1) ||
        fail "qconf $2: $(cat "$files/said")"
}

# As long as it is not written down as done, or was done by another version of this script.
if [ $fresh = yes ] || ! cmp -s "$self" "$state/configured"; then
    runuser -u sgeadmin -- env PATH="$PATH" qconf -am root >/dev/null 2>&1 || true
    has -ss "$host" || qconf -as "$host" >/dev/null 2>&1
    if ! has -shgrpl @allhosts; then
        printf 'group_name @allhosts\nhostlist %s\n' "$host" >"$files/group"
        qconf -Ahgrp "$files/group" >/dev/null 2>&1
    fi
    for pe in "smp \$pe_slots" "mpi \$round_robin"; do
        has -spl "${pe%% *}" && continue
        cat >"$files/pe" <<END
pe_name            ${pe%% *}
slots              9999
user_lists         NONE
xuser_lists        NONE
start_proc_args    NONE
stop_proc_args     NONE
allocation_rule    ${pe#* }
control_slaves     TRUE
job_is_first_task  FALSE
urgency_slots      min
accounting_summary TRUE
qsort_args         NONE
END
        qconf -Ap "$files/pe" >/dev/null 2>&1
    done
    # Scripts are started by their own first line.
    common_changes="s/^hostlist .*/hostlist @allhosts/; s/^slots .*/slots $slots/; s/^pe_list .*/pe_list smp mpi/; s/^load_thresholds .*/load_thresholds NONE/; s#^shell .*#shell /bin/sh#; s/^shell_start_mode .*/shell_start_mode unix_behavior/"
    has -sql all.q || change -sq -Aq "s/^qname .*/qname all.q/; $common_changes"
    has -sql short.q || change -sq -Aq "s/^qname .*/qname short.q/; s/^h_rt .*/h_rt 1:0:0/; $common_changes"
    # Schedule at once; a busy machine takes jobs too.
    change -ssconf -Msconf 's/^schedule_interval .*/schedule_interval 0:0:1/; s/^flush_(submit|finish)_sec .*/flush_\1_sec 1/; s/^job_load_adjustments .*/job_load_adjustments NONE/; s/^load_adjustment_decay_time .*/load_adjustment_decay_time 0:0:0/; s/^schedd_job_info .*/schedd_job_info true/'
    # Accounting within a second; root may have jobs; processes of a job are known by a group id of their own.
    change -sconf -Mconf "s#^execd_spool_dir .*#execd_spool_dir $state/execd#; s/^gid_range .*/gid_range 21001-22000/; s/^reporting_params .*/reporting_params accounting=true reporting=false flush_time=00:00:01 joblog=false sharelog=00:00:00/; s/^execd_params .*/execd_params ENABLE_ADDGRP_KILL=TRUE/; s/^load_report_time .*/load_report_time 00:00:02/; s/^max_unheard .*/max_unheard 01:00:00/; s/^(min_[ug]id) .*/\1 0/"
    cp "$self" "$state/configured"
fi

# -- the execution host -----------------------------------------------------------------------------------------------
if ! alive sge_execd "$state/execd/$host/execd.pid"; then
    setsid -f "$programs/sge_execd" </dev/null >"$state/execd.out" 2>&1
fi
# What went wrong earlier is forgotten: a job that could not be started puts its queue into the error state.
qmod -cq '*' >/dev/null || true
await 60 "the execution host" ready
