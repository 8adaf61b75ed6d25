"""JSDL documents for tests."""

from __future__ import annotations

from argosy.languages.jsdl.names import NAMESPACES

_DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())


def definition(job: str, after: str = "") -> bytes:
    """A JobDefinition in which the prefixes are declared; `job` is what is in its JobDescription."""
    return (
        f'<jsdl:JobDefinition {_DECLARED} xmlns:x="urn:vendor"><jsdl:JobDescription>{job}</jsdl:JobDescription>'
        f"{after}</jsdl:JobDefinition>"
    ).encode()


def posix(inner: str = "", executable: str = "/bin/echo") -> str:
    return (
        "<jsdl:Application><jsdl-posix:POSIXApplication>"
        f"<jsdl-posix:Executable>{executable}</jsdl-posix:Executable>{inner}"
        "</jsdl-posix:POSIXApplication></jsdl:Application>"
    )


def arguments(*texts: str) -> str:
    return "".join(f"<jsdl-posix:Argument>{text}</jsdl-posix:Argument>" for text in texts)


def resources(inner: str) -> str:
    return f"<jsdl:Resources>{inner}</jsdl:Resources>"


def exact(name: str, value: str) -> str:
    return f"<jsdl:{name}><jsdl:Exact>{value}</jsdl:Exact></jsdl:{name}>"


def assignment(match: str, function: str) -> str:
    bindings = "".join(f'<sweep:NamespaceBinding ns="{uri}" prefix="{prefix}"/>' for prefix, uri in NAMESPACES.items())
    return (
        f"<sweep:Assignment><sweep:DocumentNode>{bindings}<sweep:Match>{match}</sweep:Match></sweep:DocumentNode>"
        f"{function}</sweep:Assignment>"
    )


def values(*texts: str) -> str:
    inner = "".join(f"<sweepfunc:Value>{text}</sweepfunc:Value>" for text in texts)
    return f"<sweepfunc:Values>{inner}</sweepfunc:Values>"


def sweep(*inner: str) -> str:
    return f"<sweep:Sweep>{''.join(inner)}</sweep:Sweep>"
