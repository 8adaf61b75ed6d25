"""The documents about one activity that are told only to those who ask for more: in other words, and in full."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class StepDocument(Struct, omit_defaults=True, kw_only=True):
    """One step of an activity's history, as an information model tells it."""

    time: str
    state: str
    attributes: list[str] = []


class ModelDocument(Struct, omit_defaults=True, kw_only=True):
    """An activity in the words of an information model."""

    model: str
    """``ges``, ``bes``, ``glue2``, ``psij``, ``emi-es``, ``arc-rest`` or ``drmaa2``."""
    state: str
    attributes: list[str] = []
    """Sub-states or attributes, where the model has such."""
    document: dict[str, Any] | None = None
    """What the model tells of an activity beside its state, as the model names it. Not with verbosity ``basic``."""
    history: list[StepDocument] | None = None
    """With verbosity ``full``: a history that is possible in the model."""


class SpentDocument(Struct, omit_defaults=True, kw_only=True):
    """Where an activity's time went, in seconds; what is under way counts until now. What never was is left out."""

    total: float
    held: float = 0.0
    """Until its owner let it start."""
    pending: float = 0.0
    """Until something was done about it: it waited for a share."""
    staged_in: float = 0.0
    waited: float = 0.0
    """In the batch system, until it ran."""
    ran: float = 0.0
    suspended: float = 0.0
    staged_out: float = 0.0
    ended: float = 0.0
    """From the request to end it until it was over."""


class SchemeDocument(Struct, omit_defaults=True, kw_only=True):
    """What can be done with URLs of a scheme. `missing` says what lacks where nothing can."""

    scheme: str
    fetch: bool = False
    push: bool = False
    directories: bool = False
    missing: str | None = None


class StagingDocument(Struct, kw_only=True):
    """How files come and go."""

    ways: list[str]
    """Of those of GES 3.6: ``stagein``, ``pushin``, ``stageout``, ``pullout`` and, within the job, ``runtime``."""
    schemes: list[SchemeDocument]
    checksums: list[str]


class ActionsDocument(Struct, kw_only=True):
    """What can be done to jobs of a resource."""

    resource: str
    system: str
    actions: list[str]


class ModelOffered(Struct, kw_only=True):
    """An information model, and what it is taken from."""

    name: str
    source: str
    xml: bool
    """Whether activities can be had as XML of it."""


class LanguageOffered(Struct, kw_only=True):
    """A description language; ``/v1/languages`` says what is understood of it."""

    name: str
    media_types: list[str]


class CapabilitiesDocument(Struct, kw_only=True):
    """What can be asked of the service; its limits are in ``/v1``."""

    languages: list[LanguageOffered]
    models: list[ModelOffered]
    verbosities: list[str]
    service_models: list[str]
    staging: StagingDocument
    resources: list[ActionsDocument]
