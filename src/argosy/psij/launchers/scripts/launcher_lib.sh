# What launcher scripts begin with: reads the seven arguments that all of them have, and defines log, pre_launch and
# post_launch. Descriptor 3 is the log.
set -e

_PSI_J_JOB_ID=$1
_PSI_J_LOG_FILE=${2:-/dev/null}
_PSI_J_PRE_LAUNCH=$3
_PSI_J_POST_LAUNCH=$4
_PSI_J_STDIN=$5
_PSI_J_STDOUT=$6
_PSI_J_STDERR=$7
shift 7

exec 3>>"$_PSI_J_LOG_FILE"

log() {
    TZ=UTC0 printf '%(%Y-%m-%d %H:%M:%S)T %s %s\n' -1 "$_PSI_J_JOB_ID" "$*" >&3
}

pre_launch() {
    if [ -n "$_PSI_J_PRE_LAUNCH" ]; then
        log "pre-launch: $_PSI_J_PRE_LAUNCH"
        source "$_PSI_J_PRE_LAUNCH"
    fi
}

post_launch() {
    if [ -n "$_PSI_J_POST_LAUNCH" ]; then
        log "post-launch: $_PSI_J_POST_LAUNCH"
        source "$_PSI_J_POST_LAUNCH"
    fi
}

log "launcher: $0"
