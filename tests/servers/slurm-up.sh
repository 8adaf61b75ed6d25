#!/bin/bash
# Bring up a whole Slurm cluster on this machine for the tests: four pretended nodes, the partitions `debug` (default)
# and `long`, accounting in a MariaDB of its own, everything on the loopback. Needs root and Debian or Ubuntu; no
# systemd, no control groups. Does nothing where the cluster is already up. slurm-down.sh ends it.
#
#   ARGOSY_SLURM_MIN_JOB_AGE   seconds an ended job stays in the queue (default 300)
#   ARGOSY_SLURM_ACCOUNTING    no: without slurmdbd and its database
#   ARGOSY_SLURM_STATE         where its state is kept (default /var/lib/slurm/argosy)
set -euo pipefail

min_job_age=${ARGOSY_SLURM_MIN_JOB_AGE:-300}
accounting=${ARGOSY_SLURM_ACCOUNTING:-yes}
state=${ARGOSY_SLURM_STATE:-/var/lib/slurm/argosy}
nodes=4
cores=64
marker='# Written by the tests of Argosy.'
config=/etc/slurm/slurm.conf
export PATH=$PATH:/usr/sbin:/sbin

fail() { echo "slurm-up: $*" >&2; exit 1; }

# await SECONDS WHAT COMMAND...: until the command succeeds.
await() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "$what did not come up"
        read -r -t 0.05 <> <(:) || true
    done
}

# alive NAME: whether the daemon with that pid file lives (and the pid is not another program's by now).
alive() {
    local pid
    pid=$(cat "$state/run/$1.pid" 2>/dev/null) && [ -n "$pid" ] && [ -d "/proc/$pid" ] &&
        [[ $(cat "/proc/$pid/comm") == "${1%%-*}"* ]]
}

ready() {
    [ "$(sinfo -h -p debug -o '%D %t' 2>/dev/null | awk '$2 ~ /^(idle|mix|alloc|comp)$/ {n += $1} END {print n}')" = "$nodes" ]
}

[ "$(id -u)" = 0 ] || fail "needs root"
if [ -e "$config" ] && ! grep -qF "$marker" "$config"; then
    fail "$config is not of the tests; a real cluster is left alone"
fi

# -- programs ---------------------------------------------------------------------------------------------------------
packages=(slurmctld slurmd slurm-client slurmrestd slurm-wlm-jwt-plugin munge curl openmpi-bin libopenmpi-dev gcc libc6-dev)
programs=(slurmctld slurmd sbatch slurmrestd munged curl mpirun gcc)
if [ "$accounting" != no ]; then
    packages+=(slurmdbd slurm-wlm-mysql-plugin mariadb-server)
    programs+=(slurmdbd mariadbd mariadb-install-db)
fi
missing=()
for program in "${programs[@]}"; do
    command -v "$program" >/dev/null || missing+=("$program")
done
# For the tests' MPI program; mpicc alone comes with openmpi-bin, and compiles nothing.
dpkg -s libopenmpi-dev >/dev/null 2>&1 || missing+=(mpi.h)
dpkg -s slurm-wlm-jwt-plugin >/dev/null 2>&1 || missing+=(auth_jwt.so)
if [ ${#missing[@]} -gt 0 ]; then
    echo "slurm-up: installing, as there is no ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
fi

# -- configuration ----------------------------------------------------------------------------------------------------
# slurmd starts the scripts of any user, so all may pass through the state's directory, but only look.
install -d -m 755 "$state" "$state/run"
install -d -o slurm -g slurm -m 755 "$state/controller" "$state/log"
# What tokens are signed with, by which users of slurmrestd are known.
if [ ! -s "$state/jwt.key" ]; then
    install -o slurm -g slurm -m 600 /dev/null "$state/jwt.key"
    head -c 32 /dev/urandom >"$state/jwt.key"
fi
host=$(hostname -s)
storage='AccountingStorageType=accounting_storage/none'
if [ "$accounting" != no ]; then
    storage=$'AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=localhost\nAccountingStoragePort=17819
AccountingStoreFlags=job_comment'
fi
install -d /etc/slurm
cat >"$state/slurm.conf" <<END
$marker
ClusterName=argosy
SlurmctldHost=$host(127.0.0.1)
SlurmUser=slurm
SlurmdUser=root
AuthType=auth/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$state/jwt.key
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort=17817
StateSaveLocation=$state/controller
SlurmdSpoolDir=$state/node-%n
TmpFS=$state/node-%n/tmp
SlurmctldPidFile=$state/run/slurmctld.pid
SlurmdPidFile=$state/run/slurmd-%n.pid
SlurmctldLogFile=$state/log/slurmctld.log
SlurmdLogFile=$state/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,sched_min_interval=10000,batch_sched_delay=0,default_queue_depth=1000,bf_interval=5
JobRequeue=1
MaxArraySize=10001
MaxJobCount=50000
MinJobAge=$min_job_age
KillWait=5
$storage
NodeName=n[1-$nodes] NodeHostname=$host NodeAddr=127.0.0.1 Port=[17821-$((17820 + nodes))] CPUs=$cores RealMemory=65536 Feature=test
PartitionName=debug Nodes=ALL Default=YES DefaultTime=60 MaxTime=UNLIMITED DefMemPerCPU=16 State=UP
PartitionName=long Nodes=n1 DefaultTime=120 MaxTime=7-0 MaxNodes=1 DefMemPerCPU=16 State=UP
END

changed=no
cmp -s "$state/slurm.conf" "$config" || { changed=yes; cp "$state/slurm.conf" "$config"; }
if alive slurmctld && ready; then
    [ $changed = no ] || scontrol reconfigure
    exit 0
fi
printf 'CgroupAutomount=no\n' >/etc/slurm/cgroup.conf
: >/etc/slurm/plugstack.conf

# -- daemons ----------------------------------------------------------------------------------------------------------
install -d -o munge -g munge -m 755 /run/munge
if ! munge -n >/dev/null 2>&1; then
    [ -s /etc/munge/munge.key ] || runuser -u munge -- mungekey --create
    runuser -u munge -- /usr/sbin/munged --force
    await 20 munged munge -n
fi

if [ "$accounting" != no ]; then
    sql() { mariadb --no-defaults --socket="$state/database/socket" "$@"; }
    if ! alive mariadbd; then
        if [ ! -d "$state/database/mysql" ]; then
            install -d -o mysql -g mysql -m 755 "$state/database"
            mariadb-install-db --no-defaults --user=mysql --datadir="$state/database" --skip-test-db >/dev/null
        fi
        install -o mysql -g mysql -m 644 /dev/null "$state/run/mariadbd.pid"
        setsid -f mariadbd --no-defaults --user=mysql --datadir="$state/database" --socket="$state/database/socket" \
            --pid-file="$state/database/pid" --bind-address=127.0.0.1 --port=17806 --skip-name-resolve \
            --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-lock-wait-timeout=900 \
            </dev/null >"$state/log/mariadbd.log" 2>&1
        await 60 MariaDB sql -e 'select 1'
        cp "$state/database/pid" "$state/run/mariadbd.pid"
    fi
    if [ ! -s "$state/password" ]; then
        (umask 077; od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$state/password")
    fi
    password=$(cat "$state/password")
    sql <<END
create database if not exists slurm_acct_db;
create or replace user slurm@'127.0.0.1' identified by '$password';
grant all on slurm_acct_db.* to slurm@'127.0.0.1';
END
    (umask 077; cat >/etc/slurm/slurmdbd.conf) <<END
$marker
AuthType=auth/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$state/jwt.key
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=17819
SlurmUser=slurm
LogFile=$state/log/slurmdbd.log
PidFile=$state/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=17806
StorageUser=slurm
StoragePass=$password
StorageLoc=slurm_acct_db
END
    chown slurm:slurm /etc/slurm/slurmdbd.conf
    if ! alive slurmdbd; then
        install -o slurm -g slurm -m 644 /dev/null "$state/run/slurmdbd.pid"
        runuser -u slurm -- /usr/sbin/slurmdbd
    fi
    await 60 slurmdbd sacctmgr -n list cluster
    sacctmgr -n -P list cluster format=cluster | grep -qx argosy || sacctmgr -i -Q add cluster argosy >/dev/null
fi

if ! alive slurmctld; then
    install -o slurm -g slurm -m 644 /dev/null "$state/run/slurmctld.pid"
    runuser -u slurm -- /usr/sbin/slurmctld
fi
await 60 slurmctld scontrol ping
for number in $(seq "$nodes"); do
    install -d "$state/node-n$number"
    install -d -m 1777 "$state/node-n$number/tmp"
    alive "slurmd-n$number" || slurmd -N "n$number"
done
await 60 "the cluster's nodes" ready
