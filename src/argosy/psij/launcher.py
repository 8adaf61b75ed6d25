"""Launcher, under another of psij-python's names."""

from .job_launcher import Launcher

__all__ = ["Launcher"]
