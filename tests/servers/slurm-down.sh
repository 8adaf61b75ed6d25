#!/bin/bash
# End what slurm-up.sh started, by its pid files. With the argument "wipe", forget its state as well.
set -euo pipefail
state=${ARGOSY_SLURM_STATE:-/var/lib/slurm/argosy}
config=/etc/slurm/slurm.conf
grep -qsF '# Written by the tests of Argosy.' "$config" || { echo "slurm-down: nothing of the tests is here" >&2; exit 0; }

# end NAME: a TERM to the daemon with that pid file, and wait for its end.
end() {
    local file=$state/run/$1.pid pid deadline=$((SECONDS + 30))
    pid=$(cat "$file" 2>/dev/null) && [ -n "$pid" ] && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == "${1%%-*}"* ]] || return 0
    kill "$pid"
    while [ -d "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "slurm-down: $1 does not end" >&2; exit 1; }
        read -r -t 0.05 <> <(:) || true
    done
    rm -f "$file"
}

for file in "$state"/run/slurmd-*.pid; do
    [ -e "$file" ] || continue
    name=${file##*/}
    end "${name%.pid}"
done
end slurmctld
end slurmdbd
end mariadbd
if [ "${1:-}" = wipe ]; then
    rm -rf "$state"
    rm -f "$config" /etc/slurm/slurmdbd.conf
fi
