"""Parameter sweeps: which jobs, in which order, how many, and in how little memory."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest

from argosy.languages.contract import NotValid, Parsed, Unsupported, check
from argosy.languages.jsdl import JSDL
from tests.languages.documents import arguments, assignment, definition, posix, sweep, values

FIRST, SECOND = "//jsdl-posix:Argument[1]", "//jsdl-posix:Argument[2]"


def parsed(*sweeps: str, args: tuple[str, ...] = ("a", "b"), strict: bool = True) -> Parsed:
    return check(JSDL().parse(definition(posix(arguments(*args)), "".join(sweeps)), strict=strict))


def jobs(*sweeps: str, args: tuple[str, ...] = ("a", "b")) -> list[list[str]]:
    found = parsed(*sweeps, args=args)
    made = [description.arguments for description in found.descriptions]
    assert len(made) == found.count
    return made


def loop(start: object, end: object, step: object = 1, *but: object, kind: str = "Integer") -> str:
    left_out = "".join(f"<sweepfunc:Exception>{one}</sweepfunc:Exception>" for one in but)
    return f'<sweepfunc:Loop{kind} start="{start}" end="{end}" step="{step}">{left_out}</sweepfunc:Loop{kind}>'


def test_a_list() -> None:
    assert jobs(sweep(assignment(FIRST, values("x", "y z")))) == [["x", "b"], ["y z", "b"]]


def test_loops_include_their_end() -> None:
    assert [job[0] for job in jobs(sweep(assignment(FIRST, loop(1, 10, 3))))] == ["1", "4", "7", "10"]
    assert [job[0] for job in jobs(sweep(assignment(FIRST, loop(5, -5, -5))))] == ["5", "0", "-5"]
    assert [job[0] for job in jobs(sweep(assignment(FIRST, loop(1, 5, 1, 2, 4, 9))))] == ["1", "3", "5"]
    tenths = jobs(sweep(assignment(FIRST, loop("0.1", "0.5", "0.1", "0.3", kind="Double"))))
    assert [job[0] for job in tenths] == ["0.1", "0.2", "0.4", "0.5"]
    assert [job[0] for job in jobs(sweep(assignment(FIRST, loop("1e1", "3E1", "1e1", kind="Double"))))] == [
        "10",
        "20",
        "30",
    ]


def test_assignments_of_a_sweep_advance_together() -> None:
    both = sweep(assignment(FIRST, loop(1, 3)), assignment(SECOND, values("x", "y", "z")))
    assert jobs(both) == [["1", "x"], ["2", "y"], ["3", "z"]]
    with pytest.raises(Unsupported, match="advance together"):
        parsed(sweep(assignment(FIRST, loop(1, 3)), assignment(SECOND, values("x"))))


def test_a_sweep_within_another_is_the_inner_loop() -> None:
    nested = sweep(assignment(FIRST, loop(1, 2)), sweep(assignment(SECOND, values("x", "y"))))
    assert jobs(nested) == [["1", "x"], ["1", "y"], ["2", "x"], ["2", "y"]]


def test_sweeps_beside_each_other_run_one_after_the_other_and_leave_nothing_behind() -> None:
    assert jobs(sweep(assignment(FIRST, values("x"))), sweep(assignment(SECOND, values("y")))) == [
        ["x", "b"],
        ["a", "y"],
    ]
    inner = sweep(assignment(SECOND, values("p"))), sweep(assignment(SECOND, values("q", "r")))
    assert jobs(sweep(assignment(FIRST, loop(1, 2)), *inner)) == [[first, second] for first in "12" for second in "pqr"]


def test_three_deep_equals_a_plain_product() -> None:
    third = sweep(assignment("//jsdl-posix:Argument[3]", loop(0, 4)))
    made = jobs(
        sweep(assignment(FIRST, loop(1, 3)), sweep(assignment(SECOND, values("x", "y")), third)), args=("a", "b", "c")
    )
    assert made == [list(one) for one in itertools.product("123", "xy", "01234")]


def test_a_part_of_a_text_and_several_parts_of_it() -> None:
    part = assignment(f"substring({FIRST}, 3, 2)", values("11", "2222"))
    assert [job[0] for job in jobs(sweep(part), args=("in00.dat", "b"))] == ["in11.dat", "in2222.dat"]
    other = sweep(assignment(f"substring({FIRST}, 6, 3)", values("txt", "log")))
    made = jobs(sweep(part, other), args=("in00.dat", "b"))
    assert [job[0] for job in made] == ["in11.txt", "in11.log", "in2222.txt", "in2222.log"]
    with pytest.raises(Unsupported, match="characters"):
        parsed(sweep(assignment(f"substring({FIRST}, 1, 9)", values("x"))))


def test_several_places_and_attributes() -> None:
    assert jobs(sweep(assignment("//jsdl-posix:Argument", values("x")))) == [["x", "x"]]
    job = posix('<jsdl-posix:Environment name="A">1</jsdl-posix:Environment>')
    swept = sweep(assignment("//jsdl-posix:Environment/@name", values("B", "C")))
    found = JSDL().parse(definition(job, swept), strict=True)
    assert [one.environment for one in found.descriptions] == [{"B": "1"}, {"C": "1"}]
    absolute = "/jsdl:JobDefinition/jsdl:JobDescription/jsdl:Application/jsdl-posix:POSIXApplication/*[2]/text()"
    assert jobs(sweep(assignment(absolute, values("x")))) == [["x", "b"]]


@pytest.mark.parametrize(
    ("swept", "words"),
    [
        (sweep(assignment("//jsdl-posix:Argument[9]", values("x"))), "not in the document"),
        (sweep(assignment("//jsdl-posix:POSIXApplication", values("x"))), "holds elements"),
        (sweep(assignment("//none:Argument", values("x"))), "none:Argument"),
        (sweep(assignment("count(//*)", values("x"))), "location path"),
        (sweep(assignment("//*[count(//*[count(//*) > 1]) > 1]", values("x"))), "location path"),
        (sweep(assignment("document('/etc/passwd')", values("x"))), "location path"),
        (sweep(assignment("//*//*//*//*", values("x"))), "times at most"),
        (sweep(assignment("/*" * 5000, values("x"))), "characters at most"),
        (sweep(assignment(FIRST, loop(1, 3, 0))), "not 0"),
        (sweep(assignment(FIRST, loop(3, 1))), "no values"),
        (sweep(assignment(FIRST, loop("1", "INF", "1", kind="Double"))), "number"),
        (sweep(assignment(FIRST, loop("1e-400", "1", "1", kind="Double"))), "number"),
        (sweep(assignment(FIRST, loop("1" * 400, "1", "1"))), "number"),
        (sweep(assignment(FIRST, values("x")), assignment(FIRST, values("y"))), "same text"),
        (sweep(assignment(FIRST, values("x")), sweep(assignment(FIRST, values("y")))), "same text"),
        (sweep(assignment(FIRST, values("<x:y/>"))), "a Value is a text"),
    ],
)
def test_sweeps_that_cannot_be_are_refused(swept: str, words: str) -> None:
    with pytest.raises((NotValid, Unsupported), match=words.replace("(", r"\(").replace("*", r"\*")):
        parsed(swept)
    with pytest.raises(NotValid):
        parsed(swept, strict=False)


def test_file_sweeps_are_refused_by_name() -> None:
    file = (
        "<sweep:Sweep><sweep:Assignment><file-sweep:FileSweep><file-sweep:TemplateFile><jsdl:FileName>f</jsdl:FileName>"
        '</file-sweep:TemplateFile><file-sweep:FileToken value="@"/></file-sweep:FileSweep>'
        f"{values('x')}</sweep:Assignment></sweep:Sweep>"
    )
    with pytest.raises(Unsupported) as error:
        parsed(file)
    assert error.value.elements == ["JobDefinition/Sweep/Assignment/FileSweep"]


def test_a_job_of_the_sweep_that_cannot_be_is_named() -> None:
    found = parsed(sweep(assignment("//jsdl-posix:Executable", values("/bin/true", ""))))
    assert next(found.descriptions).executable == "/bin/true"
    with pytest.raises((NotValid, Unsupported), match="job 1 of the sweep"):
        next(found.descriptions)


def test_a_hundred_thousand_jobs_take_no_memory() -> None:
    found = parsed(sweep(assignment(FIRST, loop(1, 1000)), sweep(assignment(SECOND, loop(1, 100)))))
    assert found.count == 100_000
    next(found.descriptions)
    tracemalloc.start()
    try:
        seen = [description.arguments for description in itertools.islice(found.descriptions, 3000)][-1]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen == ["31", "1"]
    assert peak < 4 * 1024 * 1024


def test_counting_needs_no_counting() -> None:
    assert parsed(sweep(assignment(FIRST, loop(1, 10**17)))).count == 10**17


@pytest.mark.parametrize("binding", ['ns="" prefix="p"', 'ns="urn:x" prefix="1"', 'ns="urn:x" prefix="a:b"'])
def test_a_prefix_that_is_none_is_refused_with_its_place(binding: str) -> None:
    one = assignment(FIRST, values("x")).replace("<sweep:Match>", f"<sweep:NamespaceBinding {binding}/><sweep:Match>")
    for strict in (True, False):
        with pytest.raises((NotValid, Unsupported)) as caught:
            parsed(sweep(one), strict=strict)
        assert "NamespaceBinding" in str(caught.value.element)
