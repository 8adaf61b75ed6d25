"""The launcher `multiple`: all processes of the job as copies on the first of its hosts."""

from __future__ import annotations

from typing import ClassVar

from argosy.model import JobSpec

from .contract import Launcher
from .options import refuse_options

# wait is interrupted by a signal that the shell takes note of; the copy it waits for is then still there.
_TEXT = """\
trap : TERM INT HUP QUIT XCPU USR1 USR2
argosy_copies=
argosy_status=0
argosy_index=1
while [ "$argosy_index" -le {count} ]; do
    (
        trap - INT QUIT
        export _PSI_J_PROCESS_INDEX_="$argosy_index" _PSI_J_PROCESS_COUNT={count}
        exec -- {command}
    ) <&0 &
    argosy_copies="$argosy_copies $!"
    argosy_index=$((argosy_index + 1))
done
for argosy_copy in $argosy_copies; do
    wait "$argosy_copy"
    argosy_one=$?
    while [ "$argosy_one" -gt 128 ] && kill -0 "$argosy_copy" 2>/dev/null; do
        wait "$argosy_copy"
        argosy_one=$?
    done
    [ "$argosy_status" -ne 0 ] || argosy_status=$argosy_one
done
exit "$argosy_status\""""


class Multiple(Launcher):
    """Starts as many copies as processes are asked for, and waits for all of them.

    Each finds its number, from 1, in ``_PSI_J_PROCESS_INDEX_`` and their count in ``_PSI_J_PROCESS_COUNT`` (PSI/J).
    They share the standard streams. The exit status is that of the first copy, by number, whose status is not 0.
    """

    name: ClassVar[str] = "multiple"

    def render(self, command: str, spec: JobSpec) -> str:
        refuse_options(self.name, spec)
        return _TEXT.format(count=spec.effective_resources.computed_process_count, command=command)
