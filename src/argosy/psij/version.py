"""The version, under psij-python's name."""

from argosy._version import __version__ as VERSION  # noqa: N812

__all__ = ["VERSION"]
