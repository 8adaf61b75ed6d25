"""What every batch system keeps to, over all that are registered; `tests/batch/cases` tells of each what is its own."""

from __future__ import annotations

import importlib
import os
import string
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from argosy.batch import BatchSystem, Control, Group, Submission
from argosy.batch.records import RecordKind, parse_record
from argosy.model import (
    ArgosyError,
    Command,
    Completed,
    InvalidInput,
    InvalidJobException,
    JobAttributes,
    JobSpec,
    Phase,
    Snapshot,
    SubmitException,
    Unavailable,
)
from argosy.model.shell import quote

from .cases import Answer, Case
from .scripts import Spool, seen, submission, write_show

# -- which there are --------------------------------------------------------------------------------------------------


@cache
def registered() -> dict[str, type[BatchSystem] | Exception]:
    """The classes behind the names, or why there is none."""
    found: dict[str, type[BatchSystem] | Exception] = {}
    for point in entry_points(group="argosy.batch"):
        try:
            found[point.name] = point.load()
        except (ImportError, AttributeError) as error:
            found[point.name] = error
    return found


@cache
def case_of(system: type[BatchSystem]) -> Case:
    """Its case. Raises ImportError where it has none."""
    case = importlib.import_module(f"tests.batch.cases.{system.name}").CASE
    assert isinstance(case, Case)
    return case


def all_cases() -> list[Case]:
    """Of every class that can be loaded and has one, each once."""
    cases = []
    for system in dict.fromkeys(system for system in registered().values() if isinstance(system, type)):
        try:
            cases.append(case_of(system))
        except ImportError:  # told by the test below
            continue
    return cases


@pytest.mark.parametrize("name", sorted(registered()))
def test_every_registered_system_can_be_loaded_and_has_a_case(name: str) -> None:
    system = registered()[name]
    assert not isinstance(system, Exception), f"{name} cannot be loaded: {system}"
    assert isinstance(case_of(system).system, system)


@pytest.fixture(params=all_cases(), ids=lambda case: case.system.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def show() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield write_show(Path(directory))


# -- running scripts --------------------------------------------------------------------------------------------------


class Place:
    """A spool of its own, and scripts of one system run in it as that system would run them."""

    def __init__(self, case: Case, path: Path) -> None:
        self.case = case
        self.home = Path(tempfile.mkdtemp(dir=path))
        self.spool = Spool(self.home / "spool")
        for name, content in case.files.items():
            (self.spool.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.spool.path / name).write_text(content)
        self._count = 0

    def script(self, *members: Submission) -> str:
        tag = members[0].tag if len(members) == 1 else "group"
        return self.case.system.script(Group(tag, members), str(self.spool.path))

    def run(self, script: str, native_id: str, run: int = 0, index: int | None = None) -> tuple[int, str]:
        self._count += 1
        path = self.home / f"script.{self._count}"
        path.write_bytes(self.case.job_text(script).encode("utf-8", "surrogateescape"))
        given = self.case.environ(native_id, run, index)
        values = {name: value.replace("${SPOOL}", str(self.spool.path)) for name, value in given.items()}
        done = subprocess.run(
            ["/bin/bash", path],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **values},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.decode("utf-8", "surrogateescape")

    def records(self) -> dict[str, tuple[str, int]]:
        """The ids and runs that the records name, by kind and id."""
        found = {}
        for path in (self.spool.path / "new").iterdir():
            record = parse_record(path.name, path.read_bytes())
            found[f"{record.kind} {record.native_id} {record.run}"] = (record.native_id, record.run)
        return found


@pytest.fixture
def place(case: Case, tmp_path: Path) -> Place:
    return Place(case, tmp_path)


def job(tag: str = "job", spec: JobSpec | None = None, *, directory: str | None = None, rerunnable: bool = False):
    return submission(spec or JobSpec("/bin/true"), directory, tag, rerunnable=rerunnable)


def counting(place: Place, tag: str = "job", *, rerunnable: bool = False) -> tuple[Submission, Callable[[], int]]:
    """A job that leaves a line each time that it runs, and how often it did."""
    out = place.home / f"{tag}.ran"
    spec = JobSpec("/bin/sh", ["-c", f"echo x >> {quote(str(out))}"])
    return job(tag, spec, rerunnable=rerunnable), lambda: out.read_text().count("x") if out.exists() else 0


def group_of(case: Case, count: int) -> Group:
    members = tuple(job(f"t.{number}") for number in range(count))
    return Group("t.0" if count == 1 else "t", members)


def test_the_script_tells_the_id_that_submission_told(case: Case, place: Place) -> None:
    done, native_id = case.accepted
    assert case.system.parse_submit(done, group_of(case, 1)) == [native_id]
    assert place.run(place.script(job()), native_id)[0] == 0
    assert set(place.records()) == {f"{RecordKind.START} {native_id} 0", f"{RecordKind.EXIT} {native_id} 0"}


def test_each_element_of_an_array_tells_its_own_id_and_is_its_own_job(case: Case, place: Place) -> None:
    if case.system.max_array < 2:
        assert case.accepted_array is None
        pytest.skip("has no arrays")
    assert case.accepted_array is not None
    done, ids = case.accepted_array
    assert tuple(case.system.parse_submit(done, group_of(case, 3))) == ids
    members = [counting(place, f"t.{number}") for number in range(3)]
    script = place.script(*(member for member, _ in members))
    for index, native_id in enumerate(ids):
        assert place.run(script, native_id, 0, index)[0] == 0
        assert [ran() for _, ran in members] == [1] * (index + 1) + [0] * (2 - index)
    assert {native_id for native_id, _ in place.records().values()} == set(ids)


def test_array_elements_have_the_ids_of_their_array(case: Case) -> None:
    if case.accepted_array is None:
        pytest.skip("has no arrays")
    if case.find is None:
        pytest.skip("finds nothing by tags")
    elements = {case.system.element_id(found, index) for found in case.find[1].values() for index in range(3)}
    assert len(elements) == 3 * len(set(case.find[1].values()))


def test_scripts_are_bash(case: Case, place: Place) -> None:
    members = [job(f"t.{number}", JobSpec("/bin/echo", ["'", "$(", "\n"])) for number in range(3)]
    for script in (place.script(members[0]), *([place.script(*members)] if case.system.max_array >= 3 else [])):
        text = case.job_text(script).encode("utf-8", "surrogateescape")
        checked = subprocess.run(["/bin/bash", "-n"], input=text, capture_output=True, timeout=60, check=False)
        assert (checked.returncode, checked.stderr) == (0, b"")


def test_a_second_copy_runs_nothing(case: Case, place: Place) -> None:
    member, ran = counting(place)
    script = place.script(member)
    assert place.run(script, case.accepted[1])[0] == 0
    assert place.run(script, case.other_id)[0] == 0
    assert ran() == 1
    assert f"{RecordKind.DUPLICATE} {case.other_id} 0" in place.records()


def test_a_requeue_runs_nothing_where_the_job_may_not_run_again(case: Case, place: Place) -> None:
    member, ran = counting(place)
    script = place.script(member)
    native_id = case.accepted[1]
    for run in range(2):
        assert place.run(script, native_id, run)[0] == 0
    assert ran() == 1
    assert [record for record in place.records() if record.startswith(f"{RecordKind.DUPLICATE} {native_id} ")]


def test_a_requeue_runs_a_job_once_more_that_may_run_again(case: Case, place: Place) -> None:
    member, ran = counting(place, rerunnable=True)
    script = place.script(member)
    native_id = case.accepted[1]
    for run in range(3):
        assert place.run(script, native_id, run)[0] == 0
    assert ran() == 3
    records = place.records()
    assert {run for name, (_, run) in records.items() if name.startswith(RecordKind.EXIT)} == {0, 1, 2}
    assert place.run(script, case.other_id)[0] == 0
    assert ran() == 3


# -- what users say ---------------------------------------------------------------------------------------------------

_ODD = "'\"\\\n\r\t $`!&|;<>(){}[]*?~#%=-^:@+,./é\u2028\U0001f680\x7f"
_TEXTS = st.one_of(
    st.text(st.sampled_from(_ODD + "aZ0"), min_size=1, max_size=20),
    st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=20),
    st.binary(min_size=1, max_size=20).map(lambda data: data.replace(b"\0", b"x").decode("utf-8", "surrogateescape")),
    st.sampled_from(
        ["-h", "--hold", "$(touch x)", "`id`", "a b", "a'b", 'a"b', "a\\", "-", "#", "a,b", "a=b", "1x", "a%j"]
    ),
)
_FIELDS = ("name", "attributes.queue_name", "attributes.account", "attributes.reservation_id")
_MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_SOME = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def directives(case: Case, spec: JobSpec) -> tuple[str, ...]:
    return case.system.directives(Submission("t", spec, "exec -- /bin/true", "/"))


@cache
def fields_of(case_name: str) -> tuple[str, ...]:
    """The fields that the system takes. The others are refused by name."""
    case = next(case for case in all_cases() if case.system.name == case_name)
    return tuple(field for field in _FIELDS if _takes(case, field))


def _takes(case: Case, field: str) -> bool:
    spec = JobSpec("/bin/true")
    if field == "name":
        spec.name = "short"
    else:
        setattr(spec.attributes, field.partition(".")[2], "short")
    refusal = _refusal(case, spec)
    assert refusal is None or refusal.element == field
    return refusal is None


def _refusal(case: Case, spec: JobSpec) -> InvalidJobException | None:
    try:
        directives(case, spec)
    except InvalidJobException as error:
        return error
    return None


def with_value(case: Case, field: str, value: str) -> JobSpec:
    """A job that says something in every field that the system takes, one of them being `value`."""
    spec = JobSpec("/bin/true")
    for name in fields_of(case.system.name):
        text = value if name == field else "short"
        if name == "name":
            spec.name = text
        else:
            setattr(spec.attributes, name.partition(".")[2], text)
    return spec


def prefixed(case: Case, script: str) -> list[str]:
    """The lines in which the system looks for directives."""
    found = []
    for line in script.split("\n"):
        if line.startswith(case.directive_prefix):
            found.append(line)
        elif line.strip() and not line.startswith("#") and not case.directives_everywhere:
            break
    return found


@_MANY
@example(data="a\n#SBATCH --hold\n#$ -h\n#PBS -h\n#BSUB -H\n#flux: --urgency=0")
@example(data="a\r#SBATCH --hold")
@example(data="x" * 5000)
@given(data=_TEXTS)
def test_a_value_changes_its_own_directive_only_or_is_refused_by_name(case: Case, data: str) -> None:
    for field in fields_of(case.system.name):
        plain = directives(case, with_value(case, field, "short"))
        refusal = _refusal(case, with_value(case, field, data))
        if refusal is not None:
            assert refusal.element == field
            continue
        odd = directives(case, with_value(case, field, data))
        assert len(odd) == len(plain)
        assert sum(one != other for one, other in zip(odd, plain, strict=True)) <= 1
        assert not any("\n" in line or "\r" in line or "\0" in line for line in odd)
        group = Group("t", (Submission("t", with_value(case, field, data), "exec -- /bin/true", "/"),))
        same = Group("t", (Submission("t", with_value(case, field, "short"), "exec -- /bin/true", "/"),))
        if case.directive_prefix:
            lines = [prefixed(case, case.system.script(one, "/spool")) for one in (group, same)]
            assert len(lines[0]) == len(lines[1])


def test_what_any_user_has_is_accepted(case: Case) -> None:
    for field in fields_of(case.system.name):
        for value in case.harmless_values:
            assert directives(case, with_value(case, field, value))


def test_a_name_that_nobody_chose_refuses_no_job(case: Case) -> None:
    for program in ("/bin/a\nb", "/bin/é", "/bin/1", "/bin/-x", "/bin/a b'c", "/bin/@", "/bin/" + "x" * 300):
        assert directives(case, JobSpec(program))


def test_an_array_has_the_same_directives_as_its_members(case: Case, place: Place) -> None:
    if case.system.max_array < 2 or not case.directive_prefix:
        pytest.skip("has no arrays, or no lines of directives")
    member, other = (job(f"t.{number}") for number in range(2))
    lines = prefixed(case, place.script(member, other))
    assert set(case.system.directives(member)) <= set(lines)


def hostile(value: str) -> list[str]:
    """The value, and what would be a directive where it stood at a line's beginning."""
    return [
        value,
        f"{value}\n#$ -h\n#SBATCH --hold\n#PBS -h\n#BSUB -H\n#flux: --urgency=0\n#COBALT -h\n",
        f"\r\n{value}",
    ]


@_SOME
@example(value="x" * 100_000)
@example(value="'" * 30_000)
@given(value=_TEXTS)
def test_arguments_and_environment_arrive_byte_for_byte(case: Case, tmp_path: Path, show: Path, value: str) -> None:
    place = Place(case, tmp_path)
    arguments = hostile(value)
    spec = JobSpec(
        str(show), [text.replace("${", "$${") for text in arguments], environment={"GIVEN": "\n#$ -h\n#BSUB -H"}
    )
    script = place.script(job(spec=spec))
    plain = place.script(job(spec=JobSpec(str(show))))
    if case.directive_prefix:
        assert prefixed(case, script) == prefixed(case, plain)
    status, printed = place.run(script, case.accepted[1])
    assert status == 0, printed
    given_arguments, environ = seen(show)
    assert given_arguments == [text.encode("utf-8", "surrogateescape") for text in arguments]
    assert environ[b"GIVEN"] == b"\n#$ -h\n#BSUB -H"


_PATHS = _TEXTS.map(lambda text: text.replace("/", "_")).filter(
    lambda text: text not in (".", "..") and len(text.encode("utf-8", "surrogateescape")) < 200
)


@_SOME
@example(name="a\n#$ -h\n#BSUB -H\n#SBATCH --hold")
@given(name=_PATHS)
def test_paths_arrive_byte_for_byte(case: Case, tmp_path: Path, name: str) -> None:
    place = Place(case, tmp_path)
    directory = place.home / ("d" + name)
    directory.mkdir()
    (directory / name).write_text("in")
    spec = JobSpec("/bin/cat", stdin_path=Path(name), stdout_path=Path(name + ".out"))
    status, printed = place.run(place.script(job(spec=spec, directory=str(directory))), case.accepted[1])
    assert status == 0, printed
    assert (directory / (name + ".out")).read_text() == "in"


def test_nul_is_refused(case: Case, place: Place) -> None:
    for spec in (JobSpec("/bin/true", ["a\0b"]), JobSpec("/bin/true", environment={"A": "a\0b"})):
        with pytest.raises(InvalidJobException):
            place.script(job(spec=spec))


def test_equal_jobs_have_equal_directives(case: Case) -> None:
    def one(arguments: Sequence[str], tag: str) -> tuple[str, ...]:
        has_queues = "attributes.queue_name" in fields_of(case.system.name)
        spec = JobSpec("/bin/echo", arguments, attributes=JobAttributes(queue_name="short" if has_queues else None))
        return case.system.directives(job(tag, spec, directory=f"/{tag}"))

    assert one(["a"], "a") == one(["b"], "b")


def test_directives_tell_rerunnable_jobs_and_others_apart(case: Case) -> None:
    assert case.system.directives(job()) != case.system.directives(job(rerunnable=True))


# -- commands ---------------------------------------------------------------------------------------------------------

_MARKS = ("mark-name", "mark-queue", "mark-account", "mark-argument")


def commands(case: Case, ids: Sequence[str]) -> list[Command]:
    """Every command that asks or acts, about these jobs."""
    system = case.system
    asked = [system.status(ids), *([about] if (about := system.accounting(ids)) is not None else [])]
    return [*asked, *(system.control(verb, ids) for verb in sorted(system.controls))]


def test_users_values_are_in_no_command_line(case: Case, place: Place) -> None:
    name, queue, account, argument = _MARKS
    spec = JobSpec("/bin/echo", [argument], name=name)
    if "attributes.queue_name" in fields_of(case.system.name):
        spec.attributes.queue_name = queue
    if "attributes.account" in fields_of(case.system.name):
        spec.attributes.account = account
    command = case.system.submit(place.script(job(spec=spec)))
    assert not [word for word in command.argv for mark in _MARKS if mark in word]
    assert argument in command.stdin


def test_every_control_renders(case: Case) -> None:
    ids = [case.accepted[1], case.other_id]
    assert Control.CANCEL in case.system.controls
    for verb in case.system.controls:
        command = case.system.control(verb, ids)
        assert command.argv[0]
        for native_id in ids:
            assert native_id in " ".join(command.argv) + command.stdin


def test_many_ids_are_one_command(case: Case) -> None:
    ids = [case.accepted[1], case.other_id] * 1000
    for command in commands(case, ids):
        assert max(map(len, command.argv)) < 128 * 1024
        assert sum(map(len, command.argv)) < 1024 * 1024


def test_odd_ids_are_refused_or_can_do_no_harm(case: Case) -> None:
    # Whoever attaches to a job gives an id of his own making.
    good = case.accepted[1]
    for odd in case.odd_ids:
        for make in (
            lambda ids: [case.system.status(ids)],
            lambda ids: [command] if (command := case.system.accounting(ids)) is not None else [],
            *(lambda ids, verb=verb: [case.system.control(verb, ids)] for verb in sorted(case.system.controls)),
        ):
            try:
                asked = make([odd, good])
            except InvalidInput:
                continue
            for command, usual in zip(asked, make([good]), strict=True):
                assert not [word for word in command.argv if word.startswith("-") and word not in usual.argv], odd
                if odd and command.argv[0] in ("sh", "bash", "/bin/sh", "/bin/bash"):
                    code, plain = (one.argv[one.argv.index("-c") + 1] for one in (command, usual))
                    assert code.replace(quote(odd), "").count(odd) <= plain.count(odd), odd
        with pytest.raises(InvalidInput):
            case.system.control(Control.CANCEL, [odd])


def test_commands_answer_alike_whatever_the_users_settings(case: Case) -> None:
    if case.locale is None:
        pytest.skip("its commands have no such settings")
    about = commands(case, [case.accepted[1]])
    for command in [*about, *case.system.find(["t"]), case.system.list_jobs(), *case.system.shares()]:
        assert case.locale <= command.environment.keys(), command.argv


# -- answers ----------------------------------------------------------------------------------------------------------


def test_refused_submissions(case: Case) -> None:
    assert case.refused
    for done, transient in [
        *((done, False) for done in case.refused),
        *((done, True) for done in case.refused_for_now),
    ]:
        with pytest.raises(SubmitException) as caught:
            case.system.parse_submit(done, group_of(case, 1))
        assert caught.value.transient is transient
        said = case.words(done)
        assert any(line.strip() in caught.value.message for line in said.splitlines() if line.strip())


def test_submissions_without_an_answer(case: Case) -> None:
    assert case.submit_unanswered
    for done in case.submit_unanswered:
        with pytest.raises(Unavailable):
            case.system.parse_submit(done, group_of(case, 1))


def check(answer: Answer, parse: Callable[[Completed, Sequence[str]], Snapshot]) -> None:
    snapshot = parse(answer.done, answer.ids)
    assert {native_id: shown.phase for native_id, shown in snapshot.jobs.items()} == dict(answer.jobs)
    assert snapshot.unreadable == ()
    for native_id, shown in snapshot.jobs.items():
        assert shown.native_id == native_id
        assert shown.word
        assert (shown.outcome is not None) is (shown.phase is Phase.ENDED)
    if answer.done_with_odd is not None:
        assert answer.odd_id is not None
        snapshot = parse(answer.done_with_odd, (*answer.ids, answer.odd_id))
        assert {native_id: shown.phase for native_id, shown in snapshot.jobs.items() if native_id != answer.odd_id} == {
            native_id: phase for native_id, phase in answer.jobs.items() if native_id != answer.odd_id
        }
        assert answer.odd_id not in snapshot.jobs
        assert snapshot.unreadable


def test_status(case: Case) -> None:
    assert any(set(answer.ids) - set(answer.jobs) for answer in case.status), "no unknown id is asked for"
    assert any(answer.done_with_odd is not None for answer in case.status), "no answer has an odd line"
    for answer in case.status:
        check(answer, case.system.parse_status)
        # What nobody asked about is not told.
        assert case.system.parse_status(answer.done, []).jobs == {}


def test_accounting(case: Case) -> None:
    if case.system.accounting([case.accepted[1]]) is None:
        assert not case.accounting
        pytest.skip("has no accounting")
    assert case.accounting
    for answer in case.accounting:
        check(answer, case.system.parse_accounting)
    for done in case.accounting_unanswered:
        with pytest.raises(Unavailable):
            case.system.parse_accounting(done, [case.accepted[1]])


def test_status_without_an_answer_is_no_answer(case: Case) -> None:
    assert case.status_unanswered
    for done in case.status_unanswered:
        with pytest.raises(Unavailable):
            case.system.parse_status(done, [case.accepted[1]])


def test_find(case: Case) -> None:
    if case.find is None:
        pytest.skip("finds nothing by tags")
    answers, expected = case.find
    tags = [*expected, "not-there"]
    assert len(case.system.find(tags)) == len(answers)
    found: dict[str, str] = {}
    for done in answers:
        found |= case.system.parse_find(done, tags)
    assert found == dict(expected)
    assert case.find_unanswered
    for done in case.find_unanswered:
        with pytest.raises(Unavailable):
            case.system.parse_find(done, tags)


def test_list(case: Case) -> None:
    done, ids = case.listed
    assert sorted(case.system.parse_list(done)) == sorted(ids)
    for done in case.list_unanswered:
        with pytest.raises(Unavailable):
            case.system.parse_list(done)


def test_control(case: Case) -> None:
    assert any(controlled.refused for controlled in case.controlled)
    for controlled in case.controlled:
        refused = case.system.parse_control(controlled.verb, controlled.done, controlled.ids)
        assert set(refused) == controlled.refused
        assert all(refused.values())
    assert case.control_unanswered
    for verb, done in case.control_unanswered:
        with pytest.raises(Unavailable):
            case.system.parse_control(verb, done, [case.accepted[1]])


def test_shares(case: Case) -> None:
    if case.shares is None:
        pytest.skip("has no queues")
    answers, names = case.shares
    assert len(case.system.shares()) == len(answers)
    assert sorted(share.name for share in case.system.parse_shares(answers)) == sorted(names)
    for unanswered in case.shares_unanswered:
        with pytest.raises(Unavailable):
            case.system.parse_shares(unanswered)


# -- garbage ----------------------------------------------------------------------------------------------------------


def samples(case: Case) -> list[str]:
    """Everything that its commands print."""
    answers = [case.accepted[0], case.listed[0], *case.refused, *case.submit_unanswered]
    answers += [answer.done for answer in (*case.status, *case.accounting)]
    answers += [controlled.done for controlled in case.controlled]
    if case.find is not None:
        answers += case.find[0]
    if case.shares is not None:
        answers += case.shares[0]
    return [text for done in answers for text in (done.stdout, done.stderr)]


_NOISE = st.text(st.sampled_from(string.printable + "\x1fé\u0192<>&\udc80"), max_size=12)


@_MANY
@given(data=st.data())
def test_garbage_is_an_error_of_ours_or_nothing(case: Case, data: st.DataObject) -> None:
    def text() -> str:
        if data.draw(st.booleans(), "made up"):
            return data.draw(_NOISE)
        sample = data.draw(st.sampled_from(samples(case)))
        first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(sample))] * 2)))
        # A part is cut out, another put in its place.
        return sample[:first] + data.draw(_NOISE) + sample[min(second, first + 200) :]

    system = case.system
    ids = [*{case.accepted[1], case.other_id, *(case.accepted_array or (None, ()))[1], *case.status[0].ids}]
    tags = ["t", *(case.find[1] if case.find is not None else ())]
    code = data.draw(st.sampled_from([0, 1, 2, 255, -9]))

    def garbage(command: Command) -> Completed:
        return Completed(command.argv, code, text(), text())

    tries: list[Callable[[], object]] = [
        lambda: system.parse_submit(garbage(system.submit("#!/bin/bash\n")), group_of(case, 1)),
        lambda: system.parse_status(garbage(system.status(ids)), ids),
        lambda: system.parse_list(garbage(system.list_jobs())),
        lambda: system.parse_shares([garbage(command) for command in system.shares()]),
        *(
            lambda verb=verb: system.parse_control(verb, garbage(system.control(verb, ids)), ids)
            for verb in sorted(system.controls)
        ),
        *(lambda command=command: system.parse_find(garbage(command), tags) for command in system.find(tags)),
    ]
    if case.accepted_array is not None:
        tries.append(lambda: system.parse_submit(garbage(system.submit("#!/bin/bash\n")), group_of(case, 3)))
    accounting = system.accounting(ids)
    if accounting is not None:
        tries.append(lambda: system.parse_accounting(garbage(accounting), ids))
    attempt = data.draw(st.sampled_from(tries))
    try:
        attempt()
    except (Unavailable, SubmitException):
        pass
    except ArgosyError as error:
        pytest.fail(f"{type(error).__name__}: {error}")
