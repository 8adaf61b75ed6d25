"""The constant parts of a job script's body: bash text, put together by `argosy.batch.script`.

Programs are started by ``command -p`` (the system's own directories, no functions of the user's) and as few as
possible: a claim costs two, a record one.
"""

#: A plain state of the shell, whatever the job's environment brought along, and the signals taken note of.
PROLOGUE = r"""
builtin set +efuvxCn +o posix +o pipefail
builtin shopt -u nocasematch failglob nullglob expand_aliases
builtin unset -v ${!argosy_@}
argosy_term=0
builtin trap 'argosy_term=1' TERM
builtin trap : INT HUP QUIT XCPU USR1 USR2
"""

#: Removes the environment, apart from what is kept. Variables first: PATH goes on, unexported, for look-ups.
CLEAR = r"""
argosy_clear() {
    local argosy_name argosy_path=$PATH
    while builtin read -r argosy_name; do
        case $argosy_name in
        KEPT | argosy_* | PATH) ;;
        *) builtin unset -v "$argosy_name" 2>/dev/null || builtin export -n "$argosy_name" 2>/dev/null ;;
        esac
    done < <(builtin compgen -e)
    while builtin read -r argosy_name; do
        builtin unset -f "${argosy_name##* }"
    done < <(builtin declare -Fx)
    builtin unset -v PATH
    PATH=$argosy_path
}
"""

MAIN = r"""
argosy_file=$argosy_spool/tmp/${argosy_id//[^A-Za-z0-9._-]/_}.$argosy_run_number
argosy_name=${argosy_file##*/}
argosy_file=$argosy_file.$HOSTNAME.$$

# The time now, in seconds with a fraction: argosy_now.
argosy_clock() {
    argosy_now=${EPOCHREALTIME-}
    [[ -n $argosy_now ]] || argosy_now=$(command -p date +%s.%N)
    argosy_now=${argosy_now/,/.}
    argosy_now=${argosy_now:0:17}
}

# A record of kind $1, its further lines the other arguments.
argosy_record() {
    local argosy_kind=$1
    builtin shift
    builtin printf '%s\n' "tag=$argosy_tag" "id=$argosy_id" "run=$argosy_run_number" "time=$argosy_now" \
        "hosts=$argosy_hosts" "$@" >|"$argosy_file" || builtin return 1
    # A second time where a signal ended the first.
    command -p mv -f -- "$argosy_file" "$argosy_spool/new/$argosy_name.$argosy_kind" ||
        command -p mv -f -- "$argosy_file" "$argosy_spool/new/$argosy_name.$argosy_kind"
}

# Text on one line, for a record: argosy_line.
argosy_flat() {
    argosy_line=${1//[$'\n\r']/ }
    argosy_line=${argosy_line:0:1000}
}

# "1m2.345s" as seconds: argosy_seconds.
argosy_duration() {
    argosy_seconds=${1#*m}
    argosy_seconds=${argosy_seconds%s}
    argosy_seconds=${argosy_seconds/,/.}
    argosy_seconds=$((${1%%m*} * 60 + 10#${argosy_seconds%.*})).${argosy_seconds#*.}
}

# The most memory the job used on this host, where Slurm keeps it in a control group of its own: argosy_rss.
argosy_memory() {
    local argosy_controllers argosy_group argosy_peak
    argosy_rss=
    [[ -r /proc/self/cgroup ]] || builtin return 0
    while IFS=: builtin read -r _ argosy_controllers argosy_group; do
        case $argosy_controllers in
        '') argosy_peak=memory.peak ;;
        memory) argosy_peak=memory.max_usage_in_bytes ;;
        *) continue ;;
        esac
        [[ $argosy_group =~ ^(.*/job_[0-9]+)(/|$) ]] || continue
        argosy_peak=/sys/fs/cgroup/$argosy_controllers${BASH_REMATCH[1]}/$argosy_peak
        [[ -r $argosy_peak ]] && builtin read -r argosy_rss <"$argosy_peak"
    done </proc/self/cgroup
    [[ $argosy_rss =~ ^[0-9]+$ ]] || argosy_rss=
}

# Whose the run is: argosy_owner is empty where it is ours, else "ID RUN NONCE" of whose it is. Fails where that
# cannot be said. The nonce tells our own link from one that an earlier start of the same run made, also where a
# network file system made the link and said that it was there already. Where a file system has no hard links, a
# symbolic one is as good.
argosy_claim() {
    local argosy_place=$argosy_spool/claims/$argosy_tag argosy_mine argosy_ours argosy_earlier
    argosy_mine="$argosy_id $argosy_run_number $HOSTNAME.$$.$argosy_now"
    argosy_ours=$argosy_place/${argosy_file##*/}
    argosy_owner=
    # Without claims/ there is no knowing who has claimed what: it is not made here.
    command -p mkdir -- "$argosy_place" 2>/dev/null
    builtin printf '%s\n' "$argosy_mine" >|"$argosy_ours" || builtin return 1
    command -p ln -- "$argosy_ours" "$argosy_place/owner" 2>/dev/null && builtin return 0
    if [[ ! -e $argosy_place/owner ]]; then
        command -p ln -s -n -- "$argosy_mine" "$argosy_place/owner" 2>/dev/null && builtin return 0
    fi
    if [[ -L $argosy_place/owner ]]; then
        argosy_owner=$(command -p readlink -n -- "$argosy_place/owner")
    else
        builtin read -r argosy_owner <"$argosy_place/owner"
    fi
    [[ $argosy_owner == *' '*' '* ]] || builtin return 1
    if [[ $argosy_owner == "$argosy_mine" ]]; then
        argosy_owner=
    elif [[ $argosy_rerunnable == 1 && ${argosy_owner%% *} == "$argosy_id" ]]; then
        argosy_earlier=${argosy_owner#* }
        [[ ${argosy_earlier%% *} != "$argosy_run_number" ]] &&
            command -p mkdir -- "$argosy_place/run.$argosy_run_number" 2>/dev/null && argosy_owner=
    fi
    builtin return 0
}

# Leave the application unrun: a note of why, for the record, and the exit status.
argosy_refuse() {
    argosy_flat "$1"
    builtin printf '%s\n' "0 $argosy_line" >|"$argosy_file"
    builtin printf 'argosy: %s\n' "$argosy_line" >&2
    builtin exit "${2:-125}"
}

# Write which hosts the processes are on to a file: argosy_nodes is its name, empty where that could not be done.
argosy_write_nodes() {
    local argosy_words
    argosy_nodes=$argosy_spool/out/${argosy_id//[^A-Za-z0-9._-]/_}.nodes
    argosy_words=$(argosy_node_list 2>&1 >|"$argosy_nodes") && [[ -s $argosy_nodes ]] && builtin return 0
    builtin printf 'argosy: PSIJ_NODEFILE is not set, the list of hosts could not be made: %s\n' "$argosy_words" >&2
    argosy_nodes=
}

# The list where the batch system gives no other: the processes in blocks over the hosts, where those are plain names.
argosy_plain_nodes() {
    local argosy_rest=$argosy_hosts argosy_left=$argosy_processes argosy_here
    [[ -n $argosy_rest && $argosy_rest != *'['* ]] || argosy_rest=$HOSTNAME
    while ((argosy_left > 0)); do
        [[ $argosy_rest == *,* ]] && argosy_here=$argosy_per_node || argosy_here=$argosy_left
        ((argosy_left -= argosy_here))
        while ((argosy_here-- > 0)); do
            builtin printf '%s\n' "${argosy_rest%%,*}"
        done
        argosy_rest=${argosy_rest#*,}
    done
}

# From the directory to post_launch, in a shell of its own, so that nothing it sources can end or change the script.
argosy_run() (
    builtin trap 'argosy_term=1' TERM
    builtin trap : INT HUP QUIT XCPU USR1 USR2
    builtin cd -- "$argosy_directory" 2>/dev/null ||
        argosy_refuse "the directory could not be entered: $(builtin cd -- "$argosy_directory" 2>&1)"
    if [[ $argosy_stages == 1 ]]; then
        argosy_outcome=14
        argosy_words=$(argosy_in_directory argosy_stage_in)
        [[ $argosy_term == 0 ]] || argosy_refuse 'a TERM signal came while files were brought in' 143
        [[ -z $argosy_words ]] || argosy_refuse "$argosy_words"
        argosy_clock
        argosy_record start
    fi
    exec 7<"${argosy_stdin:-/dev/null}" ||
        argosy_refuse "standard input could not be opened: $({ : <"$argosy_stdin"; } 2>&1)"
    exec 8>|"${argosy_stdout:-/dev/null}" ||
        argosy_refuse "standard output could not be opened: $({ : >>"$argosy_stdout"; } 2>&1)"
    if [[ -n $argosy_stderr && $argosy_stderr -ef /dev/fd/8 ]]; then
        exec 9>&8
    else
        exec 9>|"${argosy_stderr:-/dev/null}" ||
            argosy_refuse "standard error could not be opened: $({ : >>"$argosy_stderr"; } 2>&1)"
    fi
    argosy_environment
    if [[ -n $argosy_before ]]; then
        builtin printf '%s\n' '0 what prepares the job ended its script' >|"$argosy_file"
        argosy_unprepared() { argosy_refuse "$1"; }
        builtin eval "$argosy_before" </dev/null 7<&- 8>&- 9>&-
        builtin set +efuvxCn +o posix
        builtin cd -- "$argosy_directory" || argosy_refuse "the directory could not be entered once it was prepared"
        : >|"$argosy_file"
    fi
    if [[ -n $argosy_pre ]]; then
        builtin printf '%s\n' '0 pre_launch ended the script' >|"$argosy_file"
        builtin . "$argosy_pre" </dev/null 7<&- 8>&- 9>&-
        argosy_status=$?
        builtin set +efuvxCn +o posix
        [[ $argosy_status == 0 ]] || argosy_refuse "pre_launch failed with exit status $argosy_status"
        builtin cd -- "$argosy_directory" || argosy_refuse "the directory could not be entered again after pre_launch"
        : >|"$argosy_file"
    fi
    [[ $argosy_term == 0 ]] || argosy_refuse 'a TERM signal came before the application was started' 143
    ( argosy_launch ) <&7 >&8 2>&9 7<&- 8>&- 9>&-
    argosy_status=$?
    if [[ -n $argosy_post ]]; then
        ( builtin . "$argosy_post" ) </dev/null 7<&- 8>&- 9>&-
        argosy_ended=$?
        [[ $argosy_ended == 0 ]] ||
            builtin printf '%s\n' "1 post_launch failed with exit status $argosy_ended" >|"$argosy_file"
    fi
    if [[ -n $argosy_after ]]; then
        argosy_unprepared() { argosy_flat "$1" && builtin printf '%s\n' "1 $argosy_line" >|"$argosy_file"; }
        ( builtin eval "$argosy_after" ) </dev/null 7<&- 8>&- 9>&-
    fi
    builtin exit "$argosy_status"
)

argosy_main() {
    local argosy_began argosy_status argosy_note= argosy_ran=1 argosy_bad=0
    local argosy_user= argosy_sys= argosy_seconds argosy_wall
    argosy_clock
    argosy_began=${argosy_now/./}
    if ! argosy_claim; then
        argosy_flat "the run could not be claimed in $argosy_spool/claims"
        builtin printf 'argosy: %s\n' "$argosy_line" >&2
        argosy_record exit exit=125 ran=0 "note=$argosy_line"
        builtin exit 125
    fi
    if [[ -n $argosy_owner ]]; then
        argosy_note=${argosy_owner#* }
        argosy_record duplicate "owner=${argosy_owner%% *}" "owner_run=${argosy_note%% *}"
        builtin exit 0
    fi
    if [[ $argosy_stages == 1 ]]; then
        argosy_record stage-in
    else
        argosy_record start
    fi
    argosy_write_nodes
    argosy_run
    argosy_status=$?
    # From here on a signal, which would also reach mv, changes nothing any more.
    builtin trap '' TERM INT HUP QUIT XCPU USR1 USR2
    argosy_clock
    if [[ -s $argosy_file ]]; then
        builtin read -r argosy_line <"$argosy_file"
        argosy_ran=${argosy_line%% *}
        argosy_note=${argosy_line#* }
    fi
    if [[ $argosy_stages == 1 ]]; then
        argosy_finish
        argosy_clock
    fi
    builtin times >|"$argosy_file" && {
        builtin read -r _
        builtin read -r argosy_user argosy_sys
    } <"$argosy_file"
    argosy_duration "${argosy_user:-0m0.0s}"
    argosy_user=$argosy_seconds
    argosy_duration "${argosy_sys:-0m0.0s}"
    argosy_sys=$argosy_seconds
    argosy_wall=$((${argosy_now/./} - argosy_began))
    builtin printf -v argosy_wall '%d.%06d' $((argosy_wall / 1000000)) $((argosy_wall % 1000000))
    [[ $argosy_wall == *-* ]] && argosy_wall=
    argosy_memory
    argosy_record exit "exit=$argosy_status" "ran=$argosy_ran" "failed=$argosy_bad" "user=$argosy_user" \
        "sys=$argosy_sys" "wall=$argosy_wall" "rss=$argosy_rss" "term=$argosy_term" "note=$argosy_note"
    [[ $argosy_status == 0 && $argosy_bad == 1 ]] && argosy_status=NOT_STAGED_OUT
    builtin exit "$argosy_status"
}

argosy_main
"""
