"""A Slurm of a few lines of shell: it runs what it accepts at once, and refuses or is away when it is told to.

A script with the word FORBIDDEN is refused.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_SBATCH = r"""#!/bin/bash
here=$(dirname "$0")
exec 9>"$here/lock" && flock 9
echo sbatch >>"$here/log"
for words in refuse away; do
    # They may be taken back after it was looked whether they are there.
    if [ -e "$here/$words" ] && { said=$(<"$here/$words"); } 2>/dev/null; then echo "$said" >&2; exit 1; fi
done
cat >"$here/new"
if [ -e "$here/no-arrays" ] && grep -q '^#SBATCH --array' "$here/new"; then
    cat "$here/no-arrays" >&2
    [ ! -e "$here/then-away" ] || mv "$here/then-away" "$here/away"
    exit 1
fi
if grep -q FORBIDDEN "$here/new"; then echo 'sbatch: error: a forbidden word' >&2; exit 1; fi
id=$(($(cat "$here/last") + 1))
echo "$id" >"$here/last"
mv "$here/new" "$here/script.$id"
last=$(sed -n 's/^#SBATCH --array=0-\([0-9]*\).*/\1/p' "$here/script.$id")
(
    exec 9>&- </dev/null >"$here/out.$id" 2>&1
    for index in $(seq 0 "${last:-0}"); do
        export SLURM_SUBMIT_DIR=$PWD SLURM_JOB_ID=$id SLURM_JOB_NODELIST=n1 SLURM_TASKS_PER_NODE=1
        [ -z "$last" ] || export SLURM_ARRAY_JOB_ID=$id SLURM_ARRAY_TASK_ID=$index
        bash "$here/script.$id"
    done
) &
echo "$id"
"""
_AWAY = "sbatch: error: Unable to contact slurm controller (connect failure)"
_NOTHING = '#!/bin/sh\necho "$(basename "$0")" >>"$(dirname "$0")/log"\n'
_SCANCEL = '#!/bin/sh\necho "scancel $*" >>"$(dirname "$0")/log"\n'


@dataclass(frozen=True)
class FakeSlurm:
    """Its commands are in `directory`, which goes to the front of PATH."""

    directory: Path

    def __post_init__(self) -> None:
        self.directory.mkdir()
        (self.directory / "last").write_text("100")
        (self.directory / "log").touch()
        for name, text in (("sbatch", _SBATCH), ("squeue", _NOTHING), ("sacct", _NOTHING), ("scancel", _SCANCEL)):
            (self.directory / name).write_text(text)
            (self.directory / name).chmod(0o755)

    @property
    def path(self) -> str:
        """PATH with it."""
        return f"{self.directory}:{os.environ['PATH']}"

    def refuse(self, words: str | None) -> None:
        """Refuse every submission in these words from now on; None: accept them."""
        self._say("refuse", words)

    def refuse_arrays(self, words: str, *, then_away: bool = False) -> None:
        """Refuse arrays in these words from now on; `then_away`: not answer any more after the first."""
        self._say("no-arrays", words)
        if then_away:
            self._say("then-away", _AWAY)

    def away(self, away: bool) -> None:
        """Not answer from now on; answer again."""
        self._say("away", _AWAY if away else None)

    def _say(self, name: str, words: str | None) -> None:
        file = self.directory / name
        if words is None:
            file.unlink()
        else:
            (self.directory / "said").write_text(words + "\n")
            (self.directory / "said").rename(file)

    def calls(self, name: str) -> list[str]:
        """The calls of one of its commands so far."""
        return [line for line in (self.directory / "log").read_text().splitlines() if line.split()[0] == name]

    def scripts(self) -> list[str]:
        """The scripts that were accepted, in their order."""
        return [file.read_text() for file in sorted(self.directory.glob("script.*"))]
