"""Batch systems, under psij-python's names, and the base class for those of others."""
