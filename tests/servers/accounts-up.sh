#!/bin/bash
# Accounts for the tests of a service that acts as its users: argosy-svc runs it, argosy-a and argosy-b use it; a copy
# of this project and its interpreter that all of them can read; and the rule of sudo. Needs root.
#
#   accounts-up.sh PYTHON SOURCE    the interpreter of the environment to copy, and the directory of the package
set -euo pipefail
python=$1 source=$2
place=/opt/argosy-tests
fail() { echo "accounts-up: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "needs root"

exec 9>/var/lock/argosy-accounts-up
flock 9
missing=()
for program in sudo setfacl; do command -v "$program" >/dev/null || missing+=("${program/setfacl/acl}"); done
if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
getent group argosy-users >/dev/null || groupadd argosy-users
for account in argosy-svc argosy-a argosy-b; do
    id "$account" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash "$account"
    chmod 700 "$(getent passwd "$account" | cut -d: -f6)"
done
usermod -aG argosy-users argosy-a
usermod -aG argosy-users argosy-b

# A copy, for the checkout and the interpreter may be where others cannot go (below /root, say).
base=$("$python" -c 'import sys; print(sys.base_prefix)')
version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
stamp="$base $packages $(cksum "$packages"/*.dist-info/RECORD | cksum)"
if [ "$(cat $place/stamp 2>/dev/null)" != "$stamp" ]; then
    rm -rf $place
    mkdir -p $place/bin
    if [ "$base" = /usr ]; then
        mkdir -p $place/python/bin
        ln -s "/usr/bin/$version" "$place/python/bin/$version"
    else
        mkdir -p "$place/python/lib"
        cp -r "$base/bin" $place/python/
        (cd "$base/lib" && cp -r "$version" "$place/python/lib/" && cp -r libpython*.so* "$place/python/lib/" 2>/dev/null || true)
        rm -rf "$place/python/lib/$version/test" "$place/python/lib/$version/site-packages"
    fi
    cp -rL "$packages" $place/packages
    rm -rf $place/packages/__editable__* $place/packages/mypy* $place/packages/ruff*
fi
rm -rf $place/source
mkdir -p $place/source $place/bin
cp -r "$source" $place/source/argosy
for program in argosy:argosy.cli:main argosy-agent:argosy.service.accounts.program:main; do
    IFS=: read -r name module function <<<"$program"
    # The interpreter may find its library only where others cannot go.
    cat >"$place/bin/$name" <<EOF
#!/bin/sh
LD_LIBRARY_PATH=$place/python/lib exec $place/python/bin/$version -I -c '
import os, sys
os.environ.pop("LD_LIBRARY_PATH")
sys.path[:0] = ["$place/source", "$place/packages"]
sys.argv[0] = "$place/bin/$name"
from $module import $function
sys.exit($function())' "\$@"
EOF
    chmod 755 "$place/bin/$name"
done
chmod -R go+rX $place
printf '%s\n' "$stamp" >$place/stamp

sed "s#/opt/argosy/bin/argosy-agent#$place/bin/argosy-agent#; s#^argosy #argosy-svc #" \
    "$(dirname "$0")/../../contrib/sudoers.d/argosy" >/etc/sudoers.d/argosy-tests.new
chmod 440 /etc/sudoers.d/argosy-tests.new
visudo -cqf /etc/sudoers.d/argosy-tests.new || fail "the rule of sudo is not right"
mv /etc/sudoers.d/argosy-tests.new /etc/sudoers.d/argosy-tests
