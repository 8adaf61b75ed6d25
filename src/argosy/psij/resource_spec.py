"""The resource specifications, under psij-python's name."""

from argosy.model import ResourceSpec, ResourceSpecV1

__all__ = ["ResourceSpec", "ResourceSpecV1"]
