#!/bin/sh
# Make or bring up to date the virtual environment .venv of this clone: tools/venv.sh EXTRA [EXTRA...], each of service,
# dev and benchmark.
#
# PYTHON names the interpreter to use; otherwise it is the first of python3, python3.14, ... that is 3.11 or later.
# Does nothing where .venv has these extras already, as of the present pyproject.toml and constraints.txt.
set -eu
cd "$(dirname "$0")/.."

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# What an extra was installed from is noted in .venv/argosy-EXTRA.
state() {
    printf '%s\n' "$PWD"
    cksum pyproject.toml constraints.txt tools/venv.sh
}

up_to_date() {
    for extra in "$@"; do
        [ "$now" = "$(cat ".venv/argosy-$extra" 2>/dev/null)" ] || return 1
    done
    new_enough .venv/bin/python
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

install_venv_module() {
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    package=python$version-venv
    if [ -n "${CI:-}" ] && [ "$(id -u)" = 0 ] && has apt-get; then
        printf 'setup: installing %s\n' "$package" >&2
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >&2
    else
        fail "$1 has no ensurepip, which python -m venv needs; on Debian and Ubuntu: apt-get install $package" \
            "(or install uv, which does without)"
    fi
}

make_environment() {
    for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        new_enough "$python" && break
        python=
    done
    if [ -z "$python" ]; then
        if [ -n "${PYTHON:-}" ]; then
            fail "PYTHON=$PYTHON is not Python 3.11 or later"
        fi
        found=$(python3 --version 2>/dev/null) || found="no python3"
        fail "Argosy needs Python 3.11 or later; here is $found on PATH, and no python3.11 to python3.14." \
            "Install one, or name one: make PYTHON=/path/to/python3.12 ..."
    fi
    printf 'setup: making .venv with %s\n' "$("$python" --version)" >&2
    if has uv; then
        uv venv --quiet --seed --clear --python "$("$python" -c 'import sys; print(sys.executable)')" .venv
    else
        "$python" -c 'import ensurepip, venv' 2>/dev/null || install_venv_module "$python"
        "$python" -m venv --clear .venv
    fi
}

now=$(state)
if up_to_date "$@"; then
    exit 0
fi
if ! new_enough .venv/bin/python || ! { has uv || .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    make_environment
fi
extras=$(printf '%s,' "$@")
printf 'setup: installing Argosy and what it needs (%s) into .venv\n' "${extras%,}" >&2
if has uv; then
    uv pip install --quiet --python .venv/bin/python --constraints constraints.txt --editable ".[${extras%,}]"
else
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
        --editable ".[${extras%,}]"
fi
for extra in service "$@"; do # the others include it
    printf '%s\n' "$now" >".venv/argosy-$extra"
done
