#!/bin/bash
# Starts as many copies of the executable as the first argument says, and waits for all of them.
source "$(dirname "$0")/launcher_lib.sh"

pre_launch

export _PSI_J_PROCESS_COUNT=$1
shift
copies=()
for ((index = 1; index <= _PSI_J_PROCESS_COUNT; index++)); do
    _PSI_J_PROCESS_INDEX_=$index "$@" <"$_PSI_J_STDIN" >>"$_PSI_J_STDOUT" 2>>"$_PSI_J_STDERR" &
    copies+=($!)
done

status=0
for copy in "${copies[@]}"; do
    one=0
    wait "$copy" || one=$?
    [ "$status" -ne 0 ] || status=$one
done
log "all have ended: $status"

post_launch

echo "_PSI_J_LAUNCHER_DONE"
exit "$status"
