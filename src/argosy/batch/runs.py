"""How often a job ran before, for batch systems that do not tell their jobs: counted from the claims in the spool.

A script that claims its job leaves a file ``ID.RUN.HOST.PID`` in ``claims/TAG``; the next run of the same job has the
number after the highest of them.
"""

from __future__ import annotations

from argosy.model.shell import quote

from .contract import Group
from .records import claim_path

_COUNT = r"""
    local argosy_mine=$argosy_place/${argosy_id//[^A-Za-z0-9._-]/_}. argosy_one argosy_count=0
    builtin unset -v GLOBIGNORE
    for argosy_one in "$argosy_mine"[0-9]*; do
        argosy_one=${argosy_one#"$argosy_mine"}
        argosy_one=${argosy_one%%.*}
        [[ $argosy_one =~ ^[0-9]{1,9}$ ]] && ((10#$argosy_one >= argosy_count)) && argosy_count=$((10#$argosy_one + 1))
    done
    builtin echo "$argosy_count"
"""


def count_runs(group: Group, spool: str, index: str) -> tuple[str, str]:
    """Shell text to stand before the script's body, and the expression of the run's number, for `body`.

    `index` is the expression of the element's number in an array. Jobs that may not run again need no count.
    """
    if not any(member.rerunnable for member in group.members):
        return "", "0"
    places = [f"argosy_place={quote(claim_path(spool, member.tag))}" for member in group.members]
    if group.is_array:
        which = ["    case " + index + " in", *(f"    {number}) {place} ;;" for number, place in enumerate(places))]
        which.append("    esac")
    else:
        which = ["    " + places[0]]
    text = "\n".join(["argosy_earlier_runs() {", "    local argosy_place=", *which]) + _COUNT + "}\n"
    return text, '"$(argosy_earlier_runs)"'
