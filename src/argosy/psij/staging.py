"""The staging directives, under psij-python's name."""

from argosy.model.staging import URI, StageIn, StageOut, StageOutFlags, StagingMode

__all__ = ["URI", "StageIn", "StageOut", "StageOutFlags", "StagingMode"]
