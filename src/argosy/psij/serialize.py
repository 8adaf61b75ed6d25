"""Job specifications as text: what differs from the defaults, as JSON values (`argosy.model.codec`)."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from io import StringIO
from typing import IO, Any

from argosy.model import InvalidJobException, JobSpec, spec_from_dict, spec_to_dict

__all__ = ["Export", "Import", "JSONSerializer", "Serializer"]


class Serializer(ABC):
    """Writes and reads job specifications. A subclass says how dictionaries become text: `_dump_dict`, `_load_dict`."""

    def dump(self, spec: JobSpec, stream: IO[Any]) -> None:
        """Write a specification to a stream."""
        self._dump_dict(self._from_spec(spec), stream)

    def load(self, stream: IO[Any]) -> JobSpec:
        """The specification that a stream holds. Raises InvalidJobException naming the element at fault."""
        return self._to_spec(self._load_dict(stream))

    def dumps(self, spec: JobSpec) -> str:
        """The specification as a text."""
        stream = StringIO()
        self.dump(spec, stream)
        return stream.getvalue()

    def loads(self, s: str) -> JobSpec:
        """The specification that a text holds. Raises InvalidJobException naming the element at fault."""
        return self.load(StringIO(s))

    @abstractmethod
    def _dump_dict(self, d: dict[str, Any], stream: IO[Any]) -> None:
        """Write dictionaries, lists, texts, numbers and truth values."""

    @abstractmethod
    def _load_dict(self, stream: IO[Any]) -> dict[str, Any]:
        """Read what `_dump_dict` wrote."""

    def _from_spec(self, spec: JobSpec) -> dict[str, Any]:
        # Readers of what psij-python writes count on `name` and `attributes`.
        named = {} if spec.name is None else {"name": spec.name}
        return named | {"attributes": {}} | spec_to_dict(spec)

    def _to_spec(self, d: Mapping[str, Any]) -> JobSpec:
        return spec_from_dict(d, complete=False)


class JSONSerializer(Serializer):
    """JSON. Streams are text streams."""

    def _dump_dict(self, d: dict[str, Any], stream: IO[Any]) -> None:
        json.dump(d, stream)

    def _load_dict(self, stream: IO[Any]) -> dict[str, Any]:
        try:
            found = json.load(stream)
        except ValueError as error:
            raise InvalidJobException(f"the job specification is not JSON: {error}", error) from error
        if not isinstance(found, dict):
            raise InvalidJobException(f"the job specification must be a mapping, not {found!r}")
        return found


class Export:
    """Writes a specification into a file, in the envelope of psij-python's early releases."""

    version = 0.1

    def envelope(self, type: str | None = None) -> dict[str, Any]:
        """What surrounds the specification."""
        return {"version": self.version, "type": type, "data": None}

    def to_dict(self, o: JobSpec) -> dict[str, Any]:
        """The specification as JSON values, without envelope."""
        return spec_to_dict(o)

    def export(self, obj: JobSpec, dest: str | os.PathLike[str]) -> bool:
        """Write it; True."""
        envelope = self.envelope("JobSpec") | {"data": self.to_dict(obj)}
        with open(dest, "w", encoding="utf-8") as file:
            json.dump(envelope, file, ensure_ascii=False, indent=4)
        return True


class Import:
    """Reads what `Export` writes."""

    def from_dict(self, hash: Mapping[str, Any], target_type: str | None = "JobSpec") -> JobSpec:
        """The specification of these JSON values."""
        if target_type != "JobSpec":
            raise InvalidJobException(f"only a JobSpec can be read, not {target_type!r}", element="type")
        return spec_from_dict(hash, complete=False)

    def load(self, src: str | os.PathLike[str]) -> JobSpec:
        """The specification in a file. Raises InvalidJobException naming the element at fault, and OSError."""
        with open(src, encoding="utf-8") as file:
            envelope = json.load(file)
        if not isinstance(envelope, Mapping) or not isinstance(envelope.get("data"), Mapping):
            raise InvalidJobException(f"{os.fspath(src)} holds no exported job specification", element="data")
        return self.from_dict(envelope["data"], envelope.get("type"))
