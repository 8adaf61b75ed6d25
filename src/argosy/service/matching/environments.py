"""Which runtime environments answer a request: the highest version that fits, with good parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from argosy.model import EnvironmentRequest, InvalidInput, RuntimeEnvironment
from argosy.model.choices import listed


@dataclass(frozen=True, slots=True)
class Picked:
    """The ids of the environments chosen, in the order of the requests, and the optional ones left out."""

    ids: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unmet:
    """A request that cannot be met: which element, and why.

    `far` tells how far from it what is there is: 3 where there is nothing, 2 where there are other environments, 1
    where there are other versions of it, 0 where what was asked of it is wrong.
    """

    element: str
    words: str
    far: int = 0


@lru_cache(maxsize=1000)
def specifier(text: str) -> SpecifierSet:
    """The constraint that a text is (PEP 440); a version alone means just that one. Raises InvalidSpecifier."""
    text = text.strip()
    if text and text[0].isdigit():
        text = f"=={text}"
    return SpecifierSet(text, prereleases=True)


def check_requests(requests: Sequence[EnvironmentRequest]) -> None:
    """Raise InvalidInput, naming the element, for what is no version constraint."""
    for index, request in enumerate(requests):
        try:
            specifier(request.version)
        except InvalidSpecifier:
            raise InvalidInput(
                f"{request.version!r} is no version constraint; write e.g. >=1.2,<2",
                element=f"environments[{index}].version",
            ) from None


def pick(requests: Sequence[EnvironmentRequest], available: Sequence[RuntimeEnvironment]) -> Picked | Unmet:
    """The environments that these requests mean, among those that are available."""
    ids: list[str] = []
    left_out: list[str] = []
    container: str | None = None
    for index, request in enumerate(requests):
        element = f"environments[{index}]"
        best = _best(request, available)
        unmet: Unmet | None = None
        if best is None:
            versions = sorted((one.version for one in available if one.name == request.name), key=Version)
            if versions:
                words = f"{request.name} is there in {', '.join(versions)}, not {request.version}"
                unmet = Unmet(f"{element}.version", words, far=1)
            else:
                words = f"the environment {request.name!r} is not there; {_others(request.name, available)}"
                unmet = Unmet(f"{element}.name", words, far=2 if available else 3)
        elif best.container is not None and container is not None:
            unmet = Unmet(f"{element}.name", f"{best.id} and {container} are containers; a job runs in one")
        else:
            unmet = _wrong(request, best, element)
        if unmet is not None:
            if not request.optional:
                return unmet
            left_out.append(request.name)
        elif best is not None:
            ids.append(best.id)
            container = best.id if best.container is not None else container
    return Picked(tuple(ids), tuple(left_out))


def _others(name: str, available: Sequence[RuntimeEnvironment]) -> str:
    names = list(dict.fromkeys(one.name for one in available))
    return f"there are {listed(names, name)}" if names else "there are none"


def _best(request: EnvironmentRequest, available: Iterable[RuntimeEnvironment]) -> RuntimeEnvironment | None:
    wanted = specifier(request.version)
    fitting = [one for one in available if one.name == request.name and wanted.contains(one.version)]
    return max(fitting, key=lambda one: Version(one.version), default=None)


def _wrong(request: EnvironmentRequest, environment: RuntimeEnvironment, element: str) -> Unmet | None:
    known = {parameter.name: parameter for parameter in environment.parameters}
    for name, value in request.parameters.items():
        at = f"{element}.parameters.{name}"
        parameter = known.get(name)
        if parameter is None:
            there_are = f"there are {listed(known, name)}" if known else "it has none"
            return Unmet(at, f"{environment.id} has no parameter {name!r}; {there_are}")
        if parameter.allowed and value not in parameter.allowed:
            words = f"{name} of {environment.id} is not {value!r}, but one of {listed(parameter.allowed, value)}"
            return Unmet(at, words)
        if "\0" in value:
            return Unmet(at, f"{name} of {environment.id} cannot hold a NUL")
    for parameter in environment.parameters:
        if parameter.default is None and parameter.name not in request.parameters:
            return Unmet(f"{element}.parameters.{parameter.name}", f"{environment.id} needs {parameter.name}")
    return None


def values(environment: RuntimeEnvironment, request: EnvironmentRequest) -> Mapping[str, str]:
    """The parameters of an environment by their variables: what is given, or else their defaults."""
    return {
        parameter.variable: request.parameters.get(parameter.name, parameter.default or "")
        for parameter in environment.parameters
    }


def installed(environments: Sequence[RuntimeEnvironment], resource: str, queue: str) -> tuple[RuntimeEnvironment, ...]:
    """Those that are on a share."""
    return tuple(one for one in environments if one.is_on(resource, queue))


def with_shares(environment: RuntimeEnvironment, shares: Sequence[tuple[str, str]]) -> RuntimeEnvironment:
    """The same, told with every share where it is."""
    names = [
        f"{resource}/{queue}" if queue else resource for resource, queue in shares if environment.is_on(resource, queue)
    ]
    return replace(environment, shares=tuple(names))
