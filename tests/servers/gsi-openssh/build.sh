#!/bin/bash
# Make GSI-OpenSSH's gsissh and gsisshd, which Debian does not have, of what it has: OpenSSH with the patch for key
# exchange by GSS-API, and the grid's GSS-API library. Takes about a minute; does nothing where they are there already.
# Tried with OpenSSH 9.2p1, Debian 12's; with another one it says so where there is not what it looks for.
# usage: build.sh PREFIX (becomes PREFIX/bin/gsissh and PREFIX/sbin/gsisshd); needs root for the packages.
set -euo pipefail
prefix=${1:?usage: build.sh PREFIX}
here=$(cd "$(dirname "$0")" && pwd)
made=$(cat "$here"/* | sha256sum)
[ "$(cat "$prefix/made-of" 2>/dev/null)" = "$made" ] && exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export DEBIAN_FRONTEND=noninteractive
packages=(dpkg-dev gcc make libc6-dev pkg-config libssl-dev libpam0g-dev libglobus-gssapi-gsi-dev libglobus-gss-assist-dev)
dpkg-query -W "${packages[@]}" >/dev/null 2>&1 || {
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
}
# The sources come from where the packages come from. The lists are our own: apt's stay as they are.
mkdir -p "$work/lists" "$work/sources"
shopt -s nullglob
for list in /etc/apt/sources.lis[t] /etc/apt/sources.list.d/*; do
    case $list in
    *.sources) sed 's/^Types:.*/Types: deb-src/' "$list" >"$work/sources/${list##*/}" ;;
    *.list) sed -n 's/^deb /deb-src /p' "$list" >"$work/sources/${list##*/}" ;;
    esac
done
apt=(-o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$work/sources" -o "Dir::State::Lists=$work/lists"
    -o "APT::Sandbox::User=root")
apt-get "${apt[@]}" update -qq >&2
cd "$work"
apt-get "${apt[@]}" source -qq openssh >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
cd openssh-*/

# Each of these must find its line.
change() {
    local before
    before=$(sha256sum "$1")
    sed -i "$2" "$1"
    [ "$before" != "$(sha256sum "$1")" ] || { echo "gsi-openssh: there is nothing to change in $1: $2" >&2; exit 1; }
}
change ssh.c 's/^\(\s*\)options\.user = xstrdup(pw->pw_name);/\1gsi_implicit = 1, &/'
change sshconnect2.c '/^userauth_gsskeyex(/,/^}/s/authctxt->server_user/gsi_user(&)/'
# As GSI-OpenSSH has them unless its configuration says otherwise.
change readconf.c 's/^\(\s*options->gss_\(authentication\|keyex\|deleg_creds\) =\) 0;/\1 1;/'
change servconf.c 's/^\(\s*options->gss_\(authentication\|keyex\) =\) 0;/\1 1;/'
change gss-serv.c 's/^\s*&gssapi_null_mech,/\&gsi_mech_micv2, \&gsi_mech, &/'
change auth2.c 's/^\s*if (authctxt->attempt++ == 0)/gsi_named(ssh, authctxt, \&user, method); &/'
change kexgsss.c 's/^\s*if (GSS_ERROR(maj_status)) {/&gsi_failed(ssh, maj_status);/'
# A client may first ask with some name which methods there are, and then come without one.
change monitor.c '/MONITOR_REQ_PWNAM,/s/MON_ONCE/0/'
change monitor.c '/^mm_answer_pwnamallow(/,/^}/s/authctxt->attempt++ != 0/authctxt->attempt++ > 1/'

touch aclocal.m4 configure config.h.in # as old as configure.ac, so that autoconf is not wanted
cat >GNUmakefile <<MAKE
include Makefile
ssh.o: CPPFLAGS += -include $here/gsi.h -DGSI_IN_CLIENT -DGSI_IN_MAIN
sshconnect2.o: CPPFLAGS += -include $here/gsi.h -DGSI_IN_CLIENT
gss-serv.o kexgsss.o auth2.o auth2-gss.o monitor.o: CPPFLAGS += -include $here/gsi.h -DGSI_IN_SERVER
gsi.o: $here/gsi.c
	\$(CC) \$(CFLAGS) \$(CPPFLAGS) -I$here -c -o \$@ $here/gsi.c
sshd: gsi.o
sshd: LDFLAGS := gsi.o \$(LDFLAGS)
MAKE
globus=(globus-gss-assist globus-gssapi-gsi globus-common)
{
    ./configure --quiet --prefix="$prefix" --sysconfdir="$prefix/etc" --with-pam --with-privsep-path=/run/sshd \
        --without-zlib --disable-pkcs11 --disable-security-key \
        --disable-lastlog --disable-utmp --disable-wtmp --disable-utmpx --disable-wtmpx \
        CFLAGS="-O1 -w" CPPFLAGS="-DGSSAPI -DHAVE_GSSAPI_H $(pkg-config --cflags "${globus[@]}")" \
        LIBS="$(pkg-config --libs "${globus[@]}")"
    make -s -j"$(nproc)" ssh sshd
} >"$work/log" 2>&1 || { tail -40 "$work/log" >&2; exit 1; }
mkdir -p "$prefix/bin" "$prefix/sbin" "$prefix/etc"
install -m 755 ssh "$prefix/bin/gsissh"
install -m 755 sshd "$prefix/sbin/gsisshd"
echo "$made" >"$prefix/made-of"
"$prefix/bin/gsissh" -V
