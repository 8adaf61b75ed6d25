"""Bringing files in and out, and removing them: bash text of scripts whose jobs ask for it (see `script`).

A copy is made under another name beside its target and renamed when it is whole. What the programs say when they fail
is what the record says.
"""

STAGING = r"""
# What a job may not do itself, and what is done for it, in its directory; the words of the first failure are printed.
argosy_in_directory() (
    builtin cd -- "$argosy_directory" 2>/dev/null || {
        builtin echo "the directory could not be entered: $(builtin cd -- "$argosy_directory" 2>&1)"
        builtin exit 0
    }
    builtin unset -v GLOBIGNORE
    builtin shopt -s dotglob
    argosy_failed=
    "$1"
    builtin printf '%s' "$argosy_failed"
)

# The directive named $1: by $3 (copy, link or move) make $5 of $4. $2 are the flags: when, and 1: only if it is there.
# The first stage-in that fails is the last; of the others each is tried.
argosy_stage() {
    local argosy_from=$4 argosy_to=$5 argosy_words
    (($2 & argosy_outcome)) && [[ -z $argosy_failed || $argosy_outcome != 14 ]] || builtin return 0
    [[ $argosy_from == /* ]] || argosy_from=$PWD/$argosy_from
    [[ $argosy_to == /* ]] || argosy_to=$PWD/$argosy_to
    (($2 & 1)) && [[ ! -e $argosy_from && ! -L $argosy_from ]] && builtin return 0
    argosy_words=$(argosy_bring "$3" 2>&1) || argosy_failed=${argosy_failed:-"$1 ($4 to $5) failed: $argosy_words"}
}

argosy_bring() {
    local argosy_parent=${argosy_to%/*} argosy_part argosy_devices
    argosy_parent=${argosy_parent:-/}
    if [[ ! -e $argosy_from && ! -L $argosy_from ]]; then
        command -p cp -- "$argosy_from" /dev/null  # says why
        builtin return 1
    fi
    command -p mkdir -p -- "$argosy_parent" || builtin return 1
    argosy_part=${argosy_parent%/}/.argosy-${argosy_file##*/}
    case $1 in
    copy)
        command -p cp -rH -- "$argosy_from" "$argosy_part" && argosy_place "$argosy_part" "$argosy_to" &&
            builtin return 0
        ;;
    link)
        command -p stat -L -- "$argosy_from" >/dev/null && command -p ln -s -n -- "$argosy_from" "$argosy_part" &&
            argosy_place "$argosy_part" "$argosy_to" && builtin return 0
        ;;
    move)
        argosy_devices=$(command -p stat -c %d -- "$argosy_from" "$argosy_parent") || builtin return 1
        if [[ ${argosy_devices%%$'\n'*} == "${argosy_devices##*$'\n'}" ]]; then
            argosy_place "$argosy_from" "$argosy_to"
            builtin return
        fi
        command -p cp -a -- "$argosy_from" "$argosy_part" && argosy_place "$argosy_part" "$argosy_to" &&
            command -p rm -rf -- "$argosy_from" && builtin return 0
        ;;
    esac
    command -p rm -rf -- "$argosy_part"
    builtin return 1
}

# $1 becomes $2; of a directory that is there already, its files become those within.
argosy_place() {
    local argosy_entry
    if [[ -d $1 && ! -L $1 && -d $2 ]]; then
        for argosy_entry in "$1"/*; do
            [[ -e $argosy_entry || -L $argosy_entry ]] || continue
            argosy_place "$argosy_entry" "$2/${argosy_entry##*/}" || builtin return 1
        done
        command -p rmdir -- "$1"
    else
        command -p mv -f -T -- "$1" "$2"
    fi
}

# Remove $3, as directive $1 asks for with the flags $2. Where it is in is looked at as it is, links followed.
argosy_remove() {
    local argosy_path=$3 argosy_inside argosy_words
    (($2 & argosy_outcome)) || builtin return 0
    [[ $argosy_path == /* ]] || argosy_path=$PWD/$argosy_path
    [[ -e $argosy_path || -L $argosy_path ]] || builtin return 0
    argosy_words=$(
        exec 2>&1
        builtin cd -P . || builtin exit 1
        argosy_inside=${PWD%/}
        builtin cd -P -- "${argosy_path%/*}/" || builtin exit 1
        if [[ $PWD/ != "$argosy_inside"/* ]]; then
            builtin echo "it is not in the job's directory"
            builtin exit 1
        fi
        command -p rm -rf -- "$argosy_path"
    ) || argosy_failed=${argosy_failed:-"$1 ($3) failed: $argosy_words"}
}

# After the application: bring out what is asked for in such a case, then clean up, unless something did not get out.
argosy_finish() {
    local argosy_words
    argosy_outcome=4
    if [[ $argosy_term == 1 ]]; then
        argosy_outcome=8
    elif [[ $argosy_ran == 1 && $argosy_status == 0 ]]; then
        argosy_outcome=2
    fi
    if [[ $argosy_ran == 1 ]]; then
        argosy_clock
        argosy_record stage-out
        argosy_words=$(argosy_in_directory argosy_stage_out)
        if [[ -n $argosy_words ]]; then
            argosy_bad=1
            argosy_add "$argosy_words"
            builtin return
        fi
        argosy_clock
        argosy_record cleanup
    fi
    argosy_words=$(argosy_in_directory argosy_cleanup)
    [[ -z $argosy_words ]] || argosy_add "$argosy_words"
}

# One more thing that the record's note says.
argosy_add() {
    argosy_flat "$1"
    argosy_note=${argosy_note:+$argosy_note; }$argosy_line
}
"""
