#!/bin/bash
# Install all programs that the tests use, in one go, on Debian or Ubuntu; needs root. Does nothing where all are there.
# Without this each test that needs one installs it for itself (packages.py and the *-up.sh), which takes longer.
set -euo pipefail
packages=(
    curl jq openssl acl sudo openssh-server openssh-client
    # Slurm and its accounting, MPI programs in its jobs
    slurmctld slurmd slurm-client slurmrestd slurm-wlm-jwt-plugin slurmdbd slurm-wlm-mysql-plugin mariadb-server munge
    openmpi-bin libopenmpi-dev gcc libc6-dev
    gridengine-master gridengine-exec gridengine-client
    # a certification authority, proxies, and who keeps them
    globus-simple-ca globus-proxy-utils globus-gsi-cert-utils-progs voms-clients myproxy myproxy-server
    # servers of files
    nginx-light libnginx-mod-http-dav-ext vsftpd xrootd-server xrootd-client globus-gridftp-server-progs
    globus-gass-copy-progs
)
missing=()
for package in "${packages[@]}"; do
    # Another nginx will do, as long as it has the module.
    [ "$package" = nginx-light ] && command -v nginx >/dev/null && continue
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || { echo "packages: needs root; there is no ${missing[*]}" >&2; exit 1; }
echo "packages: installing ${missing[*]}" >&2
# The tests start servers of their own: those of the packages are not wanted.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
apt-get update -qq >&2
apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
