"""Scripts with directives: what they ask for, and that they run as their authors expect."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from argosy.languages import registry
from argosy.languages.contract import NotValid, Support, Unsupported, check
from argosy.languages.native import Description, Resources
from argosy.languages.script import DIALECTS, Script
from argosy.model import InvalidInput


def read(*lines: str, strict: bool = False) -> Description:
    return check(Script().parse("\n".join(lines).encode(), strict=strict)).one()


def notes(*lines: str) -> list[str]:
    return [str(note) for note in Script().parse("\n".join(lines).encode()).notes]


def test_slurm() -> None:
    found = read(
        "#!/bin/bash",
        "#SBATCH --job-name=a\\ b -p debug   # a comment",
        "#SBATCH --account proj --time=1-02:03:04 -N2 --ntasks-per-node=4 -c 2",
        "#SBATCH --mem=2G --gres=gpu:4 --constraint='a&b' --exclusive",
        "#SBATCH -o out.txt --error err.txt -D /work --export=NONE,A=1 --hold --requeue",
        "",
        "srun ./x",
    )
    assert (found.name, found.share, found.account, found.duration) == ("a b", "slurm/debug", "proj", 93784.0)
    assert found.resources == Resources(
        nodes=2, processes_per_node=4, cores_per_process=2, gpus_per_process=1, memory=4 * 1024**3, exclusive=True
    )
    assert (found.stdout, found.stderr, found.directory) == ("out.txt", "err.txt", "/work")
    assert (found.environment, found.inherit_environment) == ({"A": "1"}, False)
    assert (found.held, found.rerunnable, found.custom) == (True, True, {"slurm.constraint": "a&b"})
    assert found.executable == "./script"
    assert found.inputs[0].executable


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 300), ("5:30", 330), ("1:00:00", 3600), ("2-0", 172_800), ("1-12:30", 131_400), ("1-00:00:01", 86_401),
        ("UNLIMITED", None),
    ],
)  # fmt: skip
def test_times_of_slurm(text: str, seconds: float | None) -> None:
    assert read("#!/bin/sh", f"#SBATCH -t {text}").duration == seconds


def test_pbs() -> None:
    found = read(
        "#!/bin/bash",
        "#PBS -N name -q long -A proj -j oe",
        "#PBS -l select=2:ncpus=8:mpiprocs=4:mem=4gb:ngpus=4,walltime=1:00:00".replace(",", "\n#PBS -l "),
        "#PBS -lplace=scatter:excl -v A=1,B=two -W group_list=x",
        "mpirun ./x",
    )
    assert (found.name, found.share, found.account, found.duration) == ("name", "pbs/long", "proj", 3600.0)
    assert found.resources == Resources(
        nodes=2, processes_per_node=4, cores_per_process=2, gpus_per_process=1, memory=8 * 1024**3, exclusive=True
    )
    assert found.stderr == found.stdout == "stdout"
    assert found.environment == {"A": "1", "B": "two"}
    torque = read("#!/bin/sh", "#PBS -l nodes=3:ppn=2,walltime=90,mem=300mb")
    assert torque.resources == Resources(nodes=3, processes_per_node=2, memory=300 * 1024**2)
    assert torque.duration == 90.0


def test_grid_engine() -> None:
    found = read(
        "#!/bin/bash",
        "#$ -N name -q all.q -P proj -cwd -V",
        "#$ -l h_rt=0:10:00,h_vmem=2G",
        "echo first",
        "#$ -pe mpi 16 -j y -o out.log",  # anywhere in the script, as qsub has it
    )
    assert (found.name, found.share, found.account, found.duration) == ("name", "gridengine/all.q", "proj", 600.0)
    assert found.resources == Resources(processes=16, memory=32 * 1024**3)
    assert (found.stdout, found.stderr) == ("out.log", "out.log")
    assert found.custom == {"gridengine.pe": "mpi"}


def test_lsf() -> None:
    found = read(
        "#!/bin/bash",
        '#BSUB -J name -q normal -P proj -W 1:30 -n 8 -R "span[ptile=4] rusage[mem=1000]"',
        "#BSUB -o out -e err -x",
    )
    assert (found.name, found.share, found.account, found.duration) == ("name", "lsf/normal", "proj", 5400.0)
    assert found.resources == Resources(processes=8, processes_per_node=4, memory=8000 * 1024**2, exclusive=True)
    assert (found.stdout, found.stderr) == ("out", "err")


@pytest.mark.parametrize(
    ("directive", "variable", "numbers"),
    [
        ("#SBATCH --array=1-7:3,20%2", "SLURM_ARRAY_TASK_ID", ["1", "4", "7", "20"]),
        ("#PBS -J 0-4:2", "PBS_ARRAY_INDEX", ["0", "2", "4"]),
        ("#PBS -t 3,5", "PBS_ARRAYID", ["3", "5"]),
        ("#$ -t 1-3", "SGE_TASK_ID", ["1", "2", "3"]),
        ('#BSUB -J "n[1-2]"', "LSB_JOBINDEX", ["1", "2"]),
    ],
)
def test_an_array_is_a_job_for_each_element(directive: str, variable: str, numbers: list[str]) -> None:
    parsed = Script().parse(f"#!/bin/sh\n{directive}\n".encode())
    assert parsed.count == len(numbers)
    assert [job.environment[variable] for job in parsed.descriptions] == numbers


def test_a_huge_array_is_not_expanded() -> None:
    parsed = Script().parse(b"#!/bin/sh\n#SBATCH --array=0-999999999\n")
    assert parsed.count == 10**9
    assert next(parsed.descriptions).environment == {"SLURM_ARRAY_TASK_ID": "0"}


@pytest.mark.parametrize(
    "line",
    [
        "#SBATCH --dependency=afterok:1",
        "#SBATCH --begin=tomorrow",
        "#PBS -W depend=afterok:1",
        "#PBS -l nodes=1+2",
        "#PBS -l select=1:ncpus=1+2:ncpus=4",
        "#PBS -l licence=2",
        "#$ -hold_jid 3",
        "#$ -l licence=1",
        "#BSUB -w done(1)",
        '#BSUB -R "select[mem>100]"',
    ],
)
def test_what_would_make_another_job_of_it_is_refused_by_name(line: str) -> None:
    with pytest.raises(Unsupported) as error:
        read("#!/bin/sh", line)
    assert error.value.elements[0].startswith(line.split()[0])


def test_what_is_not_known_is_refused_with_its_line() -> None:
    for strict in (False, True):
        with pytest.raises(Unsupported, match=r"#SBATCH --frobnicate: is not known \(line 2\)"):
            read("#!/bin/sh", "#SBATCH --frobnicate=3", strict=strict)


def test_directives_after_the_first_command_and_of_others_are_told() -> None:
    found = notes("#!/bin/sh", "#SBATCH -n 2", "#PBS -N x", "echo", "#SBATCH -n 4")
    assert len(found) == 2
    assert read("#!/bin/sh", "#SBATCH -n 2", "#PBS -N x", "echo", "#SBATCH -n 4").resources == Resources(processes=2)


@pytest.mark.parametrize(
    "line",
    [
        "#SBATCH -n many",
        "#SBATCH --time=soon",
        "#SBATCH --mem=lots",
        "#SBATCH --array=5-1",
        "#SBATCH --array=1-3:0",
        "#SBATCH --job-name='a",
        "#SBATCH --export=A-B=1",
        "#SBATCH --partition",
        "#PBS -l walltime=x",
        "#$ -pe mpi",
        "#$ -S bash",
    ],
)
def test_nonsense_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(NotValid) as error:
        read("#!/bin/sh", line)
    assert error.value.element is not None


def test_scripts_of_windows_and_of_no_text_are_refused() -> None:
    for data in (b"#!/bin/sh\r\n#SBATCH -n 1\r\n", b"#!/bin/sh\n\xff"):
        with pytest.raises(NotValid):
            Script().parse(data)


def test_the_script_is_run_by_whom_it_names() -> None:
    assert read("#!/usr/bin/env python3", "print(1)").inputs[0].content == "#!/usr/bin/env python3\nprint(1)"
    assert read("#PBS -N x", "echo").inputs[0].content == "#!/bin/sh\n#PBS -N x\necho"
    assert read("#$ -S /bin/bash", "echo").inputs[0].content == "#!/bin/bash\n#$ -S /bin/bash\necho"


def test_a_script_is_known_by_its_content() -> None:
    for data in (b"#!/bin/sh\n", b"# x\n#PBS -N x\n", b"#SBATCH -n 1\n"):
        found = registry.detect(data)
        assert found is not None
        assert found.name == "script"
    assert registry.detect(b"echo hello\n") is None
    with pytest.raises(InvalidInput, match="jsdl, json, script"):
        registry.parse(b"echo hello\n")


def test_a_script_of_pbs_becomes_one_of_slurm() -> None:
    description = read("#!/bin/bash", "#PBS -N x -l nodes=2:ppn=3,walltime=60", "echo $PBS_O_WORKDIR")
    written = Script().write(description)
    assert b"#SBATCH --nodes=2\n" in written.data
    assert b"#SBATCH --time=00:01:00\n" in written.data
    again = check(Script().parse(written.data)).one()
    assert again.resources == Resources(nodes=2, processes=6, processes_per_node=3)
    assert again.duration == description.duration
    assert "share" not in [note.element for note in written.lost]


def test_a_description_becomes_a_script_that_runs(tmp_path: Path) -> None:
    description = Description(
        executable="printf",
        arguments=["%s|", "a b", "it's", "${WORD}", "$${WORD}", "$(id)"],
        environment={"WORD": "x y"},
        tags={"a": "b"},
        inputs=[],
    )
    written = Script().write(description)
    assert [note.element for note in written.lost] == ["tags"]
    script = tmp_path / "script"
    script.write_bytes(written.data)
    done = subprocess.run(["/bin/bash", str(script)], capture_output=True, text=True, timeout=20, cwd=tmp_path)
    assert done.stdout == "a b|it's|x y|${WORD}|$(id)|", done.stderr


def test_every_directive_is_published() -> None:
    published = {element.name: element for element in Script().elements()}
    for dialect in DIALECTS:
        assert len(dialect.by_name()) == sum(len(option.names) for option in dialect.options), "a name is there twice"
    assert published["#SBATCH --dependency"].support is Support.UNSUPPORTED
    assert published["#BSUB -W"].meaning == "duration"


@pytest.mark.parametrize(
    ("line", "custom"),
    [
        ("#SBATCH --threads-per-core=1 --contiguous", {"slurm.threads-per-core": "1", "slurm.contiguous": True}),
        ("#SBATCH -O -s -k", {"slurm.overcommit": True, "slurm.oversubscribe": True, "slurm.no-kill": True}),
        ("#SBATCH --mem-per-gpu 4G --switches=1@10", {"slurm.mem-per-gpu": "4G", "slurm.switches": "1@10"}),
    ],
)
def test_what_only_slurm_knows_reaches_slurm(line: str, custom: dict[str, object]) -> None:
    assert read("#!/bin/sh", line).custom == custom


def test_lines_end_as_shells_have_it() -> None:
    """What else Unicode takes for the end of a line may be within a value, and a command may have a CR in it."""
    text = "#!/bin/sh\n#SBATCH --job-name='a\u2028b\x85c'\nprintf '%s' 'x\r\n\x0c#SBATCH --nonsense'\n"
    parsed = check(Script().parse(text.encode()))
    assert parsed.one().name == "a\u2028b\x85c"
    assert not parsed.notes
    for windows in ("#!/bin/sh\r\necho\r\n", "#!/bin/sh\n#SBATCH -n 2\r\n"):
        with pytest.raises(NotValid, match="Windows"):
            Script().parse(windows.encode())


def test_what_is_written_is_read_again_whatever_is_in_its_values() -> None:
    odd = ["\r\n", "a\u2028b", "\x85", "\x0c#SBATCH --nonsense", "#SBATCH x"]
    written = Script().write(Description(executable="echo", arguments=odd, name="a\u2028b"))
    back = check(Script().parse(written.data)).one()
    assert back.name == "a\u2028b"


@pytest.mark.parametrize(
    "directives",
    ["#SBATCH --mem=1G\n" * 1001, "#SBATCH " + "-n 1 " * 200_000, "#SBATCH --export=" + "A=1," * 200_000],
    ids=["many", "long", "list"],
)
def test_directives_without_end_are_refused_at_once(directives: str) -> None:
    began = time.process_time()
    with pytest.raises(NotValid, match="1000 directives at most") as error:
        Script().parse(f"#!/bin/sh\n{directives}\n".encode())
    assert time.process_time() - began < 1
    assert error.value.line is not None
